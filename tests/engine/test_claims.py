from typing import Any

import pytest

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine import claims
from jinja_fragcache.engine.claims import Claim
from jinja_fragcache.engine.context import Context
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.operations import perform
from tests.support import Clock, RecordingStore, SharedStore, context


def claiming(policy: Policy | None = None) -> tuple[SharedStore, Stats, Clock, Context]:
    store, counts, clock = SharedStore(), Stats(), Clock()
    made = context(store, counts, policy=policy or Policy(), timer=clock, clock=clock)
    return store, counts, clock, made


def claim(made: Context, key: str) -> Claim:
    claimed, _ = perform(claims.claim(made, [key]))
    return claimed[key]


def release(made: Context, key: str, held: Claim) -> None:
    perform(claims.release(made, {key: held}))


def write(made: Context, text: str, held: Claim) -> bool:
    return perform(claims.write(made, {"k": (text, 5)}, held)) == ["k"]


def test_without_locks_every_caller_may_store() -> None:
    made = context(RecordingStore(), Stats())
    assert claim(made, "k") == Claim(may_store=True)


def test_of_two_claims_one_may_store() -> None:
    _, _, _, made = claiming()
    first = claim(made, "k")
    assert (first.may_store, first.is_taken, first.seconds) == (True, False, 10)
    assert claim(made, "k") == Claim(may_store=False, is_taken=True)
    assert claim(made, "other").may_store
    release(made, "k", first)
    second = claim(made, "k")
    assert second.may_store
    assert second.token != first.token


def test_if_the_store_fails_no_caller_may_store_and_none_waits() -> None:
    store, counts, _, made = claiming()
    held = claim(made, "other")
    store.failing = {"add"}
    for _ in range(2):
        assert claim(made, "k") == Claim(may_store=False)
    assert (counts.failures, counts.skipped) == (1, 1)
    # A lock that can't be released ends by itself.
    release(made, "k", held)


class LosesAnswers(SharedStore):
    """A store whose answers are lost on request, after it has done what it was told."""

    def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        added = super().add(key, value, timeout)
        self._note("the answer")
        return added


def test_locks_whose_answers_were_lost_are_released_with_the_next_claim() -> None:
    store, counts, clock = LosesAnswers(), Stats(), Clock()
    made = context(store, counts, timer=clock, clock=clock)
    keys = ["a" * 5_000, *map(str, range(9))]
    store.failing = {"the answer"}
    for key in keys:
        assert not claim(made, key).may_store
        clock.now += 1
    assert len(store.values) == len(keys)
    store.failing = set()
    # Some at a time, since each takes a round trip.
    release(made, "k", claim(made, "k"))
    assert len(store.values) == 2
    store.failing = {"delete"}
    held = claim(made, "k")
    store.failing = set()
    clock.now += 1
    release(made, "k", held)
    assert len(store.values) == 2
    release(made, "k", claim(made, "k"))
    assert store.values == {}


@pytest.mark.parametrize(
    ("lock_timeout", "took", "seconds"),
    [(10, 0, 10), (2.5, 0, 3), (0, 0, 1), (10, 20, 40), (10, 4, 10)],
)
def test_a_lock_lives_for_the_lock_timeout_or_twice_the_last_duration(
    lock_timeout: float, took: float, seconds: int
) -> None:
    store, _, _, made = claiming(Policy(lock_timeout=lock_timeout))
    made.key_notes.note_slow("k", took)
    assert claim(made, "k").seconds == seconds
    assert list(store.timeouts.values()) == [seconds]


def test_a_write_with_a_claim_is_counted_and_fails_open() -> None:
    store, counts, _, made = claiming()
    held = claim(made, "k")
    assert write(made, "text", held)
    assert store.values == {"k": "text"}
    assert not write(made, "again", held)
    assert counts == Stats(stored=1)
    held = claim(made, "k")
    store.failing = {"get"}
    assert not write(made, "again", held)
    assert counts == Stats(stored=1, failures=1)


def test_the_pauses_grow_up_to_the_deadline() -> None:
    _, _, clock, made = claiming()
    flight, _ = made.flights.join("k")
    pauses = list(claims.pauses(made, flight, claims.deadline(made)))
    assert pauses[:6] == [0.01, 0.02, 0.04, 0.08, 0.16, 0.25]
    assert max(pauses) == 0.25
    assert sum(pauses) == pytest.approx(10)
    with flight:
        nested, _ = made.flights.join("nested")
        assert sum(claims.pauses(made, nested, claims.deadline(made))) == pytest.approx(
            1
        )
    deadline = claims.deadline(made)
    clock.now += 10
    assert list(claims.pauses(made, flight, deadline)) == []


def test_a_slow_store_does_not_move_the_deadline() -> None:
    _, _, clock, made = claiming()
    flight, _ = made.flights.join("k")
    deadline = claims.deadline(made)
    for pause in claims.pauses(made, flight, deadline):
        clock.now += pause + 1
    assert deadline <= clock.now <= deadline + 1
