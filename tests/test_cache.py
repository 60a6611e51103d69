import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from jinja_fragcache import (
    FragmentCache,
    KeyValueError,
    MemoryStore,
    Stats,
    StoreError,
    TimeoutValueError,
    make_template_fragment_key,
)
from jinja_fragcache.engine.flow import Flow, remove, renew
from jinja_fragcache.engine.lookup import Found, FragmentRequest
from jinja_fragcache.entries.entry import Entry, encode
from jinja_fragcache.entries.freshness import GONE, want
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import AsyncOnlyError
from tests.support import NOTHING, CoroutineStore, Ears, RecordingStore, ask

PLAIN = want(True, None)  # noqa: FBT003 - its form


def renewal(timeout: int | None) -> Flow:
    return partial(renew, FragmentRequest("k", PLAIN, timeout), NOTHING)


ASKED = FragmentRequest("k", PLAIN, 5)


class Subject:
    """A FragmentCache, its store, and its methods called in one of the two ways."""

    def __init__(self, kind: str) -> None:
        self.is_async = kind != "plain"
        store: Any = CoroutineStore() if kind == "coroutines" else RecordingStore()
        self.store: RecordingStore = getattr(store, "inner", store)
        self.cache = FragmentCache(store)

    def call(self, method: str, *arguments: Any) -> Any:
        if not self.is_async:
            return getattr(self.cache, method)(*arguments)
        return asyncio.run(getattr(self.cache, f"{method}_async")(*arguments))

    def run(self, flow: Any, render: Callable[[], str]) -> Any:
        if not self.is_async:
            return self.cache.run(flow, render)

        async def awaited() -> str:
            return render()

        body: Callable[[], Awaitable[str]] = awaited
        return asyncio.run(self.cache.run_async(flow, body))


@pytest.fixture(params=["plain", "threads", "coroutines"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


def test_get_gives_the_text_of_any_entry(subject: Subject) -> None:
    subject.store.values["plain"] = "<p>"
    subject.store.values["other"] = encode(Entry("<p>", escaped=False, version="x"))
    subject.store.values["foreign"] = 5
    assert subject.call("get", "plain") == "<p>"
    assert subject.call("get", "other") == "<p>"
    assert subject.call("get", "foreign") is None
    assert subject.call("get", "none") is None


def test_delete_fragment_deletes_what_the_tag_stored(subject: Subject) -> None:
    key = make_template_fragment_key("row", [1, "en"])
    other = make_template_fragment_key("row", [2, "en"])
    subject.store.values = {key: "1", other: "2"}
    subject.call("delete_fragment", "row", ["1", "en"])
    assert subject.store.values == {other: "2"}
    subject.call("delete_fragment", "row", ["1", "en"])
    assert subject.cache.stats().deleted == 2


def test_delete_fragment_refuses_what_can_be_no_key(subject: Subject) -> None:
    with pytest.raises(KeyValueError):
        subject.call("delete_fragment", "row", [object()])


def test_clear_forgets_all(subject: Subject) -> None:
    subject.store.values = {"a": "1"}
    subject.call("clear")
    assert subject.store.values == {}


@pytest.mark.parametrize(
    ("method", "failing"),
    [
        ("delete", "delete"),
        ("delete_fragment", "delete"),
        ("clear", "clear"),
    ],
)
def test_deletes_fail_loudly(subject: Subject, method: str, failing: str) -> None:
    subject.store.failing = {failing}
    arguments = () if method == "clear" else ("x",)
    with pytest.raises(StoreError, match=r"ConnectionError.*may still be served"):
        subject.call(method, *arguments)
    assert subject.cache.stats().deleted == 0


def test_reads_fail_open(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    subject.store.failing = {"get"}
    assert subject.call("get", "k") is None
    assert subject.call("find", ASKED) == NOTHING
    assert subject.cache.stats() == Stats(failures=1, skipped=1)
    assert "could not read 'k': ConnectionError: get failed" in caplog.text


@pytest.mark.parametrize("foreign", [b"bytes", 5, ["text"]])
def test_a_store_that_gives_no_text_is_told_of(
    subject: Subject, foreign: Any, caplog: pytest.LogCaptureFixture
) -> None:
    subject.store.values["k"] = foreign
    assert subject.call("find", ASKED) == Found(MISSING, GONE, foreign, {})
    assert subject.cache.stats() == Stats(failures=1)
    assert f"it gave {foreign!r}, no text" in caplog.text


def test_a_store_whose_plain_methods_give_coroutines_is_told_of() -> None:
    inner = CoroutineStore()

    class Passing:
        def get(self, key: str) -> Any:
            return inner.get(key)

        def set(self, key: str, value: str, timeout: int | None = None) -> Any:
            return inner.set(key, value, timeout)

        def delete(self, key: str) -> Any:
            return inner.delete(key)

        def clear(self) -> Any:
            return inner.clear()

    cache = FragmentCache(Passing())
    assert ask(cache, "k", lambda: "text") == "text"
    assert cache.stats() == Stats(misses=1, failures=2)
    with pytest.raises(StoreError, match="Define them with `async def`"):
        cache.delete("k")
    with pytest.raises(StoreError, match="Define them with `async def`"):
        cache.clear()


def test_writes_fail_open(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    subject.store.failing = {"set"}
    assert subject.run(renewal(5), lambda: "text") == "text"
    assert subject.cache.stats() == Stats(misses=1, failures=1)
    assert "could not write 'k': ConnectionError: set failed" in caplog.text


def test_a_flow_that_deletes_fails_loudly_and_does_not_render(subject: Subject) -> None:
    subject.store.failing = {"delete"}
    with pytest.raises(StoreError):
        subject.run(partial(remove, "k"), lambda: pytest.fail("rendered"))


def test_what_was_written_is_looked_up(subject: Subject) -> None:
    assert subject.call("find", ASKED) == NOTHING
    subject.run(renewal(5), lambda: "text")
    assert subject.call("find", ASKED).value == "text"
    assert subject.store.timeouts == {"k": 5}
    assert subject.cache.stats() == Stats(hits=1, misses=1, stored=1)


@pytest.mark.parametrize(
    ("default", "timeout", "stored"),
    [(None, None, None), (60, None, 60), (0, None, 0), (60, 0, 0), (60, 5, 5)],
)
def test_the_default_timeout(
    default: int | None, timeout: int | None, stored: int | None
) -> None:
    store = RecordingStore()
    cache = FragmentCache(store, default_timeout=default)
    cache.run(renewal(timeout), lambda: "text")
    assert store.timeouts == {"k": stored}


def test_a_wrong_default_timeout_is_refused() -> None:
    with pytest.raises(TimeoutValueError):
        FragmentCache(default_timeout="300")


def test_a_wrong_store_is_refused() -> None:
    with pytest.raises(StoreError, match="can't be a store"):
        FragmentCache(5)  # type: ignore[arg-type]


def test_a_fragment_cache_is_no_store() -> None:
    store: Any = FragmentCache()
    with pytest.raises(StoreError, match="is a FragmentCache already"):
        FragmentCache(store)


def test_without_a_store_it_is_in_memory() -> None:
    assert isinstance(FragmentCache().store, MemoryStore)


def test_a_store_of_coroutines_can_not_be_used_without_an_event_loop() -> None:
    cache = FragmentCache(CoroutineStore())
    for use in (cache.get, cache.delete, cache.delete_fragment):
        with pytest.raises(AsyncOnlyError, match="call the methods that end in _async"):
            use("k")
    assert cache.stats() == Stats()


def test_what_is_refused_is_logged_once_a_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = FragmentCache()
    for place in ("here", "here", ("there", 3), ("there", 3)):
        cache.refuse(place, KeyValueError(f"{place}: no key."))
    cache.warn_once("here", "here: not again.")
    assert [record.getMessage() for record in caplog.records] == [
        "here: no key.",
        "('there', 3): no key.",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_not_every_place_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    cache = FragmentCache()
    for number in range(2500):
        cache.warn_once(number, "told")
    cache.warn_once(2499, "told again")
    assert len(caplog.records) == 2500
    assert len(cache._places_warned_of) <= 1000


def test_a_strict_cache_raises_instead() -> None:
    strict = False
    cache = FragmentCache(strict=lambda: strict)
    cache.refuse("here", KeyValueError("No key."))
    strict = True
    with pytest.raises(KeyValueError, match="No key"):
        cache.refuse("here", KeyValueError("No key."))


@pytest.mark.parametrize("listens", [True, False])
def test_fragments_are_told_of(listens: bool) -> None:  # noqa: FBT001 - a parameter of the test
    ears = Ears("hit", "miss", "set") if listens else Ears()
    cache = FragmentCache(announcer=ears)
    for _ in range(2):
        ask(cache, "k", lambda: "text")
    told = [("miss", "k"), ("set", "k"), ("hit", "k")]
    assert ears.heard == (told if listens else [])
