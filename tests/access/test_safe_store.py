import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from jinja_fragcache.access.adapter import adapt
from jinja_fragcache.access.breaker import Breaker
from jinja_fragcache.access.runner import Operation, perform, perform_async
from jinja_fragcache.access.safe_store import Claim, Guard, Stats
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.engine.singleflight import Flights
from jinja_fragcache.engine.tag_hints import KnownTags
from jinja_fragcache.entries.entry import Life
from jinja_fragcache.entries.freshness import FRESH, Windows
from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.timeouts import LONGEST
from tests.support import (
    Clock,
    CoroutineStore,
    Ears,
    RecordingStore,
    SharedStore,
    guard,
)


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
            known_tags=KnownTags(),
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


def claiming(policy: Policy | None = None) -> tuple[SharedStore, Stats, Clock, Guard]:
    store, counts, clock = SharedStore(), Stats(), Clock()
    guarded = guard(store, counts, policy=policy or Policy(), timer=clock, clock=clock)
    return store, counts, clock, guarded


def test_without_locks_everybody_may_store() -> None:
    guarded = guard(RecordingStore(), Stats())
    assert perform(guarded.claim("k")) == Claim(may_store=True)


def test_of_two_claims_one_may_store() -> None:
    _, _, _, guarded = claiming()
    first = perform(guarded.claim("k"))
    assert (first.may_store, first.is_taken, first.seconds) == (True, False, 10)
    assert perform(guarded.claim("k")) == Claim(may_store=False, is_taken=True)
    assert perform(guarded.claim("other")).may_store
    perform(guarded.release("k", first))
    second = perform(guarded.claim("k"))
    assert second.may_store
    assert second.token != first.token


def test_where_the_store_fails_nobody_may_store_and_nobody_waits() -> None:
    store, counts, _, guarded = claiming()
    claim = perform(guarded.claim("other"))
    store.failing = {"add"}
    for _ in range(2):
        assert perform(guarded.claim("k")) == Claim(may_store=False)
    assert (counts.failures, counts.skipped) == (1, 1)
    # A lock that can't be released ends by itself.
    perform(guarded.release("k", claim))


@pytest.mark.parametrize(
    ("lock_timeout", "took", "seconds"),
    [(10, 0, 10), (2.5, 0, 3), (0, 0, 1), (10, 20, 40), (10, 4, 10)],
)
def test_a_lock_lives_as_long_as_somebody_waits_for_it_or_twice_what_it_took(
    lock_timeout: float, took: float, seconds: int
) -> None:
    store, _, _, guarded = claiming(Policy(lock_timeout=lock_timeout))
    guarded.flights.note_slow("k", took)
    assert perform(guarded.claim("k")).seconds == seconds
    assert list(store.timeouts.values()) == [seconds]


def test_what_is_stored_with_a_claim_is_counted_and_fails_open() -> None:
    store, counts, _, guarded = claiming()
    claim = perform(guarded.claim("k"))
    assert perform(guarded.write_claimed("k", "text", 5, claim))
    assert store.values == {"k": "text"}
    assert not perform(guarded.write_claimed("k", "again", 5, claim))
    assert counts == Stats(stored=1)
    claim = perform(guarded.claim("k"))
    store.failing = {"get"}
    assert not perform(guarded.write_claimed("k", "again", 5, claim))
    assert counts == Stats(stored=1, failures=1)


def test_the_pauses_grow_up_to_the_deadline() -> None:
    _, _, clock, guarded = claiming()
    flight, _ = guarded.flights.join("k")
    pauses = list(guarded.pauses(flight, guarded.deadline()))
    assert pauses[:6] == [0.01, 0.02, 0.04, 0.08, 0.16, 0.25]
    assert max(pauses) == 0.25
    assert sum(pauses) == pytest.approx(10)
    with guarded.flights.led("k", flight):
        nested, _ = guarded.flights.join("nested")
        assert sum(guarded.pauses(nested, guarded.deadline())) == pytest.approx(1)
    deadline = guarded.deadline()
    clock.now += 10
    assert list(guarded.pauses(flight, deadline)) == []


def test_a_slow_store_does_not_move_the_deadline() -> None:
    _, _, clock, guarded = claiming()
    flight, _ = guarded.flights.join("k")
    deadline = guarded.deadline()
    for pause in guarded.pauses(flight, deadline):
        clock.now += pause + 1
    assert deadline <= clock.now <= deadline + 1


@pytest.mark.parametrize(
    ("policy", "windows", "timeout", "life", "stored"),
    [
        (Policy(default_timeout=60), Windows(), None, None, 60),
        (Policy(), Windows(), None, None, None),
        (Policy(default_timeout=60), Windows(5, 7), None, 60, 67),
        (Policy(), Windows(7, 5), 30, 30, 37),
        (Policy(), Windows(5, 7), None, 300, 307),
        (Policy(), Windows(5, 7), 0, None, 0),
        (Policy(early_refresh=1), Windows(), 30, 30, 30),
        (Policy(jitter=0.5), Windows(), 30, None, 23),
        (Policy(jitter=0.5), Windows(5, 7), 30, 23, 30),
        (Policy(jitter=0.5), Windows(), 0, None, 0),
        (Policy(jitter=0.5), Windows(), None, None, 225),
        (Policy(), Windows(LONGEST, 0), 30, 30, LONGEST),
    ],
)
def test_how_long_an_entry_is_fresh_and_for_how_long_it_is_stored(
    policy: Policy,
    windows: Windows,
    timeout: int | None,
    life: int | None,
    stored: int | None,
) -> None:
    clock = Clock()
    guarded = guard(
        RecordingStore(), Stats(), policy=policy, clock=clock, chance=lambda: 0.5
    )
    expected = None if life is None else Life(clock.now + life, 0.2)
    assert guarded.lifetime(timeout, windows, 0.2) == (expected, stored)


def test_where_the_store_keeps_nothing_by_default_that_is_left_to_it() -> None:
    guarded = guard(RecordingStore(), Stats())
    guarded._face.default_timeout = -1
    assert guarded.lifetime(None, Windows(5, 7), 0.2) == (None, None)
    _, stored = guarded.lifetime(30, Windows(5, 7), 0.2)
    assert stored == 37


def test_an_entry_is_due_before_its_timeout_by_chance() -> None:
    clock = Clock()
    chances = iter([0.5, 0.999])
    guarded = guard(
        RecordingStore(),
        Stats(),
        policy=Policy(early_refresh=1),
        clock=clock,
        chance=lambda: next(chances),
    )
    life = Life(clock.now + 5, 1)
    assert [guarded.standing(life, Windows()).due for _ in range(2)] == [False, True]
    assert guarded.standing(None, Windows()) == FRESH
    assert not guarded.is_expired(life)
    clock.now += 5
    assert guarded.is_expired(life)
    assert not guarded.is_expired(None)
