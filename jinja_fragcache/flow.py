"""What happens to a fragment or value that is asked for: the algorithm.

A flow is given a guarded store and a function that renders, and is an operation (see
`operations`): it is the same with plain functions and with coroutines.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from jinja2.utils import internalcode

from .entry import Entry, Life, encode
from .errors import StoreError, is_answer
from .freshness import GONE, Standing, Wanted, Windows, matching_entry
from .guard import Claim, Guard
from .once import Flight
from .operations import Operation
from .tags import present_versions, read_versions
from .values import MISSING, UnreadableError

# How often a caller waits for others before it makes the value itself.
_MOST_WAITS = 2

# Gives a fragment's text or a function's value, or an awaitable of it. What it raises
# passes through a flow.
Render = Callable[[], Any]
Flow = Callable[[Guard, Render], Operation[Any]]


@internalcode
def remove(key: str, guard: Guard, render: Render) -> Operation[str]:
    """Delete the entry and render: what the timeout `'del'` asks for.

    Raises:
        StoreError: the store failed.
    """
    yield from guard.delete(key)
    return str((yield render()))


@internalcode
def bypass(guard: Guard, render: Render) -> Operation[Any]:  # noqa: ARG001 - a flow's form
    """Render and leave the store alone."""
    return (yield render())


class Request(Protocol):
    """A value that is asked for, and the rules of whoever caches it."""

    @property
    def key(self) -> str:
        """The key of its entry."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """The tags of its entry."""
        ...

    @property
    def timeout(self) -> int | None:
        """Its timeout: seconds, 0 for ever, None for the default."""
        ...

    @property
    def windows(self) -> Windows:
        """What may be done with its entry past its timeout."""
        ...

    def load(
        self, stored: object, tags: Mapping[str, object]
    ) -> tuple[Any, Life | None] | None:
        """Give the value that is stored, and how long it is fresh.

        Args:
            stored: what the store gave.
            tags: the present version of each tag.

        Returns:
            None if it may not be served, fresh or not.

        Raises:
            UnreadableError: it can't be read.
        """
        ...

    def timeout_of(self, value: Any) -> int | None:
        """Give the timeout of a value that was made.

        Raises:
            NotKept: nothing is to be stored.
        """
        ...

    def dump(self, value: Any, tags: Mapping[str, str], life: Life | None) -> str | int:
        """Give what is to be stored for a value.

        Raises:
            NotKept: nothing is to be stored.
        """
        ...


class Stopped(Exception):  # noqa: N818 - what it stands for is no error
    """A body's StopIteration on its way out of a flow, a generator, which changes it.

    Args:
        error: the StopIteration.
    """

    def __init__(self, error: StopIteration) -> None:
        self.error = error


class NotKept(Exception):  # noqa: N818 - it is no error
    """A value is not to be stored."""


class FragmentRequest(NamedTuple):
    """A fragment that is asked for.

    Attributes:
        key: the fragment's key.
        wanted: what an entry must match to be served.
        timeout: seconds, 0 for ever, None for the cache's default.
        windows: what may be done with an entry past its timeout.
    """

    key: str
    wanted: Wanted
    timeout: int | None
    windows: Windows = Windows()
    tags: tuple[str, ...] = ()

    def load(
        self,
        stored: object,
        tags: Mapping[str, object],  # noqa: ARG002 - Request's form
    ) -> tuple[str, Life | None] | None:
        """Do as `Request.load`."""
        if stored is not None and not isinstance(stored, str):
            if inspect.iscoroutine(stored):
                stored.close()
            raise UnreadableError(TypeError(f"it gave {stored!r:.100}, no text"))
        entry = matching_entry(stored, self.wanted)
        return None if entry is None else (entry.text, entry.life)

    def timeout_of(self, value: Any) -> int | None:  # noqa: ARG002 - the same
        """Do as `Request.timeout_of`."""
        return self.timeout

    def dump(self, value: Any, tags: Mapping[str, str], life: Life | None) -> str:  # noqa: ARG002 - the same
        """Do as `Request.dump`."""
        wanted = self.wanted
        return encode(Entry(str(value), wanted.escaped, wanted.version, life=life))


class Found(NamedTuple):
    """What a look-up found.

    Attributes:
        value: the value, or MISSING.
        standing: what may be done with it.
        stored: what the store gave.
        versions: the present version of each tag.
    """

    value: Any
    standing: Standing
    stored: object
    versions: Mapping[str, object]

    @property
    def is_fresh(self) -> bool:
        """Whether it may be served as it is."""
        return self.standing.served and not self.standing.due


class _Landing(NamedTuple):
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


@internalcode
def recall(request: Request, guard: Guard, render: Render) -> Operation[Any]:
    """Serve the value that is stored, or make and store one."""
    found = yield from _look_up(request, guard)
    if found.is_fresh:
        guard.count_hit(request.key)
        return found.value
    return (yield from renew(request, found, guard, render))


@internalcode
def renew(
    request: Request, found: Found, guard: Guard, render: Render
) -> Operation[Any]:
    """Make and store a value that is not there, or not fresh: what a miss needs.

    Of several callers one does so. The others are served what is there, if they may be.
    Else they wait, and are given what was stored.

    Args:
        request: what is asked for.
        found: what is there.
        guard: the store.
        render: makes the value.
    """
    has_stale = found.standing.served
    if not has_stale:
        guard.count_miss(request.key)
    deadline = guard.deadline()
    for _ in range(_MOST_WAITS):
        flight, is_leader = guard.flights.join(request.key, has_stale=has_stale)
        if is_leader:
            return (yield from _lead(flight, request, found, guard, render, deadline))
        if has_stale:
            return _serve_stale(request, found, guard)
        joined_in = flight.turn
        with guard.flights.awaited(flight, blocking=guard.blocking) as may_wait:
            landed = (yield guard.wait(flight, deadline)) if may_wait else None
        if landed is not None:
            # Another process can't tell the flight that it deletes the value, and what
            # it invalidates may be stored: only who asks the store knows.
            if request.tags or joined_in == flight.turn:
                there = yield from _look_up(request, guard)
            else:
                there = assess(request, guard, landed.stored, landed.versions)
            if there.standing.served or (
                landed.failed and there.standing.served_on_error
            ):
                guard.count_waited()
                return there.value
    # What others made is not for this caller, or they failed, or would wait for it.
    # Only who leads may store.
    try:
        return (yield render())
    except Exception as error:
        last = yield from _last_good(request, found, guard, error)
        if last is None:
            raise
        return last.value


@internalcode
def _lead(  # noqa: PLR0913, PLR0917 - all that renew has come to know
    flight: Flight,
    request: Request,
    found: Found,
    guard: Guard,
    render: Render,
    deadline: float,
) -> Operation[Any]:
    key, has_stale = request.key, found.standing.served
    with guard.flights.led(key, flight) as landing:
        waits = not (has_stale or flight.alone)
        pauses = guard.pauses(flight, deadline) if waits else iter(())
        claim, there = yield from _claim(request, found, guard, flight, pauses)
        try:
            if _is_newer(there, found):
                landing.append(_Landing(there.stored, there.versions))
                yield from guard.release(key, claim)
                (guard.count_hit(key) if has_stale else guard.count_waited())
                return there.value
            if claim.is_taken and has_stale:
                return _serve_stale(request, found, guard)
            if has_stale:
                guard.count_miss(key)
            made = yield from _make(request, there, guard, render, flight, landing)
            yield from _store(request, made, guard, flight, claim, landing)
        except GeneratorExit:
            # Nothing can be awaited any more. The lock ends by itself.
            raise
        except BaseException:
            yield from guard.release(key, claim)
            raise
        return made.value


def _claim(
    request: Request,
    found: Found,
    guard: Guard,
    flight: Flight,
    pauses: Iterator[float],
) -> Operation[tuple[Claim, Found]]:
    """Wait until no other process makes the value, or has made it.

    Args:
        request: what is asked for.
        found: what was there before.
        guard: the store.
        flight: the caller's.
        pauses: the seconds to wait each time.

    Returns:
        What may be done with the value, and what is there by now.
    """
    while True:
        claim = yield from guard.claim(request.key)
        if guard.has_locks or guard.flights.kept_lately(request.key):
            # It may have been stored after this caller had looked for it.
            flight.turn += 1
            there = yield from _look_up(request, guard)
        else:
            there = found
        pause = next(pauses, None)
        if not claim.is_taken or pause is None or _is_newer(there, found):
            return claim, there
        yield guard.sleep(pause)


def _is_newer(there: Found, found: Found) -> bool:
    """Tell whether somebody has made the value meanwhile."""
    is_fresh = there.standing.served and not there.standing.expired
    return is_fresh and there.stored != found.stored


@internalcode
def _make(  # noqa: PLR0913, PLR0917 - what to make, and what others are given of it
    request: Request,
    found: Found,
    guard: Guard,
    render: Render,
    flight: Flight,
    landing: list[Any],
) -> Operation[_Made]:
    # Before the value is made: what is invalidated meanwhile is not served then.
    seconds = guard.seconds(request.timeout)
    longest = seconds + max(request.windows) if seconds else seconds
    tags = yield from present_versions(guard, found.versions, longest)
    started = guard.timer()
    try:
        value = yield render()
    except Exception as error:
        flight.turn += 1
        last = yield from _last_good(request, found, guard, error)
        if last is None:
            raise
        landing.append(_Landing(last.stored, last.versions, failed=True))
        return _Made(last.value)
    cost = guard.timer() - started
    if tags is None:
        return _Made(value)
    try:
        timeout = request.timeout_of(value)
        life, seconds = guard.lifetime(timeout, request.windows, cost)
        stored = request.dump(value, tags, life)
    except NotKept:
        guard.flights.note_not_kept(request.key)
        return _Made(value)
    return _Made(value, stored, tags, seconds, cost)


def _last_good(
    request: Request, found: Found, guard: Guard, error: Exception
) -> Operation[Found | None]:
    """Give what is served in place of an error; None if the error is to pass.

    Args:
        request: what is asked for.
        found: what was there before.
        guard: the store.
        error: what the body raised.
    """
    if not found.standing.served_on_error or is_answer(error):
        return None
    # It may have been deleted meanwhile, in any process.
    last = yield from _look_up(request, guard)
    if not last.standing.served_on_error:
        return None
    guard.body_failed(request.key, error.error if isinstance(error, Stopped) else error)
    if last.standing.expired:
        guard.count_stale()
    return last


def _store(  # noqa: PLR0913, PLR0917 - what was made, and all that bears on storing it
    request: Request,
    made: _Made,
    guard: Guard,
    flight: Flight,
    claim: Claim,
    landing: list[Any],
) -> Operation[None]:
    key = request.key
    if made.stored is None or flight.is_spoiled():
        yield from guard.release(key, claim)
        return
    stored = False
    flight.turn += 1
    if claim.may_store:
        stored = yield from guard.write_claimed(key, made.stored, made.timeout, claim)
    if stored:
        guard.flights.note_kept(key)
    else:
        # The store may have refused the value, and have the lock still.
        yield from guard.release(key, claim)
        if claim.token is not None and made.cost >= claim.seconds:
            guard.lock_ended(key, made.cost)
    if flight.is_spoiled():
        yield from _take_back(key, guard)
    elif stored or not (claim.is_taken or claim.token):
        # Or the store is down, which is no reason for others to make it once more.
        landing.append(_Landing(made.stored, made.tags))


def _take_back(key: str, guard: Guard) -> Operation[None]:
    """Delete what was stored while somebody deleted it."""
    try:
        yield from guard.delete(key)
    except StoreError as error:
        # Who deleted it has been told of theirs; this one is nobody's call.
        guard.failed("delete", key, error)


def _serve_stale(request: Request, found: Found, guard: Guard) -> Any:
    """Give what is there while somebody else makes it anew."""
    guard.count_hit(request.key)
    if found.standing.expired:
        guard.count_stale()
    return found.value


def _look_up(request: Request, guard: Guard) -> Operation[Found]:
    stored, versions = yield from read_versions(guard, request.key, request.tags)
    return assess(request, guard, stored, versions)


def assess(
    request: Request, guard: Guard, stored: object, versions: Mapping[str, object]
) -> Found:
    """Tell what may be done with what a store gave.

    Args:
        request: what is asked for.
        guard: the store.
        stored: what it gave.
        versions: the present version of each tag.
    """
    try:
        loaded = request.load(stored, versions)
    except UnreadableError as error:
        guard.failed("read", request.key, error.reason)
        loaded = None
    if loaded is None:
        return Found(MISSING, GONE, stored, versions)
    value, life = loaded
    return Found(value, guard.standing(life, request.windows), stored, versions)
