"""Remembers which tags entries had, so that an entry and its tags are read together."""

import threading
from collections.abc import Sequence

_MOST_KEYS = 10_000


class TagHints:
    """The tags of the last 10,000 entries that had tags their cache tag does not name.

    Attributes:
        by_key: The tags. Whether a key is in it is asked on every hit, without a lock.
    """

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def of(self, key: str) -> tuple[str, ...]:
        """Return the remembered tags of a key."""
        return self.by_key.get(key, ())

    def note(self, key: str, tags: Sequence[str]) -> None:
        """Remember the tags of a key."""
        if not tags and key not in self.by_key:
            return
        with self._lock:
            self.by_key.pop(key, None)
            if tags:
                self.by_key[key] = tuple(tags)
            if len(self.by_key) > _MOST_KEYS:
                del self.by_key[next(iter(self.by_key))]
