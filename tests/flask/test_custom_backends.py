"""Stores that `CACHE_TYPE` names by an import string."""

import sys
from pathlib import Path
from typing import Any

import cachelib
import pytest
from flask import Flask, render_template_string

from jinja_fragcache import Cache, SettingError
from jinja_fragcache.stores import TextSerializer
from tests.flask import custom_caches
from tests.flask.support import check_works, made

CUSTOM = "tests.flask.custom_caches"
PAGE = "{% cache 60, 'x' %}{{ n }}{% endcache %}"


@pytest.mark.parametrize(
    "name", [f"{CUSTOM}.sqlite", f"{CUSTOM}:sqlite"], ids=["dots", "colon"]
)
def test_a_factory_makes_the_store_as_in_the_manual(
    name: str, tmp_path: Path, opened: list[Any]
) -> None:
    app = Flask(__name__)
    app.config["SQLITE_FILE"] = str(tmp_path / "cache.db")
    config = {
        "CACHE_TYPE": name,
        "CACHE_KEY_PREFIX": "shop",
        "CACHE_DEFAULT_TIMEOUT": 9,
    }
    cache = Cache(app, config=config)
    with app.test_request_context():
        store: Any = cache.cache
        opened.append(store)
        assert [render_template_string(PAGE, n=n) for n in "ab"] == ["a", "a"]
        cache.delete_fragment("x")
        assert render_template_string(PAGE, n="c") == "c"
        cache.clear()
        assert render_template_string(PAGE, n="d") == "d"
    assert isinstance(store, custom_caches.SqliteCache)
    assert (store.table, store.default_timeout) == ("shop", 9)
    assert (tmp_path / "cache.db").exists()


def test_a_class_gets_the_arguments(tmp_path: Path, opened: list[Any]) -> None:
    args = [str(tmp_path / "cache.db")]
    store = made(
        CACHE_TYPE=f"{CUSTOM}.SqliteCache",
        CACHE_ARGS=args,
        CACHE_OPTIONS={"table": "shop"},
    )
    opened.append(store)
    assert (store.table, store.default_timeout) == ("shop", 300)
    check_works(store)


def test_a_class_with_a_factory_is_made_by_the_factory() -> None:
    app = Flask(__name__)
    options = {"threshold": 5}
    store = made(
        app,
        CACHE_TYPE=f"{CUSTOM}.FactoryCache",
        CACHE_OPTIONS=options,
        CACHE_DEFAULT_TIMEOUT=8,
        MY_OWN="setting",
    )
    given_app, config, args, kwargs = store.made_with
    assert given_app is app
    assert (config["MY_OWN"], config["CACHE_THRESHOLD"]) == ("setting", 500)
    assert (args, kwargs) == ([], {"threshold": 5, "default_timeout": 8})
    assert options == {"threshold": 5}


def test_a_class_need_not_take_a_default_timeout() -> None:
    store = made(CACHE_TYPE=f"{CUSTOM}.PlainCache", CACHE_ARGS=["mine"])
    assert store.name == "mine"


def test_an_import_string_may_name_a_store() -> None:
    assert made(CACHE_TYPE=f"{CUSTOM}.ready") is custom_caches.ready


def test_an_import_string_may_name_a_class_of_cachelib(tmp_path: Path) -> None:
    store = made(CACHE_TYPE="cachelib.FileSystemCache", CACHE_ARGS=[str(tmp_path)])
    assert type(store) is cachelib.FileSystemCache


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.cache", "No module named 'nowhere'"),
        ("nowhere:cache", "No module named 'nowhere'"),
        (f"{CUSTOM}.missing", "has no attribute 'missing'"),
        ("tests.flask.broken_caches.cache", "named 'a_package_that_nobody_has'"),
        ("tests.flask.missing.cache", "No module named 'tests.flask.missing'"),
        (".", "can't be imported"),
        (f"{CUSTOM}.PlainCache", "takes no option 'colour' .* It takes name"),
        (f"{CUSTOM}.no_store", "list can't be a store"),
        (f"{CUSTOM}.of_one", r"other arguments than \(app, config, args, kwargs\): "),
    ],
)
def test_a_wrong_import_string_is_an_error(name: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as raised:
        made(CACHE_TYPE=name, CACHE_OPTIONS={"colour": "red"})
    assert "CACHE_TYPE" in str(raised.value)


def test_an_error_inside_a_factory_is_raised_unchanged() -> None:
    with pytest.raises(TypeError, match="the factory's own mistake"):
        made(CACHE_TYPE=f"{CUSTOM}.failing")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("OfBaseCache", {}),
        ("OfSimpleCache", {}),
        ("OfFileSystemCache", {}),
        ("OfRedisCache", {}),
    ],
)
def test_a_class_of_the_user_that_derives_from_flask_caching_is_a_custom_cache(
    name: str, settings: Any, tmp_path: Path, redis_port: int
) -> None:
    app = Flask(__name__)
    path = f"tests.flask.flask_caching_caches.{name}"
    settings |= {"CACHE_DIR": str(tmp_path), "CACHE_REDIS_PORT": redis_port}
    cache = Cache(app, config={"CACHE_TYPE": path, **settings})
    with app.test_request_context():
        store = type(cache.fragment_cache.store)
        assert f"{store.__module__}.{store.__name__}" == path
        assert [render_template_string(PAGE, n=n) for n in "ab"] == ["a", "a"]
        cache.delete_fragment("x")
        assert render_template_string(PAGE, n="c") == "c"
        assert cache.set("values", {"n": 1})
        assert cache.get("values") == {"n": 1}
        # Nothing that is stored is a pickle, so nothing is unpickled.
        serializer = getattr(cache.cache, "serializer", None)
        assert serializer is None or isinstance(serializer, TextSerializer)


def test_a_module_that_can_not_work_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "google", None)
    name = "flask_caching.contrib.googlecloudstoragecache.GoogleCloudStorageCache"
    with pytest.raises(SettingError, match="no google-cloud-storage module found"):
        made(CACHE_TYPE=name, CACHE_GCS_BUCKET="shop")
