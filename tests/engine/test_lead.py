import pytest

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.claims import FREE, Claim
from jinja_fragcache.engine.lead import Lead
from jinja_fragcache.engine.lookup import NOTHING, Found
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.engine.singleflight import Flights
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.freshness import FRESH, GracePeriods, Standing, want
from tests.support import RecordingStore, context

TAKEN = Claim(may_store=False, is_taken=True)
STALE = Found(
    "old",
    Standing(served=True, due=True, served_on_error=True, expired=True),
    "old",
    {},
)
THEIRS = Found("new", FRESH, "new", {})


def lead(found: Found = NOTHING, **spec: object) -> Lead:
    flight, _ = Flights().join("k")
    values = {"timeout": 60, **spec}
    asked = FragmentSpec("k", want(True, None), **values)  # type: ignore[arg-type]
    return Lead(flight, asked, found, lambda: "text")


@pytest.mark.parametrize(
    ("found", "claim", "leaves_taken", "makes"),
    [
        (NOTHING, FREE, True, True),
        (NOTHING, FREE, False, True),
        # Another process makes the value. The caller of a list comes back to it later.
        (NOTHING, TAKEN, True, False),
        (NOTHING, TAKEN, False, True),
        (STALE, FREE, False, True),
        (STALE, TAKEN, False, False),
    ],
)
def test_who_makes_the_value(
    found: Found, claim: Claim, leaves_taken: bool, makes: bool
) -> None:
    mine = lead(found)
    mine.claim = claim
    assert mine.is_to_make(leaves_taken=leaves_taken) is makes


@pytest.mark.parametrize("found", [NOTHING, STALE])
def test_a_value_that_another_caller_has_stored_meanwhile_is_not_made(
    found: Found,
) -> None:
    mine = lead(found)
    mine.there = THEIRS
    assert mine.is_stored_by_others
    assert not mine.is_to_make(leaves_taken=False)


def test_the_same_entry_as_before_was_stored_by_nobody() -> None:
    mine = lead(STALE)
    mine.there = STALE._replace(value="old")
    assert not mine.is_stored_by_others


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(60, 90), (0, 0), (None, 330)], ids=str
)
def test_an_entry_is_stored_for_its_timeout_and_its_grace_period(
    timeout: int | None, seconds: int
) -> None:
    cache = context(RecordingStore(), Stats(), policy=Policy(default_timeout=300))
    mine = lead(timeout=timeout, grace=GracePeriods(10, 30))
    assert mine.longest(cache) == seconds
