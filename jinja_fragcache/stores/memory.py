"""The store of an environment that was given no other: a dictionary in the process."""

import math
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from jinja_fragcache.clocks import time_of_day
from jinja_fragcache.forks import free_after_fork, notify_after_fork
from jinja_fragcache.timeouts import NEVER_EXPIRES, normalize_timeout

from .facts import Facts
from .shared import Shared

DEFAULT_TIMEOUT = 300
DEFAULT_THRESHOLD = 10_000
#: 64 MiB: enough for 10,000 texts of 6 KiB, and little enough for each of the several
#: processes that a server runs.
DEFAULT_MAX_BYTES = 64 * 2**20
#: What an entry takes besides its key and value, in bytes: its places in a dictionary
#: and in the order of that, and its own fields. tracemalloc counts 186 to 211 on
#: CPython 3.11, with 1,000 to 1,000,000 entries.
ENTRY_BYTES = 200
# Making room for an entry looks at no more than this many, however many have been read
# lately.
_MOST_EXAMINED = 16


class _Entry:
    __slots__ = ("expires_at", "read", "size", "value")

    def __init__(self, key: str, value: Any, expires_at: float) -> None:
        self.value = value
        self.expires_at = expires_at
        self.read = False
        # Computed once, because a text grows when it is first encoded.
        self.size = sys.getsizeof(key) + sys.getsizeof(value, 0) + ENTRY_BYTES


class MemoryStore(Shared):
    """Stores values in this process, for all its threads, within limits.

    When it is full, it evicts an entry that has expired, or else one that has not been
    read since it was written or last passed over (the CLOCK algorithm: Corbato, "A
    Paging Experiment with the Multics System", 1968). `get` takes no lock and moves
    nothing, and a write examines as many entries at any size. All writes are atomic.

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
        # Read without the lock. That uses the dictionary and not the order beside it,
        # and an entry is replaced by one assignment, so no reader sees half a change,
        # with or without the interpreter's lock.
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._used_bytes = 0
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
            return None
        # The same as `_now()`, without a call: every hit comes here.
        if entry.expires_at <= (self._timer or time.time)():
            self._remove_expired(key, entry)
            return None
        entry.read = True
        return entry.value

    def get_many(self, *keys: str) -> list[Any]:
        """Return the values of keys at one moment, None for keys without an entry."""
        now = self._now()
        with self._write_lock:
            entries = list(map(self._entries.get, keys))
        values: list[Any] = []
        for entry in entries:
            if entry is None or entry.expires_at <= now:
                values.append(None)
            else:
                entry.read = True
                values.append(entry.value)
        return values

    def get_dict(self, *keys: str) -> dict[str, Any]:
        """Like `get_many`, but return a dictionary."""
        return dict(zip(keys, self.get_many(*keys), strict=True))

    def has(self, key: str) -> bool:
        """Return whether the key has a value. This does not count as a read."""
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
        entry = self._make_entry(key, value, timeout)
        with self._write_lock:
            return self._put(key, entry)

    def set_many(
        self, mapping: Mapping[str, Any], timeout: int | None = None
    ) -> list[str]:
        """Store values at one moment, and return the keys of those that were stored."""
        entries = self._make_entries(mapping, timeout)
        with self._write_lock:
            return [key for key, entry in entries.items() if self._put(key, entry)]

    def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        entry = self._make_entry(key, value, timeout)
        with self._write_lock:
            return self._live_entry(key) is None and self._put(key, entry)

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
                for key, entry in entries.items()
                if self._live_entry(key) is None and self._put(key, entry)
            ]

    def remaining(self, key: str) -> float | None:
        """Return the seconds until an entry expires, `math.inf` if it never does.

        This does not count as a read.

        Returns:
            None if there is no entry.
        """
        entry = self._live_entry(key)
        return None if entry is None else entry.expires_at - self._now()

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
                counted = self._make_entry(key, delta, None)
            elif type(entry.value) is int:
                counted = _Entry(key, entry.value + delta, entry.expires_at)
            else:
                return None
            return counted.value if self._put(key, counted) else None

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
            self._entries.clear()
            self._used_bytes = 0
        return True

    @property
    def where(self) -> str:
        """Where the entries are, as people call it."""
        return "the memory of this process"

    def facts(self) -> Facts:
        """Count the entries and their bytes."""
        return Facts(len(self), self.used_bytes)

    def after_fork(self) -> None:
        """Count the bytes again in a child process, if a thread was just writing."""
        if self._write_lock.locked():
            self._used_bytes = sum(entry.size for entry in self._entries.values())

    def _now(self) -> float:
        return time_of_day() if self._timer is None else self._timer()

    def _expires_at(self, timeout: int | None) -> float:
        if timeout is None:
            timeout = self.default_timeout
        return math.inf if timeout == NEVER_EXPIRES else self._now() + timeout

    def _make_entry(self, key: str, value: Any, timeout: int | None) -> _Entry:
        return _Entry(key, value, self._expires_at(timeout))

    def _make_entries(
        self, mapping: Mapping[str, Any], timeout: int | None
    ) -> dict[str, _Entry]:
        expires_at = self._expires_at(timeout)
        return {key: _Entry(key, value, expires_at) for key, value in mapping.items()}

    def _live_entry(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        return None if entry is None or entry.expires_at <= self._now() else entry

    def _remove_expired(self, key: str, entry: _Entry) -> None:
        with self._write_lock:
            # Another thread may have written the key meanwhile.
            if self._entries.get(key) is entry:
                self._remove(key)

    # The following methods are called while the lock is held.

    def _put(self, key: str, entry: _Entry) -> bool:
        if entry.size > self._max_bytes:
            self._remove(key)
            return False
        old = self._entries.get(key)
        while True:
            used_bytes = self._used_bytes + entry.size
            used_bytes -= 0 if old is None else old.size
            has_room = old is not None or len(self._entries) < self._threshold
            if has_room and used_bytes <= self._max_bytes:
                break
            self._remove(self._key_to_evict())
            old = self._entries.get(key)
        self._used_bytes = used_bytes
        # Not removed and added again: a reader, who takes no lock, would find nothing
        # in between.
        self._entries[key] = entry
        self._entries.move_to_end(key)
        return True

    def _key_to_evict(self) -> str:
        now = self._now()
        oldest = list(islice(self._entries.items(), _MOST_EXAMINED))
        for key, entry in oldest:
            if entry.expires_at <= now:
                return key
        for key, entry in oldest:
            if not entry.read:
                return key
            entry.read = False
            self._entries.move_to_end(key)
        return oldest[0][0]

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used_bytes -= entry.size
