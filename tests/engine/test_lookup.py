import math

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.lookup import (
    NOTHING,
    Found,
    current_entries,
    find,
    look_up,
    note_served,
    note_unstored,
)
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.engine.tags import invalidate, present_versions
from jinja_fragcache.entries.entry import Entry, Life, encode
from jinja_fragcache.entries.freshness import GracePeriods, want
from jinja_fragcache.operations import perform
from tests.support import Clock, RecordingStore, context

PLAIN = want(True, None)
NO_GRACE = GracePeriods()


class Subject:
    """A cache whose store has entries, and whose clock is set by hand."""

    def __init__(self) -> None:
        self.store = RecordingStore()
        self.counts = Stats()
        self.clock = Clock()
        self.context = context(self.store, self.counts, clock=self.clock)

    def put(self, key: str, seconds: float | None, *tags: str) -> None:
        """Store an entry of which the text is its key."""
        unknown: dict[str, object] = dict.fromkeys(tags)
        versions = perform(present_versions(self.context, unknown, 60)) or {}
        life = None if seconds is None else Life(self.clock.now + seconds, 0.0)
        entry = Entry(key, tags=tuple(versions.items()), life=life)
        self.store.values[key] = encode(entry)
        self.store.calls.clear()

    def look_up(self, *keys: str, grace: GracePeriods = NO_GRACE) -> list[Found]:
        specs = [FragmentSpec(key, PLAIN, 60, grace) for key in keys]
        return perform(look_up(specs, self.context))


def test_entries_are_looked_up_with_their_values_and_standing() -> None:
    subject = Subject()
    subject.put("fresh", None)
    subject.put("old", 60)
    subject.clock.now += 90
    found = subject.look_up("fresh", "old", "none", grace=GracePeriods(stale=60))
    assert [each.is_fresh for each in found] == [True, False, False]
    assert [each.standing.served for each in found] == [True, True, False]
    assert found[0].value == "fresh"
    assert found[1].value == "old"
    assert found[2] == NOTHING


def test_an_entry_is_missing_once_one_of_its_tags_is_invalidated() -> None:
    subject = Subject()
    subject.put("k", None, "a", "b")
    assert subject.look_up("k")[0].is_fresh
    perform(invalidate(subject.context, ["b"]))
    (found,) = subject.look_up("k")
    assert not found.is_fresh
    assert found.versions.keys() == {"a", "b"}


def test_the_store_is_not_read_again_for_what_it_has_returned() -> None:
    subject = Subject()
    spec = FragmentSpec("k", PLAIN, 60)
    (found,) = perform(look_up([spec], subject.context, ["text"]))
    assert found.value == "text"
    assert subject.store.calls == []


def test_current_entries_are_those_that_are_neither_expired_nor_invalidated() -> None:
    subject = Subject()
    subject.put("fresh", 60, "a")
    subject.put("invalidated", 60, "b")
    subject.put("expired", 30)
    perform(invalidate(subject.context, ["b"]))
    subject.clock.now += 30
    keys = ["fresh", "invalidated", "expired", "none"]
    entries = perform(current_entries(subject.context, keys))
    texts = [None if entry is None else entry.text for entry in entries]
    assert texts == ["fresh", None, None, None]


def test_only_fresh_values_that_are_found_count_as_hits() -> None:
    subject = Subject()
    subject.put("k", 60)
    specs = [FragmentSpec(key, PLAIN, 60) for key in ("k", "none")]
    perform(find(specs, subject.context))
    assert subject.counts == Stats(hits=1)


def test_a_served_entry_becomes_a_dependency_of_the_body_around_it() -> None:
    subject = Subject()
    subject.put("k", 60, "a")
    with Dependencies() as dependencies:
        (found,) = perform(find([FragmentSpec("k", PLAIN, 300)], subject.context))
    assert dependencies.tags == found.versions
    assert dependencies.expires == subject.clock.now + 60


def test_an_entry_that_does_not_tell_its_expiry_counts_with_its_timeout() -> None:
    subject = Subject()
    subject.put("k", None)
    (found,) = subject.look_up("k")
    with Dependencies() as dependencies:
        spec = FragmentSpec("k", PLAIN, 300)
        perform(note_served(spec, found, subject.context))
    assert dependencies.expires == subject.clock.now + 300


def test_a_value_that_is_not_stored_is_a_dependency_with_its_tags() -> None:
    subject = Subject()
    with Dependencies() as dependencies:
        note_unstored(FragmentSpec("k", PLAIN, 300, tags=("a",)), subject.context)
        assert dependencies.expires == subject.clock.now + 300
        note_unstored(FragmentSpec("k", PLAIN, 0), subject.context)
    assert dependencies.tags == {"a": None}
    assert dependencies.expires < math.inf
