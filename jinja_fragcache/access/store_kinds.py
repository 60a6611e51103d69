"""What is known of stores by their classes and methods: what they have and can do."""

from __future__ import annotations

import inspect
from typing import Any

from jinja_fragcache.stores.memory import MemoryStore

_CACHELIB_METHODS = ("add", "get_many", "set_many", "delete_many", "inc", "dec")
_OUR_METHODS = ("add_many", "add_and_get_many", "remaining", "get_with_remaining")
# Calls of these touch only this process's memory. Calls of a subclass may touch more.
# Those of cachelib are told by their names, because it takes long to import.
_NOT_BLOCKING = {("cachelib.simple", "SimpleCache"), ("cachelib.base", "NullCache")}
# Classes whose objects keep entries in the memory of one process, by their names.
_OF_PROCESS = {"MemoryStore", "SimpleCache", "LocMemCache"}
# The same of those that keep nothing.
_EMPTY = {"NullCache", "DummyCache"}
# Modules whose `add` can't be a lock: it does nothing (base), takes an expired entry
# for a live one (file), looks and writes in two steps (mongodb), or may leave one that
# never expires if the process ends in it (redis).
_UNSAFE_ADD = (
    "cachelib.base",
    "cachelib.file",
    "cachelib.mongodb",
    "cachelib.redis",
    "flask_caching",
)
# Modules whose `get_many` reads one key after the other, or only this process's memory.
_ONE_BY_ONE = (
    "cachelib.base",
    "cachelib.simple",
    "django.core.cache.backends.base",
    "flask_caching.backends.base",
    "jinja_fragcache.stores.files",
    "jinja_fragcache.stores.memory",
)

_DJANGO_MODULES = ("django.core.cache.backends.base", "django.utils.connection")


def methods_of(store: Any, *, are_coroutines: bool) -> set[str]:
    """Return which of the methods that a store may have it has, in the form we call.

    Args:
        store: The store.
        are_coroutines: Whether its methods are coroutine functions.
    """
    return {
        name
        for name in (*_CACHELIB_METHODS, *_OUR_METHODS)
        if callable(method := getattr(store, name, None))
        and inspect.iscoroutinefunction(method) is are_coroutines
        and (name not in {"get_many", "delete_many"} or _takes_keys_one_by_one(method))
    }


def reads_in_one_trip(store: Any) -> bool:
    """Return whether `get_many` reads all keys in one round trip to a server."""
    return not _origin(store.get_many).startswith(_ONE_BY_ONE)


def has_safe_add(store: Any) -> bool:
    """Return whether `add` can be a lock."""
    return not _origin(store.add).startswith(_UNSAFE_ADD)


def may_block(store: Any) -> bool:
    """Return whether a call may block, or has to be awaited."""
    kind = type(store)
    names = kind.__module__, kind.__qualname__
    return kind is not MemoryStore and names not in _NOT_BLOCKING


def is_of_process(store: Any) -> bool:
    """Return whether each process has a store of its own."""
    # Django's `cache` is a proxy.
    behind = getattr(store.get, "__self__", store)
    return not _OF_PROCESS.isdisjoint(each.__name__ for each in type(behind).__mro__)


def is_shared(store: Any) -> bool:
    """Return whether other processes may find what this one writes."""
    names = {each.__name__ for each in type(store).__mro__}
    return not is_of_process(store) and names.isdisjoint(_EMPTY)


def is_django_cache(store: object) -> bool:
    """Return whether it is one of Django's caches."""
    # The bases are compared by name, so that Django is not imported here.
    return any(cls.__module__ in _DJANGO_MODULES for cls in type(store).__mro__)


def varies_keys(store: Any) -> bool:
    """Return whether one key may stand for several entries, such as one a tenant."""
    if is_django_cache(store):
        return store.key_func.__module__ not in _DJANGO_MODULES
    return callable(getattr(store, "key_prefix", None))


def _origin(method: Any) -> str:
    """Return the name of the module in which a method is defined."""
    return str(getattr(method, "__module__", ""))


def _takes_keys_one_by_one(method: Any) -> bool:
    """Return whether a method takes keys as cachelib does, `get_many(*keys)`."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return False  # not a function, or one written in C without a signature
    return any(each.kind is each.VAR_POSITIONAL for each in parameters)
