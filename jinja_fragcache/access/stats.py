"""Counts what happens in a cache, tells of it, and logs it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

from jinja_fragcache.errors import FragmentCacheError
from jinja_fragcache.keys.digests import digest
from jinja_fragcache.messages import logger, logs_all
from jinja_fragcache.observe.listeners import Listener, Listeners
from jinja_fragcache.remembered import Remembered

if TYPE_CHECKING:
    from jinja_fragcache.observe.events import EventKind

# A warning is logged once for each place. Places are tags and functions, but also keys,
# of which there may be any number.
_MOST_PLACES = 1000
_MOST_BYTES = 2**18
# In the order in which they are shown.
_COUNTERS = (
    "hits",
    "misses",
    "stored",
    "deleted",
    "uncached",
    "failures",
    "skipped",
    "waited",
    "stale",
    "verified",
    "differed",
    "too_large",
    "near_hits",
)


class Stats:
    """The counters of a `FragmentCache` in this process, since it was made.

    The numbers are counted without a lock. On an interpreter without a global lock, a
    few may be lost under load.

    Args:
        counted: The numbers to begin with, by their names.

    Attributes:
        hits: Fragments and values served from the store.
        misses: Fragments and values that had to be rendered or computed.
        stored: Entries written.
        deleted: Keys deleted, whether or not they had an entry.
        uncached: Fragments and values made without asking the store (`unless`, `'del'`,
            and refused keys).
        failures: Reads and writes in which the store failed.
        skipped: Reads and writes that were skipped because the store had just failed.
        waited: Misses that were served what another caller made meanwhile.
        stale: Fragments and values served after their timeout. They count as hits;
            those that were served because the body failed count as misses.
        verified: Hits on which the value was made again and compared.
        differed: Those of them on which it was another one.
        too_large: Entries that were not stored because of `max_entry_size`.
        near_hits: Keys that were found near, so that the store was not asked: those of
            entries, and of the versions of tags.
    """

    hits: int
    misses: int
    stored: int
    deleted: int
    uncached: int
    failures: int
    skipped: int
    waited: int
    stale: int
    verified: int
    differed: int
    too_large: int
    near_hits: int

    __slots__ = _COUNTERS
    __hash__ = None  # type: ignore[assignment]  # the numbers change

    def __init__(self, **counted: int) -> None:
        for name in _COUNTERS:
            setattr(self, name, counted.pop(name, 0))
        if counted:
            raise TypeError(f"Stats has no {next(iter(counted))!r}.")

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by their names."""
        return {name: getattr(self, name) for name in _COUNTERS}

    def copy(self) -> Stats:
        """Return the numbers as they are now."""
        return Stats(**self.as_dict())

    def __eq__(self, other: object) -> bool:
        """Return whether the other has the same numbers."""
        if not isinstance(other, Stats):
            return NotImplemented
        return self.as_dict() == other.as_dict()

    def __repr__(self) -> str:
        """Return the numbers with their names."""
        told = ", ".join(f"{name}={number}" for name, number in self.as_dict().items())
        return f"Stats({told})"


class Recorder:
    """Counts what happens in a cache, announces it, and logs it.

    Args:
        stats: The numbers to count.
        listeners: Are told what happens.
        strict: Whether what is refused is an error, or a function that returns this.

    Attributes:
        stats: The numbers.
        listeners: All that listen.
        audience: The same; None while there are none, so that nothing is done for them.
        turned: Is called with whether anybody listens, whenever that changes.
    """

    def __init__(
        self,
        stats: Stats,
        listeners: Iterable[Listener] = (),
        *,
        strict: bool | Callable[[], bool] = False,
    ) -> None:
        self.stats = stats
        self._strict = strict
        self.turned: Callable[[bool], None] = lambda _: None
        self.listeners = Listeners(self._turn)
        self.audience: Listeners | None = self.listeners
        for each in listeners:
            self.listeners.add(each)
        self._warned_of: Remembered[str, None] = Remembered(_MOST_PLACES, _MOST_BYTES)

    def warn_once(self, place: Hashable, message: str) -> None:
        """Log a warning, once for each place."""
        # A key may be of any length.
        remembered = digest(repr(place))
        if remembered not in self._warned_of:
            self._warned_of.add(remembered, None)
            logger.warning(message)

    def refuse(self, place: Hashable, error: FragmentCacheError) -> None:
        """Raise an error if the cache is strict, or log it once for each place.

        Raises:
            FragmentCacheError: If the cache is strict.
        """
        if self._strict() if callable(self._strict) else self._strict:
            raise error from None
        self.warn_once(place, error.for_log)

    def _turn(self, is_on: bool) -> None:
        self.audience = self.listeners if is_on else None
        self.turned(is_on)

    def announce(
        self, kind: EventKind, key: str, error: BaseException | None = None
    ) -> None:
        """Tell those who listen of an event, if there are any."""
        if self.audience is not None:
            self.audience.event(kind, key, error)

    def hit(self, key: str) -> None:
        """Count a fresh entry that is served."""
        self.stats.hits += 1
        if self.audience is not None:
            self.audience.event("hit", key)

    def stale_hit(self, key: str, *, expired: bool) -> None:
        """Count an entry that is served while another caller renders it.

        Args:
            key: Its key.
            expired: Whether its timeout has ended. It has not in an early refresh.
        """
        self.hit(key)
        if expired:
            self.stats.stale += 1

    def miss(self, *keys: str) -> None:
        """Count entries that are missing, or may not be served."""
        self.stats.misses += len(keys)
        # The log's level may have changed.
        if (self.audience is not None or logs_all()) and self.listeners.settle():
            for key in keys:
                self.announce("miss", key)

    def stored(self, keys: Sequence[str]) -> None:
        """Count entries that were written."""
        self.stats.stored += len(keys)
        if self.audience is not None:
            for key in keys:
                self.announce("set", key)

    def deleted(self, keys: Sequence[str]) -> None:
        """Count keys that were deleted."""
        self.stats.deleted += len(keys)
        for key in keys:
            self.announce("delete", key)

    def body_failed(self, key: str, error: Exception, *, expired: bool) -> None:
        """Count, log and announce a body that raised, so that an old entry is served.

        Args:
            key: The entry's key.
            error: What the body raised.
            expired: Whether the entry's timeout has ended.
        """
        self.refresh_failed(key, error)
        if expired:
            self.stats.stale += 1

    def refresh_failed(self, key: str, error: Exception) -> None:
        """Log and announce that an entry could not be made again, so the old one stays.

        Args:
            key: The entry's key.
            error: What the body raised.
        """
        logger.error(
            "%r could not be refreshed. The old entry is served.",
            key,
            exc_info=error,
        )
        self.announce("error", key, error)
