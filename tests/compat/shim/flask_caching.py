"""Flask-Caching's names for this package, so that its own tests run against it.

Flask-Caching is a package of modules; this file puts modules of the same names in their
place. Nothing here changes what the classes do, but for `TESTING`, which Flask-Caching
does not look at.
"""

import hashlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import cachelib
from flask import Flask

import jinja_fragcache
from jinja_fragcache import flask as ours
from jinja_fragcache import stores
from jinja_fragcache.functions.keys import full_name

make_template_fragment_key = jinja_fragcache.make_template_fragment_key
CachedResponse = ours.CachedResponse
SUPPORTED_HASH_FUNCTIONS = [
    hashlib.sha1,
    hashlib.sha224,
    hashlib.sha256,
    hashlib.sha384,
    hashlib.sha512,
    hashlib.md5,
]

# For each module, the names of its classes, and this package's.
_STORES: dict[str, dict[str, type]] = {
    "base": {"BaseCache": cachelib.BaseCache},
    "nullcache": {"NullCache": cachelib.NullCache},
    "simplecache": {"SimpleCache": stores.MemoryStore},
    "filesystemcache": {"FileSystemCache": stores.FileStore},
    "memcache": {
        "MemcachedCache": stores.MemcachedStore,
        "SASLMemcachedCache": stores.MemcachedStore,
        "SpreadSASLMemcachedCache": stores.SpreadMemcachedStore,
    },
    "rediscache": {
        "RedisCache": stores.RedisStore,
        "RedisClusterCache": stores.RedisClusterStore,
        "RedisSentinelCache": stores.RedisSentinelStore,
    },
}


class _Named(type):
    """Makes subclasses under another name, whose instances are all of the class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])


def _named(classes: Mapping[str, type]) -> dict[str, type]:
    return {name: _Named(name, (each,), {}) for name, each in classes.items()}


class Cache(ours.Cache):
    """Like this package's `Cache`, but caches in tests, as Flask-Caching does."""

    def init_app(self, app: Flask, config: Mapping[str, Any] | None = None) -> None:
        """Set up an application."""
        app.config.setdefault("CACHE_IN_TESTING", True)
        super().init_app(app, config)


def function_namespace(function: Any) -> tuple[str, None]:
    """Return the name under which a function is memoized."""
    return full_name(function), None


def _add_module(name: str, contents: Mapping[str, Any]) -> None:
    module = ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module


__path__: list[str] = []
_all: dict[str, type] = {}
for _name, _classes in _STORES.items():
    _module = _named(_classes)
    _add_module(f"flask_caching.backends.{_name}", _module)
    _all |= _module
_add_module("flask_caching.backends", _all)
backends = sys.modules["flask_caching.backends"]


def __getattr__(name: str) -> Any:
    """Return what this package's Flask extension has under the name."""
    return getattr(ours, name)
