"""Who makes a value while others wait for it, in one process.

The first who misses a key leads a flight. Others who miss it meanwhile wait until the
flight lands, and are given what was stored. (The name is that of Go's singleflight.)

Nobody waits for a flight that could only land if they went on themselves: a fragment
that contains itself, two fragments of which each contains the other, or one that is
being rendered by the same thread further up.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_KEYS_REMEMBERED = 1024
# The innermost flight that is led here. Threads and tasks that a body starts by
# asyncio are taken to belong to it, too.
_leading: ContextVar["Flight | None"] = ContextVar("leading", default=None)


class Flight:
    """A value on its way.

    Attributes:
        parent: the flight in whose body it began.
        alone: whether nobody waits for it.
        awaited: the flights that somebody waits for in this one's body.
        turn: how often its leader has begun to look into the store or to write. What it
            lands with may have been deleted since the last time, so it is not for those
            who have joined later.
    """

    def __init__(self, parent: "Flight | None", *, alone: bool = False) -> None:
        self._is_spoiled = False
        self.parent = parent
        self.alone = alone
        self.turn = 0
        self._thread = threading.get_ident()
        self.awaited: list[Flight] = []
        self._landed: Future[Any] = Future()

    def wait(self, seconds: float) -> Any:
        """Wait until the flight has landed, or the time is over.

        Returns:
            What it landed with; None if that was nothing, or it has not.
        """
        wait([self._landed], seconds)
        return self._landed.result() if self._landed.done() else None

    async def wait_async(self, seconds: float) -> Any:
        """Do as `wait`, without blocking the event loop."""
        await asyncio.wait([asyncio.wrap_future(self._landed)], timeout=seconds)
        return self._landed.result() if self._landed.done() else None

    def has_landed(self) -> bool:
        """Tell whether it has landed, with something or nothing."""
        return self._landed.done()

    def land(self, result: Any) -> None:
        """Give those who wait what they wait for, or None."""
        self._landed.set_result(result)

    def spoil(self) -> None:
        """Note that its key was deleted, so that it is made of old data."""
        self._is_spoiled = True

    def is_spoiled(self) -> bool:
        """Tell whether what it makes may not be stored."""
        return self._is_spoiled

    def is_led_here(self) -> bool:
        """Tell whether this thread leads it."""
        return self._thread == threading.get_ident()

    def chain(self) -> Iterator["Flight"]:
        """Give this flight and those in whose bodies it began."""
        flight: Flight | None = self
        while flight is not None:
            yield flight
            flight = flight.parent

    def needs(self, flights: set["Flight"]) -> bool:
        """Tell whether this one can land only after one of others."""
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
    """The flights of one cache."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[str, Flight] = {}
        self._kept_lately = _LastKeys()
        self._not_kept = _LastKeys()
        self._slow = _LastKeys()
        self._left = _LastKeys()

    def join(self, key: str, *, has_stale: bool = False) -> tuple[Flight, bool]:
        """Give the flight of a key, and whether the caller has to lead it.

        Where the last value was not kept, each caller leads a flight of its own: to
        wait for others would be for nothing.

        Args:
            key: the key.
            has_stale: whether the caller has something to serve, so that it need not
                wait.
        """
        with self._lock:
            if key in self._not_kept and not has_stale:
                return Flight(_leading.get(), alone=True), True
            flight = self._by_key.get(key)
            if flight is not None:
                return flight, False
            flight = self._by_key[key] = Flight(_leading.get())
            return flight, True

    def kept_lately(self, key: str) -> bool:
        """Tell whether a caller may have missed a key just before it was stored."""
        with self._lock:
            return key in self._kept_lately

    @contextmanager
    def led(self, key: str, flight: Flight) -> Iterator[list[Any]]:
        """Lead a flight. It lands when the block ends.

        What is put into the list is what it lands with.
        """
        before = _leading.get()
        _leading.set(flight)
        landing: list[Any] = []
        try:
            yield landing
        finally:
            # Not by a token: it would be refused in another context, where an
            # asynchronous generator may be ended.
            _leading.set(before)
            with self._lock:
                if self._by_key.get(key) is flight:
                    del self._by_key[key]
            flight.land(landing[0] if landing else None)

    @contextmanager
    def awaited(self, flight: Flight, *, blocking: bool) -> Iterator[bool]:
        """Wait for a flight inside of the block, if that is what is given.

        Args:
            flight: the flight.
            blocking: whether the thread stands still meanwhile.
        """
        leading = _leading.get()
        chain = set() if leading is None else set(leading.chain())
        with self._lock:
            # A thread that stands still can't land what it leads itself.
            may_wait = flight.has_landed() or (
                not (blocking and flight.is_led_here())
                and not (chain and flight.needs(chain))
            )
            if may_wait:
                for each in chain:
                    each.awaited.append(flight)
        try:
            yield may_wait
        finally:
            if may_wait:
                with self._lock:
                    for each in chain:
                        each.awaited.remove(flight)

    def note_kept(self, key: str) -> None:
        """Note that a value was stored."""
        with self._lock:
            self._kept_lately.add(key)
            self._not_kept.discard(key)

    def note_not_kept(self, key: str) -> None:
        """Note that a value was made that is not to be stored."""
        with self._lock:
            self._not_kept.add(key)

    def note_slow(self, key: str, seconds: float) -> None:
        """Note that a value took longer to make than its lock was for."""
        with self._lock:
            self._slow.add(key, seconds)

    def seconds_lately(self, key: str) -> float:
        """Give how long a value took that was noted to be slow; 0 for others."""
        with self._lock:
            seconds: float = self._slow.get(key) or 0.0
            return seconds

    def note_left(self, key: str, token: str | None) -> None:
        """Note a lock that could not be let go, or None that there is none any more."""
        with self._lock:
            if token is None:
                self._left.discard(key)
            else:
                self._left.add(key, token)

    def left(self, key: str) -> str | None:
        """Give what holds a lock that could not be let go; None if there is none."""
        with self._lock:
            token: str | None = self._left.get(key)
            return token

    def spoil(self, *keys: str) -> None:
        """Note that keys are deleted: what is on its way was made of old data."""
        with self._lock:
            for key in keys:
                flight = self._by_key.pop(key, None)
                if flight is not None:
                    flight.spoil()

    def spoil_all(self) -> None:
        """Note that all keys are deleted."""
        self.spoil(*list(self._by_key))


class _LastKeys:
    """A number of keys, the last that were added, each with something to know of it."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, Any] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def get(self, key: str) -> Any:
        return self._keys.get(key)

    def add(self, key: str, known: Any = None) -> None:
        self._keys[key] = known
        self._keys.move_to_end(key)
        if len(self._keys) > _KEYS_REMEMBERED:
            self._keys.popitem(last=False)

    def discard(self, key: str) -> None:
        self._keys.pop(key, None)
