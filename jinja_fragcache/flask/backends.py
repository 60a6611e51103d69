"""Makes the store that the settings describe."""

import inspect
import re
from collections.abc import Callable
from os import PathLike
from typing import Any

from cachelib import NullCache
from cachelib.serializers import BaseSerializer
from flask import Flask

from jinja_fragcache.errors import SettingError
from jinja_fragcache.messages import did_you_mean, warn_caller, without_logins
from jinja_fragcache.stores import (
    FileStore,
    MemcachedStore,
    MemoryStore,
    SpreadMemcachedStore,
    Store,
    TextSerializer,
    UWSGIStore,
)

from .backend_arguments import (
    Settings,
    default_timeout,
    is_given,
    key_prefix,
    make_with,
    split_text,
    store_args,
    store_options,
    threshold,
)
from .custom_backends import is_import_string, make_imported_store
from .redis_backends import make_redis, make_redis_cluster, make_redis_sentinel
from .settings import DEFAULT_THRESHOLD


def make_store(app: Flask, settings: Settings) -> Store:
    """Return the store that `CACHE_TYPE` names, or `CACHE_TYPE` itself if it is one.

    Args:
        app: The application, which is passed to the factory that `CACHE_TYPE` may name.
        settings: A value for each setting. The default timeout is in whole seconds, or
            None.

    Raises:
        SettingError: If a setting has a value that is not allowed.
    """
    cache_type: Any = settings["CACHE_TYPE"]
    if cache_type is not None and not isinstance(cache_type, str):
        if inspect.isroutine(cache_type):
            name = f"{cache_type.__module__}.{cache_type.__qualname__}"
            raise SettingError(
                f"CACHE_TYPE can't be the function {name}(). For a function (app,"
                " config, args, kwargs) that returns a store, write its import string:"
                f" CACHE_TYPE={name!r}. Else give a store."
            )
        return _without_pickle(cache_type)
    make = _maker(cache_type)
    if make is not None:
        return make(settings)
    if cache_type in _READY_CACHES:
        name = _READY_CACHES[cache_type]
        raise SettingError(
            f"CACHE_TYPE can't be {cache_type!r}: this package has no store of that"
            f" type. Give the ready cache of cachelib, CACHE_TYPE=cachelib.{name}(...)."
        )
    is_url = cache_type is not None and "://" in cache_type
    if cache_type and not is_url and is_import_string(cache_type):
        kwargs = {
            "default_timeout": default_timeout(settings),
            **store_options(settings),
        }
        return _without_pickle(
            make_imported_store(app, settings, store_args(settings), kwargs)
        )
    # A URL may contain a password.
    shown = "this URL" if is_url else repr(cache_type)
    hint = ""
    if not is_url:
        written = str(cache_type)
        hint = did_you_mean(written, TYPES) or did_you_mean(written.lower(), TYPES)
    raise SettingError(
        f"CACHE_TYPE can't be {shown}.{hint} It is one of"
        f" {', '.join(map(repr, TYPES))}, or 'package.module.name' of a class or of a"
        " function (app, config, args, kwargs), or a store, as in"
        " CACHE_TYPE=cachelib.FileSystemCache(folder)."
    )


def is_null(cache_type: Any) -> bool:
    """Return whether a type is the one that caches nothing."""
    return isinstance(cache_type, str) and _maker(cache_type) is _null


def _maker(cache_type: str | None) -> Callable[[Settings], Store] | None:
    """Return what makes the store of a type, None if it is not one of the types."""
    theirs = _THEIR_NAMES.fullmatch(cache_type or "")
    name: Any = theirs[1] if theirs else cache_type
    return TYPES.get(name)


def _without_pickle(store: Any) -> Store:
    """Return a store whose serializer, if it is one of cachelib, does not unpickle."""
    serializer = getattr(store, "serializer", None)
    if isinstance(serializer, BaseSerializer) and not isinstance(
        serializer, TextSerializer
    ):
        # This package stores text only.
        store.serializer = TextSerializer()
    made: Store = store
    return made


def _null(settings: Settings) -> Store:
    # As in Flask-Caching: a name with dots is not written by chance.
    is_meant = "." in settings["CACHE_TYPE"] or settings["CACHE_NO_NULL_WARNING"]
    if not is_meant:
        warn_caller(
            "CACHE_TYPE is 'null': nothing is cached. Set CACHE_TYPE to 'simple', or"
            " CACHE_NO_NULL_WARNING to True if this is meant."
        )
    return NullCache()


def _simple(settings: Settings) -> Store:
    # 0 is the default, as in cachelib. Memory without a limit would end the process.
    limit = threshold(settings) or DEFAULT_THRESHOLD
    return make_with(MemoryStore, settings, threshold=limit)


def _filesystem(settings: Settings) -> Store:
    folder = settings["CACHE_DIR"]
    if folder is not None and not isinstance(folder, (str, PathLike)):
        raise SettingError(
            f"CACHE_DIR can't be {without_logins(repr(folder))}. It is a folder's path."
        )
    if not folder and not is_given(FileStore, settings, "cache_dir"):
        raise SettingError(
            "CACHE_DIR is missing. It is the folder in which the type 'filesystem'"
            " keeps its entries, and nothing else may be in it:"
            " CACHE_DIR='/var/cache/shop'."
        )
    limit = threshold(settings)
    try:
        return make_with(
            FileStore,
            settings,
            cache_dir=str(folder),
            threshold=limit,
            hash_method=settings["CACHE_FILE_HASH_METHOD"],
        )
    except OSError as error:
        raise SettingError(f"CACHE_DIR can't be used: {error}.") from None


def _memcached(settings: Settings) -> Store:
    servers = _servers(settings)
    return make_with(MemcachedStore, settings, servers=servers, **key_prefix(settings))


def _servers(settings: Settings) -> Any:
    """Return the servers; a text, as the environment has it, names them with commas."""
    servers = settings["CACHE_MEMCACHED_SERVERS"]
    return split_text(servers) if isinstance(servers, str) else servers


def _sasl_memcached(settings: Settings) -> Store:
    for argument in ("username", "password"):
        name = f"CACHE_MEMCACHED_{argument.upper()}"
        if not settings[name] and not is_given(MemcachedStore, settings, argument):
            raise SettingError(
                f"{name} is missing. For a server without SASL, set CACHE_TYPE to"
                " 'memcached'."
            )
    return make_with(MemcachedStore, settings, **_with_account(settings))


def _spread_memcached(settings: Settings) -> Store:
    return make_with(SpreadMemcachedStore, settings, **_with_account(settings))


def _with_account(settings: Settings) -> dict[str, Any]:
    return {
        "servers": _servers(settings),
        "username": settings["CACHE_MEMCACHED_USERNAME"],
        "password": settings["CACHE_MEMCACHED_PASSWORD"],
        **key_prefix(settings),
    }


def _uwsgi(settings: Settings) -> Store:
    try:
        return make_with(UWSGIStore, settings, cache=settings["CACHE_UWSGI_NAME"])
    except RuntimeError as error:
        raise SettingError(f"CACHE_TYPE {settings['CACHE_TYPE']!r}: {error}") from None


#: What makes the store of each type.
TYPES: dict[str, Callable[[Settings], Store]] = {
    "null": _null,
    "NullCache": _null,
    "simple": _simple,
    "SimpleCache": _simple,
    "filesystem": _filesystem,
    "FileSystemCache": _filesystem,
    "redis": make_redis,
    "RedisCache": make_redis,
    "redissentinel": make_redis_sentinel,
    "RedisSentinelCache": make_redis_sentinel,
    "rediscluster": make_redis_cluster,
    "RedisClusterCache": make_redis_cluster,
    "memcached": _memcached,
    "MemcachedCache": _memcached,
    "gaememcached": _memcached,
    "GAEMemcachedCache": _memcached,
    "saslmemcached": _sasl_memcached,
    "SASLMemcachedCache": _sasl_memcached,
    "spreadsaslmemcached": _spread_memcached,
    "spreadsaslmemcachedcache": _spread_memcached,
    "SpreadSASLMemcachedCache": _spread_memcached,
    "uwsgi": _uwsgi,
    "UWSGICache": _uwsgi,
}

# Names of the classes and factories of Flask-Caching and Flask-Cache, and of Werkzeug's
# classes, which Flask-Cache used. The store of this package with the same name is made,
# because theirs unpickle.
_THEIR_NAMES = re.compile(
    r"(?:flask(?:_|\.ext\.)cach(?:e|ing)\.(?:backends|contrib)|werkzeug\.contrib\.cache)"
    r"[.:](?:\w+[.:])?(\w+)"
)

#: Types without a store in this package, and the cachelib class to use in their place.
_READY_CACHES = {
    "mongodb": "MongoDbCache",
    "MongoDbCache": "MongoDbCache",
    "dynamodb": "DynamoDbCache",
    "DynamoDbCache": "DynamoDbCache",
}
