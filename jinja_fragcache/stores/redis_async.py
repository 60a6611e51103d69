"""Stores on Redis for applications on an event loop of asyncio."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from jinja_fragcache.operations import Operation, perform_async

from .base import Timed
from .facts import Amounts, Facts
from .per_loop import OnLoop
from .redis_cluster import InCluster
from .redis_library import ASYNC
from .redis_operations import RedisOperations
from .redis_sentinel import OnMaster

T = TypeVar("T")


class AsyncRedisStore(RedisOperations):
    """Like `RedisStore`, with coroutine functions and clients of `redis.asyncio`.

    Each event loop gets a client of its own, which is closed when the loop is shut
    down, as `asyncio.run` does in the end. A loop has at most 50 connections in use.
    trio is refused.

    Args:
        host: The host name of the server, or a ready client of `redis.asyncio`. Only
            the first event loop uses the client itself. Others use copies. Clients of
            sentinels and of clusters can't be copied.
        port: As for `RedisStore`, and so are all others.

    Attributes:
        key_prefix: The start of all keys, or a function that returns it.

    Raises:
        StoreError: If the package redis is not installed, the URL is not valid, an
            option is unknown, the calls of the client can't be awaited (see
            `RedisStore`), or it decodes what it reads.
        TimeoutValueError: If the default timeout is not valid.
        ValueError: If the host is None.
    """

    _library = ASYNC

    @property
    def _here(self) -> OnLoop:
        """What the running event loop has.

        Raises:
            AsyncOnlyError: If none of asyncio runs here.
        """
        here: OnLoop = self._clients.value.here
        return here

    @property
    def _client(self) -> Any:
        return self._here.client

    @property
    def _sample(self) -> Any:
        return self._clients.value.sample

    async def _run(self, operation: Operation[T]) -> T:
        turns = await self._here.turn()
        try:
            return await perform_async(operation)
        finally:
            turns.release()

    async def aclose(self) -> None:
        """Close the connections of the running event loop, before it ends."""
        await self._clients.value.aclose()

    async def get(self, key: str) -> str | int | None:
        """Like `RedisStore.get`."""
        # No operation, because every hit comes here.
        full_key, here = self._full_key(key), self._here
        turns = await here.turn()
        try:
            return self._loaded(full_key, await here.client.get(full_key))
        except Exception as error:  # noqa: BLE001 - raised there
            return await perform_async(self._get_failed(error))
        finally:
            turns.release()

    async def get_many(self, *keys: str) -> list[Any]:
        """Like `RedisStore.get_many`."""
        return await self._run(self._get_many(keys))

    async def get_dict(self, *keys: str) -> dict[str, Any]:
        """Like `get_many`, but return a dictionary."""
        return dict(zip(keys, await self.get_many(*keys), strict=True))

    async def has(self, key: str) -> bool:
        """Like `RedisStore.has`."""
        return await self._run(self._has(key))

    async def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Like `RedisStore.set`."""
        return await self._run(self._set(key, value, timeout))

    async def set_many(
        self, mapping: Mapping[str, Any], timeout: Any = None
    ) -> list[str]:
        """Like `RedisStore.set_many`."""
        return await self._run(self._set_many(mapping, timeout))

    async def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Like `RedisStore.add`."""
        return await self._run(self._add(key, value, timeout))

    async def add_many(
        self, mapping: Mapping[str, Any], timeout: Any = None
    ) -> list[str]:
        """Like `RedisStore.add_many`."""
        return await self._run(self._add_many(mapping, timeout))

    async def add_and_get_many(
        self, mapping: Mapping[str, Any], keys: Sequence[str], timeout: Any = None
    ) -> tuple[list[str], list[Any] | None]:
        """Like `RedisStore.add_and_get_many`."""
        return await self._run(self._add_and_get_many(mapping, keys, timeout))

    async def set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> list[str]:
        """Like `RedisStore.set_many_if_equal`."""
        return await self._run(self._set_many_if_equal(values, others, expected))

    async def delete_many_if_equal(
        self, keys: Sequence[str], expected: str
    ) -> list[str]:
        """Like `RedisStore.delete_many_if_equal`."""
        return await self._run(self._delete_many_if_equal(keys, expected))

    async def delete(self, key: str) -> bool:
        """Like `RedisStore.delete`."""
        return await self._run(self._delete(key))

    async def delete_many(self, *keys: str) -> list[str]:
        """Like `RedisStore.delete_many`."""
        return await self._run(self._delete_many(keys))

    async def remaining(self, key: str) -> float | None:
        """Like `RedisStore.remaining`."""
        return await self._run(self._remaining(key))

    async def get_with_remaining(self, *keys: str) -> list[tuple[Any, float | None]]:
        """Like `RedisStore.get_with_remaining`."""
        return await self._run(self._get_with_remaining(keys))

    async def inc(self, key: str, delta: int = 1) -> int | None:
        """Like `RedisStore.inc`."""
        return await self._run(self._inc(key, delta))

    async def dec(self, key: str, delta: int = 1) -> int | None:
        """Like `inc`, but subtract."""
        return await self.inc(key, -delta)

    async def clear(self) -> bool:
        """Like `RedisStore.clear`."""
        return await self._run(self._clear())

    async def facts(self) -> Facts:
        """Like `RedisStore.facts`."""
        return await self._run(self._facts())

    async def amounts(self) -> Amounts:
        """Like `RedisStore.amounts`."""
        return await self._run(self._amounts())


class AsyncRedisClusterStore(InCluster, AsyncRedisStore):
    """An `AsyncRedisStore` in a Redis cluster.

    Args: As for `RedisClusterStore`. A ready client works on one event loop only.
    """


class AsyncRedisSentinelStore(OnMaster, AsyncRedisStore):
    """An `AsyncRedisStore` on the master that Redis sentinels name.

    Args: As for `RedisSentinelStore`.
    """
