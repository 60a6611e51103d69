"""Clients with coroutines, which stores with plain methods can't use."""

from typing import Any
from unittest.mock import AsyncMock, MagicMock

import cachelib
import pytest
import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import Sentinel

from jinja_fragcache import FragmentCache
from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import MemcachedStore, RedisClusterStore, RedisStore
from jinja_fragcache.stores.base import has_coroutines
from tests.support import RecordingStore, ask


def of_sentinel() -> Any:
    return Sentinel([("127.0.0.1", 1)]).master_for("shop")  # type: ignore[no-untyped-call]


class Coroutines:
    async def get(self, key: str) -> None: ...


CLIENTS: list[Any] = [
    redis.asyncio.Redis,
    redis.asyncio.StrictRedis,
    of_sentinel,
    AsyncMock,
    Coroutines,
]


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("kind", [RedisStore, RedisClusterStore])
def test_a_client_with_coroutines_is_refused(kind: Any, make: Any) -> None:
    with pytest.raises(
        StoreError, match=r"have to be awaited, .* Write AsyncRedisStore\(client\)"
    ):
        kind(make())


def test_an_asynchronous_client_of_a_cluster_is_refused() -> None:
    class Unconnected(RedisCluster):
        def __init__(self) -> None:
            """Do nothing, because the client's own end needs an event loop."""

        def __del__(self, *_: Any) -> None: ...

    with pytest.raises(StoreError, match="have to be awaited"):
        RedisClusterStore(Unconnected())


def test_so_is_one_in_a_cache_of_cachelib() -> None:
    client: Any = redis.asyncio.Redis()
    with pytest.raises(StoreError, match="cachelib awaits nothing"):
        FragmentCache(cachelib.RedisCache(client))


def test_so_is_one_for_memcached() -> None:
    with pytest.raises(StoreError, match="Give the servers as a list"):
        MemcachedStore(Coroutines())


@pytest.mark.parametrize("client", [redis.Redis(), MagicMock(), object(), None, 5])
def test_plain_clients_are_told_from_them(client: Any) -> None:
    assert not has_coroutines(client)


def test_a_store_of_its_own_may_hold_a_client_with_coroutines() -> None:
    class Bridge:
        def __init__(self) -> None:
            self.client = Coroutines()

        def get(self, key: str) -> None: ...

        def set(self, key: str, value: Any, timeout: Any = None) -> None: ...

        def delete(self, key: str) -> None: ...

    FragmentCache(Bridge())


def test_an_add_that_has_to_be_awaited_has_not_stored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Awaited(RecordingStore):
        async def _add(self) -> bool:
            return True

        def add(self, key: str, value: Any, timeout: Any = None) -> Any:
            return self._add()

    cache = FragmentCache(Awaited())
    assert ask(cache, "k", lambda: "text") == "text"
    assert cache.stats().failures == 1
    assert "have to be awaited" in caplog.text
