"""The rules for using a store: what may fail, what must not, and what is counted."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import StoreError
from .once import Flight, Flights
from .operations import Operation
from .stores import AsyncOnlyError, AsyncStore, SyncStore

#: Seconds.
DEFAULT_LOCK_TIMEOUT = 10.0

logger = logging.getLogger("jinja_fragcache")


@dataclass(frozen=True, slots=True)
class Stats:
    """What a `FragmentCache` has done since it was made, counted in this process.

    The numbers are kept without a lock. On an interpreter without a global lock a few
    may be lost under load.

    Attributes:
        hits: fragments and values served from the store.
        misses: those that were asked for and had to be made.
        stored: values written.
        deleted: entries deleted, whether or not they were there.
        uncached: fragments and values made without asking the store (`unless`,
            `'del'`, and keys that were refused).
        failures: reads and writes in which the store failed.
        waited: fragments and values that were missed while somebody else was making
            them, and served when they were stored.
    """

    hits: int = 0
    misses: int = 0
    stored: int = 0
    deleted: int = 0
    uncached: int = 0
    failures: int = 0
    waited: int = 0


@dataclass(slots=True)
class Counts:
    """The same numbers while they are counted."""

    hits: int = 0
    misses: int = 0
    stored: int = 0
    deleted: int = 0
    uncached: int = 0
    failures: int = 0
    waited: int = 0


class Announcer(Protocol):
    """Tells others of what happens: `"hit"`, `"miss"`, `"set"` and `"delete"`."""

    @property
    def receivers(self) -> Mapping[str, Any]:
        """For each of them, what is false as long as nobody listens."""
        ...

    def announce(self, event: str, key: str) -> None:
        """Tell of one."""
        ...


class Guard:
    """A face of a store, used by the rules. All that it does are operations.

    Reads and writes fail open: that the store failed is logged and counted, and the
    caller goes on as if there was nothing. Deletes fail loudly, because what was to be
    deleted may still be served.

    Args:
        face: the store's sync or async face.
        counts: where to count.
        default_timeout: what the timeout None stands for, in seconds; None leaves it
            to the store.
        announcer: whom to tell of what happens, or None.
        flights: who makes what at the moment, with any face of the store.
        lock_timeout: how many seconds to wait for somebody else's value.
        blocking: whether to wait is to stand still, as it is with the sync face.
    """

    def __init__(  # noqa: PLR0913 - all that a cache's guards share, and their face
        self,
        face: SyncStore | AsyncStore,
        *,
        counts: Counts,
        flights: Flights,
        blocking: bool,
        default_timeout: int | None = None,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        announcer: Announcer | None = None,
    ) -> None:
        self._face = face
        self.flights = flights
        self.blocking = blocking
        self._lock_timeout = lock_timeout
        self._counts = counts
        self._default_timeout = default_timeout
        self._announcer = announcer

    def read(self, key: str) -> Operation[Any]:
        """Give what is stored under a key, or None."""
        try:
            stored = yield self._face.get(key)
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.failed("read", key, error)
            return None
        return stored

    def read_many(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Give what is stored under each key, or None for those that have nothing."""
        try:
            stored: list[Any] = yield self._face.get_many(keys)
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.failed("read", ", ".join(keys), error)
            return [None] * len(keys)
        return stored

    def write(self, key: str, value: str | int, timeout: int | None) -> Operation[bool]:
        """Store a value, and tell whether that was done.

        Args:
            key: its key.
            value: a text or number.
            timeout: seconds, 0 for ever, None for the default.
        """
        return (yield from self.write_many({key: value}, timeout))

    def write_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[bool]:
        """Store values, and tell whether all of them were stored."""
        seconds = self.seconds(timeout)
        try:
            if len(values) == 1:
                ((key, value),) = values.items()
                yield self._face.set(key, value, seconds)
            else:
                yield self._face.set_many(values, seconds)
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - writes fail open
            self.failed("write", ", ".join(values), error)
            return False
        self.count_stored(values)
        return True

    def add(self, key: str, value: str | int, timeout: int | None) -> Operation[bool]:
        """Store a value if there is none, and tell whether it was stored.

        It is not counted here: what is added may be nobody's value.
        """
        try:
            added: bool = yield self._face.add(key, value, self.seconds(timeout))
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - writes fail open
            self.failed("write", key, error)
            return False
        return added

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Add to a number and give what it came to, or None if the store failed."""
        try:
            number: int | None = yield self._face.increment(key, delta)
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - writes fail open
            self.failed("count", key, error)
            return None
        self.announce("set", key)
        return number

    def delete(self, key: str) -> Operation[bool]:
        """Delete an entry, and tell whether there was one as far as the store knows.

        Raises:
            StoreError: the store failed.
        """
        self.flights.spoil(key)
        with _telling(f"delete {key!r}"):
            deleted: bool = yield self._face.delete(key)
        self._counts.deleted += 1
        self.announce("delete", key)
        return deleted

    def delete_many(self, keys: Sequence[str]) -> Operation[None]:
        """Delete entries.

        Raises:
            StoreError: the store failed.
        """
        self.flights.spoil(*keys)
        with _telling(f"delete {', '.join(map(repr, keys))}"):
            yield self._face.delete_many(keys)
        self._counts.deleted += len(keys)
        for key in keys:
            self.announce("delete", key)

    def clear(self) -> Operation[None]:
        """Delete all that the store holds.

        Raises:
            StoreError: the store failed, or has no `clear()`.
        """
        self.flights.spoil_all()
        with _telling("clear"):
            yield self._face.clear()

    def count_hit(self, key: str) -> None:
        """Note that what is stored under a key is served."""
        self._counts.hits += 1
        self.announce("hit", key)

    def count_miss(self, key: str) -> None:
        """Note that what is stored under a key, if anything, is not served."""
        self._counts.misses += 1
        self.announce("miss", key)

    def count_stored(self, keys: Iterable[str]) -> None:
        """Note that values were stored under keys."""
        for key in keys:
            self._counts.stored += 1
            self.announce("set", key)

    def count_waited(self) -> None:
        """Note that somebody was served what another one has made meanwhile."""
        self._counts.waited += 1

    def wait(self, flight: Flight) -> Any:
        """Wait for a flight, and give what it landed with, None if it did not."""
        wait = flight.wait if self.blocking else flight.wait_async
        return wait(self._lock_timeout)

    def failed(self, what: str, key: str, error: Exception) -> None:
        """Log and count a failure that is not raised."""
        self._counts.failures += 1
        logger.warning(
            "The store could not %s %r: %s: %s", what, key, type(error).__name__, error
        )

    def announce(self, event: str, key: str) -> None:
        """Tell of something that happened, if there is anybody to tell."""
        if self._announcer is not None and self._announcer.receivers[event]:
            self._announcer.announce(event, key)

    def seconds(self, timeout: int | None) -> int | None:
        """Give the default for None."""
        return self._default_timeout if timeout is None else timeout


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Turn what a store raises into an error that tells what was not done."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"The store could not {what}: {type(error).__name__}: {error}. What it"
            " holds may still be served."
        ) from error
