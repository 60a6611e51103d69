"""The keys that this process has seen lately, with what it knows of their entries."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Literal

from jinja_fragcache.messages import shown_value
from jinja_fragcache.remembered import ENTRY_BYTES, size_of

from .events import Outcome, Report

Kind = Literal["fragment", "function"]

#: How many keys are kept of each name, and of all names.
MOST_KEYS_OF_NAME = 100
MOST_KEYS = 10_000
MOST_BYTES = 2**23
_MOST_VALUES = 20
_MOST_TAGS = 50
# What the fields of an entry take, besides their texts.
_FIELD_BYTES = 300


@dataclass(frozen=True, slots=True)
class EntrySeen:
    """A key that was asked for, as this process saw it.

    It may be gone: others may delete it, and the store may drop it.

    Attributes:
        key: The key.
        values: The key values or arguments, as texts to show. They may be personal.
        place: Where the tag stands, as `home.html:14`; "" for a function.
        tags: The entry's tags, at most 50.
        size: The bytes of the entry; None if none was stored.
        stored_at: When it was stored, in seconds since 1970; None if that is not known.
        expires_at: When its timeout ends; infinity for never, None if not known.
        last_outcome: What became of it when it was last asked for.
        hits: How often it was a hit in this process.
    """

    key: str
    values: tuple[str, ...]
    place: str
    tags: tuple[str, ...]
    size: int | None
    stored_at: float | None
    expires_at: float | None
    last_outcome: Outcome
    hits: int

    def after(self, report: Report, now: float) -> "EntrySeen":
        """Return what is known after one more report.

        Args:
            report: A report of the same key.
            now: The time, in seconds since 1970.
        """
        age, left = report.age, report.expires_in
        stored_at = None if age is None else now - age
        # Nobody else makes an entry again while its timeout runs.
        if stored_at is None and left is not None and self.expires_at is not None:
            same = self.expires_at == left or abs(self.expires_at - now - left) < 1
            stored_at = self.stored_at if same else None
        return replace(
            self,
            tags=report.tags[:_MOST_TAGS],
            size=report.size,
            stored_at=stored_at,
            expires_at=None if left is None else now + left,
            last_outcome=report.outcome,
            hits=self.hits + (report.outcome == "hit"),
        )

    @property
    def memory(self) -> int:
        """The bytes of memory that this takes."""
        texts = size_of((self.key, self.values, self.place, self.tags))
        return texts + _FIELD_BYTES + 2 * ENTRY_BYTES


def _first(key: str, report: Report) -> EntrySeen:
    values = tuple(map(shown_value, (report.values or ())[:_MOST_VALUES]))
    return EntrySeen(key, values, report.place, (), None, None, None, report.outcome, 0)


class Seen:
    """Keeps the keys that were asked for last. The caller holds a lock.

    Beyond the bounds, those go that were not asked for the longest. A key that is too
    large for them is not kept.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[tuple[Kind, str], EntrySeen]] = (
            OrderedDict()
        )
        self._of: dict[tuple[Kind, str], OrderedDict[str, None]] = {}
        self._bytes = 0

    def note(self, of: tuple[Kind, str], report: Report, now: float) -> None:
        """Note a report.

        Args:
            of: The kind and the name under which the key is listed.
            report: The report.
            now: The time, in seconds since 1970.
        """
        key = report.key
        if key is None:
            return
        known = self._entries.get(key)
        entry = _first(key, report) if known is None else known[1]
        self.forget(key)
        entry = entry.after(report, now)
        if entry.memory > MOST_BYTES // MOST_KEYS_OF_NAME:
            return
        keys = self._of.setdefault(of, OrderedDict())
        if len(keys) >= MOST_KEYS_OF_NAME:
            self.forget(next(iter(keys)))
        self._entries[key], keys[key] = (of, entry), None
        self._bytes += entry.memory
        while len(self._entries) > MOST_KEYS or self._bytes > MOST_BYTES:
            self.forget(next(iter(self._entries)))

    def forget(self, key: str) -> None:
        """Forget a key, if it is known."""
        known = self._entries.pop(key, None)
        if known is None:
            return
        of, entry = known
        self._bytes -= entry.memory
        del self._of[of][key]
        if not self._of[of]:
            del self._of[of]

    def of(self, kind: Kind, name: str) -> list[EntrySeen]:
        """Return the entries of a name. Those that were asked for last come first."""
        keys = self._of.get((kind, name), ())
        return [self._entries[key][1] for key in reversed(tuple(keys))]
