"""Any store that users bring, in the one shape that the layers above work with.

The one place that knows how stores differ: in what they call the timeouts, in which
methods they have, in whether those are coroutines, and in whether a call may block.

What is asked of a store is written once, as operations (see `operations`).
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import cachelib

from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.keys.encoding import encode_text
from jinja_fragcache.keys.fragment import digest_key
from jinja_fragcache.stores.base import AsyncStore, Store, SyncStore, Timed, by_timeout
from jinja_fragcache.stores.memory import MemoryStore
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .runner import Operation, perform, perform_async

_METHODS = ("get", "set", "delete")
_CACHELIB_METHODS = ("add", "get_many", "set_many", "delete_many", "inc", "dec")
_OUR_METHODS = ("add_many", "remaining")
# Their calls touch nothing but this process's memory. A subclass's may.
_NOT_BLOCKING = (MemoryStore, cachelib.SimpleCache, cachelib.NullCache)
# Where `add` is no lock. These do nothing (base), take an expired entry for one (file),
# or may leave one that never expires if the process ends within it.
_UNSAFE_ADD = ("cachelib.base", "cachelib.file", "cachelib.redis", "flask_caching")
# How often to delete what is still there.
_TRIES = 3
_DJANGO_MODULES = ("django.core.cache.backends.base", "django.utils.connection")


def adapt(store: Store) -> tuple[SyncStore, AsyncStore]:
    """Give a store's two faces, one for callers that can wait and one for event loops.

    A store whose methods are coroutines has no sync face: there, each call is an error
    that says so.

    Raises:
        StoreError: the object is no store. What it lacks is told.
    """
    has_coroutines = _check(store)
    kind = _DjangoOperations if _is_django_cache(store) else _Operations
    operations = kind(store, has_coroutines=has_coroutines)
    if has_coroutines:
        return _NoSyncFace(store), _AsyncFace(operations, perform_async)
    sync = _SyncFace(operations, blocking=type(store) not in _NOT_BLOCKING)
    return sync, _AsyncFace(operations, _in_thread if sync.blocking else _directly)


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


def _origin(method: Any) -> str:
    """Give the name of the module in which a method is defined."""
    return str(getattr(method, "__module__", ""))


@lru_cache(maxsize=1024)
def _lock_key(key: str) -> str:
    return digest_key("lock", key, encode_text(key))


def _is_django_cache(store: object) -> bool:
    # Asked of the class's bases by name, so that nothing here imports Django.
    return any(cls.__module__ in _DJANGO_MODULES for cls in type(store).__mro__)


def _takes_keys_one_by_one(method: Any) -> bool:
    """Tell whether a method has cachelib's form, `get_many(*keys)`."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return False  # no function, or one in C that does not tell its parameters
    return any(each.kind is each.VAR_POSITIONAL for each in parameters)


class _Operations:
    """What to ask of a store, with cachelib's methods, and ours, where it has them.

    They are looked up for each call: a store may stand for another one in each thread
    or request, as Django's `cache` does.
    """

    def __init__(self, store: Any, *, has_coroutines: bool) -> None:
        self.store = store
        self._methods = {
            name
            for name in (*_CACHELIB_METHODS, *_OUR_METHODS)
            if callable(method := getattr(store, name, None))
            and inspect.iscoroutinefunction(method) is has_coroutines
            and (
                name not in {"get_many", "delete_many"}
                or _takes_keys_one_by_one(method)
            )
        }

        #: Whether it has cachelib's `get_many(*keys)`.
        self.gets_many = "get_many" in self._methods
        self.has_locks = (
            "add" in self._methods
            and type(store) not in _NOT_BLOCKING
            and not _origin(store.add).startswith(_UNSAFE_ADD)
        )

    def get(self, key: str) -> Operation[Any]:
        return (yield self.store.get(key))

    def get_many(self, keys: Sequence[str]) -> Operation[list[Any]]:
        if self.gets_many:
            return list((yield self.store.get_many(*keys)))
        values: list[Any] = []
        for key in keys:
            value = yield self.store.get(key)
            values.append(value)
        return values

    def set(self, key: str, value: str | int, timeout: int | None) -> Operation[None]:
        answer = yield self.store.set(key, value, **self._timeout(timeout))
        _check_plain(self.store, answer)
        if answer is False:
            raise StoreError(f"{_name(self.store)} did not keep the value it was given")

    def set_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[None]:
        if "set_many" not in self._methods:
            for key, value in values.items():
                yield from self.set(key, value, timeout)
            return
        answer = yield self.store.set_many(dict(values), **self._timeout(timeout))
        if not self._kept_all(values, answer):
            raise StoreError(
                f"{_name(self.store)} did not keep all values it was given"
            )

    def add(self, key: str, value: str | int, timeout: int | None) -> Operation[bool]:
        if "add" in self._methods:
            return bool((yield self.store.add(key, value, **self._timeout(timeout))))
        if (yield self.store.get(key)) is not None:
            return False
        yield from self.set(key, value, timeout)
        return True

    def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[list[str]]:
        if "add_many" in self._methods and len(values) > 1:
            answer = yield self.store.add_many(dict(values), **self._timeout(timeout))
            return list(answer)
        added: list[str] = []
        for key, value in values.items():
            if (yield from self.add(key, value, timeout)):
                added.append(key)
        return added

    def lock(
        self, keys: Sequence[str], token: str, seconds: int
    ) -> Operation[list[str]]:
        locks = {_lock_key(key): key for key in keys}
        taken = yield from self.add_many(dict.fromkeys(locks, token), seconds)
        return [locks[lock] for lock in taken]

    def unlock(self, keys: Sequence[str], token: str) -> Operation[None]:
        in_one_step = getattr(self.store, "delete_many_if_equal", None)
        if in_one_step is not None:
            yield in_one_step(list(map(_lock_key, keys)), token)
            return
        held = yield from self._held(keys, token)
        yield from self._forget_locks(held)

    def set_locked(
        self, values: Mapping[str, Timed], token: str
    ) -> Operation[list[str]]:
        in_one_step = getattr(self.store, "set_many_if_equal", None)
        if in_one_step is not None:
            locks = {key: _lock_key(key) for key in values}
            return list((yield in_one_step(dict(values), locks, token)))
        held = yield from self._held(list(values), token)
        try:
            yield from self._set_each({key: values[key] for key in held})
        except Exception:
            if len(held) > 1:
                # Some of them may have been written.
                yield from self._take_back(held, token)
            raise
        kept = yield from self._take_back(held, token)
        yield from self._forget_locks(kept)
        return kept

    def _held(self, keys: Sequence[str], token: str) -> Operation[list[str]]:
        """Give those keys whose locks this token holds."""
        locks = list(map(_lock_key, keys))
        if len(locks) == 1:
            stored = [(yield self.store.get(locks[0]))]
        else:
            stored = (yield from self.get_many(locks)) if locks else []
        pairs = zip(keys, stored, strict=True)
        return [key for key, holder in pairs if holder == token]

    def _set_each(self, values: Mapping[str, Timed]) -> Operation[None]:
        for timeout, group in by_timeout(values).items():
            if len(group) == 1:
                ((key, value),) = group.items()
                yield from self.set(key, value, timeout)
            else:
                yield from self.set_many(group, timeout)

    def _take_back(self, keys: Sequence[str], token: str) -> Operation[list[str]]:
        """Delete what was just written without its lock, and give the other keys.

        Whoever deletes takes the lock away first. So what is there now was either
        written with the lock, or is about to be deleted.
        """
        held = yield from self._held(keys, token)
        lost = [key for key in keys if key not in held]
        if len(lost) == 1:
            yield from self.delete(lost[0])
        elif lost:
            yield from self.delete_many(lost)
        return held

    def _forget_locks(self, keys: Sequence[str]) -> Operation[None]:
        locks = list(map(_lock_key, keys))
        if len(locks) > 1 and "delete_many" in self._methods:
            yield from self._delete_all(locks)
            return
        for lock in locks:
            yield self.store.delete(lock)

    def delete(self, key: str) -> Operation[bool]:
        if self.has_locks:
            yield self.store.delete(_lock_key(key))
        for _ in range(_TRIES):
            answer = yield self.store.delete(key)
            _check_plain(self.store, answer)
            if answer is not False:
                return True
            # Most stores say so where there was nothing to delete, some where they
            # failed. What is there now may also have been stored just after that.
            if (yield self.store.get(key)) is None:
                return False
        raise StoreError(f"{_name(self.store)} said that it did not delete {key!r}")

    def delete_many(self, keys: Sequence[str]) -> Operation[None]:
        if "delete_many" not in self._methods:
            for key in keys:
                yield from self.delete(key)
            return
        if self.has_locks:
            yield from self._delete_all(list(map(_lock_key, keys)))
        left = list(keys)
        for _ in range(_TRIES):
            yield from self._delete_all(left)
            # What is there now may also have been stored just after that.
            values = yield from self.get_many(left)
            pairs = zip(left, values, strict=True)
            left = [key for key, value in pairs if value is not None]
            if not left:
                return
        raise StoreError(f"{_name(self.store)} did not delete {left!r:.300}")

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        if {"inc", "dec"} <= self._methods:
            method = self.store.inc if delta >= 0 else self.store.dec
            number: int | None = yield method(key, abs(delta))
            return number
        number = ((yield self.store.get(key)) or 0) + delta
        yield from self.set(key, number, None)
        return number

    def remaining(self, key: str) -> Operation[float | None]:
        if "remaining" not in self._methods:
            return None
        seconds: float | None = yield self.store.remaining(key)
        return seconds

    def clear(self) -> Operation[None]:
        clear = getattr(self.store, "clear", None)
        if clear is None:
            raise StoreError(
                f"{_name(self.store)} can't be cleared, it has no clear(). Delete"
                " fragments one by one, with delete_fragment(name, vary_on)."
            )
        answer = yield clear()
        _check_plain(self.store, answer)
        if answer is False:
            raise StoreError(f"{_name(self.store)} said that it did not clear")

    def _delete_all(self, keys: Sequence[str]) -> Operation[None]:
        yield self.store.delete_many(*keys)

    @property
    def default_timeout(self) -> int | None:
        timeout = getattr(self.store, "default_timeout", None)
        return timeout if type(timeout) is int and timeout >= 0 else None

    @staticmethod
    def _timeout(timeout: int | None) -> dict[str, int | None]:
        return {"timeout": timeout}

    @staticmethod
    def _kept_all(values: Mapping[str, str | int], answer: object) -> bool:
        """Tell it by the keys that were set, which is what cachelib's stores answer."""
        if isinstance(answer, (list, tuple)):
            return len(answer) == len(values)
        return answer is not False


class _DjangoOperations(_Operations):
    """The same for Django's caches, which take keys and timeouts in other forms."""

    def get_many(self, keys: Sequence[str]) -> Operation[list[Any]]:
        values = yield self.store.get_many(keys)
        return [values.get(key) for key in keys]

    def _delete_all(self, keys: Sequence[str]) -> Operation[None]:
        yield self.store.delete_many(keys)

    @property
    def default_timeout(self) -> int | None:
        # It keeps what None stands for at the call, and says None for ever, and for
        # "not at all" 0 or less.
        timeout = self.store.default_timeout
        if timeout is None:
            return NEVER_EXPIRES
        return int(timeout) if timeout > 0 else -1

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        yield self.store.add(key, 0)
        number: int = yield self.store.incr(key, delta)
        return number

    @staticmethod
    def _timeout(timeout: int | None) -> dict[str, int | None]:
        """Django says None for "for ever", 0 for "not at all", nothing for its default.

        Source: Django's documentation, "The low-level cache API", cache.set().
        """
        if timeout is None:
            return {}
        return {"timeout": None if timeout == NEVER_EXPIRES else timeout}

    @staticmethod
    def _kept_all(values: Mapping[str, str | int], answer: object) -> bool:  # noqa: ARG004 - Django answers with the keys that failed
        return not answer


def _check_plain(store: object, answer: object) -> None:
    """Refuse the answer of a plain method that would have to be awaited."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise StoreError(
            f"{_name(store)} has plain methods whose answers have to be awaited. Define"
            " them with `async def`."
        )


async def _directly(operation: Operation[Any]) -> Any:
    return perform(operation)


async def _in_thread(operation: Operation[Any]) -> Any:
    return await asyncio.to_thread(perform, operation)


class _SyncFace:
    """A store with plain methods."""

    def __init__(self, operations: _Operations, *, blocking: bool) -> None:
        self._operations = operations
        self._store = operations.store
        self.blocking = blocking
        self.has_locks = operations.has_locks
        self.default_timeout = operations.default_timeout

    def get(self, key: str) -> Any:
        # On the path of every hit.
        return self._store.get(key)

    def get_many(self, keys: Sequence[str]) -> list[Any]:
        values: list[Any]
        if self._operations.gets_many:
            # On the path of a list of hits.
            values = self._store.get_many(*keys)
        else:
            values = perform(self._operations.get_many(keys))
        return list(values)

    def set(self, key: str, value: str | int, timeout: int | None) -> None:
        perform(self._operations.set(key, value, timeout))

    def set_many(self, values: Mapping[str, str | int], timeout: int | None) -> None:
        perform(self._operations.set_many(values, timeout))

    def add(self, key: str, value: str | int, timeout: int | None) -> bool:
        return bool(perform(self._operations.add(key, value, timeout)))

    def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> list[str]:
        added: list[str] = perform(self._operations.add_many(values, timeout))
        return added

    def lock(self, keys: Sequence[str], token: str, seconds: int) -> list[str]:
        taken: list[str] = perform(self._operations.lock(keys, token, seconds))
        return taken

    def unlock(self, keys: Sequence[str], token: str) -> None:
        perform(self._operations.unlock(keys, token))

    def set_locked(self, values: Mapping[str, Timed], token: str) -> list[str]:
        kept: list[str] = perform(self._operations.set_locked(values, token))
        return kept

    def delete(self, key: str) -> bool:
        return bool(perform(self._operations.delete(key)))

    def delete_many(self, keys: Sequence[str]) -> None:
        perform(self._operations.delete_many(keys))

    def increment(self, key: str, delta: int) -> int | None:
        number: int | None = perform(self._operations.increment(key, delta))
        return number

    def remaining(self, key: str) -> float | None:
        seconds: float | None = perform(self._operations.remaining(key))
        return seconds

    def clear(self) -> None:
        perform(self._operations.clear())


class _AsyncFace:
    """A store on an event loop.

    Args:
        operations: what to ask of it.
        perform: carries an operation out: where the loop runs, in a thread, or by
            awaiting the answers.
    """

    def __init__(
        self,
        operations: _Operations,
        perform: Callable[[Operation[Any]], Coroutine[Any, Any, Any]],
    ) -> None:
        self._operations = operations
        self._perform = perform
        self.has_locks = operations.has_locks
        self.default_timeout = operations.default_timeout

    async def get(self, key: str) -> Any:
        return await self._perform(self._operations.get(key))

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        values: list[Any] = await self._perform(self._operations.get_many(keys))
        return values

    async def set(self, key: str, value: str | int, timeout: int | None) -> None:
        await self._perform(self._operations.set(key, value, timeout))

    async def set_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> None:
        await self._perform(self._operations.set_many(values, timeout))

    async def add(self, key: str, value: str | int, timeout: int | None) -> bool:
        return bool(await self._perform(self._operations.add(key, value, timeout)))

    async def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> list[str]:
        operation = self._operations.add_many(values, timeout)
        added: list[str] = await self._perform(operation)
        return added

    async def lock(self, keys: Sequence[str], token: str, seconds: int) -> list[str]:
        operation = self._operations.lock(keys, token, seconds)
        taken: list[str] = await self._perform(operation)
        return taken

    async def unlock(self, keys: Sequence[str], token: str) -> None:
        await self._perform(self._operations.unlock(keys, token))

    async def set_locked(self, values: Mapping[str, Timed], token: str) -> list[str]:
        operation = self._operations.set_locked(values, token)
        kept: list[str] = await self._perform(operation)
        return kept

    async def delete(self, key: str) -> bool:
        return bool(await self._perform(self._operations.delete(key)))

    async def delete_many(self, keys: Sequence[str]) -> None:
        await self._perform(self._operations.delete_many(keys))

    async def increment(self, key: str, delta: int) -> int | None:
        number: int | None = await self._perform(self._operations.increment(key, delta))
        return number

    async def remaining(self, key: str) -> float | None:
        seconds: float | None = await self._perform(self._operations.remaining(key))
        return seconds

    async def clear(self) -> None:
        await self._perform(self._operations.clear())


class _NoSyncFace:
    """What stands for the sync face of a store whose methods are coroutines."""

    blocking = True
    has_locks = False
    default_timeout: int | None = None

    def __init__(self, store: Store) -> None:
        self._store = store

    def _refuse(self, *_: object) -> NoReturn:
        raise AsyncOnlyError(
            f"The methods of {_name(self._store)} are coroutines and nothing here can"
            " await them. Make the environment with enable_async=True, call the methods"
            " that end in _async, or use a store with plain methods."
        )

    get = get_many = set = set_many = add = add_many = delete = delete_many = _refuse
    lock = unlock = set_locked = increment = remaining = clear = _refuse
