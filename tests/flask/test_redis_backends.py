"""The types on Redis, made from their own settings."""

import sys
import traceback
from typing import Any

import pytest
import redis
from flask import Flask

from jinja_fragcache import Cache, SettingError, StoreError
from jinja_fragcache.stores import (
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
)
from jinja_fragcache.stores.checksum import with_checksum
from tests import servers
from tests.flask.support import check_works, made

PASSWORD = "correct-horse"


@pytest.mark.own_patience
@pytest.mark.parametrize("name", ["redis", "RedisCache"])
@pytest.mark.parametrize("how", ["parts", "url", "client"])
def test_redis_writes_to_a_server(name: str, how: str, redis_port: int) -> None:
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
    store = made(CACHE_TYPE=name, CACHE_KEY_PREFIX="shop:", **settings[how])
    assert isinstance(store, RedisStore)
    store.set("k", "text", timeout=30)
    assert client.get("shop:k") == with_checksum("shop:k", b"text")
    assert store.get("k") == "text"
    store.clear()
    assert client.dbsize() == 0
    if how != "client":
        given = store._client.connection_pool.connection_kwargs
        assert (given["socket_timeout"], given["socket_connect_timeout"]) == (5, 0.25)
        assert given["retry"]._retries == 0
        store._client.close()
    client.close()


@pytest.mark.parametrize(
    "settings", [{}, {"CACHE_REDIS_URL": "redis://127.0.0.1"}], ids=["parts", "url"]
)
def test_redis_that_is_not_installed_is_an_error(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingError, match=r"pip install 'jinja-fragcache\[redis\]'"):
        made(CACHE_TYPE="redis", **settings)


@pytest.mark.parametrize("url", ["127.0.0.1:hunter2", "http://u:hunter2@h"])
def test_the_error_of_a_wrong_url_hides_the_password(url: Any) -> None:
    with pytest.raises(SettingError, match="It has the form redis://") as raised:
        made(CACHE_TYPE="redis", CACHE_REDIS_URL=url)
    shown = "".join(traceback.format_exception(raised.value))
    assert "hunter2" not in shown.replace(repr(url), "")


@pytest.mark.parametrize("name", ["redis", "RedisCache"])
def test_redis_takes_arguments_and_options(
    name: str, redis_port: int, opened: list[Any]
) -> None:
    store = made(
        CACHE_TYPE=name,
        CACHE_ARGS=["127.0.0.1", redis_port],
        CACHE_OPTIONS={"db": 2, "socket_timeout": 5, "may_flush": True},
        CACHE_KEY_PREFIX=None,
        CACHE_DEFAULT_TIMEOUT=None,
    )
    opened.append(store)
    assert type(store) is RedisStore
    assert store.default_timeout == 300
    given = store._client.connection_pool.connection_kwargs
    assert (given["db"], given["socket_timeout"]) == (2, 5)
    store.clear()
    check_works(store)


@pytest.mark.parametrize("name", ["redissentinel", "RedisSentinelCache"])
def test_redissentinel_writes_to_the_master(
    name: str, watched: servers.Watched, opened: list[Any]
) -> None:
    store = made(
        CACHE_TYPE=name,
        CACHE_REDIS_SENTINELS=[("127.0.0.1", watched.sentinel)],
        CACHE_REDIS_SENTINEL_MASTER="shop",
        CACHE_REDIS_PASSWORD=PASSWORD,
        CACHE_REDIS_DB=1,
        CACHE_KEY_PREFIX="shop:",
    )
    opened.append(store)
    assert type(store) is RedisSentinelStore
    store.set("mine", "text")
    with redis.Redis(port=watched.master.port, password=PASSWORD, db=1) as client:
        assert client.get("shop:mine") == with_checksum("shop:mine", b"text")


def test_cache_redis_sentinel_password_is_for_the_sentinels() -> None:
    store = made(CACHE_TYPE="redissentinel", CACHE_REDIS_SENTINEL_PASSWORD=PASSWORD)
    (sentinel,) = store._client.connection_pool.sentinel_manager.sentinels
    assert sentinel.connection_pool.connection_kwargs["password"] == PASSWORD


@pytest.mark.parametrize("name", ["rediscluster", "RedisClusterCache"])
@pytest.mark.parametrize("how", ["CACHE_REDIS_CLUSTER", "CACHE_REDIS_URL"])
def test_rediscluster_is_found_by_nodes_or_url(
    name: str, how: str, cluster_ports: list[int], opened: list[Any]
) -> None:
    addresses = [f"127.0.0.1:{port}" for port in cluster_ports]
    cluster = how == "CACHE_REDIS_CLUSTER"
    where = ",".join(addresses) if cluster else f"redis://{addresses[0]}"
    settings: Any = {"CACHE_TYPE": name, how: where}
    store = made(**settings)
    opened.append(store)
    assert type(store) is RedisClusterStore
    check_works(store)


def database(**settings: Any) -> Any:
    """Return the password and the database that a store uses."""
    store = made(CACHE_TYPE="redis", **settings)
    given = store._client.connection_pool.connection_kwargs
    return given.get("password"), given.get("db")


@pytest.mark.parametrize(
    ("url", "settings", "expected"),
    [
        ("redis://:a@127.0.0.1", {"CACHE_REDIS_DB": 2}, ("a", 2)),
        ("redis://:a@127.0.0.1/", {"CACHE_REDIS_DB": "2"}, ("a", 2)),
        ("unix://:a@/run/redis.sock", {"CACHE_REDIS_DB": 2}, ("a", 2)),
        ("redis://:a@127.0.0.1/3", {"CACHE_REDIS_DB": 2}, ("a", 3)),
        ("redis://:a@127.0.0.1/0", {"CACHE_REDIS_DB": 2}, ("a", 0)),
        ("redis://:a@127.0.0.1?db=3", {"CACHE_REDIS_DB": 2}, ("a", 3)),
        ("redis://:a@127.0.0.1", {}, ("a", 0)),
        ("redis://:a@127.0.0.1/3", {"CACHE_OPTIONS": {"db": 4}}, ("a", 4)),
        ("redis://:a@127.0.0.1", {"CACHE_OPTIONS": {"password": "b"}}, ("b", 0)),
        ("redis://127.0.0.1", {"CACHE_REDIS_PASSWORD": "b"}, ("b", 0)),
        ("redis://:a@127.0.0.1", {"CACHE_REDIS_PASSWORD": "b"}, ("a", 0)),
        ("", {"CACHE_REDIS_DB": 2, "CACHE_REDIS_PASSWORD": "b"}, ("b", 2)),
        ("", {"CACHE_REDIS_PASSWORD": ""}, (None, 0)),
    ],
)
def test_what_the_url_does_not_say_is_taken_from_elsewhere(
    url: str, settings: Any, expected: Any
) -> None:
    assert database(CACHE_REDIS_URL=url, **settings) == expected


@pytest.mark.parametrize("url", ["", None])
def test_an_empty_url_is_none(url: Any, redis_port: int, opened: list[Any]) -> None:
    store = made(
        CACHE_TYPE="redis",
        CACHE_REDIS_URL=url,
        CACHE_REDIS_HOST="127.0.0.1",
        CACHE_REDIS_PORT=str(redis_port),
        CACHE_REDIS_DB="2",
    )
    opened.append(store)
    store.set("k", "text")
    with redis.Redis(port=redis_port, db=2) as client:
        assert client.get("flask_cache_k") == with_checksum("flask_cache_k", b"text")


def test_options_reach_a_server_with_a_password_beside_a_url(
    watched: servers.Watched, opened: list[Any]
) -> None:
    store = made(
        CACHE_TYPE="redis",
        CACHE_REDIS_URL=f"redis://127.0.0.1:{watched.master.port}",
        CACHE_OPTIONS={"password": PASSWORD, "db": 3},
    )
    opened.append(store)
    store.set("k", "text")
    with redis.Redis(port=watched.master.port, password=PASSWORD, db=3) as client:
        assert client.get("flask_cache_k") == with_checksum("flask_cache_k", b"text")


@pytest.mark.parametrize("how", ["prefix", "kwargs"])
def test_options_reach_the_sentinels_and_the_master(
    how: str, watched: servers.Watched, opened: list[Any]
) -> None:
    of_sentinel = {"prefix": {"sentinel_client_name": "s"}}
    of_sentinel["kwargs"] = {"sentinel_kwargs": {"client_name": "s"}}  # type: ignore[dict-item]
    store = made(
        CACHE_TYPE="redissentinel",
        CACHE_REDIS_SENTINELS=[("127.0.0.1", watched.sentinel)],
        CACHE_REDIS_SENTINEL_MASTER="shop",
        CACHE_OPTIONS={"password": PASSWORD, "db": 4, **of_sentinel[how]},
    )
    opened.append(store)
    store.set("k", "text")
    with redis.Redis(port=watched.master.port, password=PASSWORD, db=4) as client:
        assert client.get("flask_cache_k") == with_checksum("flask_cache_k", b"text")
    (sentinel,) = store._client.connection_pool.sentinel_manager.sentinels
    assert sentinel.client_getname() == "s"
    sentinel.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"CACHE_REDIS_CLUSTER": "127.0.0.1:1"},
        {"CACHE_REDIS_URL": "redis://127.0.0.1:1"},
    ],
)
def test_a_cluster_uses_the_password_in_the_options(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def connect(**arguments: Any) -> Any:
        given.update(arguments)
        raise ConnectionError

    store = made(
        CACHE_TYPE="rediscluster",
        **settings,
        CACHE_OPTIONS={"password": PASSWORD, "username": "ann", "db": 0},
    )
    monkeypatch.setattr("redis.cluster.RedisCluster", connect)
    with pytest.raises(ConnectionError):
        store.get("k")
    assert (given["password"], given["username"]) == (PASSWORD, "ann")
    assert "db" not in given


def test_a_cluster_does_not_use_cache_redis_db() -> None:
    url = "redis://127.0.0.1:1"
    store = made(CACHE_TYPE="rediscluster", CACHE_REDIS_URL=url, CACHE_REDIS_DB=2)
    assert isinstance(store, RedisClusterStore)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CACHE_REDIS_PORT": 65_536}, "CACHE_REDIS_PORT can't be 65536.* 0 to 65535"),
        ({"CACHE_REDIS_PORT": 6379.5}, "CACHE_REDIS_PORT can't be 6379.5"),
        ({"CACHE_REDIS_PORT": "1e999"}, "CACHE_REDIS_PORT can't be inf"),
        ({"CACHE_REDIS_DB": -1}, "CACHE_REDIS_DB can't be -1"),
        ({"CACHE_REDIS_DB": True}, "CACHE_REDIS_DB can't be True"),
        ({"CACHE_REDIS_URL": "redis://h:x"}, "CACHE_REDIS_URL.*Its port is not a"),
        ({"CACHE_REDIS_URL": 5}, "CACHE_REDIS_URL.* can't be read"),
        ({"CACHE_REDIS_URL": "redis://h/shop"}, "Its database is not a number"),
        ({"CACHE_REDIS_HOST": "localhost:7"}, "host='localhost' and port=7"),
        (
            {"CACHE_REDIS_URL": "rediss://h?ssl_cert_reqs=x"},
            r"can't be made: .*: x\. Look at .*query of CACHE_REDIS_URL",
        ),
        (
            {"CACHE_OPTIONS": {"socket_timout": 1}},
            r"'socket_timout' \(CACHE_OPTIONS\)\. Did you mean socket_timeout",
        ),
        (
            {"CACHE_TYPE": "redissentinel", "CACHE_OPTIONS": {"usrname": "ann"}},
            r"'usrname' \(CACHE_OPTIONS\)\. Did you mean username",
        ),
        (
            {"CACHE_TYPE": "rediscluster", "CACHE_OPTIONS": {"db": 1}},
            "A Redis cluster has only the database 0",
        ),
    ],
)
def test_an_error_names_the_wrong_setting(settings: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        made(**{"CACHE_TYPE": "redis", "CACHE_REDIS_CLUSTER": "h:1", **settings})


def test_the_log_and_the_error_of_a_delete_name_the_setting_and_the_server(
    watched: servers.Watched, caplog: pytest.LogCaptureFixture
) -> None:
    port = watched.master.port
    config = {
        "CACHE_TYPE": "redis",
        "CACHE_REDIS_HOST": "127.0.0.1",
        "CACHE_REDIS_PORT": port,
        "CACHE_REDIS_PASSWORD": "hunter2",
    }
    cache = Cache(Flask(__name__), config=config)
    assert cache.get("k") is None
    read = caplog.messages[0]
    with pytest.raises(StoreError) as raised:
        cache.delete("k")
    for told in (read, str(raised.value)):
        assert "Check the user and password (CACHE_REDIS_PASSWORD" in told
        assert f"of the server at 127.0.0.1:{port}." in told
        assert "hunter2" not in told
        assert ". Check" in told
    cache.cache._client.close()
