"""What is remembered of the keys that were used last."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from typing import Any

from jinja_fragcache.forks import free_after_fork
from jinja_fragcache.keys.digests import LONGEST, shortened

_KEYS_REMEMBERED = 1024


class LastKeys(OrderedDict[str, Any]):
    """The keys that were added last, each with something to remember.

    A long key, as that of a view with a long path, is remembered by its digest.
    """

    def add(self, key: str, known: Any) -> None:
        """Remember a key."""
        if len(key) > LONGEST:
            key = shortened(key)
        self[key] = known
        self.move_to_end(key)
        if len(self) > _KEYS_REMEMBERED:
            self.popitem(last=False)

    def known(self, key: str) -> Any:
        """Return what is remembered of a key, None for nothing."""
        return self.get(key if len(key) <= LONGEST else shortened(key))

    def discard(self, key: str) -> None:
        """Forget a key."""
        if self:
            self.pop(shortened(key), None)


class KeyNotes:
    """What one cache remembers of keys for those who make their values next.

    Attributes:
        locks_left: The keys whose locks in the store could not be released.
    """

    def __init__(self) -> None:
        self._lock = free_after_fork(threading.RLock())
        self.locks_left = LastKeys()
        self._slow = LastKeys()
        self._for_callers = LastKeys()
        self._failed_at = LastKeys()

    def note_for_callers(self, key: str) -> None:
        """Remember that only a caller can make a value, as it reads of the request."""
        with self._lock:
            self._for_callers.add(key, known=True)

    def is_for_callers(self, key: str) -> bool:
        """Return whether only a caller can make a value."""
        with self._lock:
            return bool(self._for_callers.known(key))

    def note_failed(self, key: str, at: float) -> None:
        """Remember when a value could not be made in the background, by the timer."""
        with self._lock:
            self._failed_at.add(key, at)

    def failed_at(self, key: str) -> float:
        """Return when a value could not be made in the background; -inf for never."""
        with self._lock:
            at: float | None = self._failed_at.known(key)
            return -math.inf if at is None else at

    def note_slow(self, key: str, seconds: float) -> None:
        """Remember that making a value took longer than its lock lived."""
        with self._lock:
            self._slow.add(key, seconds)

    def slow_seconds(self, keys: Sequence[str]) -> float:
        """Return how many seconds the slowest value took; 0 if none was slow."""
        with self._lock:
            # Mostly nothing is remembered, and each list with missing rows asks.
            if not self._slow:
                return 0.0
            return max(self._slow.known(key) or 0.0 for key in keys)

    def note_left_locked(self, key: str, token: str | None) -> None:
        """Remember the token of a lock that could not be released, None for no lock."""
        with self._lock:
            if token is None:
                self.locks_left.discard(key)
            else:
                # With the key, of which a digest is remembered if it is long.
                self.locks_left.add(key, (key, token))

    def left_locked(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the tokens of the locks that could not be released, by their keys."""
        with self._lock:
            if not self.locks_left:
                return {}
            left = [self.locks_left.known(key) for key in keys]
            return dict(each for each in left if each is not None)

    def left_locked_first(self, most: int) -> dict[str, str]:
        """Like `left_locked`, for so many keys at most: those that wait longest."""
        with self._lock:
            return dict(islice(self.locks_left.values(), most))
