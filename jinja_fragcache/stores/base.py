"""What a store is, and the interface of stores that users bring."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

V = TypeVar("V")
T = TypeVar("T")

#: A value and its timeout: seconds; 0 if it never expires, None for the store's
#: default.
Timed = tuple[str | int, int | None]


def by_timeout(values: Mapping[str, tuple[V, T]]) -> dict[T, dict[str, V]]:
    """Group values by their timeouts.

    Args:
        values: For each key, its value and its timeout.

    Returns:
        For each timeout, the values that have it, by their keys.
    """
    groups: dict[T, dict[str, V]] = {}
    for key, (value, timeout) in values.items():
        groups.setdefault(timeout, {})[key] = value
    return groups


def has_coroutines(client: object) -> bool:
    """Return whether the calls of a client have to be awaited.

    Its methods may be plain functions that return coroutines, as those of
    `redis.asyncio.Redis` are. Then its class tells.
    """
    methods = (
        getattr(client, name, None) for name in ("get", "set", "execute_command")
    )
    if any(map(inspect.iscoroutinefunction, methods)):
        return True
    kind = type(client)
    return hasattr(kind, "__aenter__") and not hasattr(kind, "__enter__")


class Store(Protocol):
    """A store as users provide it. cachelib's caches have this form, like many others.

    A store may also have cachelib's methods `clear()`, `add(key, value, timeout)`,
    `get_many(*keys)`, `set_many(mapping, timeout)`, `delete_many(*keys)`,
    `inc(key, delta)` and `dec(key, delta)`, and methods of this package,
    `add_many(mapping, timeout)`, `add_and_get_many(mapping, keys, timeout)`,
    `remaining(key)` and `get_with_remaining(*keys)`. Where one is missing, the others
    do its work. The methods may be coroutine functions; then all of them must be.
    """

    def get(self, key: str, /) -> Any:
        """Return the value of a key, or None if it has none."""
        ...

    def set(self, key: str, value: Any, /, timeout: int | None = None) -> Any:
        """Store a value.

        Args:
            key: At most 200 characters of printable ASCII.
            value: The value to store.
            timeout: Seconds; 0 if the entry never expires, None for the store's own
                default.

        Returns:
            False if the value was not stored. Anything else means that it was.
        """
        ...

    def delete(self, key: str, /) -> Any:
        """Delete the entry of a key. A key without an entry is no error."""
        ...
