"""What a store can tell of itself: how much is in it."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

#: A store looks at no more entries than this, so that counting does not disturb those
#: who use it.
MOST_COUNTED = 100_000


class Facts(NamedTuple):
    """How much is in a store.

    The numbers include what stands beside entries (their locks, and the versions of
    tags), and entries that have expired and are not removed yet.

    Attributes:
        entries: How many entries there are; None if that is not known.
        bytes: How many bytes they take; None if that is not known.
        is_partial: Whether there are more, because counting ended at `MOST_COUNTED`.
        note: What else is counted, as a sentence, or "".
    """

    entries: int | None = None
    bytes: int | None = None
    is_partial: bool = False
    note: str = ""


class Amounts(NamedTuple):
    """How much is in a store of what has the same name.

    Attributes:
        by_start: Numbers of entries and of bytes, by what stands before the last colon
            of their keys: before the digest in those that this package makes.
        is_partial: As in `Facts`.
    """

    by_start: Mapping[str, tuple[int, int]]
    is_partial: bool = False

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return sum(entries for entries, _ in self.by_start.values())

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return sum(size for _, size in self.by_start.values())


def amounts_of(sizes: Iterable[tuple[str, int]]) -> Amounts:
    """Return how much there is of each name, of at most `MOST_COUNTED` entries.

    Args:
        sizes: The keys of entries, and the bytes that they take.
    """
    left = iter(sizes)
    by_start: dict[str, tuple[int, int]] = {}
    for key, size in islice(left, MOST_COUNTED):
        start = key.rpartition(":")[0]
        entries, total = by_start.get(start, (0, 0))
        by_start[start] = entries + 1, total + size
    return Amounts(by_start, is_partial=next(left, None) is not None)
