import math
from contextvars import copy_context

import pytest

from jinja_fragcache import cache_tag
from jinja_fragcache.engine.dependencies import Dependencies, current_dependencies
from jinja_fragcache.errors import KeyValueError


def test_nothing_is_recorded_outside_of_bodies() -> None:
    assert current_dependencies() is None
    assert cache_tag("a") == ""


def test_recordings_are_nested() -> None:
    with Dependencies() as outer:
        assert current_dependencies() is outer
        with Dependencies() as inner:
            assert inner.parent is outer
            assert cache_tag("a", "b") == ""
        assert current_dependencies() is outer
    assert current_dependencies() is None
    assert inner.tags == {"a": None, "b": None}
    assert outer.tags == {}
    assert outer.expires == math.inf


def test_a_recording_ends_if_the_body_raises() -> None:
    with pytest.raises(ZeroDivisionError), Dependencies():
        raise ZeroDivisionError
    assert current_dependencies() is None


def test_the_earliest_expiry_is_kept() -> None:
    with Dependencies() as recording:
        recording.include({}, 50)
        recording.include({}, 40)
        recording.include({}, 60)
    assert recording.expires == 40


def test_a_known_version_is_not_replaced_by_an_unknown_one() -> None:
    with Dependencies() as recording:
        recording.include({"a": None, "b": "1"})
        recording.include({"a": "1", "b": None})
        recording.include({"a": "1"})
    assert recording.tags == {"a": "1", "b": "1"}
    assert not recording.is_outdated


def test_two_versions_of_a_tag_make_a_recording_outdated() -> None:
    with Dependencies() as recording:
        recording.include({"a": "1"})
        recording.include({"a": "2"})
    assert recording.is_outdated


def test_two_digests_of_a_template_make_a_recording_outdated() -> None:
    with Dependencies() as recording:
        recording.include({}, templates={"a.html": "1", "b.html": "1"})
        recording.include({}, templates={"b.html": "1"})
        assert not recording.is_outdated
        recording.include({}, templates={"a.html": "2"})
    assert recording.templates == {"a.html": "1", "b.html": "1"}
    assert recording.is_outdated


def test_make_live_marks_all_outer_recordings() -> None:
    with Dependencies() as outer, Dependencies() as inner:
        with Dependencies() as other:
            pass
        inner.make_live()
    assert (outer.is_live, inner.is_live, other.is_live) == (True, True, False)


def test_a_tag_that_is_not_text_is_an_error() -> None:
    with Dependencies(), pytest.raises(KeyValueError, match="A tag is text"):
        cache_tag(7)  # type: ignore[arg-type]


def test_nothing_is_collected_after_the_body() -> None:
    def go_on(number: int) -> None:
        cache_tag(f"tag {number}")

    with Dependencies() as ended:
        inherited = copy_context()
    for number in range(3):
        inherited.run(go_on, number)
    assert ended.tags == {}
    ended.include_versions({"named": "1"})
    assert ended.tags == {"named": "1"}


def test_bodies_in_a_task_that_goes_on_are_part_of_those_that_still_run() -> None:
    def go_on() -> Dependencies | None:
        with Dependencies() as later:
            return later.parent

    with Dependencies() as outer:
        with Dependencies():
            inherited = copy_context()
        assert inherited.copy().run(go_on) is outer
    assert inherited.run(go_on) is None
