from collections.abc import Callable
from typing import Any

import cachelib
import flask_caching
import pytest
from fastapi import FastAPI
from flask import Flask, render_template_string
from jinja2 import Environment

from jinja_fragcache import (
    Cache,
    FragmentTagError,
    MemoryStore,
    SettingError,
    Stats,
    make_template_fragment_key,
)

SIMPLE = {"CACHE_TYPE": "simple"}
SOURCE = "{% cache 300, 'x', key %}{{ n }}{% endcache %}"


def page(app: Flask, n: object, key: object = 1) -> str:
    with app.test_request_context():
        return render_template_string(SOURCE, n=n, key=key)


def make_now(app: Flask) -> Cache:
    return Cache(app, config=SIMPLE)


def make_later(app: Flask) -> Cache:
    cache = Cache()
    cache.init_app(app, SIMPLE)
    return cache


def make_from_settings(app: Flask) -> Cache:
    app.config.update(SIMPLE)
    return Cache(app)


@pytest.mark.parametrize("make", [make_now, make_later, make_from_settings])
def test_the_tag_works_in_an_application(make: Callable[[Flask], Cache]) -> None:
    app = Flask(__name__)
    cache = make(app)
    assert [page(app, n) for n in "ab"] == ["a", "a"]
    with app.app_context():
        assert cache.stats() == Stats(hits=1, misses=1, stored=1)
        assert cache.get(make_template_fragment_key("x", [1])) == "a"
        assert isinstance(cache.cache, MemoryStore)


def test_a_view_can_delete_a_fragment() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)

    @app.post("/drop/<int:key>")
    def drop(key: int) -> str:
        cache.delete_fragment("x", [key])
        return "dropped"

    assert [page(app, "a", key) for key in (1, 2)] == ["a", "a"]
    assert app.test_client().post("/drop/1").text == "dropped"
    assert [page(app, "b", key) for key in (1, 2)] == ["b", "a"]


def test_delete_deletes_one_fragment_and_clear_all() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)
    page(app, "a", 1)
    page(app, "a", 2)
    cache.delete(make_template_fragment_key("x", [1]))
    assert [page(app, "b", key) for key in (1, 2)] == ["b", "a"]
    cache.clear()
    assert [page(app, "c", key) for key in (1, 2)] == ["c", "c"]


def test_settings_of_init_app_override_the_instances_and_the_applications() -> None:
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=1, CACHE_THRESHOLD=7)
    cache = Cache(config={"CACHE_DEFAULT_TIMEOUT": 2, "CACHE_THRESHOLD": 8})
    cache.init_app(app, {"CACHE_DEFAULT_TIMEOUT": 3})
    with app.app_context():
        assert cache.fragment_cache.policy.default_timeout == 3
        assert cache.cache._threshold == 8


def test_one_instance_serves_several_applications() -> None:
    cache = Cache(config=SIMPLE)
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        cache.init_app(app)
    assert [page(app, app.name) for app in apps] == ["one", "two"]
    with apps[0].app_context():
        cache.delete_fragment("x", [1])
    assert [page(app, "new") for app in apps] == ["new", "two"]
    assert not any(app in vars(cache).values() for app in apps)


def test_one_application_may_have_several_instances() -> None:
    app = Flask(__name__)
    first = Cache(app, config=SIMPLE)
    second = Cache(app, with_jinja2_ext=False, config=SIMPLE)
    page(app, "a")
    assert (first.stats().stored, second.stats().stored) == (1, 0)
    third = Cache(app, config=SIMPLE)
    assert page(app, "b") == "b"
    assert third.stats().stored == 1
    stores = {id(each.fragment_cache.store) for each in (first, second, third)}
    assert len(stores) == 3


def test_with_jinja2_ext_false_leaves_the_environment_alone() -> None:
    app = Flask(__name__)
    Cache(app, with_jinja2_ext=False, config=SIMPLE)
    assert not hasattr(app.jinja_env, "fragment_cache")


def test_a_cache_made_with_an_application_works_outside_of_its_context() -> None:
    cache = Cache(Flask(__name__), config=SIMPLE)
    cache.delete_fragment("x")
    assert cache.stats().deleted == 1


def test_without_a_current_application_the_error_says_what_to_do() -> None:
    with pytest.raises(SettingError, match=r"with app\.app_context\(\)"):
        Cache(config=SIMPLE).clear()


def test_an_application_that_was_not_set_up_is_an_error() -> None:
    cache = Cache(Flask("mine"), config=SIMPLE)
    with (
        Flask("other").app_context(),
        pytest.raises(SettingError, match="not set up for the application 'other'"),
    ):
        cache.clear()


@pytest.mark.parametrize("config", ["simple", 5, ["CACHE_TYPE"]])
def test_a_config_must_be_a_dictionary(config: Any) -> None:
    with pytest.raises(SettingError, match="config takes a dictionary"):
        Cache(config=config)
    with pytest.raises(SettingError, match="config takes a dictionary"):
        Cache().init_app(Flask(__name__), config)


@pytest.mark.parametrize("app", [{"CACHE_TYPE": "simple"}, "app"])
def test_an_application_must_be_a_flask_application(app: Any) -> None:
    with pytest.raises(SettingError, match="A Flask application comes first"):
        Cache(app)
    with pytest.raises(SettingError, match="A Flask application comes first"):
        Cache().init_app(app)


def test_what_other_frameworks_need_is_told() -> None:
    told = r"comes first.* set_fragment_cache\(env, FragmentCache\(\)\)\.$"
    others: list[Any] = [FastAPI(), Environment()]
    for other in others:
        with pytest.raises(SettingError, match=told):
            Cache(other)
    settings: Any = SIMPLE
    with pytest.raises(SettingError, match=r'"simple"}\)\.$'):
        Cache(settings)


def test_a_config_passed_as_with_jinja2_ext_is_refused() -> None:
    config: Any = SIMPLE
    with pytest.raises(SettingError, match="with_jinja2_ext is True or False"):
        Cache(Flask(__name__), config)


@pytest.mark.parametrize("ours_first", [True, False])
def test_the_tag_is_this_packages_even_beside_flask_caching(
    ours_first: bool,
) -> None:
    app = Flask(__name__)
    other = {"CACHE_TYPE": "SimpleCache"}
    if not ours_first:
        flask_caching.Cache(app, config=other)
    cache = Cache(app, config=SIMPLE)
    if ours_first:
        flask_caching.Cache(app, config=other)
    assert [page(app, n) for n in "ab"] == ["a", "a"]
    assert cache.stats() == Stats(hits=1, misses=1, stored=1)


def test_the_tag_uses_a_store_given_as_cache_type() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": cachelib.SimpleCache()})
    page(app, "a")
    cache.delete_fragment("x", [1])
    assert page(app, "b") == "b"


@pytest.mark.parametrize("setting", ["TESTING", "DEBUG"])
def test_a_refused_key_is_an_error_in_debug_and_testing(
    setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask(__name__)
    Cache(app, config=SIMPLE)
    assert page(app, "a", key=object()) == "a"
    assert "the fragment is not cached" in caplog.text
    # Set after the cache was made, as tests often do.
    app.config[setting] = True
    with pytest.raises(FragmentTagError, match="the fragment is not cached"):
        page(app, "a", key=object())


def test_setting_up_an_application_again_empties_its_cache() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)
    page(app, "a")
    cache.init_app(app)
    assert page(app, "b") == "b"
