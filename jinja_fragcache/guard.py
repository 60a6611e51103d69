"""The rules for using a store: what may fail, what must not, and what is counted."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from .breaker import Breaker
from .errors import StoreError, without_logins
from .once import Flight, Flights
from .operations import Operation
from .stores import AsyncOnlyError, AsyncStore, SyncStore

#: Seconds.
DEFAULT_LOCK_TIMEOUT = 10.0

_FAILED = object()
# Of redis-py, and of pylibmc.
_DOWN = {"ConnectionError", "TimeoutError", "ServerDown", "ServerDead"}

logger = logging.getLogger("jinja_fragcache")


@dataclass(slots=True)
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
        skipped: reads and writes that were not made because the store had just failed.
        waited: fragments and values that were missed while somebody else was making
            them, and served when they were stored.
    """

    hits: int = 0
    misses: int = 0
    stored: int = 0
    deleted: int = 0
    uncached: int = 0
    failures: int = 0
    skipped: int = 0
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
    caller goes on as if there was nothing. After that the store is left alone for a
    while. Deletes fail loudly, because what was to be deleted may still be served, and
    are always tried.

    Args:
        face: the store's sync or async face.
        counts: where to count.
        default_timeout: what the timeout None stands for, in seconds; None leaves it
            to the store.
        announcer: whom to tell of what happens, or None.
        breaker: whether the store may be called, with any face.
        flights: who makes what at the moment, with any face of the store.
        lock_timeout: how many seconds to wait for somebody else's value.
        blocking: whether to wait is to stand still, as it is with the sync face.
    """

    def __init__(  # noqa: PLR0913 - all that a cache's guards share, and their face
        self,
        face: SyncStore | AsyncStore,
        *,
        counts: Stats,
        breaker: Breaker,
        flights: Flights,
        blocking: bool,
        default_timeout: int | None = None,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        announcer: Announcer | None = None,
    ) -> None:
        self._face = face
        self._breaker = breaker
        self.flights = flights
        self.blocking = blocking
        self._lock_timeout = lock_timeout
        self._counts = counts
        self._default_timeout = default_timeout
        self._announcer = announcer

    def read(self, key: str) -> Operation[Any]:
        """Give what is stored under a key, or None."""
        (stored,) = yield from self.read_many([key])
        return stored

    def read_many(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Give what is stored under each key, or None for those that have nothing."""
        if len(keys) == 1:
            call = partial(self._face.get, keys[0])
            return [(yield from self._try("read", keys, call, None))]
        nothing: list[Any] = [None] * len(keys)
        many = partial(self._face.get_many, keys)
        stored: list[Any] = yield from self._try("read", keys, many, nothing)
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
        call: Callable[[], Any]
        if len(values) == 1:
            ((key, value),) = values.items()
            call = partial(self._face.set, key, value, seconds)
        else:
            call = partial(self._face.set_many, values, seconds)
        if (yield from self._try("write", values, call, _FAILED)) is _FAILED:
            return False
        self.count_stored(values)
        return True

    def add(self, key: str, value: str | int, timeout: int | None) -> Operation[bool]:
        """Store a value if there is none, and tell whether it was stored.

        It is not counted here: what is added may be nobody's value.
        """
        call = partial(self._face.add, key, value, self.seconds(timeout))
        added: bool = yield from self._try("write", [key], call, failed=False)
        return added

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Add to a number and give what it came to, or None if the store failed."""
        call = partial(self._face.increment, key, delta)
        number: int | None = yield from self._try("count", [key], call, None)
        if number is not None:
            self.announce("set", key)
        return number

    def _try(
        self, what: str, keys: Iterable[str], call: Callable[[], Any], failed: Any
    ) -> Operation[Any]:
        """Make a call that fails open.

        Args:
            what: what is done, for the log.
            keys: what it is done to.
            call: the call.
            failed: what to give if it fails, or may not be made now.
        """
        if not self._breaker.allows():
            self._counts.skipped += 1
            return failed
        try:
            answer = yield call()
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - reads and writes fail open
            self.failed(what, ", ".join(keys), error)
            if what == "read" or is_down(error):
                self._breaker.failed()
            return failed
        self._breaker.succeeded()
        return answer

    def delete(self, key: str) -> Operation[bool]:
        """Delete an entry, and tell whether there was one as far as the store knows.

        Raises:
            StoreError: the store failed.
        """
        self.flights.spoil(key)
        call = partial(self._face.delete, key)
        deleted: bool = yield from self._insist(f"delete {key!r}", call)
        self._counts.deleted += 1
        self.announce("delete", key)
        return deleted

    def delete_many(self, keys: Sequence[str]) -> Operation[None]:
        """Delete entries.

        Raises:
            StoreError: the store failed.
        """
        self.flights.spoil(*keys)
        what = f"delete {', '.join(map(repr, keys))}"
        yield from self._insist(what, partial(self._face.delete_many, keys))
        self._counts.deleted += len(keys)
        for key in keys:
            self.announce("delete", key)

    def clear(self) -> Operation[None]:
        """Delete all that the store holds.

        Raises:
            StoreError: the store failed, or has no `clear()`.
        """
        self.flights.spoil_all()
        yield from self._insist("clear", self._face.clear)

    def _insist(self, what: str, call: Callable[[], Any]) -> Operation[Any]:
        """Make a call that fails loudly, and is always tried.

        Args:
            what: what is done, for the error.
            call: the call.

        Raises:
            StoreError: the store failed.
        """
        try:
            answer = yield call()
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(
                f"The store could not {what}: {type(error).__name__}:"
                f" {without_logins(error).rstrip('.')}. What it holds may still be"
                " served."
            ) from error
        self._breaker.succeeded()
        return answer

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
            "The store could not %s %r: %s: %s",
            what,
            key,
            type(error).__name__,
            without_logins(error),
        )

    def announce(self, event: str, key: str) -> None:
        """Tell of something that happened, if there is anybody to tell."""
        if self._announcer is not None and self._announcer.receivers[event]:
            self._announcer.announce(event, key)

    def seconds(self, timeout: int | None) -> int | None:
        """Give the default for None."""
        return self._default_timeout if timeout is None else timeout


def is_down(error: Exception) -> bool:
    """Tell whether a store failed as a whole, and not for one value.

    Clients have errors of their own for that, which are known by their names.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, OSError) or not names.isdisjoint(_DOWN)
