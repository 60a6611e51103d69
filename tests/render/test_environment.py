from typing import Any

import pytest
from flask_caching.backends import SimpleCache
from jinja2 import Environment

from jinja_fragcache import (
    FragmentCache,
    MemoryStore,
    StoreError,
    fragment_cache_of,
    make_template_fragment_key,
    set_fragment_cache,
)
from jinja_fragcache.render.environment import engine_of, name_of
from tests.support import RecordingStore, environment


@pytest.mark.parametrize("strict", [False, True])
def test_a_page_without_a_name_is_never_an_error(
    strict: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    layout = "{% cache 5, 'x' %}{% block b %}{% endblock %}{% endcache %}"
    env = environment({"layout": layout}, FragmentCache(strict=strict))
    source = "{% extends 'layout' %}{% block b %}{{ n }}{% endblock %}"
    template = env.from_string(source)
    assert [template.render(n=n) for n in "ab"] == ["a", "b"]
    assert len(caplog.records) == 1
    assert "layout, line 1: the fragment is not cached" in caplog.text


@pytest.mark.parametrize(
    "make", [RecordingStore, SimpleCache], ids=["plain", "flask_caching"]
)
def test_fragment_cache_may_be_a_bare_store(make: Any) -> None:
    store = make()
    env = environment(store=store)
    template = env.from_string("{% cache 5, 'x' %}{{ n }}{% endcache %}")
    assert [template.render(n=n) for n in "ab"] == ["a", "a"]
    assert store.get(make_template_fragment_key("x")) == "a"
    assert env.fragment_cache is store  # type: ignore[attr-defined]
    assert engine_of(env) is engine_of(env)
    other = make()
    env.fragment_cache = other  # type: ignore[attr-defined]
    assert template.render(n="c") == "c"
    assert other.get(make_template_fragment_key("x")) == "c"


@pytest.mark.parametrize(
    ("given", "told"),
    [(None, "fragment_cache is None. Write"), (object(), "can't be a store")],
)
def test_a_fragment_cache_that_is_not_a_store_is_an_error(
    given: Any, told: str
) -> None:
    env = environment()
    env.fragment_cache = given  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=told):
        env.from_string("{% cache 5, 'x' %}a{% endcache %}").render()


def test_the_cache_of_an_environment_is_set_and_found() -> None:
    env = environment()
    cache = FragmentCache()
    assert set_fragment_cache(env, cache) is cache is fragment_cache_of(env)
    store = MemoryStore()
    wrapper = set_fragment_cache(env, store)
    assert wrapper.store is store
    assert fragment_cache_of(env) is wrapper
    env.from_string("{% cache 5, 'x' %}a{% endcache %}").render()
    assert wrapper.stats().stored == 1
    wrong: Any = object()
    with pytest.raises(StoreError, match="can't be a store"):
        set_fragment_cache(env, wrong)


def test_an_environment_without_the_extension_has_no_cache() -> None:
    with pytest.raises(StoreError, match="extensions=\\[FragmentCacheExtension\\]"):
        fragment_cache_of(Environment(autoescape=True))


def test_a_subclass_of_fragment_cache_is_used_as_it_is() -> None:
    class Mine(FragmentCache):
        pass

    mine = Mine()
    env = environment(store=mine)
    env.from_string("{% cache 5, 'x' %}a{% endcache %}").render()
    assert mine.stats().stored == 1


def test_a_place_is_named_by_its_template_and_line() -> None:
    assert name_of("page.html", 3) == "page.html, line 3"
    assert name_of(None, 1) == "a template from a string, line 1"
