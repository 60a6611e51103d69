"""Flask settings: which there are, and the store that they describe."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from cachelib import NullCache

from jinja_fragcache.errors import SettingError, StoreError, TimeoutValueError
from jinja_fragcache.fragments import FragmentCache
from jinja_fragcache.stores import MemoryStore, Store
from jinja_fragcache.timeouts import normalize_timeout

#: The settings that are read, with the values they have where an application has none.
#: Names and values are those of Flask-Cache and Flask-Caching.
DEFAULTS: dict[str, Any] = {
    "CACHE_TYPE": "null",
    "CACHE_DEFAULT_TIMEOUT": 300,
    "CACHE_THRESHOLD": 500,
    "CACHE_NO_NULL_WARNING": False,
}


def make_fragment_cache(
    settings: Mapping[str, Any], strict: Callable[[], bool]
) -> FragmentCache:
    """Make what the settings describe.

    Args:
        settings: an application's settings. Those that are missing have their default.
        strict: as for `FragmentCache`.

    Raises:
        SettingError: a setting has a value that is not allowed.
    """
    settings = {**DEFAULTS, **settings}
    store = _make_store(settings)
    try:
        timeout = normalize_timeout(settings["CACHE_DEFAULT_TIMEOUT"])
    except TimeoutValueError as error:
        raise SettingError(f"CACHE_DEFAULT_TIMEOUT: {error}") from None
    try:
        return FragmentCache(store, default_timeout=timeout, strict=strict)
    except StoreError as error:
        raise SettingError(f"CACHE_TYPE: {error}") from None


def _make_store(settings: Mapping[str, Any]) -> Store:
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


def _null(settings: Mapping[str, Any]) -> Store:
    if not settings["CACHE_NO_NULL_WARNING"]:
        warnings.warn(
            "CACHE_TYPE is 'null': nothing is cached. Set CACHE_TYPE to 'simple', or"
            " CACHE_NO_NULL_WARNING to True if this is meant.",
            stacklevel=5,
        )
    return NullCache()


def _simple(settings: Mapping[str, Any]) -> Store:
    threshold = settings["CACHE_THRESHOLD"]
    if not isinstance(threshold, int) or isinstance(threshold, bool) or threshold < 1:
        raise SettingError(
            f"CACHE_THRESHOLD can't be {threshold!r}. It is the largest number of"
            " entries, 1 or more."
        )
    return MemoryStore(threshold=threshold)


_STORES: dict[str, Callable[[Mapping[str, Any]], Store]] = {
    "null": _null,
    "NullCache": _null,
    "simple": _simple,
    "SimpleCache": _simple,
}
