"""What a process keeps near: what it has lately read from a store elsewhere."""

from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any, NamedTuple

from .memory import DEFAULT_THRESHOLD, MemoryStore
from .memory_entry import make_entry, size_to_keep

# For so many keys it is remembered when they last changed. The oldest read that is
# still under way has to be among these, or what it reads is not kept. A key takes some
# 300 bytes.
_MOST_CHANGES = 10_000
# In characters. Nothing is kept under a longer key, so its changes need not be known.
_LONGEST_KEY = 1000
_KEPT_TYPES = (str, int)


class Reading(NamedTuple):
    """A read that has begun.

    Attributes:
        change: The number of the last change before it.
        began: When it began.
    """

    change: int
    began: float


class NearMemory(MemoryStore):
    """Keeps what was read from another store for a few seconds, counted from the read.

    A read takes time, and what it reads may change meanwhile. So it says when it
    begins, and what has changed since then is not kept.

    Texts and integers are kept, which nobody can modify, and nothing else.

    Args:
        seconds: For how many seconds something is kept, from the begin of its read.
        threshold: The largest number of entries.
        timer: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        seconds: float,
        threshold: int = DEFAULT_THRESHOLD,
        *,
        timer: Callable[[], float],
    ) -> None:
        super().__init__(threshold, timer=timer)
        self._seconds = seconds
        # Changes have numbers, from 1. The keys are in the order of their last change.
        self._last_change = 0
        self._changes: dict[str, int] = {}
        # The last change whose keys are not remembered.
        self._last_forgotten = 0

    def begin_read(self) -> Reading:
        """Say that a read begins. Only after this, the other store may be asked."""
        return Reading(self._last_change, self._now())

    def keep(
        self, found: Mapping[str, tuple[Any, float | None]], reading: Reading
    ) -> None:
        """Keep what a read has found, except for what has changed since it began.

        Args:
            found: For each key its value, or None if it has none; and the seconds that
                the other store keeps it from then on, None if that is not known.
            reading: What `begin_read` returned.
        """
        change, began = reading
        with self._write_lock:
            if change < self._last_forgotten:
                return
            now = self._now()
            for key, (value, left) in found.items():
                if type(value) not in _KEPT_TYPES or self._changes.get(key, 0) > change:
                    continue
                if len(key) > _LONGEST_KEY:
                    continue
                seconds = self._seconds if left is None else min(self._seconds, left)
                old = self._entries.get(key)
                # What is there may come from a later read.
                if began + seconds > max(now, now if old is None else old):
                    entry = make_entry(value, began + seconds)
                    self._put(key, entry, size_to_keep(key, value))

    def note_changes(self, keys: Collection[str]) -> None:
        """Drop what is kept under keys, also what reads that are under way find."""
        with self._write_lock:
            self._last_change += 1
            for key in keys:
                if len(key) > _LONGEST_KEY:
                    continue
                self._remove(key)
                self._changes.pop(key, None)
                self._changes[key] = self._last_change
            too_many = max(len(self._changes) - _MOST_CHANGES, 0)
            for key in list(islice(self._changes, too_many)):
                self._last_forgotten = self._changes.pop(key)

    def note_change_of_all(self) -> None:
        """Drop everything, also what reads that are under way find."""
        with self._write_lock:
            self._drop_all()

    def after_fork(self) -> None:
        """Begin with nothing in a child process, which gets no messages yet."""
        # Without the lock, which another thread of the parent may have held.
        self._drop_all()

    def _drop_all(self) -> None:
        self._remove_all()
        self._last_change += 1
        self._changes.clear()
        self._last_forgotten = self._last_change
