"""Which tags entries had the last time, so that both are read together."""

import threading
from collections.abc import Sequence

_MOST_KEYS = 10_000


class KnownTags:
    """The tags of entries that no request knows beforehand, of the last 10,000 keys.

    Attributes:
        by_key: the tags. Whether a key is in it is asked on every hit, without a lock.
    """

    def __init__(self) -> None:
        self.by_key: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def of(self, key: str) -> tuple[str, ...]:
        """Give these tags."""
        return self.by_key.get(key, ())

    def note(self, key: str, tags: Sequence[str]) -> None:
        """Note the tags of an entry."""
        if not tags and key not in self.by_key:
            return
        with self._lock:
            self.by_key.pop(key, None)
            if tags:
                self.by_key[key] = tuple(tags)
            if len(self.by_key) > _MOST_KEYS:
                del self.by_key[next(iter(self.by_key))]
