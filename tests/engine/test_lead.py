from collections.abc import Sequence

import pytest

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.claims import FREE, Claim
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.lead import Lead
from jinja_fragcache.engine.lookup import NOTHING, Found
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.engine.singleflight import Flights
from jinja_fragcache.engine.spec import FragmentSpec, NotStored
from jinja_fragcache.entries.freshness import FRESH, GracePeriods, Standing, want
from jinja_fragcache.guard.reads import Cover, Read
from jinja_fragcache.keys.digests import digest
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


class Guard:
    """A guard of a key with one name and one value, that records what it refuses."""

    def __init__(self) -> None:
        self.refused: list[Read] = []

    def start(self) -> None:
        pass

    def cover(self) -> Cover:
        return Cover(
            frozenset({"user.id"}), frozenset({"5"}), frozenset({"request.host"})
        )

    def texts_now(self, name: str) -> frozenset[str]:
        return frozenset({"5"}) if name == "session.user" else frozenset()

    def refuse(self, reads: Sequence[Read]) -> None:
        self.refused += reads


BY_NAME = Read("user")
BY_VALUE = Read("session.user", frozenset({"5"}))
ALLOWED = Read("request.host")
LACKING = Read("session.cart", frozenset({"7"}))
KEPT = Read("request.base_url", frozenset({"http://a/"}), kept="http://a/")


def body_with(*reads: Read) -> Dependencies:
    with Dependencies() as dependencies:
        dependencies.include({}, reads=reads)
    return dependencies


def test_what_a_key_covers_is_stored_with_the_entry() -> None:
    guard = Guard()
    reads = body_with(BY_NAME, BY_VALUE, ALLOWED, KEPT)
    names = lead(guard=guard)._covered_reads(reads)
    assert names == (
        "user",
        f"=session.user {digest(repr(['5']))}",
        "~request.base_url http://a/",
    )
    assert guard.refused == []


def test_what_a_key_lacks_is_refused() -> None:
    guard = Guard()
    with pytest.raises(NotStored):
        lead(guard=guard)._covered_reads(body_with(BY_NAME, LACKING))
    assert guard.refused == [LACKING]


def test_without_a_guard_nothing_is_refused() -> None:
    assert lead()._covered_reads(body_with(LACKING)) == ()


def test_the_body_around_gets_what_is_not_allowed() -> None:
    reads = lead(guard=Guard())._reads_for_outer(
        body_with(BY_NAME, BY_VALUE, ALLOWED, LACKING, KEPT)
    )
    assert [(each.name, set(each.instead)) for each in reads] == [
        ("user", {"5"}),
        ("session.user", set()),
        ("session.cart", set()),
        ("request.base_url", set()),
    ]
    assert reads[1].values == {"5"}
    assert reads[-1].kept == "http://a/"
    assert lead()._reads_for_outer(body_with(LACKING)) == [LACKING]
