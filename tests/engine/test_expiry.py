import pytest

from jinja_fragcache.access.safe_store import SafeStore
from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.expiry import is_expired, lifetime, standing
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.entries.entry import Life
from jinja_fragcache.entries.freshness import FRESH, GracePeriods
from jinja_fragcache.timeouts import LONGEST
from tests.support import Clock, RecordingStore, context


@pytest.mark.parametrize(
    ("policy", "grace", "timeout", "life", "stored"),
    [
        (Policy(default_timeout=60), GracePeriods(), None, None, 60),
        (Policy(), GracePeriods(), None, None, None),
        (Policy(default_timeout=60), GracePeriods(5, 7), None, 60, 67),
        (Policy(), GracePeriods(7, 5), 30, 30, 37),
        (Policy(), GracePeriods(5, 7), None, 300, 307),
        (Policy(), GracePeriods(5, 7), 0, None, 0),
        (Policy(early_refresh=1), GracePeriods(), 30, 30, 30),
        (Policy(jitter=0.5), GracePeriods(), 30, None, 23),
        (Policy(jitter=0.5), GracePeriods(5, 7), 30, 23, 30),
        (Policy(jitter=0.5), GracePeriods(), 0, None, 0),
        (Policy(jitter=0.5), GracePeriods(), None, None, 225),
        (Policy(), GracePeriods(LONGEST, 0), 30, 30, LONGEST),
    ],
)
def test_how_long_an_entry_is_fresh_and_for_how_long_it_is_stored(
    policy: Policy,
    grace: GracePeriods,
    timeout: int | None,
    life: int | None,
    stored: int | None,
) -> None:
    clock = Clock()
    made = context(
        RecordingStore(), Stats(), policy=policy, clock=clock, chance=lambda: 0.5
    )
    expected = None if life is None else Life(clock.now + life, 0.2)
    assert lifetime(made, timeout, grace, 0.2) == (expected, stored)


def test_the_default_timeout_is_left_to_a_store_that_stores_nothing_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = context(RecordingStore(), Stats())
    monkeypatch.setattr(SafeStore, "default_timeout", -1)
    assert lifetime(made, None, GracePeriods(5, 7), 0.2) == (None, None)
    _, stored = lifetime(made, 30, GracePeriods(5, 7), 0.2)
    assert stored == 37


def test_an_entry_is_due_before_its_timeout_by_chance() -> None:
    clock = Clock()
    chances = iter([0.5, 0.999])
    made = context(
        RecordingStore(),
        Stats(),
        policy=Policy(early_refresh=1),
        clock=clock,
        chance=lambda: next(chances),
    )
    life = Life(clock.now + 5, 1)
    assert [standing(made, life, GracePeriods()).due for _ in range(2)] == [
        False,
        True,
    ]
    assert standing(made, None, GracePeriods()) == FRESH
    assert not is_expired(made, life)
    clock.now += 5
    assert is_expired(made, life)
    assert not is_expired(made, None)
