"""Which tags entries had the last time, so that both are read together."""

import threading
from collections.abc import Sequence

_MOST_KEYS = 10_000


class KnownTags:
    """The tags of entries that no request knows beforehand, of the last 10,000 keys.

    Looking one up takes no lock: it is on the path of every hit.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        """Tell whether an entry had tags that a request for it may not know."""
        return key in self._by_key

    def of(self, key: str) -> tuple[str, ...]:
        """Give these tags."""
        return self._by_key.get(key, ())

    def note(self, key: str, tags: Sequence[str]) -> None:
        """Note the tags of an entry."""
        if not tags and key not in self._by_key:
            return
        with self._lock:
            self._by_key.pop(key, None)
            if tags:
                self._by_key[key] = tuple(tags)
            if len(self._by_key) > _MOST_KEYS:
                del self._by_key[next(iter(self._by_key))]
