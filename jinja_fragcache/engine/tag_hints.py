"""Remembers which tags entries had, so that an entry and its tags are read together."""

import threading
from collections.abc import Sequence

from jinja_fragcache.forks import free_after_fork

_MOST_KEYS = 10_000
#: Bytes of all keys and tags, and of what Python adds to each text.
_MOST_BYTES = 4 * 2**20
_TEXT_BYTES = 60


class TagHints:
    """The tags of the last entries that had tags their cache tag does not name.

    It remembers 10,000 keys, and 4 MiB, at most.

    Attributes:
        by_key: The tags of each key. Every hit checks whether its key is in it, without
            the lock.
    """

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[str, ...]] = {}
        self._bytes = 0
        self._lock = free_after_fork(threading.Lock())

    def of(self, key: str) -> tuple[str, ...]:
        """Return the remembered tags of a key."""
        return self.by_key.get(key, ())

    def note(self, key: str, tags: Sequence[str]) -> None:
        """Remember the tags of a key."""
        if not tags and key not in self.by_key:
            return
        with self._lock:
            self._forget(key)
            if tags:
                self.by_key[key] = tuple(tags)
                self._bytes += _size(key, tags)
            while len(self.by_key) > _MOST_KEYS or self._bytes > _MOST_BYTES:
                self._forget(next(iter(self.by_key)))

    def _forget(self, key: str) -> None:
        tags = self.by_key.pop(key, None)
        if tags is not None:
            self._bytes -= _size(key, tags)


def _size(key: str, tags: Sequence[str]) -> int:
    return sum(len(text) + _TEXT_BYTES for text in (key, *tags))
