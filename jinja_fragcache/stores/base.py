"""What a store is, and the uniform interface that the layers above use."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

V = TypeVar("V")
T = TypeVar("T")

#: A value and its timeout: seconds; 0 if it never expires, None for the store's
#: default.
Timed = tuple[str | int, int | None]


def by_timeout(values: Mapping[str, tuple[V, T]]) -> dict[T, dict[str, V]]:
    """Group values by their timeouts.

    Args:
        values: for each key, its value and its timeout.

    Returns:
        For each timeout, the values that have it, by their keys.
    """
    groups: dict[T, dict[str, V]] = {}
    for key, (value, timeout) in values.items():
        groups.setdefault(timeout, {})[key] = value
    return groups


class Store(Protocol):
    """A store as users provide it. cachelib's caches have this form, like many others.

    A store may also have cachelib's methods `clear()`, `add(key, value, timeout)`,
    `get_many(*keys)`, `set_many(mapping, timeout)`, `delete_many(*keys)`,
    `inc(key, delta)` and `dec(key, delta)`, and two methods of this package,
    `add_many(mapping, timeout)` and `remaining(key)`. Where one is missing, `get`,
    `set` and `delete` do its work. The methods may be coroutine functions; then all of
    them must be.
    """

    def get(self, key: str, /) -> Any:
        """Return the value of a key, or None if it has none."""
        ...

    def set(self, key: str, value: Any, /, timeout: int | None = None) -> Any:
        """Store a value.

        Args:
            key: at most 200 characters of printable ASCII.
            value: the value to store.
            timeout: seconds; 0 if the entry never expires, None for the store's own
                default.

        Returns:
            False if the value was not stored. Anything else means that it was.
        """
        ...

    def delete(self, key: str, /) -> Any:
        """Delete the entry of a key. A key without an entry is no error."""
        ...


class SyncStore(Protocol):
    """A store behind its adapter, for callers that may block.

    Any method raises what the store raised.

    Attributes:
        blocking: whether a call may block, for example on a network.
        has_locks: whether other processes see the locks that `lock` takes.
        default_timeout: the seconds that the timeout None stands for; 0 if such an
            entry never expires, -1 if it is not stored at all, None if that is not
            known.
    """

    blocking: bool
    has_locks: bool
    default_timeout: int | None

    def get(self, key: str) -> Any:
        """Return the value of a key, or None if it has none."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[Any]:
        """Return the values of keys, in one round trip if the store can do that."""
        ...

    def set(self, key: str, value: str | int, timeout: int | None) -> None:
        """Store a value.

        Args:
            key: the key.
            value: the value.
            timeout: seconds; 0 if it never expires, None for the store's default.

        Raises:
            StoreError: If the store reports that it did not store the value.
        """
        ...

    def set_many(self, values: Mapping[str, str | int], timeout: int | None) -> None:
        """Store values, in one round trip if the store can do that.

        Raises:
            StoreError: If the store reports that it did not store all of them.
        """
        ...

    def add(self, key: str, value: str | int, timeout: int | None) -> bool:
        """Store a value if the key has none, and return whether it was stored.

        Of several concurrent callers only one gets True, provided that the store
        itself has `add`.
        """
        ...

    def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> list[str]:
        """Store the values whose keys have none, and return these keys.

        Each value is added as by `add`; all in one round trip if the store can do that.
        """
        ...

    def lock(self, keys: Sequence[str], token: str, seconds: int) -> list[str]:
        """Take the locks of those keys that are not locked, and return these keys.

        A lock ends after `seconds`, or when its key is deleted or the store cleared.

        Args:
            keys: the keys to lock.
            token: a text that identifies the caller.
            seconds: the longest time for which the locks last.
        """
        ...

    def unlock(self, keys: Sequence[str], token: str) -> None:
        """Release those locks of the keys that were taken with this token."""
        ...

    def set_locked(self, values: Mapping[str, Timed], token: str) -> list[str]:
        """Store the values whose locks this token holds, and release these locks.

        Args:
            values: for each key, its value and its timeout.
            token: the token that the locks were taken with.

        Returns:
            The keys of the values that were stored.

        Raises:
            StoreError: If the store reports that it did not store a value. Other values
                may have been stored, and their locks may still be held.
        """
        ...

    def delete(self, key: str) -> bool:
        """Delete the entry of a key and its lock.

        Returns:
            False if the store reports that there was no entry.

        Raises:
            StoreError: If the entry is still there.
        """
        ...

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete the entries of keys and their locks, in bulk if the store can do that.

        Raises:
            StoreError: If some entries are still there.
        """
        ...

    def increment(self, key: str, delta: int) -> int | None:
        """Add to a number, starting from 0 if there is none.

        No concurrent call is lost, provided that the store itself has `inc` and `dec`.

        Returns:
            The new number; None if the store failed.
        """
        ...

    def remaining(self, key: str) -> float | None:
        """Return the seconds until an entry expires, `math.inf` if it never does.

        Returns:
            None if there is no entry, or if the store does not know.
        """
        ...

    def clear(self) -> None:
        """Delete all entries.

        Raises:
            StoreError: If the store has no `clear`, or reports that it did not clear.
        """
        ...


class AsyncStore(Protocol):
    """Like `SyncStore`, for callers on an event loop."""

    has_locks: bool
    default_timeout: int | None

    async def get(self, key: str) -> Any:
        """Like `SyncStore.get`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[Any]:
        """Like `SyncStore.get_many`."""
        ...

    async def set(self, key: str, value: str | int, timeout: int | None) -> None:
        """Like `SyncStore.set`."""
        ...

    async def set_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> None:
        """Like `SyncStore.set_many`."""
        ...

    async def add(self, key: str, value: str | int, timeout: int | None) -> bool:
        """Like `SyncStore.add`."""
        ...

    async def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> list[str]:
        """Like `SyncStore.add_many`."""
        ...

    async def lock(self, keys: Sequence[str], token: str, seconds: int) -> list[str]:
        """Like `SyncStore.lock`."""
        ...

    async def unlock(self, keys: Sequence[str], token: str) -> None:
        """Like `SyncStore.unlock`."""
        ...

    async def set_locked(self, values: Mapping[str, Timed], token: str) -> list[str]:
        """Like `SyncStore.set_locked`."""
        ...

    async def delete(self, key: str) -> bool:
        """Like `SyncStore.delete`."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Like `SyncStore.delete_many`."""
        ...

    async def increment(self, key: str, delta: int) -> int | None:
        """Like `SyncStore.increment`."""
        ...

    async def remaining(self, key: str) -> float | None:
        """Like `SyncStore.remaining`."""
        ...

    async def clear(self) -> None:
        """Like `SyncStore.clear`."""
        ...
