"""Stores: where entries are kept.

A store is imported when it is asked for, because an application needs one of them, and
most need a client that takes longer to import than all of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .base import Store as Store
from .base import Timed as Timed
from .memory import MemoryStore as MemoryStore

if TYPE_CHECKING:
    from .files import FileStore as FileStore
    from .memcached import MemcachedStore as MemcachedStore
    from .memcached_spread import SpreadMemcachedStore as SpreadMemcachedStore
    from .redis import RedisStore as RedisStore
    from .redis_async import AsyncRedisClusterStore as AsyncRedisClusterStore
    from .redis_async import AsyncRedisSentinelStore as AsyncRedisSentinelStore
    from .redis_async import AsyncRedisStore as AsyncRedisStore
    from .redis_cluster import RedisClusterStore as RedisClusterStore
    from .redis_sentinel import RedisSentinelStore as RedisSentinelStore
    from .text import TextSerializer as TextSerializer
    from .uwsgi import UWSGIStore as UWSGIStore

_MODULES = {
    "AsyncRedisClusterStore": "redis_async",
    "AsyncRedisSentinelStore": "redis_async",
    "AsyncRedisStore": "redis_async",
    "FileStore": "files",
    "MemcachedStore": "memcached",
    "RedisClusterStore": "redis_cluster",
    "RedisSentinelStore": "redis_sentinel",
    "RedisStore": "redis",
    "SpreadMemcachedStore": "memcached_spread",
    "TextSerializer": "text",
    "UWSGIStore": "uwsgi",
}


def __getattr__(name: str) -> Any:
    """Import the module of a store."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = found
    return found
