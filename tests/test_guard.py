import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jinja_fragcache.errors import StoreError
from jinja_fragcache.guard import Counts, Guard
from jinja_fragcache.once import Flights
from jinja_fragcache.operations import Operation, perform, perform_async
from jinja_fragcache.stores import AsyncOnlyError, adapt
from tests.support import CoroutineStore, RecordingStore


class Ears:
    """Notes what it is told, if it listens."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.receivers = dict.fromkeys(("hit", "miss", "set", "delete"), True)

    def announce(self, event: str, key: str) -> None:
        self.heard.append((event, key))


class Subject:
    def __init__(self, kind: str) -> None:
        store: Any = CoroutineStore() if kind == "coroutines" else RecordingStore()
        self.store: RecordingStore = getattr(store, "inner", store)
        self.counts = Counts()
        self.ears = Ears()
        self.is_async = kind != "plain"
        face = adapt(store)[self.is_async]
        self.guard = Guard(
            face,
            counts=self.counts,
            flights=Flights(),
            blocking=not self.is_async,
            default_timeout=60,
            announcer=self.ears,
        )

    def do(self, method: Callable[..., Operation[Any]], *arguments: Any) -> Any:
        operation = method(self.guard, *arguments)
        if self.is_async:
            return asyncio.run(perform_async(operation))
        return perform(operation)


@pytest.fixture(params=["plain", "threads", "coroutines"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


def test_what_is_written_is_read(subject: Subject) -> None:
    assert subject.do(Guard.write, "k", "text", 5) is True
    assert subject.do(Guard.read, "k") == "text"
    assert subject.do(Guard.read_many, ["none", "k"]) == [None, "text"]
    assert subject.store.timeouts == {"k": 5}
    assert subject.counts == Counts(stored=1)
    assert subject.ears.heard == [("set", "k")]


def test_none_is_the_default_timeout_and_zero_is_for_ever(subject: Subject) -> None:
    subject.do(Guard.write_many, {"a": "1", "b": "2"}, None)
    subject.do(Guard.add, "c", "3", 0)
    assert subject.store.timeouts == {"a": 60, "b": 60, "c": 0}
    assert subject.counts == Counts(stored=2)
    assert subject.ears.heard == [("set", "a"), ("set", "b")]


def test_what_is_there_is_not_added(subject: Subject) -> None:
    assert subject.do(Guard.add, "k", "first", 5) is True
    assert subject.do(Guard.add, "k", "second", 5) is False
    assert subject.store.values == {"k": "first"}
    assert subject.ears.heard == []


def test_a_number_is_counted(subject: Subject) -> None:
    assert subject.do(Guard.increment, "k", 2) == 2
    assert subject.do(Guard.increment, "k", -3) == -1
    assert subject.ears.heard == [("set", "k"), ("set", "k")]


def test_what_is_deleted_is_gone(subject: Subject) -> None:
    subject.store.values = {"a": "1", "b": "2", "c": "3"}
    assert subject.do(Guard.delete, "a") is True
    assert subject.do(Guard.delete, "a") is False
    subject.do(Guard.delete_many, ["b", "none"])
    assert subject.store.values == {"c": "3"}
    assert subject.counts == Counts(deleted=4)
    heard = [("delete", key) for key in ("a", "a", "b", "none")]
    assert subject.ears.heard == heard
    subject.do(Guard.clear)
    assert subject.store.values == {}


@pytest.mark.parametrize(
    ("method", "arguments", "nothing"),
    [
        (Guard.read, ["k"], None),
        (Guard.read_many, [["k", "l"]], [None, None]),
        (Guard.write, ["k", "text", 5], False),
        (Guard.write_many, [{"k": "1", "l": "2"}, 5], False),
        (Guard.add, ["k", "text", 5], False),
        (Guard.increment, ["k", 1], None),
    ],
)
def test_reads_and_writes_fail_open(
    subject: Subject,
    caplog: pytest.LogCaptureFixture,
    method: Callable[..., Operation[Any]],
    arguments: list[Any],
    nothing: Any,
) -> None:
    subject.store.failing = {"get", "set"}
    assert subject.do(method, *arguments) == nothing
    assert subject.counts == Counts(failures=1)
    assert subject.ears.heard == []
    (record,) = caplog.records
    assert record.getMessage().startswith("The store could not ")
    assert "ConnectionError: " in record.getMessage()
    assert "'k" in record.getMessage()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [(Guard.delete, ["k"]), (Guard.delete_many, [["k"]]), (Guard.clear, [])],
)
def test_deletes_fail_loudly(
    subject: Subject, method: Callable[..., Operation[Any]], arguments: list[Any]
) -> None:
    subject.store.failing = {"delete", "clear"}
    with pytest.raises(StoreError, match=r"ConnectionError.*may still be served"):
        subject.do(method, *arguments)
    assert subject.counts == Counts()
    assert subject.ears.heard == []


def test_hits_and_misses_are_counted_and_told(subject: Subject) -> None:
    subject.guard.count_hit("k")
    subject.guard.count_miss("l")
    subject.guard.count_stored(["m"])
    assert subject.counts == Counts(hits=1, misses=1, stored=1)
    assert subject.ears.heard == [("hit", "k"), ("miss", "l"), ("set", "m")]


def test_nobody_is_told_who_does_not_listen(subject: Subject) -> None:
    subject.ears.receivers["hit"] = False
    subject.guard.count_hit("k")
    subject.guard.count_miss("k")
    assert subject.ears.heard == [("miss", "k")]


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        (Guard.read, ["k"]),
        (Guard.read_many, [["k"]]),
        (Guard.write, ["k", "text", 5]),
        (Guard.add, ["k", "text", 5]),
        (Guard.increment, ["k", 1]),
        (Guard.delete, ["k"]),
    ],
)
def test_a_store_that_has_to_be_awaited_is_no_failure_to_be_quiet_about(
    method: Callable[..., Operation[Any]], arguments: list[Any]
) -> None:
    guard = Guard(
        adapt(CoroutineStore())[0], counts=Counts(), flights=Flights(), blocking=True
    )
    with pytest.raises(AsyncOnlyError):
        perform(method(guard, *arguments))
