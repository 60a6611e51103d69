"""Templates whose renderings read ahead, and the constants in their code."""

import asyncio
from collections.abc import Callable

import pytest
from jinja2 import Environment, Template
from jinja2.nativetypes import NativeEnvironment

from jinja_fragcache import FragmentCache, FragmentCacheExtension, MemoryStore
from jinja_fragcache.access.prefetch import Rendering, current_rendering, outside
from jinja_fragcache.render.renderings import CONSTANT_KEYS, CONSTANT_TEMPLATES
from jinja_fragcache.stores import Store
from tests.access.test_prefetch import ManyStore
from tests.support import environment

BEGUN = "{{ begun() }}"
TEMPLATES = {
    "base": '{% cache 60, "nav" %}nav{% endcache %}{% block main %}{% endblock %}',
    "page": '{% extends "base" %}{% from "macros" import m %}{% import "lib" as lib %}'
    "{% block main %}"
    '{% cache 60, "top" %}top{% endcache %}{% include "foot" %}{{ m() }}{{ lib.n() }}'
    "{% endblock %}",
    "foot": '{% cache 60, "foot" %}foot{% endcache %}{% include "page" + "less" '
    "ignore missing %}",
    "macros": '{% macro m() %}{% cache 60, "m" %}m{% endcache %}{% endmacro %}',
    "lib": '{% macro n() %}{% cache 60, "n" %}n{% endcache %}{% endmacro %}',
    "varied": '{% cache 60, "a", x %}a{% endcache %}{% cache 60, name %}b{% endcache %}'
    '{% include other ignore missing %}{{ "top"|upper }}',
    "broken": '{% cache 60, "a" %}a{% endcache %}'
    '{% if x %}{% include "gone" %}{% endif %}',
    "loop": '{% cache 60, "a" %}a{% endcache %}'
    '{% if x %}{% include "loop" %}{% endif %}',
}


def constants(env: Environment, name: str) -> tuple[object, object]:
    compiled = env.get_template(name).root_render_func.__globals__
    return compiled[CONSTANT_KEYS], compiled[CONSTANT_TEMPLATES]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_first_rendering_knows_the_constant_keys_of_all_its_templates(
    *, is_async: bool
) -> None:
    store = ManyStore()
    environment(TEMPLATES, store).get_template("page").render()
    cache = FragmentCache(store)
    env = environment(TEMPLATES, cache, enable_async=is_async)
    template = env.get_template("page")

    assert store.trips(template.render) == 1
    names = ("nav", "top", "foot", "m", "n")
    assert store.reads == [{cache.key_for(name) for name in names}]


def test_a_template_tells_its_constant_keys_and_the_templates_it_names() -> None:
    cache = FragmentCache(ManyStore())
    env = environment(TEMPLATES, cache)

    assert constants(env, "page") == (
        (cache.key_for("top"),),
        ("base", "macros", "lib", "foot"),
    )
    assert constants(env, "varied") == ((), ())


@pytest.mark.parametrize("name", ["broken", "loop"])
def test_a_template_that_is_not_needed_may_be_missing_or_the_same(name: str) -> None:
    template = environment(TEMPLATES, ManyStore()).get_template(name)

    assert template.render() == "a"


def test_templates_are_of_the_class_of_their_environment() -> None:
    class Own(Template):
        """A template class of the user's."""

    env = Environment()
    env.template_class = Own
    env.add_extension(FragmentCacheExtension)
    plain = environment()

    assert isinstance(env.from_string(""), Own)
    assert repr(env.from_string("")).startswith("<Own ")
    assert repr(plain.from_string("")).startswith("<Template ")


def test_a_second_environment_or_overlay_wraps_the_class_once() -> None:
    env = environment()
    before = env.template_class

    env.add_extension(FragmentCacheExtension)

    assert env.template_class is before
    assert env.overlay().template_class is before


def test_native_templates_still_return_native_values() -> None:
    env = NativeEnvironment(extensions=[FragmentCacheExtension])

    rendered: object = env.from_string("{{ [1, 2] }}").render()

    assert rendered == [1, 2]


def test_an_environment_without_a_cache_renders() -> None:
    assert environment().from_string("{{ 1 }}").render() == "1"


def begun() -> bool:
    """Return whether a rendering has begun."""
    return current_rendering() is not None


@pytest.fixture
def _nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing have been read outside of renderings."""
    monkeypatch.setattr(outside, "is_read", False)


@pytest.mark.usefixtures("_nothing_read")
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("cache", "begins"),
    [
        (FragmentCache, False),
        (lambda: FragmentCache(ManyStore(), prefetch=False), False),
        (lambda: FragmentCache(ManyStore()), True),
        # The cache around it is made by the first look-up.
        (MemoryStore, True),
    ],
    ids=["memory", "no prefetch", "many", "bare"],
)
def test_a_rendering_begins_if_the_cache_of_its_environment_may_read_ahead(
    cache: Callable[[], FragmentCache | Store], *, begins: bool, is_async: bool
) -> None:
    env = environment({"page": BEGUN}, cache(), enable_async=is_async)
    template = env.get_template("page")

    assert template.render(begun=begun) == str(begins)
    if is_async:
        awaited = template.render_async(begun=begun)
        assert asyncio.run(awaited) == str(begins)


@pytest.mark.usefixtures("_nothing_read")
def test_a_rendering_in_memory_inside_of_another_one_is_one_of_its_own() -> None:
    inner = environment({"page": "{{ note() or '' }}"}, FragmentCache())
    source = "{{ note() or '' }}{{ inner.render(note=note) }}"
    outer = environment({"page": source}, FragmentCache(ManyStore()))
    seen: list[Rendering | None] = []

    def note() -> None:
        seen.append(current_rendering())

    outer.get_template("page").render(inner=inner.get_template("page"), note=note)

    first, second = seen
    assert second is not None
    assert second.outer is first is not None


@pytest.mark.usefixtures("_nothing_read")
def test_a_page_in_memory_reads_another_cache_ahead_from_the_second_time_on() -> None:
    store = ManyStore()
    other = FragmentCache(store)
    source = "{{ other.get('a') }}{{ other.get('b') }}"
    template = environment({"page": source}, FragmentCache()).get_template("page")

    def trips() -> int:
        return store.trips(lambda: template.render(other=other))

    assert [trips() for _ in range(3)] == [2, 2, 1]
