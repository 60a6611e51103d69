"""Makes the store that the settings describe."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from os import PathLike
from typing import Any, TypeVar

from cachelib import NullCache
from cachelib.serializers import BaseSerializer
from flask import Flask

from jinja_fragcache.errors import SettingError, StoreError
from jinja_fragcache.messages import warn_caller, without_logins
from jinja_fragcache.stores import (
    FileStore,
    MemcachedStore,
    MemoryStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    SpreadMemcachedStore,
    Store,
    TextSerializer,
    UWSGIStore,
)

from .custom_backends import bind_call, is_import_string, make_imported_store

Settings = Mapping[str, Any]
S = TypeVar("S", bound=Store)

_DEFAULT_TIMEOUT = 300


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
        store: Store = cache_type
        serializer = getattr(store, "serializer", None)
        if isinstance(serializer, BaseSerializer) and not isinstance(
            serializer, TextSerializer
        ):
            # cachelib's own unpickles what it reads. This package stores text only.
            store.serializer = TextSerializer()  # type: ignore[attr-defined]
        return store
    if cache_type in TYPES:
        return TYPES[cache_type](settings)
    if cache_type in _READY_CACHES:
        name = _READY_CACHES[cache_type]
        raise SettingError(
            f"CACHE_TYPE can't be {cache_type!r}: this package has no store of that"
            f" type. Give the ready cache of cachelib, CACHE_TYPE=cachelib.{name}(...)."
        )
    is_url = cache_type is not None and "://" in cache_type
    if cache_type and not is_url and is_import_string(cache_type):
        kwargs = {"default_timeout": _timeout(settings), **_options(settings)}
        return make_imported_store(app, settings, _args(settings), kwargs)
    # A URL may contain a password.
    shown = "this URL" if is_url else repr(cache_type)
    raise SettingError(
        f"CACHE_TYPE can't be {shown}. It is one of"
        f" {', '.join(map(repr, TYPES))}, or 'package.module.name' of a class or of a"
        " function (app, config, args, kwargs), or a store, as in"
        " CACHE_TYPE=cachelib.FileSystemCache(folder)."
    )


def _null(settings: Settings) -> Store:
    if not settings["CACHE_NO_NULL_WARNING"]:
        warn_caller(
            "CACHE_TYPE is 'null': nothing is cached. Set CACHE_TYPE to 'simple', or"
            " CACHE_NO_NULL_WARNING to True if this is meant."
        )
    return NullCache()


def _simple(settings: Settings) -> Store:
    return _made(MemoryStore, settings, threshold=_threshold(settings))


def _filesystem(settings: Settings) -> Store:
    folder = settings["CACHE_DIR"]
    if folder is not None and not isinstance(folder, (str, PathLike)):
        raise SettingError(
            f"CACHE_DIR can't be {without_logins(repr(folder))}. It is a folder's path."
        )
    if not folder:
        raise SettingError(
            "CACHE_DIR is missing. It is the folder in which the type 'filesystem'"
            " keeps its entries, and nothing else may be in it:"
            " CACHE_DIR='/var/cache/shop'."
        )
    threshold = _threshold(settings)
    try:
        return _made(FileStore, settings, cache_dir=str(folder), threshold=threshold)
    except OSError as error:
        raise SettingError(f"CACHE_DIR can't be used: {error}.") from None


def _redis(settings: Settings) -> Store:
    url, host = settings["CACHE_REDIS_URL"], settings["CACHE_REDIS_HOST"]
    if host is None or isinstance(host, (int, bytes, type)):
        raise SettingError(
            f"CACHE_REDIS_HOST can't be {without_logins(repr(host))}. It is a server's"
            " name, or a client such as redis.Redis()."
        )
    if isinstance(host, str) and "://" in host:
        raise SettingError(
            "CACHE_REDIS_HOST can't be a URL. It is a server's name, or a client. Set"
            " CACHE_REDIS_URL to the URL."
        )
    given: dict[str, Any] = {"url": url} if url is not None else {"host": host}
    if url is None and isinstance(host, str):
        given["port"] = _whole_number(settings, "CACHE_REDIS_PORT")
        given |= _redis_account(settings)
    return _made(RedisStore, settings, **_prefix(settings), **given)


def _redis_sentinel(settings: Settings) -> Store:
    given = {
        "sentinels": settings["CACHE_REDIS_SENTINELS"],
        "master": settings["CACHE_REDIS_SENTINEL_MASTER"],
        "sentinel_password": settings["CACHE_REDIS_SENTINEL_PASSWORD"],
    }
    _check_sentinels(given["sentinels"])
    given |= _redis_account(settings)
    return _made(RedisSentinelStore, settings, **_prefix(settings), **given)


def _check_sentinels(sentinels: Any) -> None:
    try:
        pairs = [(str(host), int(port)) for host, port in sentinels]
    except (TypeError, ValueError):
        pairs = []
    if not pairs:
        raise SettingError(
            f"CACHE_REDIS_SENTINELS can't be {without_logins(repr(sentinels))}. It is a"
            " list of pairs of host and port: [('127.0.0.1', 26379)]."
        )


def _redis_account(settings: Settings) -> dict[str, Any]:
    return {
        "password": settings["CACHE_REDIS_PASSWORD"],
        "db": _whole_number(settings, "CACHE_REDIS_DB"),
    }


def _redis_cluster(settings: Settings) -> Store:
    url, cluster = settings["CACHE_REDIS_URL"], settings["CACHE_REDIS_CLUSTER"]
    if url is None and not cluster:
        raise SettingError(
            "CACHE_REDIS_CLUSTER is missing. It names some of the cluster's nodes:"
            " '127.0.0.1:7000,127.0.0.1:7001'."
        )
    given = {"cluster": cluster, "password": settings["CACHE_REDIS_PASSWORD"]}
    given = given if url is None else {"url": url}
    return _made(RedisClusterStore, settings, **_prefix(settings), **given)


def _memcached(settings: Settings) -> Store:
    servers = settings["CACHE_MEMCACHED_SERVERS"]
    return _made(MemcachedStore, settings, servers=servers, **_prefix(settings))


def _sasl_memcached(settings: Settings) -> Store:
    for name in ("CACHE_MEMCACHED_USERNAME", "CACHE_MEMCACHED_PASSWORD"):
        if not settings[name]:
            raise SettingError(
                f"{name} is missing. For a server without SASL, set CACHE_TYPE to"
                " 'memcached'."
            )
    return _made(MemcachedStore, settings, **_with_account(settings))


def _spread_memcached(settings: Settings) -> Store:
    return _made(SpreadMemcachedStore, settings, **_with_account(settings))


def _with_account(settings: Settings) -> dict[str, Any]:
    return {
        "servers": settings["CACHE_MEMCACHED_SERVERS"],
        "username": settings["CACHE_MEMCACHED_USERNAME"],
        "password": settings["CACHE_MEMCACHED_PASSWORD"],
        **_prefix(settings),
    }


def _uwsgi(settings: Settings) -> Store:
    try:
        return _made(UWSGIStore, settings)
    except RuntimeError as error:
        raise SettingError(f"CACHE_TYPE {settings['CACHE_TYPE']!r}: {error}") from None


def _prefix(settings: Settings) -> dict[str, Any]:
    prefix = settings["CACHE_KEY_PREFIX"]
    if prefix is not None and not isinstance(prefix, str):
        raise SettingError(
            f"CACHE_KEY_PREFIX can't be {without_logins(repr(prefix))}. It is a text,"
            " or None."
        )
    return {"key_prefix": prefix}


def _timeout(settings: Settings) -> int:
    timeout: int | None = settings["CACHE_DEFAULT_TIMEOUT"]
    return _DEFAULT_TIMEOUT if timeout is None else timeout


def _threshold(settings: Settings) -> int:
    threshold = settings["CACHE_THRESHOLD"]
    if type(threshold) is not int or threshold < 1:
        raise SettingError(
            f"CACHE_THRESHOLD can't be {threshold!r}. It is the maximum number of"
            " entries, 1 or more."
        )
    return threshold


def _whole_number(settings: Settings, name: str) -> int:
    with suppress(ValueError, TypeError):
        return int(settings[name])
    raise SettingError(
        f"{name} can't be {without_logins(repr(settings[name]))}. It is a whole number."
    )


def _options(settings: Settings) -> dict[str, Any]:
    options = settings["CACHE_OPTIONS"] or {}
    if not isinstance(options, Mapping):
        raise SettingError(
            f"CACHE_OPTIONS can't be of the type {type(options).__name__}. It is a"
            " dictionary of keyword arguments."
        )
    return dict(options)


def _args(settings: Settings) -> list[Any]:
    args = settings["CACHE_ARGS"] or []
    if not isinstance(args, list | tuple):
        raise SettingError(
            f"CACHE_ARGS can't be of the type {type(args).__name__}. It is a list of"
            " arguments."
        )
    return list(args)


def _made(make: type[S], settings: Settings, **given: Any) -> S:
    """Make a store.

    Args:
        make: The class of the store.
        settings: All settings. `CACHE_ARGS` and `CACHE_OPTIONS` override the arguments
            in `given`.
        given: The arguments from the settings of this type.

    Raises:
        SettingError: If the store does not accept the arguments.
    """
    cache_type = settings["CACHE_TYPE"]
    call = bind_call(
        make,
        f"CACHE_TYPE {cache_type!r}",
        _args(settings),
        _options(settings),
        {"default_timeout": _timeout(settings), **given},
    )
    try:
        return call()
    except TypeError as error:
        # Raised by the client that the store makes, for an option that the store passed
        # on to it.
        refusal = (
            f" takes other arguments than CACHE_ARGS and CACHE_OPTIONS give it:"
            f" {without_logins(error)}."
        )
    except (StoreError, ValueError) as error:
        refusal = f": {without_logins(error)}"
    # Not as the context of the client's error, which may show a password.
    raise SettingError(f"CACHE_TYPE {cache_type!r}{refusal}")


TYPES: dict[str, Callable[[Settings], Store]] = {
    "null": _null,
    "NullCache": _null,
    "simple": _simple,
    "SimpleCache": _simple,
    "filesystem": _filesystem,
    "FileSystemCache": _filesystem,
    "redis": _redis,
    "RedisCache": _redis,
    "redissentinel": _redis_sentinel,
    "RedisSentinelCache": _redis_sentinel,
    "rediscluster": _redis_cluster,
    "RedisClusterCache": _redis_cluster,
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

#: Types without a store in this package, and the cachelib class to use in their place.
_READY_CACHES = {
    "mongodb": "MongoDbCache",
    "MongoDbCache": "MongoDbCache",
    "dynamodb": "DynamoDbCache",
    "DynamoDbCache": "DynamoDbCache",
}
