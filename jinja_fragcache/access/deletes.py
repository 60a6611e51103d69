"""Tells whether this process has deleted anything, in any store.

Two caches may have the same store, and two stores the same server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Deletes:
    """Tells whether anything was deleted.

    Attributes:
        latest: Another object after each delete.
    """

    def __init__(self) -> None:
        self.latest = object()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note that the `with` block deletes something."""
        self.latest = object()
        try:
            yield
        finally:
            # What was read meanwhile may have been deleted since.
            self.latest = object()


deletes = Deletes()
