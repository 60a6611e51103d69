"""The store of an environment that was given no other: a dictionary in the process."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from jinja_fragcache.clocks import time_of_day
from jinja_fragcache.forks import free_after_fork, notify_after_fork
from jinja_fragcache.timeouts import NEVER_EXPIRES, normalize_timeout

from .memory_entry import (
    EMPTY_BYTES,
    Entry,
    ReadEntry,
    make_entry,
    plain_size,
    size_to_keep,
)
from .shared import Shared

if TYPE_CHECKING:
    from .facts import Facts

DEFAULT_TIMEOUT = 300
DEFAULT_THRESHOLD = 10_000
#: 64 MiB: enough for 10,000 texts of 6 KiB, and little enough for each of the several
#: processes that a server runs.
DEFAULT_MAX_BYTES = 64 * 2**20
# Making room for an entry looks at no more than this many, however many have been read
# lately.
_MOST_EXAMINED = 16
# The oldest entries are found for so many evictions at once: a sixteenth of all.
_FOUND_SHARE = 16


class MemoryStore(Shared):
    """Stores values in this process, for all its threads, within limits.

    When it is full, it evicts an entry that has expired, or else one that has not been
    read since it was written or last passed over (the CLOCK algorithm: Corbato, "A
    Paging Experiment with the Multics System", 1968). A `get` that finds a value takes
    no lock and moves nothing, and a write examines as many entries at any size, on
    average. All writes are atomic.

    An entry counts with the bytes of its key and its value, as `sys.getsizeof` returns
    them, and `ENTRY_BYTES`. What an object refers to, such as the items of a list, is
    not counted.

    Args:
        threshold: The largest number of entries.
        default_timeout: The timeout in seconds of entries that are stored without one;
            0 or None if they never expire.
        max_bytes: The largest number of bytes; None for no limit.
        timer: A clock in seconds; None for the time of day.

    Attributes:
        default_timeout: The default timeout in seconds; 0 if entries never expire.

    Raises:
        ValueError: If a limit is not an integer of 1 or more.
        TimeoutValueError: If the default timeout is not valid. It is a
            `ValueError` too.
    """

    def __init__(
        self,
        threshold: int = DEFAULT_THRESHOLD,
        default_timeout: int = DEFAULT_TIMEOUT,
        max_bytes: int | None = DEFAULT_MAX_BYTES,
        timer: Callable[[], float] | None = None,
    ) -> None:
        if type(threshold) is not int or threshold < 1:
            raise ValueError(
                f"A MemoryStore can't be limited to {threshold!r} entries. Write a"
                " threshold of 1 or more, or use a store that keeps nothing"
                " (cachelib.NullCache)."
            )
        if max_bytes is not None and (type(max_bytes) is not int or max_bytes < 1):
            raise ValueError(
                f"A MemoryStore can't be limited to {max_bytes!r} bytes. Write a"
                " max_bytes of 1 or more, or None for no limit."
            )
        self._threshold = threshold
        self._max_bytes = sys.maxsize if max_bytes is None else max_bytes
        self.default_timeout = normalize_timeout(default_timeout) or NEVER_EXPIRES
        self._timer = timer
        # In the order in which they were written or last passed over. Read without the
        # lock: an entry is replaced by one assignment, so no reader sees half a change,
        # with or without the interpreter's lock.
        self._entries: dict[str, Entry] = {}
        # The first of them, in reverse. To find the first of a dictionary takes a step
        # for each that was removed before it, and to take the last of one takes none.
        self._oldest: dict[str, Entry] = {}
        # Of those whose size is not that of plain texts.
        self._sizes: dict[str, int] = {}
        self._used_bytes = 0
        # Set before the first entry is moved to the last place, and never unset.
        self._has_moved = False
        self._write_lock = free_after_fork(threading.Lock())
        notify_after_fork(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the limits alone, as `FragmentCache` pickles its rules alone."""
        limits = (self._threshold, self.default_timeout, self._max_bytes, self._timer)
        return type(self), limits

    def __len__(self) -> int:
        """Return the number of entries, with those that have expired unnoticed."""
        return len(self._entries)

    @property
    def used_bytes(self) -> int:
        """The bytes of all entries that `len()` counts."""
        return self._used_bytes

    def get(self, key: str) -> Any:
        """Return the value of a key, or None if it has none."""
        entry = self._entries.get(key)
        if entry is None:
            if not self._has_moved:
                return None
            # It may be on its way from the first place to the last one.
            with self._write_lock:
                entry = self._entries.get(key)
            if entry is None:
                return None
        # The same as `_now()`, without a call: every hit comes here.
        if entry <= (self._timer or time.time)():
            self._remove_expired(key, entry)
            return None
        if entry.__class__ is not ReadEntry:
            entry.__class__ = ReadEntry
        return entry.value

    def get_many(self, *keys: str) -> list[Any]:
        """Return the values of keys at one moment, None for keys without an entry."""
        # The same as `_now()`, without calls: hits with tags come here.
        now = (self._timer or time.time)()
        with self._write_lock:
            entries = list(map(self._entries.get, keys))
        values: list[Any] = []
        for entry in entries:
            if entry is None or entry <= now:
                values.append(None)
            else:
                if entry.__class__ is not ReadEntry:
                    entry.__class__ = ReadEntry
                values.append(entry.value)
        return values

    def get_dict(self, *keys: str) -> dict[str, Any]:
        """Like `get_many`, but return a dictionary."""
        return dict(zip(keys, self.get_many(*keys), strict=True))

    def has(self, key: str) -> bool:
        """Return whether the key has a value. This does not count as a read."""
        with self._write_lock:
            return self._live_entry(key) is not None

    def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        """Store a value.

        Args:
            key: Any text.
            value: Any object. It is stored as it is, and not copied.
            timeout: Seconds; 0 if it never expires, None for the default timeout.

        Returns:
            False if the value is larger than `max_bytes`. Then the key has no value.
        """
        # Without calls, because every miss comes here. The same as `_expires_at`.
        seconds = self.default_timeout if timeout is None else timeout
        expires_at = math.inf
        if seconds != NEVER_EXPIRES:
            expires_at = (self._timer or time.time)() + seconds
        # The same as `make_entry` and `size_to_keep`.
        entry = Entry(expires_at)
        entry.value = value
        size = None
        if type(value) is not str or not (value.isascii() and key.isascii()):
            size = size_to_keep(key, value)
        with self._write_lock:
            return self._put(key, entry, size)

    def set_many(
        self, mapping: Mapping[str, Any], timeout: int | None = None
    ) -> list[str]:
        """Store values at one moment, and return the keys of those that were stored."""
        entries = self._make_entries(mapping, timeout)
        with self._write_lock:
            return [key for key, made in entries.items() if self._put(key, *made)]

    def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        entry = make_entry(value, self._expires_at(timeout))
        size = size_to_keep(key, value)
        with self._write_lock:
            return self._live_entry(key) is None and self._put(key, entry, size)

    def add_many(
        self, mapping: Mapping[str, Any], timeout: int | None = None
    ) -> list[str]:
        """Store the values whose keys have none, and return these keys.

        All are stored at one moment.
        """
        entries = self._make_entries(mapping, timeout)
        with self._write_lock:
            return [
                key
                for key, made in entries.items()
                if self._live_entry(key) is None and self._put(key, *made)
            ]

    def remaining(self, key: str) -> float | None:
        """Return the seconds until an entry expires, `math.inf` if it never does.

        This does not count as a read.

        Returns:
            None if there is no entry.
        """
        with self._write_lock:
            entry = self._live_entry(key)
        return None if entry is None else entry - self._now()

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number, and return the new one.

        A number keeps its remaining time. If the key has no value, the number starts
        as `delta` and gets the default timeout.

        Returns:
            None if the value is not an integer. It is kept as it is.
        """
        with self._write_lock:
            entry = self._live_entry(key)
            if entry is None:
                counted = make_entry(delta, self._expires_at(None))
            elif type(entry.value) is int:
                counted = make_entry(entry.value + delta, entry)
            else:
                return None
            size = size_to_keep(key, counted.value)
            return counted.value if self._put(key, counted, size) else None

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Like `inc`, but subtract."""
        return self.inc(key, -delta)

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        with self._write_lock:
            found = self._live_entry(key) is not None
            self._remove(key)
        return found

    def delete_many(self, *keys: str) -> list[str]:
        """Delete the entries of keys at one moment.

        Returns:
            All keys, because keys without an entry count as deleted, as in cachelib.
        """
        with self._write_lock:
            for key in keys:
                self._remove(key)
        return list(keys)

    def clear(self) -> bool:
        """Delete all entries."""
        with self._write_lock:
            self._remove_all()
        return True

    @property
    def where(self) -> str:
        """Where the entries are, as people call it."""
        return "the memory of this process"

    def facts(self) -> Facts:
        """Count the entries and their bytes."""
        from .facts import Facts  # noqa: PLC0415 - few ask

        return Facts(len(self), self.used_bytes)

    def after_fork(self) -> None:
        """Count the bytes again in a child process, if a thread was just writing."""
        if self._write_lock.locked():
            entries = self._entries.items()
            self._used_bytes = sum(self._size_of(key, entry) for key, entry in entries)

    def _now(self) -> float:
        return time_of_day() if self._timer is None else self._timer()

    def _expires_at(self, timeout: int | None) -> float:
        if timeout is None:
            timeout = self.default_timeout
        return math.inf if timeout == NEVER_EXPIRES else self._now() + timeout

    def _make_entries(
        self, mapping: Mapping[str, Any], timeout: int | None
    ) -> dict[str, tuple[Entry, int | None]]:
        """Return for each key its entry, and what `size_to_keep` returns."""
        expires_at = self._expires_at(timeout)
        return {
            key: (make_entry(value, expires_at), size_to_keep(key, value))
            for key, value in mapping.items()
        }

    def _remove_expired(self, key: str, entry: Entry) -> None:
        with self._write_lock:
            # Another thread may have written the key meanwhile.
            if self._entries.get(key) is entry:
                self._remove(key)

    # The following methods are called while the lock is held.

    def _live_entry(self, key: str) -> Entry | None:
        entry = self._entries.get(key)
        return None if entry is None or entry <= self._now() else entry

    def _put(self, key: str, entry: Entry, to_keep: int | None) -> bool:
        size = to_keep
        if size is None:
            # The same as `plain_size`.
            size = EMPTY_BYTES + len(key) + len(entry.value)
        old = self._entries.get(key)
        used_bytes = self._used_bytes + size
        if (
            old is None
            and to_keep is None
            and used_bytes <= self._max_bytes
            and len(self._entries) < self._threshold
        ):
            # The same as below, in fewer steps: every miss comes here.
            self._used_bytes = used_bytes
            self._entries[key] = entry
            return True
        if size > self._max_bytes:
            self._remove(key)
            return False
        while True:
            used_bytes = self._used_bytes + size
            used_bytes -= 0 if old is None else self._size_of(key, old)
            has_room = old is not None or len(self._entries) < self._threshold
            if has_room and used_bytes <= self._max_bytes:
                break
            self._remove(self._key_to_evict())
            old = self._entries.get(key)
        if old is not None:
            # It takes the place of the old one, and counts as new by being passed over
            # there. If it were removed and added again, a reader would find nothing.
            entry.__class__ = ReadEntry
            self._oldest.pop(key, None)
            self._sizes.pop(key, None)
        if to_keep is not None:
            self._sizes[key] = to_keep
        self._used_bytes = used_bytes
        self._entries[key] = entry
        return True

    def _key_to_evict(self) -> str:
        now = self._now()
        if len(self._oldest) < min(_MOST_EXAMINED, len(self._entries)):
            self._find_oldest()
        examined = list(islice(reversed(self._oldest.items()), _MOST_EXAMINED))
        for key, entry in examined:
            if entry <= now:
                return key
        for key, entry in examined:
            if not entry.read:
                return key
            entry.__class__ = Entry
            del self._oldest[key]
            # To the last place.
            self._has_moved = True
            self._entries[key] = self._entries.pop(key)
        return examined[0][0]

    def _find_oldest(self) -> None:
        number = max(2 * _MOST_EXAMINED, len(self._entries) // _FOUND_SHARE)
        found = list(islice(self._entries.items(), number))
        self._oldest = dict(reversed(found))

    def _size_of(self, key: str, entry: Entry) -> int:
        # Nothing is kept, either, if a fork or an error came before that.
        kept = self._sizes.get(key) or size_to_keep(key, entry.value)
        return plain_size(key, entry.value) if kept is None else kept

    def _remove(self, key: str) -> None:
        # First, so that it has nothing that is not there, if a fork or an error comes
        # between: making room would never end.
        self._oldest.pop(key, None)
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used_bytes -= self._size_of(key, entry)
            self._sizes.pop(key, None)

    def _remove_all(self) -> None:
        self._oldest.clear()
        self._entries.clear()
        self._sizes.clear()
        self._used_bytes = 0
