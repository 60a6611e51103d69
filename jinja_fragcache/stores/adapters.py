"""Any store that users bring, in the one shape that the layers above work with.

The one place that knows how stores differ: in what they call the timeouts, in whether
their methods are coroutines, and in whether a call may block.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import cachelib

from jinja_fragcache.errors import StoreError
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .base import AsyncStore, Store, SyncStore
from .memory import MemoryStore

TimeoutArguments = Callable[[int | None], dict[str, int | None]]

_METHODS = ("get", "set", "delete")
# Their calls touch nothing but this process's memory. A subclass's may.
_NOT_BLOCKING = (MemoryStore, cachelib.SimpleCache, cachelib.NullCache)
_DJANGO_MODULES = ("django.core.cache.backends.base", "django.utils.connection")


def adapt(store: Store) -> tuple[SyncStore, AsyncStore]:
    """Give a store's two faces, one for callers that can wait and one for event loops.

    A store whose methods are coroutines has no sync face: there, each call is an error
    that says so.

    Raises:
        StoreError: the object is no store. What it lacks is told.
    """
    has_coroutines = _check(store)
    arguments: TimeoutArguments = (
        _django_timeout if _is_django_cache(store) else _timeout
    )
    if has_coroutines:
        return _NoSyncStore(store), _CoroutineStore(store, arguments)
    sync = _PlainStore(store, arguments, blocking=type(store) not in _NOT_BLOCKING)
    call = asyncio.to_thread if sync.blocking else _directly
    return sync, _AwaitableStore(sync, call)


def _check(store: Any) -> bool:
    """Tell whether the methods are coroutine functions; raise if it is no store."""
    missing = [name for name in _METHODS if not callable(getattr(store, name, None))]
    if missing or isinstance(store, type):
        lack = (
            "is a class, write its name with ()"
            if not missing
            else f"has no {' and no '.join(missing)}"
        )
        raise StoreError(
            f"{_name(store)} can't be a store: it {lack}. Give an object with get(key),"
            " set(key, value, timeout=seconds) and delete(key), such as"
            " cachelib.SimpleCache()."
        )
    try:
        inspect.signature(store.set).bind("key", "value", timeout=1)
    except TypeError:
        raise StoreError(
            f"{_name(store)} can't be a store: its set() takes no timeout. Write"
            " set(self, key, value, timeout=None). A client of Redis or Memcached goes"
            " into a cachelib cache, as in cachelib.RedisCache(host=redis.Redis()); one"
            " with coroutines goes into a class of your own with async methods."
        ) from None
    except ValueError:
        pass  # A method written in C may not tell its parameters.
    kinds = {inspect.iscoroutinefunction(getattr(store, name)) for name in _METHODS}
    if len(kinds) == 2:  # noqa: PLR2004 - some are and some are not
        raise StoreError(
            f"{_name(store)} can't be a store: only some of get, set and delete are"
            " coroutine functions. Make all of them async, or none."
        )
    return kinds == {True}


def _name(store: object) -> str:
    # Not its repr, which may tell of a server's password.
    if isinstance(store, type):
        return f"The class {store.__qualname__}"
    return f"{type(store).__module__}.{type(store).__qualname__}"


def _is_django_cache(store: object) -> bool:
    # Asked of the class's bases by name, so that nothing here imports Django.
    return any(cls.__module__ in _DJANGO_MODULES for cls in type(store).__mro__)


def _timeout(timeout: int | None) -> dict[str, int | None]:
    return {"timeout": timeout}


def _django_timeout(timeout: int | None) -> dict[str, int | None]:
    """Django says None for "for ever", 0 for "not at all" and nothing for its default.

    Source: Django's documentation, "The low-level cache API", cache.set().
    """
    if timeout is None:
        return {}
    return {"timeout": None if timeout == NEVER_EXPIRES else timeout}


def _check_kept(store: Store, answer: object) -> None:
    _check_plain(store, answer)
    if answer is False:
        raise StoreError(f"{_name(store)} did not keep the value it was given")


def _check_deleted(store: Store, key: str, left: object) -> None:
    """Check what is left behind a delete that answered False.

    Most stores say so where there was nothing to delete, some where they failed.
    """
    if left is not None:
        raise StoreError(f"{_name(store)} said that it did not delete {key!r}")


def _check_cleared(store: Store, answer: object) -> None:
    _check_plain(store, answer)
    if answer is False:
        raise StoreError(f"{_name(store)} said that it did not clear")


def _check_plain(store: Store, answer: object) -> None:
    """Refuse the answer of a plain method that would have to be awaited."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise StoreError(
            f"{_name(store)} has plain methods whose answers have to be awaited. Define"
            " them with `async def`."
        )


def _no_clear(store: Store) -> NoReturn:
    raise StoreError(
        f"{_name(store)} can't be cleared, it has no clear(). Delete fragments one by"
        " one, with delete_fragment(name, vary_on)."
    )


class _PlainStore:
    """A store with plain methods.

    They are looked up for each call: a store may stand for another one in each thread
    or request, as Django's `cache` does.
    """

    def __init__(
        self, store: Store, arguments: TimeoutArguments, *, blocking: bool
    ) -> None:
        self._store = store
        self._arguments = arguments
        self.blocking = blocking

    def get(self, key: str) -> Any:
        return self._store.get(key)

    def set(self, key: str, value: str, timeout: int | None) -> None:
        answer = self._store.set(key, value, **self._arguments(timeout))
        _check_kept(self._store, answer)

    def delete(self, key: str) -> None:
        answer = self._store.delete(key)
        _check_plain(self._store, answer)
        if answer is False:
            _check_deleted(self._store, key, self._store.get(key))

    def clear(self) -> None:
        clear = getattr(self._store, "clear", None) or _no_clear(self._store)
        _check_cleared(self._store, clear())


async def _directly(method: Callable[..., Any], *arguments: object) -> Any:
    return method(*arguments)


class _AwaitableStore:
    """A store with plain methods, on an event loop.

    Args:
        sync: the store.
        call: how its methods are called: where the loop runs, or in a thread.
    """

    def __init__(
        self, sync: SyncStore, call: Callable[..., Coroutine[Any, Any, Any]]
    ) -> None:
        self._sync = sync
        self._call = call

    async def get(self, key: str) -> Any:
        return await self._call(self._sync.get, key)

    async def set(self, key: str, value: str, timeout: int | None) -> None:
        await self._call(self._sync.set, key, value, timeout)

    async def delete(self, key: str) -> None:
        await self._call(self._sync.delete, key)

    async def clear(self) -> None:
        await self._call(self._sync.clear)


class _CoroutineStore:
    """A store whose methods are coroutine functions, on an event loop."""

    def __init__(self, store: Any, arguments: TimeoutArguments) -> None:
        self._store = store
        self._arguments = arguments

    async def get(self, key: str) -> Any:
        return await self._store.get(key)

    async def set(self, key: str, value: str, timeout: int | None) -> None:
        answer = await self._store.set(key, value, **self._arguments(timeout))
        _check_kept(self._store, answer)

    async def delete(self, key: str) -> None:
        if await self._store.delete(key) is False:
            _check_deleted(self._store, key, await self._store.get(key))

    async def clear(self) -> None:
        clear = getattr(self._store, "clear", None) or _no_clear(self._store)
        _check_cleared(self._store, await clear())


class AsyncOnlyError(StoreError):
    """A store whose methods are coroutines was used where nothing can await them."""


class _NoSyncStore:
    """What stands for the sync face of a store whose methods are coroutines."""

    blocking = True

    def __init__(self, store: Store) -> None:
        self._store = store

    def _refuse(self, *_: object) -> NoReturn:
        raise AsyncOnlyError(
            f"The methods of {_name(self._store)} are coroutines and nothing here can"
            " await them. Make the environment with enable_async=True, call the methods"
            " that end in _async, or use a store with plain methods."
        )

    get = set = delete = clear = _refuse
