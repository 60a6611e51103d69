"""Values that have timeouts of their own."""

from collections.abc import Mapping
from typing import TypeVar

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
