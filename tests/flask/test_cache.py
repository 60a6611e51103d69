from collections.abc import Callable
from typing import Any

import cachelib
import flask_caching
import pytest
from flask import Flask, render_template_string

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


def test_a_view_drops_a_fragment() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)

    @app.post("/drop/<int:key>")
    def drop(key: int) -> str:
        cache.delete_fragment("x", [key])
        return "dropped"

    assert [page(app, "a", key) for key in (1, 2)] == ["a", "a"]
    assert app.test_client().post("/drop/1").text == "dropped"
    assert [page(app, "b", key) for key in (1, 2)] == ["b", "a"]


def test_delete_and_clear() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)
    page(app, "a", 1)
    page(app, "a", 2)
    cache.delete(make_template_fragment_key("x", [1]))
    assert [page(app, "b", key) for key in (1, 2)] == ["b", "a"]
    cache.clear()
    assert [page(app, "c", key) for key in (1, 2)] == ["c", "c"]


def test_settings_come_from_the_nearest_place() -> None:
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=1, CACHE_THRESHOLD=7)
    cache = Cache(config={"CACHE_DEFAULT_TIMEOUT": 2, "CACHE_THRESHOLD": 8})
    cache.init_app(app, {"CACHE_DEFAULT_TIMEOUT": 3})
    with app.app_context():
        assert cache.fragment_cache.policy.default_timeout == 3
        assert cache.cache._threshold == 8  # type: ignore[attr-defined]


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


def test_one_application_has_several_instances() -> None:
    app = Flask(__name__)
    first = Cache(app, config=SIMPLE)
    second = Cache(app, with_jinja2_ext=False, config=SIMPLE)
    page(app, "a")
    assert (first.stats().stored, second.stats().stored) == (1, 0)
    third = Cache(app, config=SIMPLE)
    assert page(app, "b") == "b"
    assert third.stats().stored == 1
    assert len({id(each.cache) for each in (first, second, third)}) == 3


def test_without_the_tag_an_application_has_none() -> None:
    app = Flask(__name__)
    Cache(app, with_jinja2_ext=False, config=SIMPLE)
    assert not hasattr(app.jinja_env, "fragment_cache")


def test_it_works_outside_of_a_context_if_it_was_made_with_the_application() -> None:
    cache = Cache(Flask(__name__), config=SIMPLE)
    cache.delete_fragment("x")
    assert cache.stats().deleted == 1


def test_without_an_application_it_says_what_to_do() -> None:
    with pytest.raises(SettingError, match=r"with app\.app_context\(\)"):
        Cache(config=SIMPLE).clear()


def test_with_another_application_it_says_what_to_do() -> None:
    cache = Cache(Flask("mine"), config=SIMPLE)
    with (
        Flask("other").app_context(),
        pytest.raises(SettingError, match="not set up for the application 'other'"),
    ):
        cache.clear()


@pytest.mark.parametrize("config", ["simple", 5, ["CACHE_TYPE"]])
def test_a_config_that_is_none_is_refused(config: Any) -> None:
    with pytest.raises(SettingError, match="config takes a dictionary"):
        Cache(config=config)
    with pytest.raises(SettingError, match="config takes a dictionary"):
        Cache().init_app(Flask(__name__), config)


@pytest.mark.parametrize("app", [{"CACHE_TYPE": "simple"}, "app"])
def test_what_is_no_application_is_refused(app: Any) -> None:
    with pytest.raises(SettingError, match="A Flask application comes first"):
        Cache(app)
    with pytest.raises(SettingError, match="A Flask application comes first"):
        Cache().init_app(app)


def test_a_config_in_the_place_of_a_flag_is_refused() -> None:
    config: Any = SIMPLE
    with pytest.raises(SettingError, match="with_jinja2_ext is True or False"):
        Cache(Flask(__name__), config)


@pytest.mark.parametrize("ours_first", [True, False])
def test_beside_flask_caching_the_tag_is_this_one(
    ours_first: bool,  # noqa: FBT001 - a parameter of the test
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


def test_a_store_given_as_the_type_is_the_one_of_the_tag() -> None:
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
    # Set after the cache, as tests do.
    app.config[setting] = True
    with pytest.raises(FragmentTagError, match="the fragment is not cached"):
        page(app, "a", key=object())


def test_setting_an_application_up_again_starts_anew() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)
    page(app, "a")
    cache.init_app(app)
    assert page(app, "b") == "b"
