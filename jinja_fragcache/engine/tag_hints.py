"""Remembers which tags entries had, so that an entry and its tags are read together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

from jinja_fragcache.remembered import Remembered

_MOST_KEYS = 10_000
_MOST_BYTES = 4 * 2**20


class TagHints:
    """The tags of the last entries that had tags their cache tag does not name.

    Attributes:
        by_key: The tags of each key. Every hit checks whether its key is in it.
    """

    def __init__(self) -> None:
        self.by_key: Remembered[str, tuple[str, ...]] = Remembered(
            _MOST_KEYS, _MOST_BYTES
        )

    def of(self, key: str) -> tuple[str, ...]:
        """Return the remembered tags of a key."""
        return self.by_key.get(key, ())

    def note(self, key: str, tags: Sequence[str]) -> None:
        """Remember the tags of a key."""
        if tags:
            self.by_key.add(key, tuple(tags))
        elif key in self.by_key:
            self.by_key.forget(key)


class Keys(Protocol):
    """Tells which keys are in it."""

    def __contains__(self, key: object, /) -> bool:
        """Return whether a key is in it."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...


class _AllKeys:
    """Says of each key that it is in it."""

    def __contains__(self, key: object, /) -> bool:
        return True

    def __len__(self) -> int:
        return sys.maxsize


#: Says of each key that it is in it.
ALL_KEYS = _AllKeys()
