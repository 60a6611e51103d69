"""Custom caches that derive from the classes of Flask-Caching, as its users write."""

from typing import Any

from flask_caching.backends.base import BaseCache
from flask_caching.backends.filesystemcache import FileSystemCache
from flask_caching.backends.rediscache import RedisCache
from flask_caching.backends.simplecache import SimpleCache


class OfBaseCache(BaseCache):
    """Has all methods of its own, and the factory of its base."""

    def __init__(self, default_timeout: int = 300) -> None:
        super().__init__(default_timeout)
        self.values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        self.values[key] = value
        return True

    def delete(self, key: str) -> bool:
        return self.values.pop(key, None) is not None


class OfSimpleCache(SimpleCache):
    """Only has another name."""


class OfFileSystemCache(FileSystemCache):
    """Only has another name."""


class OfRedisCache(RedisCache):
    """Has an option more."""

    def __init__(self, *args: Any, more: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.more = more
