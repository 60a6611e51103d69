import sys
from typing import Any

import pytest
import redis

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import (
    AsyncRedisStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
)
from tests.servers import wait_for


def test_a_client_that_decodes_is_refused(redis_port: int) -> None:
    with pytest.raises(StoreError, match="decode_responses=True"):
        RedisStore("127.0.0.1", redis_port, decode_responses=True)
    with (
        redis.Redis(port=redis_port, decode_responses=True) as client,
        pytest.raises(StoreError, match="decode_responses=True"),
    ):
        RedisStore(client)


def test_an_unknown_option_is_an_error_at_once() -> None:
    for make in (
        lambda **options: RedisStore("127.0.0.1", **options),
        lambda **options: RedisStore(url="redis://127.0.0.1", **options),
        RedisSentinelStore,
        lambda **options: RedisClusterStore("127.0.0.1:1", **options),
        lambda **options: RedisClusterStore(url="redis://127.0.0.1", **options),
    ):
        told = r"no option 'socket_timout' \(CACHE_OPTIONS\)\. Did .* socket_timeout"
        with pytest.raises(StoreError, match=told):
            make(socket_timout=1)


def test_an_error_of_an_option_that_is_known_is_raised_unchanged() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        RedisStore("127.0.0.1", retry_on_error=5)


def pool_arguments(store: RedisStore) -> Any:
    return store._client.connection_pool.connection_kwargs


@pytest.mark.parametrize(
    ("url", "given", "expected"),
    [
        ("redis://:a@127.0.0.1/2", {}, ("a", 2)),
        ("redis://:a@127.0.0.1/2", {"password": "b", "db": 0}, ("b", 0)),
        ("redis://127.0.0.1", {"password": "b", "db": 3}, ("b", 3)),
        ("redis://127.0.0.1/", {}, (None, None)),
        ("unix://:a@/run/redis.sock?db=2", {}, ("a", 2)),
        ("unix:///run/redis.sock", {"password": "b", "db": 3}, ("b", 3)),
    ],
)
def test_arguments_take_precedence_over_the_url(
    url: str, given: Any, expected: Any
) -> None:
    arguments = pool_arguments(RedisStore(url=url, **given))
    assert (arguments.get("password"), arguments.get("db")) == expected


@pytest.mark.own_patience
def test_options_take_precedence_over_the_query_of_the_url() -> None:
    url = "redis://127.0.0.1?socket_timeout=5&max_connections=7&health_check_interval=9"
    store = RedisStore(url=url, socket_timeout=2, max_connections=3)
    arguments = pool_arguments(store)
    assert arguments["socket_timeout"] == 2
    assert arguments["socket_connect_timeout"] == 0.25
    assert arguments["health_check_interval"] == 9
    assert store._client.connection_pool.max_connections == 3


def test_a_url_may_ask_for_one_connection(redis_port: int) -> None:
    url = f"redis://127.0.0.1:{redis_port}"
    store = RedisStore(url=url, single_connection_client=True)
    assert store._client.connection is not None
    store._client.close()


@pytest.mark.skipif(redis.VERSION < (5, 0, 1), reason="its clients close nothing")
def test_closing_the_client_of_a_url_closes_its_connections(redis_port: int) -> None:
    store = RedisStore(url=f"redis://127.0.0.1:{redis_port}")
    name = "closed-by-its-client"
    store._client.client_setname(name)
    with redis.Redis(port=redis_port) as other:
        assert name in [each["name"] for each in other.client_list()]
        store._client.close()
        wait_for(lambda: name not in [each["name"] for each in other.client_list()])


@pytest.mark.parametrize("url", ["redis://h:x", "redis://h:99999", "redis://:x/y@h:1"])
def test_the_error_of_a_wrong_port_says_so(url: str) -> None:
    with pytest.raises(StoreError, match="Its port is not a number") as raised:
        RedisStore(url=url)
    # What urllib says of the last one shows the password.
    assert raised.value.__context__ is None


@pytest.mark.parametrize("path", ["shop", "1/2", "-1", "1.5", "%31x"])
def test_a_database_that_is_no_number_is_refused(path: str) -> None:
    for kind in (RedisStore, AsyncRedisStore, RedisClusterStore):
        with pytest.raises(StoreError, match="Its database is not a number"):
            kind(url=f"redis://h/{path}")


def test_a_host_with_its_port_is_refused() -> None:
    with pytest.raises(StoreError, match="host='localhost' and port=6379 "):
        RedisStore("localhost:6379")
    RedisStore("::1")


@pytest.mark.parametrize("port", ["shop:", None, 6379.5, -1])
@pytest.mark.parametrize("kind", [RedisStore, AsyncRedisStore])
def test_a_port_that_is_no_number_is_refused(kind: Any, port: Any) -> None:
    with pytest.raises(StoreError, match=r"It is a number, such as 6379"):
        kind("localhost", port)


def test_a_port_may_be_a_text_of_digits() -> None:
    assert "localhost:6380" in RedisStore("localhost", "6380").where  # type: ignore[arg-type]


def test_a_value_that_the_client_refuses_is_an_error_that_says_where() -> None:
    told = r"can't be made: .*Flag: x\. Look at its options \(CACHE_OPTIONS, or the"
    wrong: list[dict[str, Any]] = [{"url": "rediss://h?ssl_cert_reqs=x"}, {"ssl": True}]
    for options in wrong:
        with pytest.raises(StoreError, match=told):
            RedisStore(**{"ssl_cert_reqs": "x", **options})


def test_sentinel_kwargs_are_options_of_the_sentinels() -> None:
    # Clients of redis-py before 6 take no other address than the sentinels tell.
    forced: Any = {"force_master_ip": "10.0.0.1"} if redis.VERSION >= (6,) else {}
    store = RedisSentinelStore(
        [("127.0.0.1", 1)],
        sentinel_password="other",
        sentinel_kwargs={"password": PASSWORD},
        min_other_sentinels=2,
        **forced,
        username="ann",
    )
    pool: Any = store._client.connection_pool
    manager = pool.sentinel_manager
    (sentinel,) = manager.sentinels
    assert sentinel.connection_pool.connection_kwargs["password"] == PASSWORD
    assert manager.min_other_sentinels == 2
    assert getattr(manager, "_force_master_ip", None) == forced.get("force_master_ip")
    assert pool.connection_kwargs["username"] == "ann"


def test_a_cluster_has_one_database_and_no_socket() -> None:
    for wrong in (
        {"cluster": "127.0.0.1:1", "db": 1},
        {"url": "redis://127.0.0.1/1"},
        {"url": "unix:///run/redis.sock"},
    ):
        with pytest.raises(StoreError, match="only the database 0"):
            RedisClusterStore(**wrong)
    RedisClusterStore(url="redis://127.0.0.1/0", db=0)


def test_an_option_of_flask_caching_that_redis_has_dropped_is_taken() -> None:
    RedisClusterStore("127.0.0.1:1", skip_full_coverage_check=True)


def test_a_missing_package_is_an_error_that_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    for store in (RedisStore, RedisClusterStore):
        with pytest.raises(StoreError, match=r"pip install 'jinja-fragcache\[redis\]'"):
            store()


PASSWORD = "correct-horse"


@pytest.mark.own_patience
def test_options_of_the_sentinels_begin_with_sentinel() -> None:
    store = RedisSentinelStore(
        [("127.0.0.1", 1)], sentinel_password=PASSWORD, socket_timeout=7
    )
    pool: Any = store._client.connection_pool
    (sentinel,) = pool.sentinel_manager.sentinels
    given = sentinel.connection_pool.connection_kwargs
    assert (given["password"], given["socket_timeout"]) == (PASSWORD, 0.25)
    assert pool.connection_kwargs["socket_timeout"] == 7
    assert pool.connection_kwargs["password"] is None


@pytest.mark.parametrize("wrong", [5, {}, redis.ConnectionPool(), redis.Redis])
@pytest.mark.parametrize(
    ("store", "library"),
    [
        (RedisStore, "redis"),
        (RedisClusterStore, "redis"),
        (AsyncRedisStore, "redis.asyncio"),
    ],
)
def test_what_is_no_client_is_refused(store: Any, library: str, wrong: Any) -> None:
    told = rf"A client of Redis can't be .*{library}\.Redis\(\.\.\.\)\."
    with pytest.raises(StoreError, match=told):
        store(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "127.0.0.1:26379",
        ("127.0.0.1", 26379),
        [("127.0.0.1", "x")],
        [(1, 2)],
        [None],
        [],
        5,
        redis.Sentinel([("127.0.0.1", 26379)]),  # type: ignore[no-untyped-call]
    ],
)
def test_sentinels_that_are_no_pairs_are_refused(wrong: Any) -> None:
    with pytest.raises(StoreError, match=r"\[\('127\.0\.0\.1', 26379\)\]"):
        RedisSentinelStore(wrong)


def test_a_cluster_without_a_node_is_refused() -> None:
    with pytest.raises(StoreError, match="no node of a Redis cluster in the list"):
        RedisClusterStore([])


@pytest.mark.parametrize(
    "nodes", ["localhost", "localhost:x", ["localhost"], [7], ":1"]
)
def test_invalid_addresses_of_nodes_are_an_error(nodes: Any) -> None:
    with pytest.raises(StoreError, match="'host:port,host:port'"):
        RedisClusterStore(nodes)
