import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import cachelib
import pytest
import redis

from jinja_fragcache import FragmentCache, MemoryStore, SettingError
from jinja_fragcache.flask.settings import make_app_cache, settings_table
from jinja_fragcache.stores import FileStore, RedisStore


def made(**settings: Any) -> FragmentCache:
    return make_app_cache(settings, strict=lambda: False).fragment_cache


@pytest.mark.parametrize("name", ["simple", "SimpleCache"])
def test_simple_is_in_memory(name: str) -> None:
    cache = made(CACHE_TYPE=name)
    assert isinstance(cache.store, MemoryStore)
    assert cache.default_timeout == 300


@pytest.mark.parametrize("name", ["null", "NullCache"])
def test_null_keeps_nothing_and_says_so(name: str) -> None:
    with pytest.warns(UserWarning, match="CACHE_TYPE is 'null': nothing is cached"):
        cache = made(CACHE_TYPE=name)
    assert isinstance(cache.store, cachelib.NullCache)


def test_null_is_the_default() -> None:
    with pytest.warns(UserWarning, match="nothing is cached"):
        assert isinstance(made().store, cachelib.NullCache)


def test_the_warning_can_be_turned_off() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(CACHE_TYPE="null", CACHE_NO_NULL_WARNING=True)


def test_a_type_may_be_a_store() -> None:
    store = cachelib.SimpleCache()
    assert made(CACHE_TYPE=store).store is store


def test_the_default_timeout() -> None:
    assert made(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=0).default_timeout == 0
    assert made(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=1.5).default_timeout == 2


@pytest.mark.parametrize("name", ["filesystem", "FileSystemCache"])
def test_filesystem_keeps_texts_in_a_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    settings = {"CACHE_TYPE": name, "CACHE_DIR": folder, "CACHE_THRESHOLD": 7}
    store = made(**settings, CACHE_OPTIONS={"mode": 0o640}).store
    assert isinstance(store, FileStore)
    store.set("k", "text")
    (file,) = store._list_dir()
    assert Path(file).stat().st_mode & 0o777 == 0o640
    assert store._threshold == 7
    assert made(**settings).get("k") == "text"


@pytest.mark.parametrize("name", ["redis", "RedisCache"])
@pytest.mark.parametrize("how", ["parts", "url", "client"])
def test_redis_keeps_texts_on_a_server(name: str, how: str, redis_port: int) -> None:
    client = redis.Redis(port=redis_port, db=3)
    client.flushdb()
    settings: dict[str, dict[str, Any]] = {
        "parts": {
            "CACHE_REDIS_HOST": "127.0.0.1",
            "CACHE_REDIS_PORT": str(redis_port),
            "CACHE_REDIS_DB": 3,
            "CACHE_OPTIONS": {"socket_timeout": 5},
        },
        "url": {
            "CACHE_REDIS_URL": f"redis://127.0.0.1:{redis_port}/3",
            "CACHE_OPTIONS": {"socket_timeout": 5},
        },
        "client": {"CACHE_REDIS_HOST": client},
    }
    cache = made(CACHE_TYPE=name, CACHE_KEY_PREFIX="shop:", **settings[how])
    assert isinstance(cache.store, RedisStore)
    cache.store.set("k", "text", timeout=30)
    assert client.get("shop:k") == b"text"
    assert cache.get("k") == "text"
    cache.clear()
    assert client.dbsize() == 0
    if how != "client":
        given = cache.store._read_client.connection_pool.connection_kwargs
        assert (given["socket_timeout"], given["socket_connect_timeout"]) == (5, 0.25)
        assert given["retry"]._retries == 0
        cache.store._read_client.close()
    client.close()


@pytest.mark.parametrize(
    "settings", [{}, {"CACHE_REDIS_URL": "redis://127.0.0.1"}], ids=["parts", "url"]
)
def test_redis_that_is_not_installed_is_told(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingError, match=r"pip install 'jinja-fragcache\[redis\]'"):
        made(CACHE_TYPE="redis", **settings)


@pytest.mark.parametrize("url", ["127.0.0.1:hunter2", "http://u:hunter2@h"])
def test_a_wrong_url_is_told_without_its_password(url: Any) -> None:
    with pytest.raises(SettingError, match="It has the form redis://") as raised:
        made(CACHE_TYPE="redis", CACHE_REDIS_URL=url)
    shown = "".join(traceback.format_exception(raised.value))
    assert "hunter2" not in shown.replace(repr(url), "")


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingError, match="CACHE_DIR can't be used"):
        made(CACHE_TYPE="filesystem", CACHE_DIR=tmp_path / "file" / "folder")


def test_the_documentation_has_the_table_of_all_settings() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert settings_table() in page.read_text("utf-8")


def test_the_threshold() -> None:
    store = made(CACHE_TYPE="simple", CACHE_THRESHOLD=2).store
    for key in "abc":
        store.set(key, key)
    assert [store.get(key) for key in "abc"] == [None, "b", "c"]


def test_the_bytes() -> None:
    store = made(CACHE_TYPE="simple", CACHE_OPTIONS={"max_bytes": 1000}).store
    assert store.set("k", "x" * 1000) is False


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"CACHE_TYPE": "redsi"}, "CACHE_TYPE can't be 'redsi'. It is one of 'null'"),
        ({"CACHE_TYPE": None}, "CACHE_TYPE can't be None"),
        ({"CACHE_TYPE": ["simple"]}, "CACHE_TYPE: builtins.list can't be a store"),
        ({"CACHE_TYPE": MemoryStore}, "write its name with"),
        ({"CACHE_DEFAULT_TIMEOUT": "300"}, "CACHE_DEFAULT_TIMEOUT: A timeout can't be"),
        ({"CACHE_DEFAULT_TIMEOUT": -1}, "CACHE_DEFAULT_TIMEOUT: A timeout can't be -1"),
        ({"CACHE_TYPE": "filesystem"}, "CACHE_DIR is missing"),
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": "x"}, "CACHE_REDIS_PORT can't be"),
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_DB": None}, "CACHE_REDIS_DB can't be"),
        ({"CACHE_OPTIONS": ["x"]}, "CACHE_OPTIONS can't be"),
        ({"CACHE_OPTIONS": {"x": 1}}, "other keyword arguments than x"),
        ({"CACHE_OPTIONS": {"max_bytes": 0}}, "CACHE_OPTIONS: A MemoryStore can't be"),
        ({"CACHE_THRESHOLD": 0}, "CACHE_THRESHOLD can't be 0"),
        ({"CACHE_THRESHOLD": "500"}, "CACHE_THRESHOLD can't be '500'"),
        ({"CACHE_THRESHOLD": True}, "CACHE_THRESHOLD can't be True"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        made(**{"CACHE_TYPE": "simple", **settings})
