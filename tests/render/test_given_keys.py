"""Keys that are known from what a page is rendered with, without a call."""

from collections import OrderedDict
from decimal import Decimal
from typing import Any, NoReturn

import pytest
from werkzeug.local import LocalProxy

from jinja_fragcache import make_template_fragment_key
from jinja_fragcache.guard.watched import attributes_class, watch
from jinja_fragcache.render.given_keys import CONSTANT, Path, keys_of


def never(*_: object) -> NoReturn:
    raise AssertionError("This was called.")


class User:
    """A user whose `id` is a property, as of an object that asks a database."""

    def __init__(self) -> None:
        self.number = 7

    id = property(never)


class Dynamic(User):
    """A user all of whose attributes are computed."""

    __getattribute__ = never


class Fields:
    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


class Slotted:
    __slots__ = ("id",)

    def __init__(self) -> None:
        self.id = 7


def watched_fields() -> Any:
    """Return an object like Flask's `g`, which notes what is read of it."""
    fields = Fields(user=Fields(id=7))
    assert watch(fields, attributes_class, never)
    return fields


VARIABLES: dict[str, Any] = {
    "user": User(),
    "item": OrderedDict(id=7, tags=["new"]),
    "dynamic": Dynamic(),
    "slotted": Slotted(),
    "proxy": LocalProxy(never),
    "g": watched_fields(),
    "lang": "en",
    "price": Decimal(7),
    "huge": 10**5000,
    "kind": User,
}


def key_of(*paths: Path) -> str | None:
    (key,) = keys_of([("name", paths)], VARIABLES)
    return key


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("lang",), "en"),
        (("user", "number"), 7),
        (("item", "id"), 7),
        (("g", "user", "id"), 7),
        ((CONSTANT, "top"), "top"),
    ],
)
def test_a_value_that_a_dictionary_has_is_known(path: Path, value: object) -> None:
    assert key_of(path) == make_template_fragment_key("name", [value])
    assert key_of(path, ("lang",)) == make_template_fragment_key("name", [value, "en"])


@pytest.mark.parametrize(
    "path",
    [
        ("user", "id"),
        ("user", "missing", "id"),
        ("item", "tags"),
        ("item", "tags", 0),
        ("dynamic", "number"),
        ("slotted", "id"),
        ("proxy", "id"),
        ("proxy",),
        ("price",),
        ("huge",),
        ("kind", "id"),
        ("missing",),
    ],
)
def test_other_values_are_not_known_and_nothing_is_called_for_them(path: Path) -> None:
    assert key_of(path) is None
    assert key_of(("lang",), path) is None
