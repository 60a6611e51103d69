import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from jinja_fragcache.breaker import Breaker
from jinja_fragcache.errors import StoreError
from jinja_fragcache.guard import Guard, Stats
from jinja_fragcache.once import Flights
from jinja_fragcache.operations import Operation, perform, perform_async
from jinja_fragcache.policy import Policy
from jinja_fragcache.stores import AsyncOnlyError, adapt
from tests.support import Clock, CoroutineStore, Ears, RecordingStore, guard


class Subject:
    def __init__(self, kind: str) -> None:
        store: Any = CoroutineStore() if kind == "coroutines" else RecordingStore()
        self.store: RecordingStore = getattr(store, "inner", store)
        self.counts = Stats()
        self.ears = Ears("hit", "miss", "set", "delete")
        self.clock = Clock()
        self.is_async = kind != "plain"
        face = adapt(store)[self.is_async]
        self.guard = Guard(
            face,
            counts=self.counts,
            breaker=Breaker(timer=self.clock),
            flights=Flights(),
            blocking=not self.is_async,
            policy=Policy(default_timeout=60),
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
    assert subject.counts == Stats(stored=1)
    assert subject.ears.heard == [("set", "k")]


def test_none_is_the_default_timeout_and_zero_is_for_ever(subject: Subject) -> None:
    subject.do(Guard.write_many, {"a": "1", "b": "2"}, None)
    subject.do(Guard.add, "c", "3", 0)
    assert subject.store.timeouts == {"a": 60, "b": 60, "c": 0}
    assert subject.counts == Stats(stored=2)
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
    assert subject.counts == Stats(deleted=4)
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
    assert subject.counts == Stats(failures=1)
    assert subject.ears.heard == []
    failed, left_alone = (record.getMessage() for record in caplog.records)
    assert failed.startswith("The store could not ")
    assert "ConnectionError: " in failed
    assert "'k" in failed
    assert left_alone.startswith("The store is left alone")


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
    assert subject.counts == Stats()
    assert subject.ears.heard == []


def test_hits_and_misses_are_counted_and_told(subject: Subject) -> None:
    subject.guard.count_hit("k")
    subject.guard.count_miss("l")
    subject.guard.count_stored(["m"])
    assert subject.counts == Stats(hits=1, misses=1, stored=1)
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
    from_plain = guard(CoroutineStore(), Stats())
    with pytest.raises(AsyncOnlyError):
        perform(method(from_plain, *arguments))


@pytest.mark.parametrize("error", [ConnectionError(), TimeoutError(), LookupError()])
def test_after_a_read_that_fails_the_store_is_left_alone(
    subject: Subject, error: Exception
) -> None:
    subject.store.errors["get"] = error
    assert subject.do(Guard.read, "k") is None
    subject.store.errors.clear()
    subject.store.calls.clear()
    assert subject.do(Guard.read, "k") is None
    assert subject.do(Guard.write, "k", "text", 5) is False
    assert subject.do(Guard.add, "k", "text", 5) is False
    assert subject.do(Guard.increment, "k", 1) is None
    assert subject.store.calls == []
    assert subject.counts == Stats(failures=1, skipped=4)
    subject.clock.now += 1
    assert subject.do(Guard.write, "k", "text", 5) is True
    assert subject.do(Guard.read, "k") == "text"


class ServerDown(Exception):  # noqa: N818 - pylibmc's name
    pass


class PylibmcError(ServerDown):
    pass


@pytest.mark.parametrize(
    ("error", "is_down"),
    [
        (ConnectionRefusedError(), True),
        (redis.TimeoutError(), True),
        (redis.ConnectionError(), True),
        (PylibmcError(), True),
        (redis.ResponseError("OOM"), False),
        (StoreError("too large"), False),
        (TypeError(), False),
    ],
)
def test_a_value_that_is_not_taken_is_not_the_stores_end(
    subject: Subject,
    error: Exception,
    is_down: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    subject.store.errors["set"] = error
    assert subject.do(Guard.write, "k", "text", 5) is False
    subject.do(Guard.read, "k")
    assert subject.counts == Stats(failures=1, skipped=int(is_down))


def test_deletes_are_always_tried_and_tell_that_the_store_is_back(
    subject: Subject,
) -> None:
    subject.store.failing = {"get", "delete"}
    subject.do(Guard.read, "k")
    for _ in range(2):
        with pytest.raises(StoreError):
            subject.do(Guard.delete, "k")
    subject.store.failing = set()
    subject.store.values = {"k": "1", "l": "2", "m": "3"}
    subject.do(Guard.delete, "k")
    assert subject.do(Guard.read, "l") == "2"


def test_a_password_in_an_error_is_not_told(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    error = ConnectionError("no redis://ann:hidden@host:6379/0, nor ann:hidden@host.")
    subject.store.errors.update(get=error, delete=error)
    subject.do(Guard.read, "k")
    with pytest.raises(StoreError) as raised:
        subject.do(Guard.delete, "k")
    for told in (str(raised.value), caplog.text):
        assert "redis://...@host:6379/0, nor ...@host" in told
        assert "hidden" not in told
