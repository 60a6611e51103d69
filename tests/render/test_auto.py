"""The key values of tags with `vary_on="auto"`."""

import asyncio
from typing import Any

import pytest
from jinja2.runtime import Context

from jinja_fragcache import FragmentCache
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
    found = auto_values(context(), [], (SITE, own, ""), (Raising(),))
    assert isinstance(found, list)
    _, value = found
    with pytest.raises(KeyValueError, match="can't be read: it raised LookupError: x"):
        encode_value(value)


FOR = (
    '{{% for i in items %}}{{% cache 9, "x", vary_on="auto" %}}{}{{% endcache %}}'
    "{{% endfor %}}"
)
EACH = '{{% cache_each i in items, 9, "x", vary_on="auto" %}}{}{{% endcache_each %}}'


@pytest.mark.parametrize("tag", [FOR, EACH])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{{ i.n }}{{ loop.last }} ", "1False 2True "),
        ("{{ i.n }}/{{ loop.length }} ", "1/2 2/2 "),
        ("{{ loop.revindex }}{{ loop['revindex0'] }}{{ loop.index }} ", "211 102 "),
        ("{% if not loop.last %}{{ loop.nextitem.n }}{% endif %}. ", "2. . "),
    ],
)
def test_what_an_async_loop_tells_is_awaited(
    tag: str, body: str, expected: str
) -> None:
    cache = FragmentCache(strict=True)
    env = environment({"page": tag.format(body)}, cache, enable_async=True)
    render = env.get_template("page").render_async
    for hits in (0, 2):
        assert asyncio.run(render(items=[{"n": 1}, {"n": 2}])) == expected
        assert cache.stats().hits == hits


def test_no_other_awaitable_is_used_up_for_the_key() -> None:
    async def once() -> str:
        return "a"

    source = '{% cache 9, "x", vary_on="auto" %}{{ x.once }}{% endcache %}'
    env = environment({"page": source}, enable_async=True)
    page = env.get_template("page")
    assert asyncio.run(page.render_async(x={"once": once()})) == "a"
