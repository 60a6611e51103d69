"""From settings to the store that they describe."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cachelib import NullCache

from jinja_fragcache.errors import SettingError
from jinja_fragcache.stores import FileStore, MemoryStore, RedisStore, Store

Settings = Mapping[str, Any]
T = TypeVar("T")

# How long a page waits for a Redis server that does not answer.
_REDIS_SECONDS = 0.25


def make_store(settings: Settings) -> Store:
    """Make the store that `CACHE_TYPE` names, or take the one that it is.

    Args:
        settings: with a value for all settings that there are.

    Raises:
        SettingError: a setting has a value that is not allowed.
    """
    cache_type: Any = settings["CACHE_TYPE"]
    if cache_type is not None and not isinstance(cache_type, str):
        store: Store = cache_type
        return store
    if cache_type not in _STORES:
        raise SettingError(
            f"CACHE_TYPE can't be {cache_type!r}. It is one of"
            f" {', '.join(map(repr, _STORES))}, or a store, as in"
            " CACHE_TYPE=cachelib.FileSystemCache(folder)."
        )
    return _STORES[cache_type](settings)


def _null(settings: Settings) -> Store:
    if not settings["CACHE_NO_NULL_WARNING"]:
        warnings.warn(
            "CACHE_TYPE is 'null': nothing is cached. Set CACHE_TYPE to 'simple', or"
            " CACHE_NO_NULL_WARNING to True if this is meant.",
            stacklevel=5,
        )
    return NullCache()


def _simple(settings: Settings) -> Store:
    return _made(MemoryStore, settings, threshold=_threshold(settings))


def _filesystem(settings: Settings) -> Store:
    folder = settings["CACHE_DIR"]
    if not folder:
        raise SettingError(
            "CACHE_DIR is missing. The type 'filesystem' keeps its entries in that"
            " folder, and nothing else may lie there: CACHE_DIR='/var/cache/shop'."
        )
    try:
        return _made(FileStore, settings, str(folder), threshold=_threshold(settings))
    except OSError as error:
        raise SettingError(f"CACHE_DIR can't be used: {error}.") from None


def _redis(settings: Settings) -> Store:
    client = settings["CACHE_REDIS_HOST"]
    if isinstance(client, str) or settings["CACHE_REDIS_URL"] is not None:
        client = _redis_client(settings)
    return RedisStore(client, key_prefix=settings["CACHE_KEY_PREFIX"])


def _redis_client(settings: Settings) -> Any:
    """Make a client that does not hold pages up when its server is gone.

    redis-py waits without a limit, and tries ten times, if it is not told otherwise.
    """
    try:
        import redis  # noqa: PLC0415 - an extra of this package
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the same
        from redis.retry import Retry  # noqa: PLC0415 - the same
    except ImportError:
        raise SettingError(
            "CACHE_TYPE 'redis' needs the package redis. Install it with"
            " pip install 'jinja-fragcache[redis]'."
        ) from None
    patience = {
        "socket_timeout": _REDIS_SECONDS,
        "socket_connect_timeout": _REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    url = settings["CACHE_REDIS_URL"]
    if url is None:
        address = {
            "host": settings["CACHE_REDIS_HOST"],
            "port": _whole_number(settings, "CACHE_REDIS_PORT"),
            "password": settings["CACHE_REDIS_PASSWORD"],
            "db": _whole_number(settings, "CACHE_REDIS_DB"),
        }
        return _made(redis.Redis, settings, **address, **patience)
    options = {**patience, **_options(settings)}
    try:
        return redis.Redis.from_url(url, **options)
    except (ValueError, AttributeError):
        # The reason may quote the URL, and that may hold a password.
        raise SettingError(
            "CACHE_REDIS_URL can't be read. It has the form"
            " redis://user:password@host:port/db."
        ) from None


def _threshold(settings: Settings) -> int:
    threshold = settings["CACHE_THRESHOLD"]
    if type(threshold) is not int or threshold < 1:
        raise SettingError(
            f"CACHE_THRESHOLD can't be {threshold!r}. It is the largest number of"
            " entries, 1 or more."
        )
    return threshold


def _whole_number(settings: Settings, name: str) -> int:
    try:
        return int(settings[name])
    except (ValueError, TypeError):
        raise SettingError(
            f"{name} can't be {settings[name]!r}. It is a whole number."
        ) from None


def _options(settings: Settings) -> dict[str, Any]:
    options = settings["CACHE_OPTIONS"]
    if not isinstance(options, Mapping):
        raise SettingError(
            f"CACHE_OPTIONS can't be {options!r}. It is a dictionary of keyword"
            " arguments."
        )
    return dict(options)


def _made(make: Callable[..., T], settings: Settings, *args: Any, **kwargs: Any) -> T:
    options = _options(settings)
    try:
        return make(*args, **{**kwargs, **options})
    except TypeError:
        raise SettingError(
            f"CACHE_OPTIONS can't be given to {make.__qualname__}: it takes other"
            f" keyword arguments than {', '.join(options) or 'these settings'}."
        ) from None
    except ValueError as error:
        raise SettingError(f"CACHE_OPTIONS: {error}") from None


_STORES: dict[str, Callable[[Settings], Store]] = {
    "null": _null,
    "NullCache": _null,
    "simple": _simple,
    "SimpleCache": _simple,
    "filesystem": _filesystem,
    "FileSystemCache": _filesystem,
    "redis": _redis,
    "RedisCache": _redis,
}
