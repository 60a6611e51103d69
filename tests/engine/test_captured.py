"""What a body is given, to be made later."""

from typing import Any

import pytest

from jinja_fragcache.engine.captured import Captured
from jinja_fragcache.errors import NeedsRequestError
from jinja_fragcache.guard.watched import subclass, watch


class Named:
    """An object of the user's."""


def test_lists_sets_and_dictionaries_are_copied_with_what_is_in_them() -> None:
    named = Named()
    value = ([{"a": [named], "b": {1, 2}}],)

    made = Captured().of(value)

    assert made == value
    assert made[0] is not value[0]
    assert made[0][0] is not value[0][0]
    assert made[0][0]["a"] is not value[0][0]["a"]
    assert made[0][0]["b"] is not value[0][0]["b"]
    assert made[0][0]["a"][0] is named


def test_what_is_the_same_list_stays_the_same_one() -> None:
    same: list[Any] = []
    same.append(same)
    captured = Captured()

    made = captured.of(same)

    assert made is not same
    assert made[0] is made
    assert captured.of(same) is made


def test_what_is_kept_is_passed_as_it_is() -> None:
    shared, captured = [1], Captured()
    captured.keep_containers([shared, iter("ab"), "text"])

    assert captured.of([shared])[0] is shared


def _watched() -> Named:
    value = Named()
    assert watch(value, lambda kind: subclass(kind, {}))
    return value


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("value", [iter("ab"), _watched(), [0] * 10_001])
def test_what_only_the_caller_can_use_is_refused(value: Any, *, inside: bool) -> None:
    with pytest.raises(NeedsRequestError):
        Captured().of({"k": [value]} if inside else value)


def test_items_are_counted_together() -> None:
    with pytest.raises(NeedsRequestError):
        Captured().of([[0] * 5_000, [0] * 5_000])
