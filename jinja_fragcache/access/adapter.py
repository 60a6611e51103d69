"""Adapts any store that users bring to one form, which the rest of the package calls.

Stores differ in how they take timeouts, in which methods they have, in whether these
are coroutine functions, and in whether a call may block. Only this module, `adapt` and
`store_kinds` know that. What is asked of a store is written once, as operations (see
`runner`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja_fragcache.errors import StoreError
from jinja_fragcache.keys.beside import lock_key, lock_keys
from jinja_fragcache.operations import Operation, perform, perform_async
from jinja_fragcache.stores.base import Timed, by_timeout

from .runner import Awaited, Runner, perform_at_once, perform_in_thread
from .store_check import CoroutinesOnly, check_kept, check_plain, store_name
from .store_kinds import (
    has_safe_add,
    is_shared,
    may_block,
    methods_of,
    reads_in_one_trip,
)

# How often a delete is repeated while the entry is still there.
_TRIES = 3


class Adapter:
    """A store in one form. All methods are operations; `run` and `run_async` run them.

    cachelib's methods, and this package's own, are used where the store has them. They
    are looked up on each call, because a store may be a proxy that stands for another
    store in each thread or request, as Django's `cache` is.

    Any method raises what the store raised. Timeouts are seconds, 0 for never expires,
    None for the store's own default.

    Args:
        store: The store.
        has_coroutines: Whether its methods are coroutine functions.

    Attributes:
        blocks: Whether a call may block or has to be awaited.
        has_coroutines: Whether the store's methods are coroutine functions.
        has_locks: Whether `lock` excludes all processes that use the store.
        gets_many: Whether the store has `get_many`.
        reads_in_one_trip: Whether many keys are read in one round trip to a server.
        tells_remaining: Whether the store can tell how long an entry is kept.
        is_shared: Whether other processes may find what this one writes.
        plain: The store, for direct calls by callers that block. If its methods are
            coroutine functions, each call raises `AsyncOnlyError`.
        run: Runs an operation for a caller that blocks.
        run_async: Runs an operation for a caller on an event loop.
    """

    def __init__(self, store: Any, *, has_coroutines: bool) -> None:
        self.store = store
        self._methods = methods_of(store, are_coroutines=has_coroutines)
        self.gets_many = "get_many" in self._methods
        self.reads_in_one_trip = self.gets_many and reads_in_one_trip(store)
        self.tells_remaining = "remaining" in self._methods
        self.blocks = may_block(store)
        self.is_shared = is_shared(store)
        self.has_locks = "add" in self._methods and self.blocks and has_safe_add(store)
        self.plain = CoroutinesOnly(store) if has_coroutines else store
        self.run: Runner = self.plain.refuse if has_coroutines else perform
        self.run_async: Runner = perform_at_once
        if self.blocks:
            self.run_async = perform_async if has_coroutines else perform_in_thread
        self.has_coroutines = has_coroutines

    def serves_near(self, *, blocking: bool) -> bool:
        """Return whether something is kept near, for callers that block or not."""
        return False

    @property
    def awaited(self) -> Any:
        """The store, or what stands for it where `get` is awaited."""
        if self.has_coroutines:
            return self.store
        return Awaited(self.get, self.run_async)

    @property
    def default_timeout(self) -> int | None:
        """The timeout of entries that are stored with the timeout None.

        Seconds; 0 if they never expire, -1 if they are not stored, None if unknown.
        """
        timeout = getattr(self.store, "default_timeout", None)
        return timeout if type(timeout) is int and timeout >= 0 else None

    def get(self, key: str) -> Operation[Any]:
        """Return the value of a key, or None."""
        return (yield self.store.get(key))

    def get_many(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Return the values of keys, in one round trip if the store has `get_many`."""
        if self.gets_many and len(keys) > 1:
            return self._one_each(keys, (yield self._ask_for(keys)))
        values = []
        for key in keys:
            value = yield self.store.get(key)
            values.append(value)
        return values

    def get_many_now(self, keys: Sequence[str]) -> list[Any]:
        """Like `get_many`, as a plain call, of a store that has `get_many`."""
        return self._one_each(keys, self._ask_for(keys))

    def set(self, key: str, value: str | int, timeout: int | None) -> Operation[None]:
        """Store a value.

        Raises:
            StoreError: If the store answered that it did not store the value.
        """
        answer = yield self.store.set(key, value, **self._timeout(timeout))
        if answer is not True:
            check_kept(self.store, answer)

    def set_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[None]:
        """Store values, in one round trip if the store has `set_many`.

        Raises:
            StoreError: If the store answered that it did not store all of them.
        """
        if len(values) == 1 or "set_many" not in self._methods:
            for key, value in values.items():
                yield from self.set(key, value, timeout)
            return
        answer = yield self.store.set_many(dict(values), **self._timeout(timeout))
        if not self._kept_all(values, answer):
            raise StoreError(
                f"{store_name(self.store)} did not keep all values it was given"
            )

    def add(self, key: str, value: str | int, timeout: int | None) -> Operation[bool]:
        """Store a value if the key has none, and return whether it was stored.

        Of several callers at once one succeeds, if the store itself has `add`.
        """
        if "add" in self._methods:
            answer = yield self.store.add(key, value, **self._timeout(timeout))
            check_plain(self.store, answer)
            return bool(answer)
        if (yield self.store.get(key)) is not None:
            return False
        yield from self.set(key, value, timeout)
        return True

    def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[list[str]]:
        """Like `add` for each value, and return the keys of those that were stored.

        It takes one round trip if the store has `add_many`.
        """
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
        """Take those locks that are free, and return the keys of these.

        A lock ends after some seconds, or when its key is deleted or the store cleared.

        Args:
            keys: The keys.
            token: A text of the caller's own.
            seconds: For how many seconds the locks live at most.
        """
        locks = dict(zip(lock_keys(keys), keys, strict=True))
        taken = yield from self.add_many(dict.fromkeys(locks, token), seconds)
        return [locks[lock] for lock in taken]

    def lock_and_get(
        self, keys: Sequence[str], token: str, seconds: int, wanted: Sequence[str]
    ) -> Operation[tuple[list[str], list[Any] | None]]:
        """Like `lock`. Then read values, if the store does both in one round trip.

        Args:
            keys: As for `lock`.
            token: As for `lock`.
            seconds: As for `lock`.
            wanted: The keys of the values.

        Returns:
            The keys whose locks were taken, and the values; None in place of these if
            they were not read.
        """
        if "add_and_get_many" not in self._methods:
            return (yield from self.lock(keys, token, seconds)), None
        locks = dict(zip(lock_keys(keys), keys, strict=True))
        taken, values = yield self.store.add_and_get_many(
            dict.fromkeys(locks, token), wanted, **self._timeout(seconds)
        )
        return [locks[lock] for lock in taken], values

    def unlock(self, keys: Sequence[str], token: str) -> Operation[None]:
        """Release those locks that a token holds."""
        in_one_step = getattr(self.store, "delete_many_if_equal", None)
        if in_one_step is not None:
            yield in_one_step(lock_keys(keys), token)
            return
        held = yield from self._held(keys, token)
        yield from self._delete_locks(held)

    def set_locked(
        self, values: Mapping[str, Timed], token: str
    ) -> Operation[list[str]]:
        """Store those values whose locks a token holds, and release these locks.

        Args:
            values: For each key its value and its timeout.
            token: What the locks were taken with.

        Returns:
            The keys of the values that were stored.

        Raises:
            StoreError: If the store answered that it did not store a value. Others may
                have been stored, and their locks may still be held.
        """
        in_one_step = getattr(self.store, "set_many_if_equal", None)
        if in_one_step is not None:
            locks = dict(zip(values, lock_keys(values), strict=True))
            return list((yield in_one_step(dict(values), locks, token)))
        held = yield from self._held(list(values), token)
        try:
            groups = by_timeout({key: values[key] for key in held})
            for timeout, group in groups.items():
                yield from self.set_many(group, timeout)
        except Exception:
            if len(held) > 1:
                # Some of them may have been written.
                yield from self._take_back(held, token)
            raise
        kept = yield from self._take_back(held, token)
        yield from self._delete_locks(kept)
        return kept

    def delete(self, key: str) -> Operation[bool]:
        """Delete a key and its lock.

        Returns:
            False if the store says that there was no entry.

        Raises:
            StoreError: If the entry is still there.
        """
        if self.has_locks:
            yield self.store.delete(lock_key(key))
        for _ in range(_TRIES):
            answer = yield self.store.delete(key)
            check_plain(self.store, answer)
            if answer is not False:
                return True
            # Most stores answer so if there was nothing to delete, some if they failed.
            # An entry that is there now may also have been stored after the delete.
            if (yield self.store.get(key)) is None:
                return False
        raise StoreError(
            f"{store_name(self.store)} said that it did not delete {key!r}"
        )

    def delete_many(self, keys: Sequence[str]) -> Operation[bool]:
        """Delete keys and their locks, many at a time if the store has `delete_many`.

        Returns:
            False if there was one key, and the store says that it had no entry.

        Raises:
            StoreError: If some entries are still there.
        """
        if len(keys) == 1:
            return (yield from self.delete(keys[0]))
        if "delete_many" not in self._methods:
            for key in keys:
                yield from self.delete(key)
            return True
        if self.has_locks:
            yield from self._delete_all(lock_keys(keys))
        left = list(keys)
        for _ in range(_TRIES):
            yield from self._delete_all(left)
            # An entry that is there now may also have been stored after the delete.
            values = yield from self.get_many(left)
            pairs = zip(left, values, strict=True)
            left = [key for key, value in pairs if value is not None]
            if not left:
                return True
        raise StoreError(f"{store_name(self.store)} did not delete {left!r:.300}")

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Add to a number, starting from 0 if there is none, and return the sum.

        Nothing is lost if several callers do so at once, if the store has `inc` and
        `dec`.

        Returns:
            The number; None if the store failed.
        """
        if {"inc", "dec"} <= self._methods:
            method = self.store.inc if delta >= 0 else self.store.dec
            number: int | None = yield method(key, abs(delta))
            return number
        number = ((yield self.store.get(key)) or 0) + delta
        yield from self.set(key, number, None)
        return number

    def remaining(self, key: str) -> Operation[float | None]:
        """Return the seconds until an entry expires, `math.inf` if it never does.

        Returns:
            None if there is no entry, or the store can't tell.
        """
        if not self.tells_remaining:
            return None
        seconds = yield self.store.remaining(key)
        return seconds if isinstance(seconds, int | float) else None

    def clear(self) -> Operation[None]:
        """Delete everything.

        Raises:
            StoreError: If the store has no `clear()`, or answered that it failed.
        """
        clear = getattr(self.store, "clear", None)
        if clear is None:
            raise StoreError(
                f"{store_name(self.store)} can't be cleared, it has no clear(). Delete"
                " fragments one by one, with delete_fragment(name, vary_on)."
            )
        answer = yield clear()
        check_plain(self.store, answer)
        if answer is False:
            raise StoreError(f"{store_name(self.store)} said that it did not clear")

    def _held(self, keys: Sequence[str], token: str) -> Operation[list[str]]:
        """Return those keys whose locks a token holds."""
        holders = yield from self.get_many(lock_keys(keys))
        pairs = zip(keys, holders, strict=True)
        return [key for key, holder in pairs if holder == token]

    def _take_back(self, keys: Sequence[str], token: str) -> Operation[list[str]]:
        """Delete what was just written although its lock was lost.

        A delete takes the lock first. So what is there now was either written with the
        lock held, or is about to be deleted.

        Returns:
            The keys whose locks are still held.
        """
        held = yield from self._held(keys, token)
        lost = [key for key in keys if key not in held]
        if len(lost) == 1:
            yield from self.delete(lost[0])
        elif lost:
            yield from self.delete_many(lost)
        return held

    def _delete_locks(self, keys: Sequence[str]) -> Operation[None]:
        locks = lock_keys(keys)
        if len(locks) > 1 and "delete_many" in self._methods:
            yield from self._delete_all(locks)
            return
        for lock in locks:
            yield self.store.delete(lock)

    def _delete_all(self, keys: Sequence[str]) -> Operation[None]:
        yield self.store.delete_many(*keys)

    def _ask_for(self, keys: Sequence[str]) -> Any:
        return self.store.get_many(*keys)

    def _one_each(self, keys: Sequence[str], answer: Any) -> list[Any]:
        """Return the values of what `_ask_for` has returned for keys.

        Raises:
            StoreError: If there are more or fewer.
        """
        values = list(answer)
        if len(values) != len(keys):
            raise StoreError(
                f"{store_name(self.store)} returned {len(values)} values for"
                f" {len(keys)} keys"
            )
        return values

    @staticmethod
    def _timeout(timeout: int | None) -> dict[str, int | None]:
        return {"timeout": timeout}

    @staticmethod
    def _kept_all(values: Mapping[str, str | int], answer: object) -> bool:
        """Return whether `set_many` stored all: cachelib answers with the keys."""
        if isinstance(answer, (list, tuple)):
            return len(answer) == len(values)
        return answer is not False
