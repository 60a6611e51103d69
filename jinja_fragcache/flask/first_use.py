"""Decides when a cache is first used whether it caches.

Applications are often made first and set to testing afterwards, as in
`app = create_app(); app.testing = True`.
"""

import threading
from collections import UserDict
from collections.abc import Callable
from typing import Any

from flask import Flask

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.forks import free_after_fork

# Where Flask-Caching's users find the store: in `app.extensions["cache"][cache]`.
_EXTENSION = "cache"


class UndecidedCache(FragmentCache):
    """A `FragmentCache` that is chosen when one of its attributes is first read.

    It is then a plain `FragmentCache` itself, so later calls take no longer.

    Args:
        choose: Returns the cache whose attributes this one gets. It is called once.
    """

    def __init__(self, choose: Callable[[], FragmentCache]) -> None:
        self._choose = choose
        self._lock = free_after_fork(threading.Lock())

    def __getattr__(self, name: str) -> Any:
        """Choose, and return an attribute of the chosen cache.

        Raises:
            AttributeError: If no cache has such an attribute.
        """
        # Underscored ones are looked for by pickle and copy, and by this class itself
        # if it was not initialized.
        if name.startswith("_"):
            raise AttributeError(name)
        with self._lock:
            if self.__class__ is not FragmentCache:
                self.__dict__.update(vars(self._choose()))
                # In place of a call for each look-up, as that of a proxy.
                self.__class__ = FragmentCache  # type: ignore[assignment]
        return getattr(self, name)


def keep_store(app: Flask, cache: object, fragment_cache: FragmentCache) -> None:
    """Add the store of a cache to the application's extensions, without using it yet.

    Args:
        app: The application.
        cache: The `Cache`.
        fragment_cache: Has the store, as soon as somebody looks it up.
    """
    stores = app.extensions.get(_EXTENSION, {})
    if not isinstance(stores, _Stores):
        # It may have those of Flask-Caching itself.
        stores = app.extensions[_EXTENSION] = _Stores(stores)
    stores[cache] = fragment_cache


class _Stores(UserDict[object, Any]):
    """The stores of an application's caches, each of which is used when looked up."""

    def __getitem__(self, cache: object) -> Any:
        """Return the store of a cache.

        Raises:
            KeyError: If the cache was not set up for the application.
        """
        found = super().__getitem__(cache)
        return found.store if isinstance(found, FragmentCache) else found
