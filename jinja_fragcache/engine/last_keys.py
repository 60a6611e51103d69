"""What is remembered of the keys that were used last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

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
