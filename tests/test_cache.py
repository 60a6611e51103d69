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
from jinja_fragcache.engine.flow import Flow, renew
from jinja_fragcache.engine.lookup import NOTHING
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.entry import Entry, encode
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.errors import AsyncOnlyError, PolicyError
from tests.support import CoroutineStore, Ears, MadeOnStore, RecordingStore, ask

PLAIN = want(True, None)


def renewal(timeout: int | None) -> Flow:
    return partial(renew, FragmentSpec("k", PLAIN, timeout), NOTHING)


class Subject(MadeOnStore[FragmentCache]):
    """A FragmentCache and its store, with its methods called directly or awaited."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, FragmentCache)
        self.cache = self.made


@pytest.fixture(params=["plain", "threads", "coroutines"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


def test_get_returns_the_text_of_any_entry(subject: Subject) -> None:
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


def test_delete_fragment_refuses_a_value_that_can_not_be_in_a_key(
    subject: Subject,
) -> None:
    with pytest.raises(KeyValueError):
        subject.call("delete_fragment", "row", [object()])


def test_clear_deletes_all_entries(subject: Subject) -> None:
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
def test_deletes_raise_an_error_if_the_store_fails(
    subject: Subject, method: str, failing: str
) -> None:
    subject.store.failing = {failing}
    arguments = () if method == "clear" else ("x",)
    with pytest.raises(StoreError, match=r"ConnectionError.*may still be served"):
        subject.call(method, *arguments)
    assert subject.cache.stats().deleted == 0


def test_plain_methods_that_return_coroutines_are_an_error() -> None:
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


@pytest.mark.parametrize(
    ("default", "timeout", "stored"),
    [(None, None, None), (60, None, 60), (0, None, 0), (60, 0, 0), (60, 5, 5)],
)
def test_a_timeout_of_none_is_the_default_timeout(
    default: int | None, timeout: int | None, stored: int | None
) -> None:
    store = RecordingStore()
    cache = FragmentCache(store, default_timeout=default)
    cache.engine.run(renewal(timeout), lambda: "text")
    assert store.timeouts == {"k": stored}


def test_a_wrong_default_timeout_is_refused() -> None:
    with pytest.raises(TimeoutValueError):
        FragmentCache(default_timeout="300")


@pytest.mark.parametrize("name", ["strict", "statistics", "debug_comments"])
def test_a_flag_that_is_none_is_refused(name: str) -> None:
    wrong: Any = {name: "no"}
    with pytest.raises(PolicyError, match=rf"{name} can't be 'no' .* True or False"):
        FragmentCache(**wrong)


def test_a_wrong_store_is_refused() -> None:
    with pytest.raises(StoreError, match="can't be a store"):
        FragmentCache(5)  # type: ignore[arg-type]


def test_a_fragment_cache_is_refused_as_a_store() -> None:
    store: Any = FragmentCache()
    with pytest.raises(StoreError, match="is a FragmentCache already"):
        FragmentCache(store)


def test_without_a_store_entries_are_kept_in_memory() -> None:
    assert isinstance(FragmentCache().store, MemoryStore)


def test_a_store_of_coroutines_can_not_be_used_without_an_event_loop() -> None:
    cache = FragmentCache(CoroutineStore())
    for use in (cache.get, cache.delete, cache.delete_fragment):
        with pytest.raises(AsyncOnlyError, match="call the methods that end in _async"):
            use("k")
    assert cache.stats() == Stats()


@pytest.mark.parametrize("listens", [True, False])
def test_events_of_fragments_are_announced_to_listeners(listens: bool) -> None:
    ears = Ears("hit", "miss", "set") if listens else Ears()
    cache = FragmentCache(listeners=[ears])
    for _ in range(2):
        ask(cache, "k", lambda: "text")
    told = [("miss", "k"), ("set", "k"), ("hit", "k")]
    assert ears.heard == (told if listens else [])
