"""What a store is, and the one shape that the layers above work with."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

V = TypeVar("V")
T = TypeVar("T")

#: A value; seconds, 0 for ever, None for the store's default.
Timed = tuple[str | int, int | None]


def by_timeout(values: Mapping[str, tuple[V, T]]) -> dict[T, dict[str, V]]:
    """Give for each timeout the values that have it, by their keys."""
    groups: dict[T, dict[str, V]] = {}
    for key, (value, timeout) in values.items():
        groups.setdefault(timeout, {})[key] = value
    return groups


class Store(Protocol):
    """A store as users bring it: a cachelib cache has this form, and many others do.

    A store may also have cachelib's `clear()`, `add(key, value, timeout)`,
    `get_many(*keys)`, `set_many(mapping, timeout)`, `delete_many(*keys)`,
    `inc(key, delta)` and `dec(key, delta)`, and `add_many(mapping, timeout)` and
    `remaining(key)`, which are this package's. What is missing is done with `get`,
    `set` and `delete`. Its methods may be coroutine functions; then all of them must
    be.
    """

    def get(self, key: str, /) -> Any:
        """Give the value of a key, or None where there is none."""
        ...

    def set(self, key: str, value: Any, /, timeout: int | None = None) -> Any:
        """Keep a value.

        Args:
            key: at most 200 characters of printable ASCII.
            value: what to keep.
            timeout: seconds, 0 for ever, None for the store's own default.

        Returns:
            False where the value was not kept; anything else means that it was.
        """
        ...

    def delete(self, key: str, /) -> Any:
        """Forget a key. That there is no such key is no error."""
        ...


class SyncStore(Protocol):
    """A store behind its adapter, for callers that can wait.

    Any method raises what the store raised.

    Attributes:
        blocking: whether a call may have to be waited for.
        has_locks: whether `lock` is more than this process's: others see it, too.
        default_timeout: seconds that the timeout None stands for, 0 for ever, -1 for
            not at all; None if the store does not tell.
    """

    blocking: bool
    has_locks: bool
    default_timeout: int | None

    def get(self, key: str) -> Any:
        """Give the value of a key, or None."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[Any]:
        """Give the values of keys, in one round trip if the store can do that."""
        ...

    def set(self, key: str, value: str | int, timeout: int | None) -> None:
        """Keep a value for `timeout` seconds (0 for ever, None: the store's default).

        Raises:
            StoreError: the store said that it did not keep it.
        """
        ...

    def set_many(self, values: Mapping[str, str | int], timeout: int | None) -> None:
        """Keep values, in one round trip if the store can do that.

        Raises:
            StoreError: the store said that it did not keep all of them.
        """
        ...

    def add(self, key: str, value: str | int, timeout: int | None) -> bool:
        """Keep a value if there is none, and tell whether it was kept.

        Of several callers at once, one is told so - if the store itself has `add`.
        """
        ...

    def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> list[str]:
        """Keep those values whose keys have none, and give the keys of these.

        Each is added as by `add`; in one round trip if the store can do that.
        """
        ...

    def lock(self, keys: Sequence[str], token: str, seconds: int) -> list[str]:
        """Take the locks of keys that nobody has, and give the keys of these.

        A lock ends after some seconds, or when its key is deleted or the store cleared.

        Args:
            keys: the keys.
            token: a text of the caller's own.
            seconds: how long they live at most.
        """
        ...

    def unlock(self, keys: Sequence[str], token: str) -> None:
        """Let those locks of keys go that this token holds."""
        ...

    def set_locked(self, values: Mapping[str, Timed], token: str) -> list[str]:
        """Keep those values whose locks this token holds, and let these locks go.

        Args:
            values: for each key its value, and the timeout of that.
            token: what the locks were taken with.

        Returns:
            The keys of those that were kept.

        Raises:
            StoreError: the store said that it did not keep one. Others may have been
                kept; their locks may still be held.
        """
        ...

    def delete(self, key: str) -> bool:
        """Forget a key and its lock. False: the store says that there was no entry.

        Raises:
            StoreError: it is still there.
        """
        ...

    def delete_many(self, keys: Sequence[str]) -> None:
        """Forget keys and their locks, many at a time if the store can do that.

        Raises:
            StoreError: some are still there.
        """
        ...

    def increment(self, key: str, delta: int) -> int | None:
        """Add to a number, from 0 if there is none, and give what it came to.

        Nothing is lost if several callers do so at once - if the store itself has `inc`
        and `dec`.

        Returns:
            The number; None if the store failed.
        """
        ...

    def remaining(self, key: str) -> float | None:
        """Give the seconds that an entry has left, `math.inf` if it never expires.

        Returns:
            None if there is no entry, or the store can't tell.
        """
        ...

    def clear(self) -> None:
        """Forget everything.

        Raises:
            StoreError: the store can't, or said that it did not.
        """
        ...


class AsyncStore(Protocol):
    """The same for callers on an event loop."""

    has_locks: bool
    default_timeout: int | None

    async def get(self, key: str) -> Any:
        """Do as `SyncStore.get`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """Do as `SyncStore.get_many`."""
        ...

    async def set(self, key: str, value: str | int, timeout: int | None) -> None:
        """Do as `SyncStore.set`."""
        ...

    async def set_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> None:
        """Do as `SyncStore.set_many`."""
        ...

    async def add(self, key: str, value: str | int, timeout: int | None) -> bool:
        """Do as `SyncStore.add`."""
        ...

    async def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> list[str]:
        """Do as `SyncStore.add_many`."""
        ...

    async def lock(self, keys: Sequence[str], token: str, seconds: int) -> list[str]:
        """Do as `SyncStore.lock`."""
        ...

    async def unlock(self, keys: Sequence[str], token: str) -> None:
        """Do as `SyncStore.unlock`."""
        ...

    async def set_locked(self, values: Mapping[str, Timed], token: str) -> list[str]:
        """Do as `SyncStore.set_locked`."""
        ...

    async def delete(self, key: str) -> bool:
        """Do as `SyncStore.delete`."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Do as `SyncStore.delete_many`."""
        ...

    async def increment(self, key: str, delta: int) -> int | None:
        """Do as `SyncStore.increment`."""
        ...

    async def remaining(self, key: str) -> float | None:
        """Do as `SyncStore.remaining`."""
        ...

    async def clear(self) -> None:
        """Do as `SyncStore.clear`."""
        ...
