"""What to look at after errors, from real servers."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from jinja_fragcache.stores import RedisClusterStore, RedisSentinelStore, RedisStore
from jinja_fragcache.stores.redis_errors import what_to_check
from tests import servers

PASSWORD = "correct-horse"
ERRORS = (redis.RedisError, redis.exceptions.RedisClusterException)


@pytest.fixture(scope="module")
def locked() -> Iterator[int]:
    """Provide the port of a Redis server with a password."""
    with servers.running(*servers.REDIS, "--requirepass", PASSWORD) as server:
        with redis.Redis(port=server.port, password=PASSWORD) as client:
            client.acl_setuser("ann", enabled=True, passwords=["+hidden"])
        yield server.port


def after(store: Any) -> str:
    """Return what a store says to check after a read has failed."""
    with pytest.raises(ERRORS) as raised:
        store.get("k")
    told: str = store.what_to_check(raised.value)
    if not isinstance(store, RedisClusterStore):
        store._client.close()
    return told


@pytest.mark.parametrize("password", [None, "hidden"])
def test_a_missing_or_wrong_password(password: str | None, locked: int) -> None:
    told = after(RedisStore("127.0.0.1", locked, password=password))
    assert told == (
        "Check the user and password (CACHE_REDIS_PASSWORD, CACHE_REDIS_URL,"
        f" CACHE_REDIS_SENTINEL_PASSWORD) of the server at 127.0.0.1:{locked}."
    )


def test_a_user_without_rights(locked: int) -> None:
    told = after(RedisStore(url=f"redis://ann:hidden@127.0.0.1:{locked}"))
    assert told == (
        "Check the rights of the user (CACHE_REDIS_URL) of the server at"
        f" 127.0.0.1:{locked}."
    )


def test_a_database_that_does_not_exist(redis_port: int) -> None:
    told = after(RedisStore("127.0.0.1", redis_port, db=99))
    assert "the number of the database (CACHE_REDIS_DB, CACHE_REDIS_URL)" in told


def test_a_server_that_is_not_there() -> None:
    host_and_port = "Check the host and port (CACHE_REDIS_HOST, CACHE_REDIS_PORT"
    told = after(RedisStore("127.0.0.1", 1))
    assert told.startswith(host_and_port)
    assert told.endswith("127.0.0.1:1.")
    told = after(RedisStore(url="unix:///nowhere/redis.sock"))
    assert told.startswith(host_and_port)
    assert told.endswith("of the server at /nowhere/redis.sock.")
    assert what_to_check(redis.ConnectionError(), {"host": "h"}).endswith(" h:6379.")


def test_sentinels_that_are_not_there() -> None:
    told = after(RedisSentinelStore([("127.0.0.1", 1)]))
    assert "(CACHE_REDIS_SENTINELS, CACHE_REDIS_SENTINEL_MASTER)." in told


def test_a_cluster_that_is_none_not_there_or_locked(
    redis_port: int, locked: int
) -> None:
    for port, setting in (
        (redis_port, "(CACHE_TYPE)"),
        (1, "(CACHE_REDIS_CLUSTER, CACHE_REDIS_URL)"),
        (locked, "CACHE_REDIS_PASSWORD"),
    ):
        told = after(RedisClusterStore(f"127.0.0.1:{port}"))
        assert setting in told
        assert told.endswith(").")


def test_other_errors_say_nothing() -> None:
    for error in (KeyError("k"), redis.ResponseError("WRONGTYPE"), TimeoutError()):
        assert what_to_check(error, {"host": "h", "port": 1}) == ""
