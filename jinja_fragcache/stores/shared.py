"""What copies of a cache or a store are: the same object."""

from __future__ import annotations

from typing import Any, Self


class Shared:
    """Base of what all copies of an environment share.

    A store holds connections and locks. If `copy.deepcopy` copied them, or what is in a
    store, the copy would not notice what is deleted in the original.
    """

    def __copy__(self) -> Self:
        """Return this object."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return this object."""
        return self
