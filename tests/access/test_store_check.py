from typing import Any

import pytest
import redis
import redis.asyncio

from jinja_fragcache import FragmentCache
from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.store_check import what_to_check
from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import MemoryStore
from tests.support import RecordingStore


class NoDelete:
    def get(self, key: str) -> None: ...
    def set(self, key: str, value: str, timeout: int | None = None) -> None: ...


class HalfAsync(RecordingStore):
    async def get(self, key: str) -> Any:
        return None


@pytest.mark.parametrize(
    ("store", "told"),
    [
        (NoDelete(), "it has no delete"),
        (object(), "it has no get and no set and no delete"),
        (MemoryStore, "The class MemoryStore can't be a store: it is a class"),
        (FragmentCache, "The class FragmentCache can't be a store: it is a class"),
        (redis.Redis(), r"goes into a store: RedisStore\(client\), or"),
        (redis.asyncio.Redis(), r"or AsyncRedisStore\(client\) if"),
        (HalfAsync(), "only some of get, set and delete are coroutine functions"),
    ],
)
def test_an_object_that_is_not_a_store_is_refused(store: Any, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        adapt(store)


def test_a_client_of_pylibmc_is_refused_though_its_set_tells_no_signature() -> None:
    pylibmc: Any = pytest.importorskip("pylibmc")

    class Own(pylibmc.Client):  # type: ignore[misc]  # it has no types
        def set(self, key: str, value: str, timeout: int | None = None) -> bool:
            return bool(super().set(key, value, timeout or 0))

    with pytest.raises(StoreError, match=r"goes into MemcachedStore\(client\)"):
        adapt(pylibmc.Client(["127.0.0.1:1"]))
    adapt(Own(["127.0.0.1:1"]))


def test_methods_without_a_signature_are_accepted() -> None:
    class Store(RecordingStore):
        set = dict  # type: ignore[assignment]  # written in C, tells no signature

    store: Any = Store()
    adapt(store)


class Advised:
    def __init__(self, told: Any) -> None:
        self.told = told

    def what_to_check(self, error: Exception) -> Any:
        return f"{self.told} {error}." if isinstance(self.told, str) else self.told


@pytest.mark.parametrize(
    ("store", "told"),
    [
        (Advised("Check the port for"), " Check the port for x."),
        (Advised(None), ""),
        (Advised(5), ""),
        (object(), ""),
    ],
)
def test_a_store_may_say_what_to_check_after_an_error(store: object, told: str) -> None:
    assert what_to_check(store, ValueError("x")) == told
