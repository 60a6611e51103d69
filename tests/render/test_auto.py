"""The key values of tags with `vary_on="auto"`."""

from typing import Any

import pytest
from jinja2.runtime import Context

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.encoding import encode_value
from jinja_fragcache.render.auto import auto_values
from jinja_fragcache.render.tag_guard import split_values
from tests.support import environment

SITE = ("page", 1, "digest", "", "|||auto:1", "")


def context(**values: Any) -> Context:
    return environment({"page": ""}).get_template("page").new_context(values)


def test_each_value_stands_behind_its_name() -> None:
    own = (
        ("a.b", "a", 0, ((".", "b"),), False),
        ("c", "c", 1, (), False),
        ("d of the page", "d", -1, (), False),
        ("f", "f", 2, (), True),
    )
    here = ({"b": 1}, None, len)
    found = auto_values(context(d=4), ["x"], (SITE, own, ""), here)
    assert found == ["x", "a.b", 1, "c", None, "d of the page", 4]
    read = {"a.b": 1, "c": None, "d of the page": 4}
    assert split_values(SITE, found) == (["x"], read)
    assert split_values(SITE, [*found, "page"]) == (["x"], read)


def test_what_is_undefined_is_left_out() -> None:
    given = context()
    undefined = given.environment.undefined(name="a")
    own = (
        ("a.b", "a", 0, ((".", "b"),), False),
        ("c['d']", "c", 1, (("[", "d"),), False),
        ("e of the page", "e", -1, (), False),
    )
    assert auto_values(given, [], (SITE, own, ""), (undefined, {})) == []


def test_a_value_that_can_not_be_read_is_refused_by_its_key() -> None:
    class Raising:
        @property
        def b(self) -> int:
            raise LookupError("x")

    own = (("a.b", "a", 0, ((".", "b"),), False),)
    _, value = auto_values(context(), [], (SITE, own, ""), (Raising(),))
    with pytest.raises(KeyValueError, match="can't be read: it raised LookupError: x"):
        encode_value(value)
