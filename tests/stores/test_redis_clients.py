import sys
from typing import Any

import pytest
import redis

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import RedisClusterStore, RedisSentinelStore, RedisStore


def test_a_client_that_decodes_is_refused(redis_port: int) -> None:
    with pytest.raises(StoreError, match="decode_responses=True"):
        RedisStore("127.0.0.1", redis_port, decode_responses=True)
    with (
        redis.Redis(port=redis_port, decode_responses=True) as client,
        pytest.raises(StoreError, match="decode_responses=True"),
    ):
        RedisStore(client)


def test_an_unknown_option_is_an_error_at_once() -> None:
    with pytest.raises(TypeError, match="colour"):
        RedisStore(url="redis://127.0.0.1", colour="red")


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


@pytest.mark.parametrize(
    "nodes", ["localhost", "localhost:x", ["localhost"], [7], ":1"]
)
def test_invalid_addresses_of_nodes_are_an_error(nodes: Any) -> None:
    with pytest.raises(StoreError, match="'host:port,host:port'"):
        RedisClusterStore(nodes)
