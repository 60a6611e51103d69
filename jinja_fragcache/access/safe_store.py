"""The rules for using a store: what may fail, what must not, and what is counted."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import Any, NamedTuple, Protocol

from jinja_fragcache.engine.policy import DEFAULT_TIMEOUT, Policy
from jinja_fragcache.engine.singleflight import Flight, Flights
from jinja_fragcache.engine.tag_hints import KnownTags
from jinja_fragcache.entries.entry import Life
from jinja_fragcache.entries.freshness import FRESH, Standing, Windows, standing
from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.messages import logger, without_logins
from jinja_fragcache.stores import AsyncStore, SyncStore, Timed
from jinja_fragcache.stores.base import by_timeout
from jinja_fragcache.timeouts import LONGEST, NEVER_EXPIRES

from .breaker import Breaker
from .runner import Operation

# Seconds between two looks at what another process does: enough of them that a page
# does not wait much longer than it has to, and not so many that they cost the store.
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25
# The part of the time to wait for another process for who is making something already.
_NESTED = 0.1
# For how many seconds an entry is fresh that has a part which is not.
_OUT_OF_DATE = 1

_DEFAULT_POLICY = Policy()
_FAILED = object()
# Of redis-py, and of pylibmc.
_DOWN = {"ConnectionError", "TimeoutError", "ServerDown", "ServerDead"}


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
        stale: fragments and values served past their timeout, which are among the
            hits, or in place of an error, where they are among the misses.
    """

    hits: int = 0
    misses: int = 0
    stored: int = 0
    deleted: int = 0
    uncached: int = 0
    failures: int = 0
    skipped: int = 0
    waited: int = 0
    stale: int = 0


class Announcer(Protocol):
    """Tells others of what happens.

    That is `"hit"`, `"miss"`, `"set"`, `"delete"`, and `"error"`: a body raised, and
    what was stored is served.
    """

    @property
    def receivers(self) -> Mapping[str, Any]:
        """For each of them, what is false as long as nobody listens."""
        ...

    def announce(self, event: str, key: str, **more: Any) -> None:
        """Tell of one. An `"error"` comes with the exception, `error`."""
        ...


class Claim(NamedTuple):
    """What a caller may do with a value that it is about to make.

    Attributes:
        may_store: whether it may store the value.
        is_taken: whether another process is making it.
        token: what holds the key's lock; None where there are no locks.
        seconds: how long the lock lives.
    """

    may_store: bool
    is_taken: bool = False
    token: str | None = None
    seconds: int = 0

    def has_ended(self, after: float) -> bool:
        """Tell whether the lock may have ended, so many seconds after it was taken."""
        # Some stores count from the second that has begun.
        return self.token is not None and after >= self.seconds - 1


class Guard:
    """A face of a store, used by the rules. All that it does are operations.

    Reads and writes fail open: that the store failed is logged and counted, and the
    caller goes on as if there was nothing. After that the store is left alone for a
    while. Deletes fail loudly, because what was to be deleted may still be served, and
    are always tried.

    Args:
        face: the store's sync or async face.
        counts: where to count.
        breaker: whether the store may be called, with any face.
        flights: who makes what at the moment, with any face of the store.
        known_tags: which tags entries had the last time, with any face of the store.
        blocking: whether to wait is to stand still, as it is with the sync face.
        policy: the rules of the cache.
        announcer: whom to tell of what happens, or None.
        timer: a clock in seconds that never goes back.
        clock: gives the time of day, in seconds since 1970.
        chance: gives random numbers from 0 up to 1, without 1.
    """

    def __init__(  # noqa: PLR0913 - all that a cache's guards share, and their face
        self,
        face: SyncStore | AsyncStore,
        *,
        counts: Stats,
        breaker: Breaker,
        flights: Flights,
        known_tags: KnownTags,
        blocking: bool,
        policy: Policy = _DEFAULT_POLICY,
        announcer: Announcer | None = None,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._face = face
        self._breaker = breaker
        self.flights = flights
        self.known_tags = known_tags
        self.blocking = blocking
        #: Whether other processes see who makes a value.
        self.has_locks = face.has_locks
        self.policy = policy
        self._counts = counts
        self._announcer = announcer
        self.timer = timer
        self._clock = clock
        self._chance = chance

    @property
    def store_answers(self) -> bool:
        """Whether the store has not just failed."""
        return self._breaker.is_closed

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

    def add_many(
        self, values: Mapping[str, str | int], timeout: int | None
    ) -> Operation[list[str]]:
        """Store those values that there are none of, and give their keys; as `add`."""
        call = partial(self._face.add_many, values, self.seconds(timeout))
        added: list[str] = yield from self._try("write", values, call, [])
        return added

    def remaining(self, key: str) -> Operation[float | None]:
        """Give the seconds that an entry has left, infinity if it never expires.

        None where there is none, and where the store can't tell.
        """
        call = partial(self._face.remaining, key)
        seconds: float | None = yield from self._try("read", [key], call, None)
        return seconds

    def replace_many(
        self, values: Mapping[str, str | int], timeout: int
    ) -> Operation[None]:
        """Replace what is stored under keys, or delete it if that can't be done.

        Raises:
            StoreError: the store failed. It may still have what it had.
        """
        what = f"replace {', '.join(map(repr, values))}"
        call = partial(self._face.set_many, values, timeout)
        try:
            yield from self._insist(what, call)
        except StoreError:
            # One that is short of memory may refuse to write.
            keys = list(values)
            yield from self._insist(what, partial(self._face.delete_many, keys))

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        """Add to a number and give what it came to, or None if the store failed."""
        call = partial(self._face.increment, key, delta)
        number: int | None = yield from self._try("count", [key], call, None)
        if number is not None:
            self.announce("set", key)
        return number

    def claim(self, key: str) -> Operation[Claim]:
        """Try to become the one who makes and stores a value."""
        claims = yield from self.claim_many([key])
        return claims[key]

    def claim_many(self, keys: Sequence[str]) -> Operation[dict[str, Claim]]:
        """Do as `claim` for several values, all with one token."""
        if not self.has_locks:
            return dict.fromkeys(keys, Claim(may_store=True))
        claims = {}
        for key in keys:
            left = self.flights.left(key)
            if left is not None and not (yield from self._unlock([key], left)):
                claims[key] = Claim(may_store=False)
        free = [key for key in keys if key not in claims]
        if free:
            claims |= yield from self._lock(free, token_hex(16))
        return claims

    def _lock(self, keys: Sequence[str], token: str) -> Operation[dict[str, Claim]]:
        # A value that took long the last time may do so again.
        slow = 2 * max(map(self.flights.seconds_lately, keys))
        # It ends before those who wait for it give up, so that one of them stores.
        seconds = max(math.ceil(max(self.policy.lock_timeout, slow)), 1)
        call = partial(self._face.lock, keys, token, seconds)
        try:
            answer = yield from self._try("lock", keys, call, None)
        except asyncio.CancelledError:
            # They may have been taken.
            yield from self._unlock(keys, token)
            raise
        if answer is None:
            # The same: perhaps only the answer was lost.
            for key in keys:
                self.flights.note_left(key, token)
            # Where the store failed, nothing would tell whether a value was deleted.
            return dict.fromkeys(keys, Claim(may_store=False))
        mine = Claim(may_store=True, token=token, seconds=seconds)
        others = Claim(may_store=False, is_taken=True)
        return {key: mine if key in answer else others for key in keys}

    def release(self, key: str, claim: Claim) -> Operation[None]:
        """Let others make the value."""
        yield from self.release_many({key: claim})

    def release_many(self, claims: Mapping[str, Claim]) -> Operation[None]:
        """Do as `release` for several values."""
        by_token: dict[str, list[str]] = {}
        for key, claim in claims.items():
            if claim.token is not None:
                by_token.setdefault(claim.token, []).append(key)
        for token, keys in by_token.items():
            yield from self._unlock(keys, token)

    def _unlock(self, keys: Sequence[str], token: str) -> Operation[bool]:
        call = partial(self._face.unlock, keys, token)
        failed = (yield from self._try("unlock", keys, call, _FAILED)) is _FAILED
        # Whoever asks for the value next does it then, and does not wait for the lock.
        for key in keys:
            self.flights.note_left(key, token if failed else None)
        return not failed

    def write_claimed(
        self, key: str, value: str | int, timeout: int | None, claim: Claim
    ) -> Operation[bool]:
        """Store a value if it was not deleted since the claim, and end the claim.

        Args:
            key: its key.
            value: a text or number.
            timeout: seconds, 0 for ever, None for the store's default.
            claim: the claim.

        Returns:
            Whether it was stored.
        """
        values = {key: (value, timeout)}
        return key in (yield from self.write_claimed_many(values, claim))

    def write_claimed_many(
        self, values: Mapping[str, Timed], claim: Claim
    ) -> Operation[list[str]]:
        """Do as `write_claimed` with values that were claimed at once.

        Args:
            values: for each key a value, and its timeout.
            claim: the claim of one of them.

        Returns:
            The keys of those that were stored.
        """
        if claim.token is None:
            return (yield from self._write_by_timeout(values))
        call = partial(self._face.set_locked, values, claim.token)
        stored: list[str] = yield from self._try("write", values, call, [])
        self.count_stored(stored)
        return stored

    def _write_by_timeout(self, values: Mapping[str, Timed]) -> Operation[list[str]]:
        stored: list[str] = []
        for timeout, some in by_timeout(values).items():
            if (yield from self.write_many(some, timeout)):
                stored += some
        return stored

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

    def count_hits(self, keys: Sequence[str]) -> None:
        """Do as `count_hit` for several keys."""
        self._counts.hits += len(keys)
        if self._announcer is not None:
            for key in keys:
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

    def count_stale_hit(self, key: str, standing: Standing) -> None:
        """Note that what is stored is served while somebody else makes it anew."""
        self.count_hit(key)
        if standing.expired:
            self.count_stale()

    def count_stale(self) -> None:
        """Note that what is served is past its timeout."""
        self._counts.stale += 1

    def count_waited(self) -> None:
        """Note that somebody was served what another one has made meanwhile."""
        self._counts.waited += 1

    def deadline(self) -> float:
        """Give the time up to which a caller may wait from now on."""
        return self.timer() + self.policy.lock_timeout

    def wait(self, flight: Flight, deadline: float) -> Any:
        """Wait for a flight, and give what it landed with, None if it did not."""
        wait = flight.wait if self.blocking else flight.wait_async
        return wait(max(deadline - self.timer(), 0))

    def pauses(self, flight: Flight, deadline: float) -> Iterator[float]:
        """Give the seconds to wait before each look at what another process does.

        Args:
            flight: the caller's.
            deadline: up to when it may wait.
        """
        started = self.timer()
        left = deadline - started
        if flight.parent is not None:
            # That process may wait for what is being made here.
            left *= _NESTED
        end = started + left
        pause = _FIRST_PAUSE
        while left > 0:
            yield min(pause, left)
            # The looks take their time, too.
            left = min(left - pause, end - self.timer())
            pause = min(2 * pause, _LONGEST_PAUSE)

    def sleep(self, seconds: float) -> Any:
        """Wait."""
        return (time.sleep if self.blocking else asyncio.sleep)(seconds)

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

    def lock_ended(self, keys: Sequence[str], seconds: float) -> None:
        """Log that values were not stored, and see to it that the next ones are.

        Args:
            keys: their keys.
            seconds: how long it took to make all of them.
        """
        for key in keys:
            self.flights.note_slow(key, seconds)
        others = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        logger.warning(
            "%r%s took %.1f seconds to make. Its lock had ended before, so whether it"
            " was deleted meanwhile is not known, and it is not stored. Its next lock"
            " is longer. To store the first one too, set lock_timeout"
            " (CACHE_LOCK_TIMEOUT) to more than that.",
            keys[0],
            others,
            seconds,
        )

    def body_failed(self, key: str, error: Exception) -> None:
        """Log and tell that a body raised, and what is stored is served."""
        logger.error(
            "%r could not be made anew. What was stored before is served.",
            key,
            exc_info=error,
        )
        self.announce("error", key, error=error)

    def announce(self, event: str, key: str, **more: Any) -> None:
        """Tell of something that happened, if there is anybody to tell."""
        if self._announcer is not None and self._announcer.receivers[event]:
            self._announcer.announce(event, key, **more)

    def now(self) -> float:
        """Give the time of day, in seconds since 1970."""
        return self._clock()

    def seconds(self, timeout: int | None) -> int | None:
        """Give the default for None."""
        return self.policy.default_timeout if timeout is None else timeout

    def end(self, timeout: int | None) -> float:
        """Give the time of day at which an entry ends that is stored now.

        Args:
            timeout: seconds, 0 for ever, None for the default.
        """
        seconds = self._known_seconds(timeout)
        if seconds is None:
            return self.now()
        return math.inf if seconds == NEVER_EXPIRES else self.now() + seconds

    def _known_seconds(self, timeout: int | None) -> int | None:
        """Give the default for None, the store's too; None if it keeps nothing."""
        seconds = self.seconds(timeout)
        if seconds is not None:
            return seconds
        told = self._face.default_timeout
        if told is not None and told < 0:
            return None
        return DEFAULT_TIMEOUT if told is None else told

    def standing(self, life: Life | None, windows: Windows) -> Standing:
        """Tell what may be done with a value that is stored."""
        if life is None:
            return FRESH
        head_start = 0.0
        if self.policy.early_refresh:
            head_start = self.policy.head_start(life.cost, self._chance())
        return standing(life, self._clock(), windows, head_start)

    def is_expired(self, life: Life | None) -> bool:
        """Tell whether the timeout of an entry has ended."""
        return life is not None and self._clock() >= life.expires

    def lifetime(
        self,
        timeout: int | None,
        windows: Windows,
        cost: float,
        *,
        until: float = math.inf,
        told: bool = False,
    ) -> tuple[Life | None, int | None]:
        """Give how long a new entry is fresh, and for how long to store it.

        Args:
            timeout: seconds, 0 for ever, None for the default.
            windows: what may be done with it past that.
            cost: how many seconds it took to make.
            until: the time of day at which the first of its parts ends.
            told: whether the entry itself has to tell when it ends.

        Returns:
            Its life if its timeout alone does not tell that; seconds, 0 for ever, None
            for the store's default.
        """
        policy = self.policy
        longer = max(windows)
        told = told or bool(longer or policy.early_refresh or until < math.inf)
        if not told and not policy.jitter:
            return None, self.seconds(timeout)
        seconds = self._known_seconds(timeout)
        if seconds is None or (seconds == NEVER_EXPIRES and until == math.inf):
            return None, seconds
        now = self.now()
        end = until
        if seconds != NEVER_EXPIRES:
            if policy.jitter:
                seconds = policy.shorten(seconds, self._chance())
            end = min(until, now + seconds)
        if not told:
            return None, seconds
        if end <= now:
            # A part of it is out of date already, and served while it is made anew.
            end = now + _OUT_OF_DATE
        left = math.ceil(end - now)
        return Life(end, cost), min(left + longer, LONGEST)


def is_down(error: Exception) -> bool:
    """Tell whether a store failed as a whole, and not for one value.

    Clients have errors of their own for that, which are known by their names.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, OSError) or not names.isdisjoint(_DOWN)
