"""The store of an environment that was given no other: a dictionary in the process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from jinja_fragcache.timeouts import NEVER_EXPIRES, normalize_timeout

DEFAULT_TIMEOUT = 300
DEFAULT_THRESHOLD = 10_000
# However many entries were read of late, a write looks at no more than these.
_MOST_PASSED_OVER = 16


class _Slot:
    __slots__ = ("expires_at", "read", "value")

    def __init__(self, value: Any, expires_at: float) -> None:
        self.value = value
        self.expires_at = expires_at
        self.read = False


class MemoryStore:
    """Keep values in this process, for all its threads, up to a number of entries.

    When it is full, an entry makes room that was not read since it was written or last
    passed over (the CLOCK algorithm: Corbato, "A Paging Experiment with the Multics
    System", 1968). A read takes no lock and moves nothing, and a write costs the same
    at any size.

    Args:
        threshold: the largest number of entries.
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 or None for ever.
        timer: a clock in seconds that never goes back.

    Raises:
        ValueError: the threshold is no whole number from 1.
        TimeoutValueError: the default timeout is none. (It is a ValueError, too.)
    """

    def __init__(
        self,
        threshold: int = DEFAULT_THRESHOLD,
        default_timeout: int = DEFAULT_TIMEOUT,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if type(threshold) is not int or threshold < 1:
            raise ValueError(
                f"A MemoryStore can't be limited to {threshold!r} entries. Write a"
                " threshold of 1 or more, or use a store that keeps nothing"
                " (cachelib.NullCache)."
            )
        self._threshold = threshold
        self._default_timeout = normalize_timeout(default_timeout)
        self._timer = timer
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._writing = threading.Lock()

    def __len__(self) -> int:
        """Count the entries, those among them that expired and were not asked for."""
        return len(self._slots)

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

    def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        """Keep a value.

        Args:
            key: any text.
            value: any object. It is kept as it is, not copied.
            timeout: seconds, 0 for ever, None for the default timeout.
        """
        if timeout is None:
            timeout = self._default_timeout or NEVER_EXPIRES
        never = timeout == NEVER_EXPIRES
        slot = _Slot(value, float("inf") if never else self._timer() + timeout)
        with self._writing:
            if key not in self._slots and len(self._slots) >= self._threshold:
                self._make_room()
            self._slots[key] = slot
            self._slots.move_to_end(key)
        return True

    def delete(self, key: str) -> bool:
        """Forget a key and tell whether it was there."""
        with self._writing:
            return self._slots.pop(key, None) is not None

    def clear(self) -> bool:
        """Forget everything."""
        with self._writing:
            self._slots.clear()
        return True

    def _forget_expired(self, key: str, slot: _Slot) -> None:
        with self._writing:
            # Another thread may have written the key anew meanwhile.
            if self._slots.get(key) is slot:
                del self._slots[key]

    def _make_room(self) -> None:
        now = self._timer()
        for _ in range(_MOST_PASSED_OVER):
            key, slot = next(iter(self._slots.items()))
            if not slot.read or slot.expires_at <= now:
                break
            slot.read = False
            self._slots.move_to_end(key)
        self._slots.popitem(last=False)
