import asyncio

import pytest
from flask import Flask, render_template_string
from jinja2 import Environment

from jinja_fragcache import (
    Cache,
    FragmentCache,
    FragmentCacheExtension,
    StoreError,
    UncoveredReadError,
    fragment_cache_of,
    make_template_fragment_key,
)
from jinja_fragcache.stores import MemoryStore
from jinja_fragcache.testing import CacheTester, isolated
from tests.support import Counter, environment

SOURCE = '{% cache 300, "a", id, tags=["t"] %}{{ id }}{% endcache %}'


def test_an_environment_gets_an_empty_cache_and_has_its_own_back() -> None:
    env = environment({"a": SOURCE})
    before = fragment_cache_of(env)
    env.get_template("a").render(id=1)
    with isolated(env) as tester:
        tester.assert_not_cached("a", 1)
        env.get_template("a").render(id=2)
        tester.assert_cached("a", 2)
        assert fragment_cache_of(env) is tester.cache
    assert fragment_cache_of(env) is before
    assert before.get("a") is None
    assert before.stats().stored == 1


def test_it_has_its_own_back_after_an_error() -> None:
    env = environment({"a": SOURCE})
    before = fragment_cache_of(env)
    with pytest.raises(ZeroDivisionError), isolated(env):
        _ = 1 / 0
    assert fragment_cache_of(env) is before


def test_rules_are_kept_but_for_chance_and_what_is_given() -> None:
    env = environment({"a": '{% cache none, "a" %}{% endcache %}'})
    env.fragment_cache = FragmentCache(  # type: ignore[attr-defined]
        default_timeout=50, jitter=0.5, verify=0.5, early_refresh=1
    )
    with isolated(env, stale=5) as tester:
        policy = tester.cache.policy
        assert (policy.default_timeout, policy.stale) == (50, 5)
        assert (policy.jitter, policy.verify, policy.early_refresh) == (0, 0, 0)
    with isolated(env, jitter=0.1) as tester:
        assert tester.cache.policy.jitter == 0.1


def test_hits_are_verified_and_entries_signed_if_that_is_asked_for() -> None:
    env = environment({"a": SOURCE})
    with isolated(env, verify=1, signing_key="k" * 32) as tester:
        with tester.assert_renders(2, "a"):
            env.get_template("a").render(id=1)
            env.get_template("a").render(id=1)
        stored = tester.cache.store.get(make_template_fragment_key("a", [1]))
        assert "signed" in stored
        assert tester.assert_cached("a", 1) == "1"


def test_a_cache_that_varies_by_itself_is_asked_for_its_present_values() -> None:
    env, lang = environment({"a": SOURCE}), ["en"]
    with isolated(env, vary_on=lambda: lang) as tester:
        with tester.assert_renders(2, "a"):
            env.get_template("a").render(id=1)
            env.get_template("a").render(id=1)
            lang[0] = "de"
            tester.assert_not_cached("a", 1)
            env.get_template("a").render(id=1)
        assert tester.assert_cached("a", 1) == "1"
        with pytest.raises(AssertionError, match=r"Stored under this name:\n  a\[1\]"):
            tester.assert_cached("a", 2)


def test_the_default_timeout_of_a_store_is_kept() -> None:
    env = environment({"a": '{% cache none, "a" %}{% endcache %}'})
    env.fragment_cache = FragmentCache(MemoryStore(default_timeout=50))  # type: ignore[attr-defined]
    with isolated(env) as tester:
        env.get_template("a").render()
        tester.move(49)
        tester.assert_cached("a")
        tester.move(1)
        tester.assert_not_cached("a")


def test_what_a_key_lacks_is_an_error_unless_strict_is_turned_off() -> None:
    source = '{% cache 300, "a" %}{{ session.user }}{% endcache %}'
    app = Flask(__name__)
    app.secret_key = "k"
    Cache(app, config={"CACHE_TYPE": "simple"})
    with app.test_request_context():
        with isolated(app), pytest.raises(UncoveredReadError):
            render_template_string(source)
        with isolated(app, strict=False) as tester:
            render_template_string(source)
            tester.assert_not_cached("a")


def make_app(cache: Cache, store: str = "simple") -> Flask:
    app = Flask(__name__)
    app.testing = True
    options = {
        "CACHE_TYPE": store,
        "CACHE_REDIS_URL": "redis://127.0.0.1:1",
        "CACHE_ENABLE_SIGNALS": True,
    }
    cache.init_app(app, config=options)
    app.add_url_rule("/", view_func=lambda: render_template_string(SOURCE, id=7))
    return app


def test_an_application_in_testing_mode_caches_and_asks_no_server() -> None:
    cache = Cache()
    app = make_app(cache, "redis")
    with isolated(app) as tester:
        with tester.assert_renders(1):
            app.test_client().get("/")
            app.test_client().get("/")
        with app.app_context():
            assert cache.delete_fragment("a", [7])
        tester.assert_not_cached("a", 7)


def test_views_functions_and_values_are_isolated_too() -> None:
    cache, calls = Cache(), Counter()
    app = make_app(cache)
    double = cache.memoize(60)(lambda number: (calls(), number * 2))
    with app.app_context():
        cache.set("k", 1)
        with isolated(app) as tester:
            assert cache.get("k") is None
            cache.set("k", 2)
            assert app.extensions["cache"][cache].get("k") == 2
            assert double(2) == double(2) == (1, 4)
            tester.move(61)
            assert double(2) == (2, 4)
        assert app.extensions["cache"][cache].get("k") != 2


def test_a_cache_beside_that_of_the_templates_is_isolated_too() -> None:
    first, second = Cache(), Cache()
    app = make_app(first)
    second.init_app(app, config={"CACHE_TYPE": "simple"})
    before = fragment_cache_of(app.jinja_env)
    with isolated(app) as tester, app.app_context():
        assert fragment_cache_of(app.jinja_env) is tester.cache
        second.set("k", 1)
        assert second.get("k") == 1
        assert first.get("k") is None
    assert fragment_cache_of(app.jinja_env) is before


def test_whether_to_cache_in_testing_mode_is_not_decided_meanwhile() -> None:
    cache = Cache()
    app = make_app(cache)
    with isolated(app):
        app.test_client().get("/")
    app.testing = False
    app.test_client().get("/")
    with app.app_context():
        assert cache.stats().stored == 1


def test_asynchronous_rendering_is_counted() -> None:
    env = Environment(
        extensions=[FragmentCacheExtension], enable_async=True, autoescape=True
    )
    template = env.from_string(SOURCE)
    with isolated(env) as tester, tester.assert_renders(1, "a"):
        assert asyncio.run(template.render_async(id=1)) == "1"
        assert asyncio.run(template.render_async(id=1)) == "1"


def test_what_can_not_be_tested_is_told() -> None:
    with pytest.raises(TypeError, match=r"object of int. Write isolated\(app\)"):
        isolated(3).__enter__()
    with pytest.raises(StoreError, match="The environment has no cache"):
        isolated(Environment()).__enter__()
    with pytest.raises(TypeError, match=r"none called 'strickt'\. Did you mean strict"):
        isolated(environment({}), strickt=1).__enter__()
    with pytest.raises(TypeError, match="none called 'store'"):
        isolated(environment({}), store=MemoryStore()).__enter__()


def test_a_count_without_a_block_is_told_at_the_end() -> None:
    told = r"assert_renders\(1, 'a'\) stands without `with`"
    with pytest.raises(AssertionError, match=told), isolated(environment({})) as tester:
        tester.assert_renders(1, "a")


def test_an_error_of_the_test_comes_before_a_count_without_a_block() -> None:
    def fail(tester: CacheTester) -> None:
        tester.assert_renders(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), isolated(environment({})) as tester:
        fail(tester)
