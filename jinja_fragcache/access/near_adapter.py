"""Adapts a store in front of which this process keeps what it has lately read."""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from jinja_fragcache.forks import PerProcess, free_after_fork
from jinja_fragcache.operations import Operation
from jinja_fragcache.stores.base import Timed
from jinja_fragcache.stores.near import NearMemory

from .adapter import Adapter
from .near_listener import NearListener

T = TypeVar("T")


class NearAdapter(Adapter):
    """An adapter that notes near what its operations change in the store.

    It is a base to put before the adapter of a kind of store (see `adapt`). What an
    operation changes is noted when it has ended, also if it failed, since it may have
    changed something all the same. Locks and numbers are always the store's own.

    Args:
        store: The store.
        near: What is kept near.
        has_coroutines: Whether the store's methods are coroutine functions.
    """

    def __init__(self, store: Any, near: NearMemory, *, has_coroutines: bool) -> None:
        super().__init__(store, has_coroutines=has_coroutines)
        self.near = near
        # A thread of each process, since a child inherits none. Two that begin at the
        # same time must not start two.
        self._listeners = PerProcess(self._listen)
        self._starts = free_after_fork(threading.Lock())

    def serves_near(self, *, blocking: bool) -> bool:
        """Like `Adapter.serves_near`."""
        # Where each call has to be awaited, a caller that blocks is refused each time,
        # and not only when nothing is near.
        return not (blocking and self.has_coroutines)

    def read_through(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `get_many`, and keep the values near.

        An entry is kept no longer than the store keeps it, if the store has
        `get_with_remaining`.
        """
        with self._starts:
            _ = self._listeners.value
        reading = self.near.begin_read()
        found: list[tuple[Any, float | None]]
        if "get_with_remaining" in self._methods:
            found = list((yield self.store.get_with_remaining(*keys)))
        elif len(keys) == 1:
            found = [((yield from self.get(keys[0])), None)]
        else:
            values = yield from self.get_many(keys)
            found = [(value, None) for value in values]
        self.near.keep(dict(zip(keys, found, strict=True)), reading)
        return [value for value, _ in found]

    def set(self, key: str, value: str | int, timeout: int | None) -> Operation[None]:
        """Like `Adapter.set`."""
        return self._noting([key], super().set(key, value, timeout))

    def set_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[None]:
        """Like `Adapter.set_many`."""
        return self._noting(values.keys(), super().set_many(values, timeout))

    def add(self, key: str, value: str | int, timeout: int | None) -> Operation[bool]:
        """Like `Adapter.add`."""
        return self._noting([key], super().add(key, value, timeout))

    def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[list[str]]:
        """Like `Adapter.add_many`."""
        return self._noting(values.keys(), super().add_many(values, timeout))

    def set_locked(
        self, values: Mapping[str, Timed], token: str
    ) -> Operation[list[str]]:
        """Like `Adapter.set_locked`."""
        return self._noting(values.keys(), super().set_locked(values, token))

    def lock_and_get(
        self, keys: Sequence[str], token: str, seconds: int, wanted: Sequence[str]
    ) -> Operation[tuple[list[str], list[Any] | None]]:
        """Like `Adapter.lock_and_get`. The values are not read: see `read_through`."""
        return (yield from self.lock(keys, token, seconds)), None

    def delete(self, key: str) -> Operation[bool]:
        """Like `Adapter.delete`."""
        return self._noting([key], super().delete(key))

    def delete_many(self, keys: Sequence[str]) -> Operation[bool]:
        """Like `Adapter.delete_many`."""
        return self._noting(keys, super().delete_many(keys))

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Like `Adapter.increment`."""
        return self._noting([key], super().increment(key, delta))

    def clear(self) -> Operation[None]:
        """Like `Adapter.clear`."""
        try:
            yield from super().clear()
        finally:
            self.near.note_change_of_all()

    def _noting(self, keys: Collection[str], operation: Operation[T]) -> Operation[T]:
        try:
            return (yield from operation)
        finally:
            self.near.note_changes(keys)

    def _listen(self) -> NearListener | None:
        """Listen to what the server tells of changes, if the store offers that."""
        changes = getattr(self.store, "changes", None)
        return None if changes is None else NearListener(changes(), self.near)
