"""Single flight: of all callers in a process that miss a key, one makes the value.

The first caller that misses a key leads its flight. Callers that miss it meanwhile wait
until the flight lands, and get what was stored. (Go's `singleflight` package has the
name and the idea.)

Nobody waits for a flight that can land only if the waiting caller goes on: a fragment
that contains itself, two fragments that contain each other, or a fragment that the same
thread is rendering further up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Self

from jinja_fragcache.access.event_loops import wait_for
from jinja_fragcache.forks import free_after_fork, notify_after_fork
from jinja_fragcache.keys.digests import LONGEST, shortened

from .last_keys import LastKeys

if TYPE_CHECKING:
    from concurrent.futures import Future

# The innermost flight that is led here. Threads and tasks that a body starts on its
# event loop inherit it, and count as part of that body.
_leading: ContextVar[Flight | None] = ContextVar("leading", default=None)


class Reach(Enum):
    """Which of the callers that wait may be served what a flight lands with.

    Those who came before the flight began always may: its body began after they had
    asked.

    Members:
        ALL: All of them.
        WHILE_DOWN: As long as the store fails, all of them. It failed while the value
            was made, too, so nothing tells whether another process has deleted it. This
            process tells whether it has invalidated its tags.
        EARLIER: Nobody else. It was deleted meanwhile, or may have been.
    """

    ALL = auto()
    WHILE_DOWN = auto()
    EARLIER = auto()


#: The entry; whether it has tags, which others may invalidate; whether the body raised,
#: so that this is the old entry; and for whom it is.
Landing = tuple[object, bool, bool, Reach]


class Flight:
    """A value that is being made. As a context manager, it is led inside of the block.

    Args:
        key: The value's key.
        flights: The flights it belongs to.

    Attributes:
        alone: Whether nobody waits for it.
        has_landed: Whether those who wait get `landing`.
        parent: The innermost flight in whose body it began and that had not landed, or
            None.
        awaited: The flights that its body waits for.
        turn: How often its leader has begun to read or write the store. Callers that
            joined before the last turn may be served what the flight landed with;
            for those who joined later, it may have been deleted since.
        landing: What it lands with at the end of the block, None for nothing.
        is_spoiled: Whether its key was deleted, so that the value is made of old data
            and must not be stored.
        is_stored: Whether the value was stored.
        is_doubtful: Whether this process has invalidated tags since it began, or may
            have deleted what its leader had found before.
        is_abandoned: Whether its leader was cancelled, or ended by what is no error.
        is_queued: Whether it was handed over to the background and has not begun there.
        loop: The event loop of the task that leads it in the background; None without.
        may_be_stored: Whether the value may have been stored just before the flight
            began, after its leader had looked for it.
        future: What those who wait are told by; None if nobody waits.
    """

    # What most flights leave as it is. They are made without it, because every miss
    # makes one.
    alone: bool = False
    awaited: Sequence[Flight] = ()
    turn: int = 0
    landing: Landing | None = None
    has_landed: bool = False
    is_spoiled: bool = False
    is_stored: bool = False
    is_doubtful: bool = False
    is_abandoned: bool = False
    is_queued: bool = False
    loop: Any = None
    may_be_stored: bool = False
    # Made only when somebody waits, which is seldom.
    future: Future[None] | None = None
    _thread: int = 0

    def __init__(self, key: str, flights: Flights) -> None:
        self.key = key
        self._flights = flights
        # A task that a body started may go on after that body. It has to begin flights
        # without a chain that grows.
        parent: Flight | None = _leading.get()
        while parent is not None and parent.has_landed:
            parent = parent.parent
        self.parent: Flight | None = parent

    def __enter__(self) -> Self:
        """Lead the flight."""
        self._thread = threading.get_ident()
        _leading.set(self)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Land the flight: those who wait get `landing`."""
        if error is not None and not issubclass(error, Exception):
            self.is_abandoned = True
        self._flights.land(self)

    def settle(self, landing: Landing | None, *, is_stored: bool) -> bool:
        """Note what it lands with, and whether its value was stored.

        Args:
            landing: What it lands with; None to leave that as it is.
            is_stored: Whether the value was stored.

        Returns:
            Whether its key was deleted meanwhile. Then the value has to go.
        """
        if is_stored:
            self.is_stored = True
        if self.is_spoiled:
            self.landing = None
        elif landing is not None:
            self.landing = landing
        return self.is_spoiled

    @property
    def is_lost(self) -> bool:
        """Whether nobody leads it any more: its loop ended before its task."""
        return self.loop is not None and self.loop.is_closed()

    def wait(self, seconds: float) -> Landing | None:
        """Wait until the flight has landed, or the time is over.

        Returns:
            What it landed with; None for nothing, or if it has not landed.
        """
        if not self.has_landed:
            with suppress(TimeoutError):
                self._awaitable().result(seconds)
        return self.landing if self.has_landed else None

    async def wait_async(self, seconds: float) -> Landing | None:
        """Like `wait`, without blocking the event loop."""
        if not self.has_landed:
            await wait_for(self._awaitable(), seconds)
        return self.landing if self.has_landed else None

    def _awaitable(self) -> Future[None]:
        from concurrent.futures import Future  # noqa: PLC0415 - few wait

        with self._flights.lock:
            if self.future is None:
                self.future = Future()
                if self.has_landed:
                    self.future.set_result(None)
            return self.future

    def can_be_awaited(self, chain: set[Flight], *, blocking: bool) -> bool:
        """Return whether it can land while the leader of other flights waits for it.

        Args:
            chain: The flights that the caller leads.
            blocking: Whether the caller's thread is blocked while it waits.
        """
        if self.has_landed:
            return True
        # A blocked thread can't land what it leads itself.
        if blocking and self._thread == threading.get_ident():
            return False
        return not (chain and self.needs(chain))

    def chain(self) -> Iterator[Flight]:
        """Iterate over this flight and those in whose bodies it began."""
        flight: Flight | None = self
        while flight is not None:
            yield flight
            flight = flight.parent

    def needs(self, flights: set[Flight]) -> bool:
        """Return whether this flight can land only after one of others has landed."""
        seen: set[Flight] = set()
        rest = [self]
        while rest:
            flight = rest.pop()
            if flight in flights:
                return True
            if flight not in seen:
                seen.add(flight)
                rest.extend(flight.awaited)
        return False


class Flights:
    """The flights of one cache, and which of the last keys were stored.

    Attributes:
        lock: Guards the flights, these keys, and the landing of each flight.
        remembers_stored: Whether to remember which values were stored. Those who look
            again before they make a value need not know.
    """

    remembers_stored = True

    def __init__(self) -> None:
        # A store in memory writes while it is held, and may log, so that a handler of
        # logs may use the cache.
        self.lock = free_after_fork(threading.RLock())
        self._by_key: dict[str, Flight] = {}
        self._stored_lately = LastKeys()
        self._not_to_store = LastKeys()
        notify_after_fork(self)

    def after_fork(self) -> None:
        """Forget all flights, because other threads led them in the parent process."""
        self._by_key.clear()

    def join(self, key: str, *, has_stale: bool = False) -> tuple[Flight, bool]:
        """Return the flight of a key, and whether the caller has to lead it.

        If the last value was not to be stored, each caller leads a flight of its own,
        because waiting for another one would be in vain.

        Args:
            key: The key.
            has_stale: Whether the caller has an old value to serve, so that it need not
                wait.
        """
        if not self._not_to_store:
            # Most caches have none of these keys, and each miss comes here. Of several
            # callers, one puts its flight there, without the lock.
            flight = Flight(key, self)
            running = self._by_key.setdefault(key, flight)
            if running is flight:
                if self.remembers_stored:
                    # The same as `known`: each row of a list comes here.
                    short = key if len(key) <= LONGEST else shortened(key)
                    flight.may_be_stored = short in self._stored_lately
                return flight, True
            if not running.is_lost and (has_stale or not running.is_queued):
                return running, False
        return self._join_slowly(key, has_stale=has_stale)

    def _join_slowly(self, key: str, *, has_stale: bool) -> tuple[Flight, bool]:
        """Like `join`, where more counts than whether there is a flight."""
        with self.lock:
            is_alone = not has_stale and bool(self._not_to_store.known(key))
            running = None if is_alone else self._by_key.get(key)
            if running is not None and running.is_lost:
                running = None
            # One that waits in the queue is not waited for: a body that runs there may
            # be the caller.
            if running is not None and (has_stale or not running.is_queued):
                return running, False
            flight = Flight(key, self)
            if self.remembers_stored and self._stored_lately.known(key):
                flight.may_be_stored = True
            if is_alone:
                flight.alone = True
            else:
                self._by_key[key] = flight
            return flight, True

    def begin_queued(self, flight: Flight) -> bool:
        """Begin a flight that was queued; return whether it is still to be led.

        It is not if its key was deleted meanwhile, or a caller makes the value.
        """
        with self.lock:
            flight.is_queued = False
            return self._by_key.get(flight.key) is flight

    def lead(self, key: str) -> Flight | None:
        """Lead the flight of a key until `land`, if that needs no thought.

        This is `join` and the start of a flight's block in one, for the most frequent
        of misses. The caller has to look again before it makes the value.

        Returns:
            None if `join` has to be called: another caller may lead it.
        """
        if self._not_to_store:
            return None
        flight = Flight(key, self)
        if self._by_key.setdefault(key, flight) is not flight:
            return None
        flight._thread = threading.get_ident()  # noqa: SLF001 - it is part of this class
        _leading.set(flight)
        return flight

    def land(self, flight: Flight) -> None:
        """Land a flight that is led here: forget it, and tell those who wait."""
        # Not by a token, which another context would refuse: an asynchronous generator
        # may be closed in one.
        _leading.set(flight.parent)
        key = flight.key
        with self.lock:
            if flight.is_stored:
                if self.remembers_stored:
                    self._stored_lately.add(key, known=True)
                if self._not_to_store:
                    self._not_to_store.discard(key)
            # Only now, since who finds no flight there looks among the keys above.
            if self._by_key.get(key) is flight:
                del self._by_key[key]
            flight.has_landed = True
            future = flight.future
        if future is not None:
            future.set_result(None)

    @contextmanager
    def waiting(self, flight: Flight, *, blocking: bool) -> Iterator[bool]:
        """Note that the flights led here wait for another one, inside of the block.

        Args:
            flight: The other one.
            blocking: Whether the thread is blocked meanwhile.

        Yields:
            Whether they may wait.
        """
        leading = _leading.get()
        chain = set() if leading is None else set(leading.chain())
        with self.lock:
            may_wait = flight.can_be_awaited(chain, blocking=blocking)
            if may_wait:
                for each in chain:
                    each.awaited = [*each.awaited, flight]
        try:
            yield may_wait
        finally:
            if may_wait:
                with self.lock:
                    for each in chain:
                        left = list(each.awaited)
                        left.remove(flight)
                        each.awaited = left

    def note_not_to_store(self, key: str) -> None:
        """Remember that a value was made that must not be stored."""
        with self.lock:
            self._not_to_store.add(key, known=True)

    def spoil(self, *keys: str) -> None:
        """Note that keys are deleted: values being made for them are of old data."""
        with self.lock:
            for key in keys:
                flight = self._by_key.pop(key, None)
                if flight is not None:
                    flight.is_spoiled = True

    def note_invalidation(self) -> None:
        """Note that tags are invalidated: values being made may be of old data."""
        with self.lock:
            for flight in list(self._by_key.values()):
                flight.is_doubtful = True

    def spoil_all(self) -> None:
        """Note that all keys are deleted."""
        self.spoil(*list(self._by_key))
