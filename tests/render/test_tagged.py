"""Tests of fragments with tags, whose look-up is shorter than that of other options."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from jinja_fragcache import (
    FragmentCache,
    FragmentTagError,
    MemoryStore,
    make_template_fragment_key,
)
from jinja_fragcache.engine import lookup
from jinja_fragcache.entries import freshness, values
from jinja_fragcache.keys.beside import version_key
from jinja_fragcache.stores import Store
from tests.support import Clock, Counter, Ears, environment

# In its place, a tag gets an option more, and so takes the way of all options.
MORE = " @"
PAGES = {
    "one tag": '{% cache 60, "a", tags=["t"] @ %}{{ n() }}{% endcache %}',
    "two": '{% cache 60, "a", tags=["u", "t"] @ %}{{ n() }}{% endcache %}',
    "no tag": '{% cache 60, "a", tags=[] @ %}{{ n() }}{% endcache %}',
    "the same twice": '{% cache 60, "a", tags=["t", "t"] @ %}{{ n() }}{% endcache %}',
    "many": '{% cache 60, "a", tags=many @ %}{{ n() }}{% endcache %}',
    "computed": '{% cache 60, "a", 1, tags=["t:%s" % 7] @ %}{{ n() }}{% endcache %}',
    "values": '{% cache 60, "a", x, 2, tags=["t"] @ %}{{ n() }}{% endcache %}',
    "a list of values": '{% cache 60, "a", vary_on=[x], tags=["t"] @ %}{{ n() }}'
    "{% endcache %}",
    "a name from a variable": '{% cache 60, x, tags=["t"] @ %}{{ n() }}{% endcache %}',
    "no text": '{% cache 60, "a", tags=["t"] @ %}{% endcache %}{{ n() }}',
    "not escaped": '{% autoescape false %}{% cache 60, "a", tags=["t"] @ %}<{{ n() }}'
    "{% endcache %}{% endautoescape %}",
    "one more in the body": '{% cache 60, "a", tags=["t"] @ %}{{ cache_tag("u") }}'
    "{{ n() }}{% endcache %}",
    "in another": '{% cache 60, "b", tags=["u"] @ %}{% cache 60, "a", tags=["t"] @ %}'
    "{{ n() }}{% endcache %}{% endcache %}",
    "alone and in another": '{% cache 60, "a", tags=["t"] @ %}{{ n() }}{% endcache %}'
    '{% cache 60, "b", tags=["u"] @ %}{% cache 60, "a", tags=["t"] @ %}{{ n() }}'
    "{% endcache %}{% endcache %}",
    "twice": '{% for i in [1, 1] %}{% cache 60, "a", i, tags=["t"] @ %}{{ n() }}'
    "{% endcache %}{% endfor %}",
    "another escaping": '{% cache 60, "a", tags=["t"] @ %}{{ n() }}{% endcache %}'
    '{% autoescape false %}{% cache 60, "a", tags=["t"] @ %}{{ n() }}{% endcache %}'
    "{% endautoescape %}",
    "also without": '{% cache 60, "a", tags=["t"] @ %}{{ n() }}{% endcache %}'
    '{% cache 60, "a" %}{{ n() }}{% endcache %}',
}
RULES: dict[str, dict[str, Any]] = {
    "no rules": {},
    "stale": {"stale": 30},
    "digest": {"template_digest": True},
    "verify": {"verify": 1.0},
    "vary_on": {"vary_on": lambda: ["en"]},
    "no guard": {"guard": False},
    "compression": {"compression": "zlib"},
}


class Asked(MemoryStore):
    """A store that other processes might share, so that its calls may block."""


def shown(
    page: str, store: Store, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[Any, ...]:
    """Return what a page shows in the course of time, and how often it was served."""
    numbers, clock = count(), Clock()
    monkeypatch.setattr("os.urandom", lambda size: next(numbers).to_bytes(size, "big"))
    cache = FragmentCache(store, clock=clock, timer=clock, **options)
    template = environment({"page": page}, cache).get_template("page")
    n = Counter()

    def render() -> str:
        return template.render(n=n, x="x", no=False, many=list("abcdefghi"))

    texts = [render(), render()]
    cache.invalidate_tags("t")
    texts += [render(), render()]
    clock.now += 61
    texts += [render(), render()]
    cache.invalidate_tags("u", "i")
    texts += [render(), render()]
    # A body that was served a part depends on it, too.
    cache.invalidate_tags("t")
    texts += [render(), render()]
    cache.clear()
    return [*texts, render(), render()], cache.stats()


@pytest.mark.parametrize("kind", [MemoryStore, Asked])
@pytest.mark.parametrize("options", RULES.values(), ids=RULES)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_is_the_same_as_by_the_way_of_all_options(
    page: str,
    options: dict[str, Any],
    kind: Callable[..., Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = page.replace(MORE, ", unless=no")
    expected = shown(others, kind(timer=Clock()), monkeypatch, **options)
    page = page.replace(MORE, "")
    assert shown(page, kind(timer=Clock()), monkeypatch, **options) == expected


@pytest.mark.parametrize(
    ("kind", "method", "other", "number"),
    [
        # The text first: if a tag is invalidated meanwhile, it does not match.
        (MemoryStore, "get", "get_many", 1),
        # In one trip.
        (Asked, "get_many", "get", 3),
    ],
)
@pytest.mark.parametrize("stale", [0, 30])
def test_a_hit_reads_the_text_then_the_versions_and_nothing_more(
    stale: int,
    kind: Callable[[], Store],
    method: str,
    other: str,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = '{% cache 60, "a", tags=["t", "u"] %}text{% endcache %}'
    cache = FragmentCache(kind(), stale=stale)
    template = environment({"page": page}, cache).get_template("page")
    template.render()
    asked: list[str] = []
    read = getattr(MemoryStore, method)

    def note(store: MemoryStore, *keys: str) -> Any:
        assert len(keys) == number
        asked.extend(keys)
        return read(store, *keys)

    monkeypatch.setattr(MemoryStore, method, note)
    monkeypatch.setattr(MemoryStore, other, lambda *_: pytest.fail("in another way"))
    # The header line tells no more than the tags, and when the entry expires.
    monkeypatch.setattr(lookup, "look_up", lambda *_: pytest.fail("an operation"))
    assert template.render() == "text"
    key = make_template_fragment_key("a")
    assert asked == [key, version_key("t"), version_key("u")]


@pytest.mark.parametrize(
    ("tags", "told"),
    [("t", r"tags takes a list of texts"), ([7], "A tag is text")],
)
def test_wrong_tags_are_refused_as_with_other_options(tags: Any, told: str) -> None:
    page = '{% cache 60, "a", tags=tags %}{% endcache %}'
    env = environment({"page": page}, FragmentCache(strict=True))
    with pytest.raises(FragmentTagError, match=f"page, line 1: .*{told}"):
        env.get_template("page").render(tags=tags)


def test_a_value_that_can_not_be_in_a_key_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = '{% cache 60, "a", thing, tags=["t"] %}{{ n() }}{% endcache %}'
    template = environment({"page": page}).get_template("page")
    n = Counter()
    assert [template.render(thing=object(), n=n) for _ in range(2)] == ["1", "2"]
    assert "page, line 1: the fragment is not cached" in caplog.text


@pytest.mark.parametrize("version", [7, None, "", "other"])
def test_an_entry_is_not_served_with_another_version_of_its_tag(version: Any) -> None:
    store = MemoryStore()
    page = '{% cache 60, "a", tags=["t"] %}{{ n() }}{% endcache %}'
    template = environment({"page": page}, store).get_template("page")
    n = Counter()
    assert template.render(n=n) == "1"
    if version is None:
        store.delete(version_key("t"))
    else:
        store.set(version_key("t"), version)
    assert template.render(n=n) == "2"


@pytest.mark.parametrize("stale", [0, 30])
def test_after_an_invalidation_the_old_entries_are_not_decoded(
    stale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FragmentCache(stale=stale)
    page = '{% cache 60, "a", tags=["t", "u"] %}{{ n() }}{% endcache %}'
    template = environment({"page": page}, cache).get_template("page")
    n = Counter()
    assert template.render(n=n) == "1"
    for module in (freshness, values):
        monkeypatch.setattr(module, "decode", lambda _: pytest.fail("decoded"))
    for number, tag in enumerate(["t", "u", "t"], 2):
        cache.invalidate_tags(tag)
        assert template.render(n=n) == str(number)


def test_a_name_from_a_variable_gets_no_text_of_another_body() -> None:
    constant = '{% cache 60, "a", tags=["t"] %}constant{% endcache %}'
    variable = '{% cache 60, x, tags=["t"] %}variable{% endcache %}'
    env = environment({"constant": constant, "variable": variable})
    for name in ["constant", "variable", "constant", "variable"]:
        assert env.get_template(name).render(x="a") == name


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_tag_that_only_the_old_entry_has_is_known_before_the_body_runs(
    is_lost: bool,
) -> None:
    page = """{% cache 60, "a", tags=["t"] %}{{ n() }}{{ invalidate() }}
    {{- cache_tag("u") }}{% endcache %}"""
    other = '{% cache 60, "b" %}{% endcache %}'
    store, clock, n = MemoryStore(), Clock(), Counter()
    first, second = FragmentCache(store, clock=clock), FragmentCache(store, clock=clock)

    def render(cache: FragmentCache, invalidate: Callable[[], object]) -> str:
        env = environment({"page": page, "other": other}, cache)
        # From the first look-up on, nobody listens.
        env.get_template("other").render()
        return env.get_template("page").render(n=n, invalidate=invalidate)

    def invalidate() -> str:
        # By a machine whose clock is behind.
        clock.now -= 1
        first.invalidate_tags("u")
        clock.now += 1
        return ""

    assert render(first, str) == "1"
    first.invalidate_tags("t")
    if is_lost:
        store.delete(version_key("t"))
    assert render(second, invalidate) == "2"
    assert render(second, str) == "3"


def test_listeners_are_told_of_a_hit() -> None:
    page = '{% cache 60, "a", tags=["t"] %}text{% endcache %}'
    ears = Ears("hit")
    cache = FragmentCache(listeners=[ears])
    template = environment({"page": page}, cache).get_template("page")
    assert [template.render() for _ in range(2)] == ["text"] * 2
    assert ears.heard == [("hit", make_template_fragment_key("a"))]
    assert [each.tags for each in ears.reports] == [("t",)] * 2


def test_an_async_environment_keeps_the_text_in_memory_too() -> None:
    page = '{% cache 60, "a", tags=["t"] %}{{ n() }}{% endcache %}'
    env = environment({"page": page}, enable_async=True)
    n = Counter()

    async def pages() -> list[str]:
        return [await env.get_template("page").render_async(n=n) for _ in range(2)]

    assert asyncio.run(pages()) == ["1", "1"]
