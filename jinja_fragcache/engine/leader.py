"""What the one caller does who makes a value, while others wait or are served."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from jinja2.utils import internalcode

from jinja_fragcache.access.runner import Operation
from jinja_fragcache.access.safe_store import Claim, Guard
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import StoreError, says_gone

from .dependencies import Recording, current_recording, recorded
from .lookup import Found, NotKept, Request, last_good, look_up, note_served
from .singleflight import Flight
from .tags import present_versions, versions_since

T = TypeVar("T")
# Gives a fragment's text or a function's value, or an awaitable of it; for a list, that
# of the row whose number it is given. What it raises passes through.
Render = Callable[..., Any]


class Landing(NamedTuple):
    """What a flight landed with.

    Attributes:
        stored: what is stored.
        has_tags: whether it has tags, which may be invalidated by others.
        failed: whether it was stored before, and the body raised.
    """

    stored: object
    has_tags: bool
    failed: bool = False


class Made(NamedTuple):
    """A value that was made.

    Attributes:
        value: the value.
        stored: what is to be stored, None for nothing.
        has_tags: whether it has tags.
        timeout: for how many seconds to store it, 0 for ever, None for the store's
            default.
        cost: how many seconds it took.
    """

    value: Any
    stored: str | int | None = None
    has_tags: bool = False
    timeout: int | None = None
    cost: float = 0.0


class Leader:
    """Leads a flight. All that it does are operations.

    Args:
        flight: the flight.
        request: what is asked for.
        guard: the store.
        render: makes the value.

    Attributes:
        flight: the flight.
        request: what is asked for.
        key: its key.
        landing: what the flight lands with is put into it, from when on it is led.
    """

    def __init__(
        self, flight: Flight, request: Request, guard: Guard, render: Render
    ) -> None:
        self.flight = flight
        self.request = request
        self.key = request.key
        self._guard = guard
        self._render = render
        self.landing: list[Landing] = []

    @internalcode
    def lead(self, found: Found, deadline: float) -> Operation[Any]:
        """Give the value, made by this caller if no other process makes it.

        Args:
            found: what was there when the caller looked for it.
            deadline: up to when it may wait for other processes.
        """
        guard = self._guard
        with guard.flights.led(self.key, self.flight) as self.landing:
            waits = not (found.standing.served or self.flight.alone)
            pauses = guard.pauses(self.flight, deadline) if waits else iter(())
            claim, there = yield from self._claim(found, pauses)
            served = yield from self.serve(found, there, claim)
            if served is not None:
                return served.value
            made = yield from self._releasing(self.make(there), claim)
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
            claim = yield from guard.claim(self.key)
            there = found
            if guard.has_locks or guard.flights.kept_lately(self.key):
                # It may have been stored after this caller had looked for it.
                self.flight.turn += 1
                look_again = look_up(self.request, guard)
                there = yield from self._releasing(look_again, claim)
            pause = next(pauses, None)
            if not claim.is_taken or pause is None or _is_newer(there, found):
                return claim, there
            yield guard.sleep(pause)

    def serve(
        self, found: Found, there: Found, claim: Claim
    ) -> Operation[Found | None]:
        """Serve what others have made, or what is stale while they make it.

        Args:
            found: what was there when the caller looked for it.
            there: what is there by now.
            claim: what may be done with a value that is made.

        Returns:
            What is served; None if the value has to be made.
        """
        guard, has_stale = self._guard, found.standing.served
        if _is_newer(there, found):
            self.landing.append(Landing(there.stored, bool(there.versions)))
            yield from guard.release(self.key, claim)
            yield from note_served(self.request, there, guard)
            (guard.count_hit(self.key) if has_stale else guard.count_waited())
            return there
        if claim.is_taken and has_stale:
            guard.count_stale_hit(self.key, found.standing)
            yield from note_served(self.request, found, guard)
            return found
        if has_stale:
            guard.count_miss(self.key)
        return None

    @internalcode
    def _releasing(self, work: Operation[T], claim: Claim) -> Operation[T]:
        """Carry work out. Where it fails, let others make the value."""
        try:
            return (yield from work)
        except GeneratorExit:
            # Nothing can be awaited any more. The lock ends by itself.
            raise
        except BaseException:
            yield from self._guard.release(self.key, claim)
            raise

    @internalcode
    def make(self, found: Found) -> Operation[Made]:
        """Make the value, while the flight is led.

        Args:
            found: what is there of it.
        """
        guard, request = self._guard, self.request
        # Before the value is made: what is invalidated meanwhile is not served then.
        asked = {tag: found.versions.get(tag) for tag in request.tags}
        tags = yield from present_versions(guard, asked, self.longest())
        before = dict(found.versions) | (tags or {})
        since, started = guard.now(), guard.timer()
        try:
            with recorded() as recording:
                value = yield self._render()
        except Exception as error:
            self.flight.turn += 1
            last = yield from last_good(request, found, guard, error)
            if last is None:
                if found.value is not MISSING and says_gone(error):
                    # The next failure is not to bring it back.
                    yield from self._take_back()
                raise
            self.landing.append(Landing(last.stored, bool(last.versions), failed=True))
            yield from note_served(request, last, guard)
            return Made(last.value)
        cost = guard.timer() - started
        if tags is not None:
            tags = yield from self._tags(recording, before, since)
        return self._made(value, recording, tags, cost)

    def longest(self) -> int | None:
        """Give for how long an entry is stored at most, as far as the request tells."""
        seconds = self._guard.seconds(self.request.timeout)
        return seconds + max(self.request.windows) if seconds else seconds

    def _tags(
        self, recording: Recording, before: Mapping[str, object], since: float
    ) -> Operation[dict[str, str] | None]:
        """Give all tags of a value that was made, each with its version.

        Args:
            recording: what it depends on.
            before: the versions that tags had before it was made, as far as known.
            since: the time of day at which it was begun.

        Returns:
            None if one was invalidated meanwhile, or the store failed.
        """
        guard, request = self._guard, self.request
        named = [*recording.tags, *request.tags]
        guard.known_tags.note(
            self.key, [tag for tag in recording.tags if tag not in request.tags]
        )
        recording.include({tag: _text(before.get(tag)) for tag in named})
        if recording.is_outdated:
            return None
        tags = {tag: each for tag, each in recording.tags.items() if each is not None}
        late = recording.tags.keys() - tags.keys()
        added = yield from versions_since(guard, late, since, self.longest())
        return None if added is None else tags | added

    def _made(
        self,
        value: Any,
        recording: Recording,
        tags: Mapping[str, str] | None,
        cost: float,
    ) -> Made:
        """Decide what is stored, and note it in the body that asked for the value."""
        guard, request = self._guard, self.request
        outer = current_recording()
        made, expires = Made(value), guard.end(request.timeout)
        if tags is not None and not recording.is_live:
            try:
                life, seconds = guard.lifetime(
                    request.timeout_of(value),
                    request.windows,
                    cost,
                    until=recording.expires,
                    told=outer is not None,
                )
                stored = request.dump(value, tags, life, recording.templates)
                made = Made(value, stored, bool(tags), seconds, cost)
                expires = life.expires if life else expires
            except NotKept:
                pass
        if made.stored is None and tags is not None:
            guard.flights.note_not_kept(self.key)
        if outer is not None:
            known: Mapping[str, str | None] = recording.tags if tags is None else tags
            expires = min(expires, recording.expires)
            outer.include(known, expires, recording.templates)
        return made

    def _store(self, made: Made, claim: Claim) -> Operation[None]:
        guard, key, flight = self._guard, self.key, self.flight
        if made.stored is None or flight.is_spoiled():
            yield from guard.release(key, claim)
            return
        stored = False
        flight.turn += 1
        if claim.may_store:
            stored = yield from guard.write_claimed(
                key, made.stored, made.timeout, claim
            )
        if not stored:
            # The store may have refused the value, and have the lock still.
            yield from guard.release(key, claim)
            if claim.has_ended(made.cost):
                guard.lock_ended([key], made.cost)
        yield from self.end(made, claim, stored=stored)

    def end(self, made: Made, claim: Claim, *, stored: bool) -> Operation[None]:
        """Let the flight land, after it was tried to store the value.

        Args:
            made: the value.
            claim: what might be done with it, and was given back.
            stored: whether it was stored.
        """
        if stored:
            self._guard.flights.note_kept(self.key)
        if self.flight.is_spoiled():
            yield from self._take_back()
        elif stored or not (claim.is_taken or claim.token):
            # Or the store is down, which is no reason for others to make it once more.
            self.landing.append(Landing(made.stored, made.has_tags))

    def _take_back(self) -> Operation[None]:
        """Delete what is stored, and is not true any more."""
        try:
            yield from self._guard.delete(self.key)
        except StoreError as error:
            # Nobody has asked for it, so nobody could do anything.
            self._guard.failed("delete", self.key, error)


def _is_newer(there: Found, found: Found) -> bool:
    """Tell whether somebody has made the value meanwhile."""
    is_fresh = there.standing.served and not there.standing.expired
    return is_fresh and there.stored != found.stored


def _text(version: object) -> str | None:
    return version if isinstance(version, str) else None
