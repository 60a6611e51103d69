"""Whether an object can be a store, and how messages name it."""

from __future__ import annotations

import inspect
from typing import Any, NoReturn

from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.stores.base import has_coroutines

_METHODS = ("get", "set", "delete")


def check_store(store: Any) -> bool:
    """Return whether the methods of a store are coroutine functions.

    Raises:
        StoreError: If the object is not a store. The message says what it lacks.
    """
    missing = [name for name in _METHODS if not callable(getattr(store, name, None))]
    is_class = isinstance(store, type)
    if missing or is_class:
        lack = (
            "is a class, write its name with ()"
            if is_class
            else f"has no {' and no '.join(missing)}"
        )
        raise StoreError(
            f"{store_name(store)} can't be a store: it {lack}. Give an object with"
            " get(key), set(key, value, timeout=seconds) and delete(key), such as"
            " cachelib.SimpleCache()."
        )
    if not _takes_timeout(store):
        raise StoreError(
            f"{store_name(store)} can't be a store: its set() takes no timeout. Write"
            " set(self, key, value, timeout=None). A client of Redis goes into a store:"
            " RedisStore(client), or AsyncRedisStore(client) if its calls have to be"
            " awaited. One of Memcached goes into MemcachedStore(client)."
        )
    _check_client(store)
    kinds = {inspect.iscoroutinefunction(getattr(store, name)) for name in _METHODS}
    if len(kinds) == 2:  # noqa: PLR2004 - some are and some are not
        raise StoreError(
            f"{store_name(store)} can't be a store: only some of get, set and delete"
            " are coroutine functions. Make all of them async, or none."
        )
    return kinds == {True}


def _takes_timeout(store: Any) -> bool:
    """Return whether a store's `set` takes a timeout, as far as can be known."""
    try:
        inspect.signature(store.set).bind("key", "value", timeout=1)
    except TypeError:
        return False
    except ValueError:
        # A method written in C may have no signature. pylibmc calls it `time`.
        return not any(
            each.__module__.partition(".")[0] == "pylibmc"
            for each in type(store).__mro__
        )
    return True


def _check_client(store: object) -> None:
    """Raise if a cache of cachelib has a client whose calls have to be awaited."""
    # Not for others, which may await them on an event loop of their own.
    if not type(store).__module__.startswith("cachelib."):
        return
    for client in vars(store).values():
        if has_coroutines(client):
            raise StoreError(
                f"{store_name(store)} can't be a store with this client: the calls of"
                f" {store_name(client)} have to be awaited, and cachelib awaits"
                " nothing. Give it a client with plain methods, such as redis.Redis()."
            )


def store_name(store: object) -> str:
    """Return the name of a store's class, to show in messages."""
    # Not its repr, which may contain a password.
    if isinstance(store, type):
        return f"The class {store.__qualname__}"
    return f"{type(store).__module__}.{type(store).__qualname__}"


def place_of(store: object) -> str:
    """Return where a store keeps entries, as people call it."""
    where = getattr(store, "where", None)
    return where if isinstance(where, str) else store_name(store)


def what_to_check(store: object, error: Exception) -> str:
    """Return what to look at after an error of a store, if the store knows that.

    Returns:
        A sentence with a space in front, or an empty text.
    """
    ask = getattr(store, "what_to_check", None)
    told = ask(error) if callable(ask) else ""
    return f" {told}" if told and isinstance(told, str) else ""


class CoroutinesOnly:
    """Stands for a store of coroutine functions where nothing can await them."""

    def __init__(self, store: object) -> None:
        self._store = store

    def refuse(self, *_: object) -> NoReturn:
        """Refuse a call.

        Raises:
            AsyncOnlyError: Always.
        """
        raise AsyncOnlyError(
            f"The methods of {store_name(self._store)} are coroutines and nothing here"
            " can await them. Make the environment with enable_async=True and write"
            " `await template.render_async(...)`, call the methods that end in _async,"
            " as in `await cache.get_async(key)`, or use a store with plain methods,"
            " such as RedisStore."
        )

    get = refuse


def check_plain(store: object, answer: object) -> None:
    """Check that the answer of a plain method need not be awaited.

    Raises:
        StoreError: If it has to be.
    """
    if type(answer) is not bool and inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise StoreError(
            f"{store_name(store)} has plain methods whose answers have to be awaited."
            " Define them with `async def`."
        )


def check_kept(store: object, answer: object) -> None:
    """Check that the answer of `set` doesn't say that the value was not stored.

    Raises:
        StoreError: If it says so, or has to be awaited.
    """
    if answer is not None:
        check_plain(store, answer)
        if answer is False:
            raise StoreError(f"{store_name(store)} did not keep the value it was given")
