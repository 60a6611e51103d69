"""What the one caller does who makes a value, while others wait or are served."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from jinja2.utils import internalcode

from .errors import StoreError, says_gone
from .guard import Claim, Guard
from .once import Flight
from .operations import Operation
from .request import Found, NotKept, Request, last_good, look_up
from .tags import present_versions
from .values import MISSING

T = TypeVar("T")
# Gives a fragment's text or a function's value, or an awaitable of it. What it raises
# passes through.
Render = Callable[[], Any]


class Landing(NamedTuple):
    """What a flight landed with.

    Attributes:
        stored: what is stored.
        versions: the version of each tag.
        failed: whether it was stored before, and the body raised.
    """

    stored: object
    versions: Mapping[str, object]
    failed: bool = False


class _Made(NamedTuple):
    """A value that was made.

    Attributes:
        value: the value.
        stored: what is to be stored, None for nothing.
        tags: the version of each tag.
        timeout: for how many seconds to store it, 0 for ever, None for the store's
            default.
        cost: how many seconds it took.
    """

    value: Any
    stored: str | int | None = None
    tags: Mapping[str, str] = MappingProxyType({})
    timeout: int | None = None
    cost: float = 0.0


class Leader:
    """Leads a flight. All that it does are operations.

    Args:
        flight: the flight.
        request: what is asked for.
        guard: the store.
        render: makes the value.
    """

    def __init__(
        self, flight: Flight, request: Request, guard: Guard, render: Render
    ) -> None:
        self._flight = flight
        self._request = request
        self._key = request.key
        self._guard = guard
        self._render = render
        self._landing: list[Landing] = []

    @internalcode
    def lead(self, found: Found, deadline: float) -> Operation[Any]:
        """Give the value, made by this caller if no other process makes it.

        Args:
            found: what was there when the caller looked for it.
            deadline: up to when it may wait for other processes.
        """
        guard, has_stale = self._guard, found.standing.served
        with guard.flights.led(self._key, self._flight) as self._landing:
            waits = not (has_stale or self._flight.alone)
            pauses = guard.pauses(self._flight, deadline) if waits else iter(())
            claim, there = yield from self._claim(found, pauses)
            if _is_newer(there, found):
                self._landing.append(Landing(there.stored, there.versions))
                yield from guard.release(self._key, claim)
                (guard.count_hit(self._key) if has_stale else guard.count_waited())
                return there.value
            if claim.is_taken and has_stale:
                guard.count_stale_hit(self._key, found.standing)
                return found.value
            if has_stale:
                guard.count_miss(self._key)
            made = yield from self._releasing(self._make(there), claim)
            yield from self._releasing(self._store(made, claim), claim)
            return made.value

    def _claim(
        self, found: Found, pauses: Iterator[float]
    ) -> Operation[tuple[Claim, Found]]:
        """Wait until no other process makes the value, or has made it.

        Args:
            found: what was there before.
            pauses: the seconds to wait each time.

        Returns:
            What may be done with the value, and what is there by now.
        """
        guard = self._guard
        while True:
            claim = yield from guard.claim(self._key)
            there = found
            if guard.has_locks or guard.flights.kept_lately(self._key):
                # It may have been stored after this caller had looked for it.
                self._flight.turn += 1
                look_again = look_up(self._request, guard)
                there = yield from self._releasing(look_again, claim)
            pause = next(pauses, None)
            if not claim.is_taken or pause is None or _is_newer(there, found):
                return claim, there
            yield guard.sleep(pause)

    @internalcode
    def _releasing(self, work: Operation[T], claim: Claim) -> Operation[T]:
        """Carry work out. Where it fails, let others make the value."""
        try:
            return (yield from work)
        except GeneratorExit:
            # Nothing can be awaited any more. The lock ends by itself.
            raise
        except BaseException:
            yield from self._guard.release(self._key, claim)
            raise

    @internalcode
    def _make(self, found: Found) -> Operation[_Made]:
        guard, request = self._guard, self._request
        # Before the value is made: what is invalidated meanwhile is not served then.
        seconds = guard.seconds(request.timeout)
        longest = seconds + max(request.windows) if seconds else seconds
        tags = yield from present_versions(guard, found.versions, longest)
        started = guard.timer()
        try:
            value = yield self._render()
        except Exception as error:
            self._flight.turn += 1
            last = yield from last_good(request, found, guard, error)
            if last is None:
                if found.value is not MISSING and says_gone(error):
                    # The next failure is not to bring it back.
                    yield from self._take_back()
                raise
            self._landing.append(Landing(last.stored, last.versions, failed=True))
            return _Made(last.value)
        cost = guard.timer() - started
        if tags is None:
            return _Made(value)
        try:
            timeout = request.timeout_of(value)
            life, seconds = guard.lifetime(timeout, request.windows, cost)
            stored = request.dump(value, tags, life)
        except NotKept:
            guard.flights.note_not_kept(self._key)
            return _Made(value)
        return _Made(value, stored, tags, seconds, cost)

    def _store(self, made: _Made, claim: Claim) -> Operation[None]:
        guard, key, flight = self._guard, self._key, self._flight
        if made.stored is None or flight.is_spoiled():
            yield from guard.release(key, claim)
            return
        stored = False
        flight.turn += 1
        if claim.may_store:
            stored = yield from guard.write_claimed(
                key, made.stored, made.timeout, claim
            )
        if stored:
            guard.flights.note_kept(key)
        else:
            # The store may have refused the value, and have the lock still.
            yield from guard.release(key, claim)
            # Some stores count from the second that has begun.
            if claim.token is not None and made.cost >= claim.seconds - 1:
                guard.lock_ended(key, made.cost)
        if flight.is_spoiled():
            yield from self._take_back()
        elif stored or not (claim.is_taken or claim.token):
            # Or the store is down, which is no reason for others to make it once more.
            self._landing.append(Landing(made.stored, made.tags))

    def _take_back(self) -> Operation[None]:
        """Delete what is stored, and is not true any more."""
        try:
            yield from self._guard.delete(self._key)
        except StoreError as error:
            # Nobody has asked for it, so nobody could do anything.
            self._guard.failed("delete", self._key, error)


def _is_newer(there: Found, found: Found) -> bool:
    """Tell whether somebody has made the value meanwhile."""
    is_fresh = there.standing.served and not there.standing.expired
    return is_fresh and there.stored != found.stored
