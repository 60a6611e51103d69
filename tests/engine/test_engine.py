import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from jinja_fragcache import KeyValueError, Stats, StoreError
from jinja_fragcache.engine.engine import Engine, Undecided
from jinja_fragcache.engine.flow import Flow, remove, renew
from jinja_fragcache.engine.lookup import NOTHING, Found
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.entry import Entry, encode
from jinja_fragcache.entries.freshness import GONE, want
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.stores import MemoryStore
from tests.support import MadeOnStore

PLAIN = want(True, None)
ASKED = FragmentSpec("k", PLAIN, 5)


def engine(store: Any = None, **options: Any) -> Engine:
    return Engine(MemoryStore() if store is None else store, Policy(), **options)


def renewal(timeout: int | None) -> Flow:
    return partial(renew, FragmentSpec("k", PLAIN, timeout), NOTHING)


class Subject(MadeOnStore[Engine]):
    """An engine and its store, with its methods called directly or awaited."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, engine)
        self.engine = self.made

    def find(self) -> Found:
        found = self.call("find", ASKED)
        assert isinstance(found, Found)
        return found

    def run(self, flow: Any, render: Callable[[], str]) -> Any:
        if not self.is_async:
            return self.engine.run(flow, render)

        async def awaited() -> str:
            return render()

        body: Callable[[], Awaitable[str]] = awaited
        return asyncio.run(self.engine.run_async(flow, body))


@pytest.fixture(params=["plain", "threads", "coroutines"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


def test_the_text_of_a_fresh_entry_is_decided_early(subject: Subject) -> None:
    subject.store.values["k"] = "text"
    assert subject.call("text", "k", PLAIN) == "text"
    assert subject.engine.stats == Stats(hits=1)
    assert subject.store.calls == ["get"]


@pytest.mark.parametrize(
    "stored", [None, 5, encode(Entry("text", tags=(("a", "1"),))), "\x1e{cut"]
)
def test_an_entry_with_more_to_check_is_not_decided_early(
    subject: Subject, stored: Any
) -> None:
    subject.store.values["k"] = stored
    answer = subject.call("text", "k", PLAIN)
    assert isinstance(answer, Undecided)
    assert answer.stored == stored
    assert subject.engine.stats == Stats()


def test_of_many_texts_the_fresh_ones_are_decided_early(subject: Subject) -> None:
    subject.store.values = {"a": "1", "b": encode(Entry("2", escaped=False)), "c": "3"}
    texts, stored = subject.call("texts", ["a", "b", "none", "c"], PLAIN)
    assert texts == ["1", None, None, "3"]
    assert stored == ["1", subject.store.values["b"], None, "3"]
    assert subject.engine.stats == Stats(hits=2)


def test_reads_fail_open(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    subject.store.failing = {"get"}
    assert subject.find() == NOTHING
    assert subject.find() == NOTHING
    assert subject.engine.stats == Stats(failures=1, skipped=1)
    assert "could not read 'k': ConnectionError: get failed" in caplog.text


@pytest.mark.parametrize("foreign", [b"bytes", 5, ["text"]])
def test_a_stored_value_that_is_not_text_is_a_miss_and_is_logged(
    subject: Subject, foreign: Any, caplog: pytest.LogCaptureFixture
) -> None:
    subject.store.values["k"] = foreign
    assert subject.find() == Found(MISSING, GONE, foreign, {})
    assert subject.engine.stats == Stats(failures=1)
    assert f"it gave {foreign!r}, no text" in caplog.text


def test_writes_fail_open(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    subject.store.failing = {"set"}
    assert subject.run(renewal(5), lambda: "text") == "text"
    assert subject.engine.stats == Stats(misses=1, failures=1)
    assert "could not write 'k': ConnectionError: set failed" in caplog.text


def test_a_failed_delete_is_an_error_and_does_not_render(subject: Subject) -> None:
    subject.store.failing = {"delete"}
    with pytest.raises(StoreError):
        subject.run(partial(remove, "k"), lambda: pytest.fail("rendered"))


def test_find_returns_a_written_text(subject: Subject) -> None:
    assert subject.find() == NOTHING
    subject.run(renewal(5), lambda: "text")
    assert subject.find().value == "text"
    assert subject.store.timeouts == {"k": 5}
    assert subject.engine.stats == Stats(hits=1, misses=1, stored=1)


def test_a_refusal_is_logged_once_for_each_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = engine()
    for place in ("here", "here", ("there", 3), ("there", 3)):
        made.refuse(place, KeyValueError(f"{place}: no key."))
    made.warn_once("here", "here: not again.")
    assert [record.getMessage() for record in caplog.records] == [
        "here: no key.",
        "('there', 3): no key.",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_refusal_is_an_error_in_a_strict_cache() -> None:
    strict = False
    made = engine(strict=lambda: strict)
    made.refuse("here", KeyValueError("No key."))
    strict = True
    with pytest.raises(KeyValueError, match="No key"):
        made.refuse("here", KeyValueError("No key."))
