"""Every type that `CACHE_TYPE` can name, made from its own settings."""

import ast
import hashlib
import re
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cachelib
import pymemcache
import pytest
import redis
from flask import Flask, render_template_string

from jinja_fragcache import Cache, SettingError, StoreError
from jinja_fragcache.stores import (
    MemcachedStore,
    SpreadMemcachedStore,
)
from jinja_fragcache.stores.checksum import with_checksum
from tests.flask.support import check_works, flask_caching_source, made

USER = "ann@shop.test"
PASSWORD = "correct-horse"
PAGE = "{% cache 60, 'x' %}{{ n }}{% endcache %}"


@pytest.mark.parametrize("name", ["null", "NullCache"])
def test_null_takes_any_arguments(name: str) -> None:
    store = made(
        CACHE_TYPE=name,
        CACHE_NO_NULL_WARNING=True,
        CACHE_ARGS=[1, 2],
        CACHE_OPTIONS={"x": 1},
    )
    assert isinstance(store, cachelib.NullCache)


@pytest.mark.parametrize("name", ["memcached", "MemcachedCache"])
def test_memcached_takes_its_settings(
    name: str, memcached_port: int, opened: list[Any]
) -> None:
    servers = (f"127.0.0.1:{memcached_port}",)
    store = made(
        CACHE_TYPE=name,
        CACHE_MEMCACHED_SERVERS=servers,
        CACHE_KEY_PREFIX="shop:",
        CACHE_DEFAULT_TIMEOUT=7,
        CACHE_OPTIONS={"may_flush": True},
    )
    opened.append(store)
    assert type(store) is MemcachedStore
    assert store.default_timeout == 7
    check_works(store)
    store.set("k", "text")
    client = pymemcache.Client(("127.0.0.1", memcached_port))
    assert client.get("shop:k") == with_checksum("shop:k", b"text")
    client.close()


@pytest.mark.parametrize("name", ["gaememcached", "GAEMemcachedCache"])
def test_gaememcached_is_memcached(
    name: str, memcached_port: int, opened: list[Any]
) -> None:
    servers = [f"127.0.0.1:{memcached_port}"]
    store = made(CACHE_TYPE=name, CACHE_MEMCACHED_SERVERS=servers)
    opened.append(store)
    assert type(store) is MemcachedStore
    check_works(store)


def test_cache_memcached_servers_may_be_a_client(
    memcached_port: int, opened: list[Any]
) -> None:
    client = pymemcache.PooledClient(("127.0.0.1", memcached_port))
    store = made(CACHE_TYPE="memcached", CACHE_MEMCACHED_SERVERS=client)
    opened.append(store)
    check_works(store)


@pytest.mark.parametrize(
    "name",
    [
        "saslmemcached",
        "SASLMemcachedCache",
        "spreadsaslmemcached",
        "spreadsaslmemcachedcache",
        "SpreadSASLMemcachedCache",
    ],
)
def test_sasl_memcached_logs_in(name: str, sasl_port: int, opened: list[Any]) -> None:
    store = made(
        CACHE_TYPE=name,
        CACHE_MEMCACHED_SERVERS=[f"127.0.0.1:{sasl_port}"],
        CACHE_MEMCACHED_USERNAME=USER,
        CACHE_MEMCACHED_PASSWORD=PASSWORD,
    )
    opened.append(store)
    assert isinstance(store, SpreadMemcachedStore) is ("spread" in name.lower())
    check_works(store)


def test_spreadsaslmemcached_takes_its_options(
    memcached_port: int, opened: list[Any]
) -> None:
    store = made(
        CACHE_TYPE="spreadsaslmemcached",
        CACHE_ARGS=[[f"127.0.0.1:{memcached_port}"]],
        CACHE_OPTIONS={"chunksize": 10, "maxchunk": 2},
    )
    opened.append(store)
    store.set("k", "x" * 20)
    assert store.get("k") == "x" * 20


def test_uwsgi_outside_of_uwsgi_is_an_error() -> None:
    for name in ("uwsgi", "UWSGICache"):
        with pytest.raises(SettingError, match="are you running under uWSGI"):
            made(CACHE_TYPE=name)


@pytest.mark.parametrize(
    ("name", "ready"),
    [
        ("mongodb", "MongoDbCache"),
        ("MongoDbCache", "MongoDbCache"),
        ("dynamodb", "DynamoDbCache"),
        ("DynamoDbCache", "DynamoDbCache"),
    ],
)
def test_a_type_without_a_store_names_the_cachelib_cache(name: str, ready: str) -> None:
    told = rf"CACHE_TYPE can't be '{name}'.* CACHE_TYPE=cachelib\.{ready}\(\.\.\.\)"
    with pytest.raises(SettingError, match=told):
        made(CACHE_TYPE=name, CACHE_ARGS=["mongodb://127.0.0.1:1"])


@pytest.fixture(params=["SimpleCache", "FileSystemCache", "RedisCache"])
def ready_cachelib_cache(
    request: pytest.FixtureRequest, tmp_path: Path, redis_port: int
) -> Iterator[Any]:
    if request.param == "SimpleCache":
        yield cachelib.SimpleCache()
    elif request.param == "FileSystemCache":
        yield cachelib.FileSystemCache(str(tmp_path))
    else:
        with redis.Redis(port=redis_port) as client:
            client.flushall()
            yield cachelib.RedisCache(client, key_prefix="shop:")


def test_a_ready_cachelib_cache_is_the_store(ready_cachelib_cache: Any) -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": ready_cachelib_cache})
    with app.test_request_context():
        assert cache.fragment_cache.store is ready_cachelib_cache
        assert [render_template_string(PAGE, n=n) for n in "ab"] == ["a", "a"]
        cache.delete_fragment("x")
        assert render_template_string(PAGE, n="c") == "c"
        assert cache.set_many({"text": "<p>", "list": [1], "number": 2})
        assert cache.get_many("text", "list", "number") == ["<p>", [1], 2]
        cache.clear()
        assert cache.get("text") is None


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("redis", "redis", "redis"),
        ("redissentinel", "redis", "redis"),
        ("rediscluster", "redis", "redis"),
        ("memcached", "pymemcache", "memcached"),
        ("saslmemcached", "pylibmc", "memcached"),
    ],
)
def test_a_missing_package_is_an_error_that_names_the_extra(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (package, "pylibmc"):
        monkeypatch.setitem(sys.modules, each, None)
    told = rf"CACHE_TYPE '{name}': .*pip install 'jinja-fragcache\[{extra}\]'"
    with pytest.raises(SettingError, match=told):
        made(
            CACHE_TYPE=name,
            CACHE_REDIS_CLUSTER="h:1",
            CACHE_MEMCACHED_SERVERS=["127.0.0.1:1"],
            CACHE_MEMCACHED_USERNAME="ann",
            CACHE_MEMCACHED_PASSWORD="secret",
        )


def test_a_ready_store_of_this_package_keeps_its_serializer(
    memcached_port: int, opened: list[Any]
) -> None:
    ready = MemcachedStore([f"127.0.0.1:{memcached_port}"], key_prefix="shop:")
    opened.append(ready)
    serializer = ready.serializer
    store = made(CACHE_TYPE=ready)
    assert store.serializer is serializer
    # Another one would make an empty text a miss: pylibmc returns None for it.
    store.set("empty", "")
    assert store.get("empty") == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CACHE_ARGS": "x"}, "CACHE_ARGS can't be of the type str"),
        ({"CACHE_ARGS": [1] * 20}, "CACHE_ARGS .*too many positional"),
        ({"CACHE_ARGS": [1], "CACHE_OPTIONS": {"threshold": 2}}, "multiple values"),
        ({"CACHE_OPTIONS": {"threshold": 0}}, "'simple': A MemoryStore can't"),
        (
            {
                "CACHE_TYPE": "filesystem",
                "CACHE_DIR": "unused",
                "CACHE_FILE_HASH_METHOD": "md5",
            },
            r"\(CACHE_FILE_HASH_METHOD\) can't be 'md5'.* hashlib\.sha256",
        ),
        (
            {
                "CACHE_TYPE": "filesystem",
                "CACHE_DIR": "unused",
                "CACHE_OPTIONS": {"mode": "600"},
            },
            "The mode of files can't be '600'.* 0o600",
        ),
        (
            {"CACHE_TYPE": "redis", "CACHE_OPTIONS": {"colour": 1}},
            "'colour' .CACHE_OPTIONS",
        ),
        (
            {"CACHE_TYPE": "redissentinel", "CACHE_REDIS_SENTINELS": "127.0.0.1"},
            "CACHE_REDIS_SENTINELS can't be",
        ),
        (
            {"CACHE_TYPE": "redissentinel", "CACHE_REDIS_SENTINELS": []},
            "CACHE_REDIS_SENTINELS can't be",
        ),
        ({"CACHE_TYPE": "rediscluster"}, "CACHE_REDIS_CLUSTER is missing"),
        (
            {"CACHE_TYPE": "rediscluster", "CACHE_REDIS_CLUSTER": "localhost"},
            "'host:port,host:port'",
        ),
        (
            {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": "a:b"},
            "CACHE_MEMCACHED_USERNAME",
        ),
        (
            {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": []},
            "CACHE_MEMCACHED_SERVERS=",
        ),
        (
            {"CACHE_TYPE": "memcached", "CACHE_KEY_PREFIX": "my shop"},
            "CACHE_TYPE 'memcached': The key prefix",
        ),
        ({"CACHE_TYPE": "saslmemcached"}, "CACHE_MEMCACHED_USERNAME is missing"),
        (
            {"CACHE_TYPE": "saslmemcached", "CACHE_MEMCACHED_USERNAME": "ann"},
            "CACHE_MEMCACHED_PASSWORD is missing",
        ),
        (
            {
                "CACHE_TYPE": "spreadsaslmemcached",
                "CACHE_OPTIONS": {"chunksize": "1 MB"},
            },
            "chunksize is a whole number",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
def test_an_error_names_the_wrong_setting(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        made(**{"CACHE_TYPE": "simple", **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"CACHE_OPTIONS": "hunter2"},
        {"CACHE_OPTIONS": ["hunter2"]},
        {"CACHE_ARGS": "hunter2"},
        {"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "hunter2@host"},
        {"CACHE_TYPE": "rediscluster", "CACHE_REDIS_CLUSTER": "ann:hunter2@host"},
        {
            "CACHE_TYPE": "redis",
            "CACHE_REDIS_PASSWORD": "hunter2",
            "CACHE_OPTIONS": {"colour": "hunter2"},
        },
        {
            "CACHE_TYPE": "saslmemcached",
            "CACHE_MEMCACHED_USERNAME": "ann",
            "CACHE_MEMCACHED_PASSWORD": "hunter2",
            "CACHE_OPTIONS": {"colour": "hunter2"},
        },
    ],
    ids=" ".join,
)
def test_no_error_shows_a_password(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError) as raised:
        made(**{"CACHE_TYPE": "simple", **settings})
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("redis", {"CACHE_REDIS_PORT": 1}),
        ("redissentinel", {"CACHE_REDIS_SENTINELS": [("127.0.0.1", 1)]}),
        ("rediscluster", {"CACHE_REDIS_CLUSTER": "127.0.0.1:1"}),
        ("memcached", {"CACHE_MEMCACHED_SERVERS": ["127.0.0.1:1"]}),
        ("spreadsaslmemcached", {"CACHE_MEMCACHED_SERVERS": ["127.0.0.1:1"]}),
    ],
)
@pytest.mark.parametrize("prefix", [None, "shop:"])
def test_a_page_is_rendered_while_the_server_is_down(
    name: str,
    settings: dict[str, Any],
    prefix: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Flask(__name__)
    config = {"CACHE_TYPE": name, "CACHE_KEY_PREFIX": prefix, **settings}
    cache = Cache(app, config=config)
    started = time.monotonic()
    with app.test_request_context():
        assert [render_template_string(PAGE, n=n) for n in "ab"] == ["a", "b"]
        with pytest.raises(StoreError):
            cache.delete_fragment("x")
        with pytest.raises(StoreError):
            cache.clear()
    assert time.monotonic() - started < 5
    assert caplog.records


def their_names() -> list[str]:
    """Return the import paths of all that the installed Flask-Caching's modules make.

    Those of the package `backends`, too, from which they are imported as well.
    """
    folder = flask_caching_source()
    paths = []
    for room in ("backends", "contrib"):
        for file in sorted((folder / room).glob("*.py")):
            module = "" if file.stem == "__init__" else f".{file.stem}"
            for node in ast.parse(file.read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef):
                    names = [node.name]
                elif isinstance(node, ast.ImportFrom) and not module:
                    names = [each.name for each in node.names]
                else:
                    names = []
                paths += [f"flask_caching.{room}{module}.{each}" for each in names]
    return paths


# The base of the others, which caches nothing; and one without a store in this package.
NO_STORE_OF_OURS = ("BaseCache", "GoogleCloudStorageCache")
# The factories of Flask-Cache 0.13, and of Flask-Caching before 2.0.
FACTORIES = {
    "flask_cache": (
        "null simple filesystem memcached gaememcached saslmemcached redis"
        " spreadsaslmemcachedcache"
    ),
    "flask_caching": (
        "null simple filesystem memcached gaememcached saslmemcached redis"
        " redissentinel rediscluster uwsgi spreadsaslmemcached"
    ),
}
THEIRS = [
    *(each for each in their_names() if not each.endswith(NO_STORE_OF_OURS)),
    *(
        f"{package}.backends.{name}"
        for package, names in FACTORIES.items()
        for name in names.split()
    ),
    "flask_cache.backends.RedisCache",
    "flask_caching.backends.simple.SimpleCache",
    "flask_caching.backends:SimpleCache",
    "flask.ext.cache.backends.redis",
    # Those whose names are enough, as Flask-Cache's manual says.
    "werkzeug.contrib.cache.NullCache",
    "werkzeug.contrib.cache.SimpleCache",
    "werkzeug.contrib.cache.MemcachedCache",
    "werkzeug.contrib.cache.GAEMemcachedCache",
    "werkzeug.contrib.cache.RedisCache",
    "werkzeug.contrib.cache.FileSystemCache",
    "werkzeug.contrib.cache.UWSGICache",
    "flask_caching.backends.uwsgicache:UWSGICache",
]


@pytest.mark.parametrize("path", THEIRS)
def test_a_path_into_flask_caching_names_our_store(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("flask_cache", "flask_caching"):
        monkeypatch.setitem(sys.modules, package, None)
    name = re.split("[.:]", path)[-1]
    if "sasl" in name.lower():
        pytest.importorskip("pylibmc")  # There are wheels for Python 3.11 only.
    settings: Any = {
        "CACHE_DIR": tmp_path,
        "CACHE_NO_NULL_WARNING": True,
        "CACHE_MEMCACHED_USERNAME": "ann",
        "CACHE_MEMCACHED_PASSWORD": "secret",
        "CACHE_REDIS_CLUSTER": "127.0.0.1:1",
    }
    if name.lower().startswith("uwsgi"):
        with pytest.raises(SettingError, match="are you running under uWSGI"):
            made(CACHE_TYPE=path, **settings)
        return
    store = made(CACHE_TYPE=path, **settings)
    assert type(store) is type(made(CACHE_TYPE=name, **settings))
    assert type(store).__module__.startswith(("jinja_fragcache", "cachelib.base"))


def test_the_test_of_paths_has_those_that_applications_write() -> None:
    assert {
        "flask_caching.backends.RedisCache",
        "flask_caching.backends.rediscache.RedisCache",
        "flask_caching.backends.simplecache.SimpleCache",
        "flask_caching.contrib.uwsgicache.UWSGICache",
    } <= set(THEIRS)
    assert "flask_caching.backends.base.BaseCache" in their_names()


def test_cache_file_hash_method_names_the_files(tmp_path: Path) -> None:
    settings: Any = {"CACHE_TYPE": "filesystem", "CACHE_DIR": tmp_path}
    made(**settings, CACHE_FILE_HASH_METHOD=hashlib.md5).set("k", "text")
    name = hashlib.md5(b"k", usedforsecurity=False).hexdigest()
    assert (tmp_path / name).exists()


def test_cache_uwsgi_name_names_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []

    def init(_store: Any, default_timeout: int = 300, cache: str = "") -> None:
        named.append(cache)

    monkeypatch.setattr("jinja_fragcache.stores.UWSGIStore.__init__", init)
    made(CACHE_TYPE="uwsgi", CACHE_UWSGI_NAME="shop")
    made(CACHE_TYPE="uwsgi", CACHE_UWSGI_NAME="shop", CACHE_OPTIONS={"cache": "mine"})
    assert named == ["shop", "mine"]


@pytest.mark.parametrize("kind", ["memcached", "spreadsaslmemcached"])
def test_pool_blocking_is_taken_from_flask_caching(kind: str) -> None:
    servers = ["127.0.0.1:1"]
    settings: Any = {"CACHE_TYPE": kind, "CACHE_MEMCACHED_SERVERS": servers}
    made(**settings, CACHE_OPTIONS={"pool_blocking": True})
    with pytest.raises(SettingError, match="pool_blocking can't be False"):
        made(**settings, CACHE_OPTIONS={"pool_blocking": False})


def test_an_option_that_memcached_does_not_know_is_named() -> None:
    with pytest.raises(SettingError, match="its client takes no option 'colour'"):
        made(
            CACHE_TYPE="memcached",
            CACHE_MEMCACHED_SERVERS=["127.0.0.1:1"],
            CACHE_OPTIONS={"colour": 1},
        )


def test_servers_may_be_one_text_with_commas(
    memcached_port: int, opened: list[Any]
) -> None:
    servers = f"localhost:{memcached_port}, 127.0.0.1:{memcached_port}"
    store = made(CACHE_TYPE="memcached", CACHE_MEMCACHED_SERVERS=servers)
    opened.append(store)
    check_works(store)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("Redis", "redis"), ("simplecache", "SimpleCache"), ("SIMPLE", "simple")],
)
def test_a_similar_type_is_suggested(wrong: str, right: str) -> None:
    with pytest.raises(SettingError, match=f"Did you mean .*{right}"):
        made(CACHE_TYPE=wrong)
