import asyncio
from datetime import date
from itertools import product
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from jinja_fragcache import (
    FragmentCache,
    FragmentTagError,
    MemoryStore,
)
from jinja_fragcache.keys.fragment import make_template_fragment_key
from tests.support import (
    Clock,
    RecordingStore,
    environment,
    files_of_calls,
    fragment_cache,
)

REFUSED = [
    "{% cache 5, 'x', nowhere %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', user %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', huge %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', huge, n %}{{ n }}{% endcache %}",
    "{% cache 5, seven, n %}{{ n }}{% endcache %}",
    "{% cache 5, nowhere %}{{ n }}{% endcache %}",
    "{% cache 5, huge %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', vary_on=nowhere %}{{ n }}{% endcache %}",
    "{% cache 5, 'x', vary_on=n %}{{ n }}{% endcache %}",
    "{% cache 'del', 'x', nowhere %}{{ n }}{% endcache %}",
]
# Python does not write the digits of so large a number.
WRONG = {"user": object(), "huge": 10**5000, "seven": 7}


@pytest.mark.parametrize("source", REFUSED)
def test_a_refused_key_renders_uncached_with_one_warning(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = RecordingStore()
    env = environment(store=FragmentCache(store))
    template = env.from_string(source)
    assert [template.render(n=n, **WRONG) for n in "abc"] == ["a", "b", "c"]
    assert store.calls == []
    assert len(caplog.records) == 1
    assert "line 1: the fragment is not cached." in caplog.text


@pytest.mark.parametrize("source", REFUSED)
def test_a_refused_key_is_an_error_in_a_strict_cache(source: str) -> None:
    env = environment(store=FragmentCache(RecordingStore(), strict=True))
    with pytest.raises(FragmentTagError, match="line 1: the fragment is not cached"):
        env.from_string(source).render(n="a", **WRONG)


@pytest.mark.parametrize("name", ["'x'", "name"])
@pytest.mark.parametrize("number", range(4))
def test_a_key_value_that_equals_another_has_a_key_of_its_own(
    name: str, number: int
) -> None:
    store = RecordingStore()
    values = [f"v[{each}]" for each in range(number)]
    source = "{% cache 5, " + ", ".join([name, *values]) + " %}a{% endcache %}"
    template = environment(store=store).from_string(source)
    one = [1, "1", True, 1.0, Markup("1"), date(2026, 1, 1)]
    lists = [[*each, "en"][:number] for each in product(one, repeat=2)]
    for each in lists * 2:
        assert template.render(name="x", v=each) == "a"
    assert set(store.values) == {
        make_template_fragment_key("x", values) for values in lists
    }


def test_an_undefined_key_value_is_refused_with_strict_undefined() -> None:
    env = environment(store=FragmentCache(strict=True), undefined=StrictUndefined)
    template = env.from_string("{% cache 5, 'x', nowhere %}a{% endcache %}")
    with pytest.raises(FragmentTagError, match="undefined: 'nowhere'"):
        template.render()


class Cart:
    """Its key is that of the first expensive item, or StopIteration."""

    def __init__(self, *items: int) -> None:
        self.items = items

    def __cache_key__(self) -> int:
        return next(item for item in self.items if item > 100)


def test_a_key_value_that_raises_is_not_left_out_of_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    template = environment().from_string(
        "{% cache 300, 'cart', cart, user %}Hello {{ user }}{% endcache %}"
    )
    texts = [template.render(cart=Cart(1), user=user) for user in ("alice", "bob")]
    assert texts == ["Hello alice", "Hello bob"]
    (record,) = caplog.records
    assert "It raised StopIteration. Its class is Cart" in record.getMessage()


def test_a_key_value_that_raises_is_an_error_of_a_strict_cache() -> None:
    env = environment(store=FragmentCache(strict=True))
    template = env.from_string("{% cache 300, 'cart', cart %}a{% endcache %}")
    assert template.render(cart=Cart(1, 101)) == "a"
    with pytest.raises(FragmentTagError, match="It raised StopIteration"):
        template.render(cart=Cart(1))


def test_a_key_value_that_contains_itself_does_not_break_the_page() -> None:
    class Itself:
        def __cache_key__(self) -> Any:
            return self

    template = environment().from_string("{% cache 5, 'x', b %}a{% endcache %}")
    assert template.render(b=Itself()) == "a"


def test_the_log_shows_no_key_value(caplog: pytest.LogCaptureFixture) -> None:
    class Person:
        def __repr__(self) -> str:
            return "<Person ann@example.com\nroot logged in ...>"

    class Broken:
        def __cache_key__(self) -> str:
            raise LookupError("no row of ann@example.com\nroot logged in")

    for value in (Person(), Broken(), [Person()]):
        env = environment()
        template = env.from_string("{% cache 5, 'x', value %}a{% endcache %}")
        assert template.render(value=value) == "a"
    name = environment().from_string("{% cache 5, [email] %}a{% endcache %}")
    assert name.render(email="ann@example.com") == "a"
    assert len(caplog.records) == 4
    for record in caplog.records:
        assert "line 1: the fragment is not cached" in record.getMessage()
        assert "ann@example.com" not in record.getMessage()
        assert record.getMessage().isprintable()


def test_an_entry_expires_by_the_clock_of_the_store() -> None:
    clock = Clock()
    env = environment(store=MemoryStore(timer=clock))
    template = env.from_string("{% cache 5, 'x' %}{{ n }}{% endcache %}")
    assert template.render(n="a") == "a"
    clock.now += 4.9
    assert template.render(n="b") == "a"
    clock.now += 0.1
    assert template.render(n="c") == "c"


def test_an_environment_of_jinja_takes_the_extension_by_its_import_name() -> None:
    env = Environment(extensions=["jinja_fragcache.FragmentCacheExtension"])
    assert env.from_string("{% cache %}a{% endcache %}").render() == "a"
    assert fragment_cache(env).stats().stored == 1


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        ("'a'", []),
        ("'a', value", []),
        ("'a', value, value", ["render/lookup.py"]),
        ("vary_on=[]", ["entries/freshness.py"]),
        ("value", ["render/lookup.py", "entries/freshness.py"]),
    ],
)
def test_a_hit_calls_as_few_functions_as_it_can(
    arguments: str, others: list[str]
) -> None:
    """Each of them is measurable on a page with many hits."""
    source = f"{{% cache 300, {arguments} %}}<p>text</p>{{% endcache %}}"
    template = environment().from_string(source)
    template.render(value="7")
    context = template.new_context({"value": "7"})
    with files_of_calls() as called:
        assert "".join(template.root_render_func(context)) == "<p>text</p>"
    package = "/jinja_fragcache/"
    ours = [file.rpartition(package)[2] for file in called if package in file]
    assert sorted(ours) == sorted(["render/lookup.py", "stores/memory.py", *others])


def test_a_hit_in_memory_calls_no_coroutine_in_an_async_template() -> None:
    source = "{% cache 300, 'a', value %}<p>text</p>{% endcache %}"
    template = environment(enable_async=True).from_string(source)
    asyncio.run(template.render_async(value=7))
    with files_of_calls() as called:
        assert asyncio.run(template.render_async(value=7)) == "<p>text</p>"
    assert not [file for file in called if file.endswith("async_utils.py")]


@pytest.mark.parametrize("text", ["", "text", "\ntext", "\x1ftext"])
def test_what_is_stored_without_a_header_is_a_hit(text: str) -> None:
    env = environment()
    fragment_cache(env).store.set(fragment_cache(env).key_for("a"), text)
    template = env.from_string("{% cache 300, 'a' %}rendered{% endcache %}")
    assert template.render() == text
