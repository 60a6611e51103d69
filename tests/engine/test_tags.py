import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.engine.tags import (
    invalidate,
    present_versions,
    read_versions,
    versions_since,
)
from jinja_fragcache.errors import StoreError
from jinja_fragcache.keys.fragment import make_template_fragment_key
from jinja_fragcache.operations import perform
from tests.support import NAMES, Clock, RecordingStore, context


class Subject:
    """A store, and the functions performed on it."""

    def __init__(self) -> None:
        self.store = RecordingStore()
        self.counts = Stats()
        self.clock = Clock()
        policy = Policy(default_timeout=300)
        self.context = context(self.store, self.counts, policy=policy, clock=self.clock)

    def read(self, tags: Sequence[str], key: str = "key") -> tuple[Any, dict[str, Any]]:
        (stored,), versions = perform(read_versions(self.context, [key], tags))
        return stored, versions

    def present(self, tags: Sequence[str]) -> dict[str, str] | None:
        _, versions = self.read(tags)
        return perform(present_versions(self.context, versions, 60))

    def invalidate(self, tags: Iterable[str]) -> None:
        perform(invalidate(self.context, tags))


def test_without_tags_only_the_entry_is_read() -> None:
    subject = Subject()
    subject.store.values["key"] = "text"
    assert subject.read([]) == ("text", {})
    assert subject.store.calls == ["get"]
    assert subject.present([]) == {}


def test_an_entry_is_read_with_the_versions_of_its_tags() -> None:
    subject = Subject()
    subject.store.values["key"] = "text"
    assert subject.read(["a", "b"]) == ("text", {"a": None, "b": None})
    versions = subject.present(["b"])
    assert versions is not None
    assert subject.read(["a", "b"]) == ("text", {"a": None, "b": versions["b"]})


def test_a_tag_keeps_its_version() -> None:
    subject = Subject()
    first = subject.present(["a", "b"])
    assert first is not None
    assert first.keys() == {"a", "b"}
    assert first["a"] != first["b"]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in first.values())
    assert subject.present(["a", "b"]) == first


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (5, 3600),
        (3600, 36000),
        (29 * 24 * 3600, 30 * 24 * 3600),
        (40 * 24 * 3600, 40 * 24 * 3600),
        (0, 0),
        (None, 3600),
    ],
)
def test_a_version_outlives_its_entries_and_does_not_stay_for_ever(
    timeout: int | None, seconds: int
) -> None:
    subject = Subject()
    perform(present_versions(subject.context, {"posts": None}, timeout))
    assert list(subject.store.timeouts.values()) == [seconds]


def test_versions_are_not_counted_in_the_stats() -> None:
    subject = Subject()
    subject.present(["a"])
    assert subject.counts == Stats()


def test_an_invalidated_tag_gets_a_new_version() -> None:
    subject = Subject()
    before = subject.present(["a", "b", "c"])
    assert before is not None
    subject.invalidate(["a", "c"])
    _, left = subject.read(["a", "b", "c"])
    assert {tag for tag, version in left.items() if version == before[tag]} == {"b"}
    after = subject.present(["a", "b", "c"])
    assert after is not None
    assert {tag for tag in after if after[tag] == before[tag]} == {"b"}


def test_invalidating_raises_an_error_if_the_store_fails() -> None:
    subject = Subject()
    subject.store.failing = {"set", "delete"}
    with pytest.raises(StoreError, match="may still be served"):
        subject.invalidate(["a"])


@pytest.mark.parametrize("failing", [{"set"}, {"get", "set"}, {"get"}])
def test_no_versions_are_returned_if_the_store_fails(failing: set[str]) -> None:
    subject = Subject()
    versions: dict[str, object] = {"a": None}
    subject.store.failing = failing
    assert perform(present_versions(subject.context, versions, 60)) is None
    assert subject.counts.failures > 0


def test_known_versions_are_not_read_from_the_store() -> None:
    subject = Subject()
    subject.store.failing = {"get", "set"}
    known: dict[str, object] = {"a": "1", "b": "2"}
    assert perform(present_versions(subject.context, known, 60)) == known
    assert subject.store.calls == []


def test_one_version_that_can_not_be_stored_makes_the_result_none() -> None:
    subject = Subject()
    subject.store.failing = {"set"}
    versions: dict[str, object] = {"a": "1", "b": None, "c": "3"}
    assert perform(present_versions(subject.context, versions, 60)) is None


def test_of_two_callers_the_first_sets_the_version() -> None:
    """Two callers miss at once: both find no version, and both write one."""
    subject = Subject()
    _, versions = subject.read(["a"])
    first = perform(present_versions(subject.context, versions, 60))
    second = perform(present_versions(subject.context, versions, 60))
    assert first is not None
    assert second == first
    assert subject.read(["a"])[1] == first


def test_a_stored_version_that_is_not_text_does_not_count() -> None:
    subject = Subject()
    subject.present(["a"])
    (key,) = subject.store.values
    subject.store.values[key] = 7
    versions = subject.present(["a"])
    assert versions == {"a": subject.store.values[key]}
    assert isinstance(subject.store.values[key], str)
    # Neither does one that the store returned before it lost it.
    subject.store.values.clear()
    found: dict[str, object] = {"a": 7}
    versions = perform(present_versions(subject.context, found, 60))
    assert subject.read(["a"])[1] == versions


def test_a_version_that_can_not_be_replaced_makes_the_result_none() -> None:
    subject = Subject()
    subject.present(["a"])
    (key,) = subject.store.values
    subject.store.values[key] = 7
    subject.store.failing = {"set"}
    assert subject.present(["a"]) is None


@given(NAMES, NAMES)
@example("x" * 100 + "a", "x" * 100 + "b")
@example("\u20ac", "\u00fc")
def test_two_tags_never_share_a_version(tag: str, other: str) -> None:
    subject = Subject()
    versions = subject.present([tag, other])
    assert versions is not None
    assert len(subject.store.values) == len({tag, other})
    subject.invalidate([tag])
    assert subject.read([tag])[1] != {tag: versions[tag]}
    if other != tag:
        assert subject.read([other])[1] == {other: versions[other]}


@given(NAMES)
def test_the_key_of_a_version_is_short_printable_ascii(tag: str) -> None:
    subject = Subject()
    subject.present([tag])
    (key,) = subject.store.values
    assert re.fullmatch("tag:[!-~]{0,80}:[0-9a-f]{64}", key)
    assert key != make_template_fragment_key(tag)


@given(st.lists(st.sampled_from("abc")))
def test_a_tag_may_be_named_twice(tags: list[str]) -> None:
    subject = Subject()
    versions = subject.present(tags)
    assert versions is not None
    assert versions.keys() == set(tags)
    assert subject.read(tags)[1] == versions


def since(subject: Subject, tags: Iterable[str], began: float) -> dict[str, str] | None:
    return perform(versions_since(subject.context, list(tags), began, 60))


def test_a_tag_first_used_while_a_value_is_made_gets_a_version() -> None:
    subject = Subject()
    versions = since(subject, ["a"], subject.clock.now)
    assert versions is not None
    assert subject.read(["a"])[1] == versions
    assert since(subject, [], 0) == {}


def test_a_tag_invalidated_since_a_value_was_begun_has_no_version() -> None:
    subject = Subject()
    began = subject.clock.now
    subject.clock.now += 0.001
    subject.invalidate(["a"])
    assert since(subject, ["b", "a"], began) is None
    assert since(subject, ["b", "a"], subject.clock.now) is not None


def test_a_version_without_a_readable_time_counts_as_old() -> None:
    subject = Subject()
    subject.invalidate(["a"])
    ((key, version),) = subject.store.values.items()
    subject.store.values[key] = version.partition("@")[0] + "@noon"
    assert since(subject, ["a"], 0) is not None


def test_invalidating_a_tag_takes_one_write_however_many_entries_it_has() -> None:
    subject = Subject()
    subject.invalidate([])
    assert subject.store.calls == []
    for number in range(1000):
        subject.store.values[f"entry {number}"] = "text"
    subject.invalidate(["a"])
    assert subject.store.calls == ["set"]


def test_if_deleting_the_old_version_makes_room_the_new_one_tells_of_it() -> None:
    subject = Subject()
    subject.present(["a"])
    began = subject.clock.now
    subject.clock.now += 1
    subject.store.failing = {"set"}
    delete = subject.store.delete

    def delete_and_make_room(key: str) -> bool:
        subject.store.failing = set()
        return delete(key)

    subject.store.delete = delete_and_make_room  # type: ignore[method-assign]
    subject.invalidate(["a"])
    assert since(subject, ["a"], began) is None


def test_if_a_new_version_can_not_be_written_the_old_one_is_deleted() -> None:
    subject = Subject()
    subject.present(["a"])
    subject.store.failing = {"set"}
    subject.invalidate(["a"])
    assert subject.read(["a"])[1] == {"a": None}
