import math
import random
from collections import Counter as Multiset
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache import FragmentCache, TimeoutValueError
from jinja_fragcache.engine.policy import Policy, normalize_grace
from jinja_fragcache.entries import compression
from jinja_fragcache.entries.freshness import GracePeriods
from jinja_fragcache.errors import PolicyError
from jinja_fragcache.messages import describe
from jinja_fragcache.timeouts import LONGEST
from tests.support import Clock, Counter, RecordingStore, ask

chances = st.floats(0, 1, exclude_max=True)


def test_zstandard_that_is_not_installed_is_an_error_that_says_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compression, "is_installed", "zlib".__eq__)
    assert Policy(compression="zlib").compression == "zlib"
    told = r"compression can't be 'zstd' .* 'jinja-fragcache\[zstd\]'"
    with pytest.raises(PolicyError, match=told):
        Policy(compression="zstd")


def test_times_are_rounded_up_to_whole_seconds() -> None:
    policy = Policy(default_timeout=1.5, stale=timedelta(minutes=1), stale_if_error=0.2)
    assert policy == Policy(default_timeout=2, stale=60, stale_if_error=1)


@pytest.mark.parametrize("name", ["stale", "stale_if_error"])
def test_none_means_no_grace_period(name: str) -> None:
    nothing: dict[str, Any] = {name: None}
    assert getattr(Policy(**nothing), name) == 0


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("stale", -1, "a number of seconds from 0 (not at all)"),
        ("stale", "60", "a number of seconds"),
        ("stale_if_error", True, "or a timedelta"),
        ("stale_if_error", timedelta(days=-1), "or a timedelta"),
        ("early_refresh", -0.1, f"a number from 0 to {LONGEST}."),
        ("early_refresh", math.inf, f"a number from 0 to {LONGEST}."),
        ("early_refresh", math.nan, f"a number from 0 to {LONGEST}."),
        ("early_refresh", "1", f"a number from 0 to {LONGEST}."),
        ("jitter", 1.1, "a number from 0 to 1."),
        ("jitter", True, "a number from 0 to 1."),
        ("jitter", None, "a number from 0 to 1."),
        ("lock_timeout", -1, f"a number from 0 to {LONGEST}."),
        ("retry_after", math.inf, f"a number from 0 to {LONGEST}."),
        ("verify", 1.1, "a number from 0 to 1."),
        ("verify", True, "a number from 0 to 1."),
        ("compression", "gzip", "'zlib', 'zstd' or None."),
        ("compression", True, "'zlib', 'zstd' or None."),
        ("compression", ["zlib"], "'zlib', 'zstd' or None."),
        ("max_entry_size", 0, "a whole number of bytes from 1, or None"),
        ("max_entry_size", True, "a whole number of bytes from 1, or None"),
        ("max_entry_size", "1000", "a whole number of bytes from 1, or None"),
        ("max_entry_size", 1e6, "a whole number of bytes from 1, or None"),
        ("near", -1, f"a number from 0 to {LONGEST}."),
        ("near", None, f"a number from 0 to {LONGEST}."),
        ("near", math.inf, f"a number from 0 to {LONGEST}."),
        ("near_threshold", 0, "a number from 1."),
        ("near_threshold", 1.5, "a number from 1."),
        ("near_threshold", True, "a number from 1."),
    ],
)
def test_a_wrong_rule_is_an_error_that_names_it(
    name: str, value: Any, allowed: str
) -> None:
    with pytest.raises(PolicyError) as raised:
        FragmentCache(**{name: value})
    assert raised.value.name == name
    assert str(raised.value).startswith(f"{name} can't be {describe(value)}. It is ")
    assert allowed in str(raised.value)


def test_a_wrong_default_timeout_is_an_error() -> None:
    with pytest.raises(TimeoutValueError):
        Policy(default_timeout="300")


def test_normalize_grace_returns_whole_seconds_or_none() -> None:
    assert normalize_grace("stale", timedelta(seconds=2.5)) == 3
    assert normalize_grace("stale", 0) == 0
    assert normalize_grace("stale", None) is None


def test_an_entry_has_its_own_grace_periods_or_those_of_the_cache() -> None:
    policy = Policy(stale=60, stale_if_error=3600)
    assert policy.grace(None, None) == GracePeriods(60, 3600)
    assert policy.grace(0, None) == GracePeriods(0, 3600)
    assert policy.grace(5, 0) == GracePeriods(5, 0)


@given(st.integers(0, LONGEST), st.floats(0, 1), chances)
def test_jitter_only_shortens_a_timeout_and_never_to_zero(
    timeout: int, jitter: float, chance: float
) -> None:
    shortened = Policy(jitter=jitter).shorten(timeout, chance)
    assert min(timeout, 1) <= shortened <= timeout
    assert shortened >= timeout * (1 - jitter) - 1
    assert Policy().shorten(timeout, chance) == timeout


@given(st.floats(0, 100), st.floats(0, 100), chances)
def test_the_head_start_of_an_early_refresh_is_finite_and_not_negative(
    beta: float, cost: float, chance: float
) -> None:
    head_start = Policy(early_refresh=beta).head_start(cost, chance)
    assert 0 <= head_start < math.inf
    assert Policy().head_start(cost, chance) == 0


def test_head_starts_have_the_exponential_distribution_of_the_paper() -> None:
    # An exponential distribution with the mean beta * cost.
    policy = Policy(early_refresh=2)
    chance = random.Random(1)
    number = 20_000
    head_starts = [policy.head_start(0.5, chance.random()) for _ in range(number)]
    for seconds in (0.1, 0.5, 1, 2, 4):
        expected = math.exp(-seconds)
        share = sum(each >= seconds for each in head_starts) / number
        deviation = math.sqrt(expected * (1 - expected) / number)
        assert abs(share - expected) < 4 * deviation


@pytest.mark.slow
@pytest.mark.parametrize("early_refresh", [0, 1])
def test_with_early_refresh_hardly_any_caller_waits_for_an_expired_entry(
    early_refresh: int,
) -> None:
    clock = Clock()
    chance = random.Random(2)
    cache = FragmentCache(
        RecordingStore(),
        early_refresh=early_refresh,
        stale=1,
        timer=clock,
        clock=clock,
        chance=chance.random,
    )
    renders = Counter()
    expired = fresh = 0
    ends = -math.inf

    def body() -> str:
        nonlocal expired, fresh, ends
        if clock.now >= ends:
            expired += 1
        else:
            fresh += 1
        clock.now += 0.5
        ends = clock.now + 60
        return str(renders())

    for _ in range(100_000):
        ask(cache, "k", body, 60)
        clock.now += 0.1
    if early_refresh:
        # With ten requests a second and a body of half a second, the chance that none
        # of them refreshes early is less than one in a hundred.
        assert 150 < fresh < 250
        assert expired <= 1 + fresh / 50
    else:
        assert fresh == 0
        assert expired > 150


@pytest.mark.parametrize("jitter", [0, 0.1])
def test_with_jitter_entries_written_together_expire_at_different_times(
    jitter: float,
) -> None:
    store = RecordingStore()
    chance = random.Random(3)
    cache = FragmentCache(store, jitter=jitter, chance=chance.random)
    for number in range(3000):
        ask(cache, f"k{number}", lambda: "text", 300)
    ends = Multiset(store.timeouts.values())
    if jitter:
        assert set(ends) <= set(range(271, 301))
        # A hundred entries expire in each second, within four standard deviations.
        assert all(60 < ends[second] < 140 for second in range(271, 301))
    else:
        assert ends == {300: 3000}
