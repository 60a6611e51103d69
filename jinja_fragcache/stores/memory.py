"""The store of an environment that was given no other: a dictionary in the process."""

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from jinja_fragcache.timeouts import NEVER_EXPIRES, normalize_timeout

DEFAULT_TIMEOUT = 300
DEFAULT_THRESHOLD = 10_000
#: 64 MiB: room for 10,000 texts of 6 KiB, and little enough for each of the several
#: processes that a server runs.
DEFAULT_MAX_BYTES = 64 * 2**20
#: What an entry takes besides its key and value, in bytes: the places in a dictionary
#: and its order, and the entry's own fields. tracemalloc counts 186 to 211 on CPython
#: 3.11, with 1,000 to 1,000,000 entries.
ENTRY_BYTES = 200
# However many entries were read of late, making room for one looks at no more.
_MOST_LOOKED_AT = 16


class _Slot:
    __slots__ = ("expires_at", "read", "size", "value")

    def __init__(self, key: str, value: Any, expires_at: float) -> None:
        self.value = value
        self.expires_at = expires_at
        self.read = False
        # Asked once: the size of a text grows when it is first encoded.
        self.size = sys.getsizeof(key) + sys.getsizeof(value, 0) + ENTRY_BYTES


class MemoryStore:
    """Keep values in this process, for all its threads, within limits.

    When it is full, an entry makes room that expired, or else one that was not read
    since it was written or last passed over (the CLOCK algorithm: Corbato, "A Paging
    Experiment with the Multics System", 1968). `get` takes no lock and moves nothing,
    and a write looks at as many entries at any size. All that writes is atomic.

    The bytes of an entry are those of its key and its value, as `sys.getsizeof` tells
    them, and `ENTRY_BYTES`. What an object refers to (the items of a list) is not
    counted.

    Args:
        threshold: the largest number of entries.
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 or None for ever.
        max_bytes: the largest number of bytes; None for no such limit.
        timer: a clock in seconds that never goes back.

    Raises:
        ValueError: a limit is no whole number from 1.
        TimeoutValueError: the default timeout is none. (It is a ValueError, too.)
    """

    def __init__(
        self,
        threshold: int = DEFAULT_THRESHOLD,
        default_timeout: int = DEFAULT_TIMEOUT,
        max_bytes: int | None = DEFAULT_MAX_BYTES,
        timer: Callable[[], float] = time.monotonic,
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
        # Looked up without the lock. That reads the dictionary, not the order beside
        # it, and an entry is replaced by one assignment: no reader sees half a change,
        # with the interpreter's lock or without it.
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._used_bytes = 0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        """Count the entries, those among them that expired and were not asked for."""
        return len(self._slots)

    @property
    def used_bytes(self) -> int:
        """The bytes of all entries that `len()` counts."""
        return self._used_bytes

    def get(self, key: str) -> Any:
        """Give the value of a key, or None."""
        slot = self._slots.get(key)
        if slot is None:
            return None
        if slot.expires_at <= self._timer():
            self._forget_expired(key, slot)
            return None
        slot.read = True
        return slot.value

    def get_many(self, *keys: str) -> list[Any]:
        """Give the values of keys, as they were at one moment; None where is none."""
        with self._writing:
            slots = [self._live(key) for key in keys]
        for slot in slots:
            if slot is not None:
                slot.read = True
        return [None if slot is None else slot.value for slot in slots]

    def has(self, key: str) -> bool:
        """Tell whether there is an entry, without counting as a read."""
        return self._live(key) is not None

    def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        """Keep a value.

        Args:
            key: any text.
            value: any object. It is kept as it is, not copied.
            timeout: seconds, 0 for ever, None for the default timeout.

        Returns:
            False if it is larger than all that may be kept. The key has no entry then.
        """
        slot = self._slot(key, value, timeout)
        with self._writing:
            return self._put(key, slot)

    def set_many(
        self, mapping: Mapping[str, Any], timeout: int | None = None
    ) -> list[str]:
        """Keep several values at once, and give the keys of those that were kept."""
        slots = {key: self._slot(key, value, timeout) for key, value in mapping.items()}
        with self._writing:
            return [key for key, slot in slots.items() if self._put(key, slot)]

    def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        """Keep a value if the key has none, and tell whether that was so."""
        slot = self._slot(key, value, timeout)
        with self._writing:
            return self._live(key) is None and self._put(key, slot)

    def add_many(
        self, mapping: Mapping[str, Any], timeout: int | None = None
    ) -> list[str]:
        """Keep at once the values whose keys have none, and give the keys of these."""
        slots = {key: self._slot(key, value, timeout) for key, value in mapping.items()}
        with self._writing:
            return [
                key
                for key, slot in slots.items()
                if self._live(key) is None and self._put(key, slot)
            ]

    def remaining(self, key: str) -> float | None:
        """Give the seconds that an entry has left, `math.inf` if it never expires.

        It does not count as a read.

        Returns:
            None if there is no entry.
        """
        slot = self._live(key)
        return None if slot is None else slot.expires_at - self._timer()

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Count up, and give the new number.

        A number keeps the time that it has left. Where there is none, it begins with
        `delta` and lives for the default timeout.

        Returns:
            None if the value is no whole number. It stays as it is.
        """
        with self._writing:
            slot = self._live(key)
            if slot is None:
                counted = self._slot(key, delta, None)
            elif type(slot.value) is int:
                counted = _Slot(key, slot.value + delta, slot.expires_at)
            else:
                return None
            return counted.value if self._put(key, counted) else None

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Count down, as `inc` counts up."""
        return self.inc(key, -delta)

    def delete(self, key: str) -> bool:
        """Forget a key and tell whether it had a value."""
        with self._writing:
            found = self._live(key) is not None
            self._remove(key)
        return found

    def delete_many(self, *keys: str) -> list[str]:
        """Forget several keys at once.

        Returns:
            All keys: what has no entry counts as deleted, as cachelib has it.
        """
        with self._writing:
            for key in keys:
                self._remove(key)
        return list(keys)

    def clear(self) -> bool:
        """Forget everything."""
        with self._writing:
            self._slots.clear()
            self._used_bytes = 0
        return True

    def _slot(self, key: str, value: Any, timeout: int | None) -> _Slot:
        if timeout is None:
            timeout = self.default_timeout
        never = timeout == NEVER_EXPIRES
        expires_at = float("inf") if never else self._timer() + timeout
        return _Slot(key, value, expires_at)

    def _live(self, key: str) -> _Slot | None:
        slot = self._slots.get(key)
        return None if slot is None or slot.expires_at <= self._timer() else slot

    # What follows is called with the lock held, but for _forget_expired.

    def _put(self, key: str, slot: _Slot) -> bool:
        if slot.size > self._max_bytes:
            self._remove(key)
            return False
        while not self._has_room(key, slot):
            self._remove(self._victim())
        old = self._slots.get(key)
        self._used_bytes += slot.size - (0 if old is None else old.size)
        # Not taken out and put in: a reader, who takes no lock, would find nothing.
        self._slots[key] = slot
        self._slots.move_to_end(key)
        return True

    def _has_room(self, key: str, slot: _Slot) -> bool:
        old = self._slots.get(key)
        entries = len(self._slots) + (old is None)
        used_bytes = self._used_bytes + slot.size - (0 if old is None else old.size)
        return entries <= self._threshold and used_bytes <= self._max_bytes

    def _victim(self) -> str:
        now = self._timer()
        front = list(islice(self._slots.items(), _MOST_LOOKED_AT))
        for key, slot in front:
            if slot.expires_at <= now:
                return key
        for key, slot in front:
            if not slot.read:
                return key
            slot.read = False
            self._slots.move_to_end(key)
        return front[0][0]

    def _remove(self, key: str) -> None:
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._used_bytes -= slot.size

    def _forget_expired(self, key: str, slot: _Slot) -> None:
        with self._writing:
            # Another thread may have written the key anew meanwhile.
            if self._slots.get(key) is slot:
                self._remove(key)
