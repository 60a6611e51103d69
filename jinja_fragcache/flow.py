"""What happens to a fragment or value that is asked for: the algorithm.

A flow is given a guarded store and a function that renders, and is an operation (see
`operations`): it is the same with plain functions and with coroutines.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from jinja2.utils import internalcode

from .entry import Entry, encode
from .errors import StoreError
from .freshness import Wanted, servable_text
from .guard import Guard
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

    def load(self, stored: object, tags: dict[str, object]) -> Any:
        """Give the value that is stored, or MISSING if it may not be served.

        Args:
            stored: what the store gave.
            tags: the present version of each tag.

        Raises:
            UnreadableError: it can't be read.
        """
        ...

    def dump(self, value: Any, tags: dict[str, str]) -> tuple[str | int, int | None]:
        """Give what is to be stored for a value, and its timeout.

        Raises:
            NotKept: nothing is to be stored.
        """
        ...


class NotKept(Exception):  # noqa: N818 - it is no error
    """A value is not to be stored."""


class FragmentRequest(NamedTuple):
    """A fragment that is asked for.

    Attributes:
        key: the fragment's key.
        wanted: what an entry must match to be served.
        timeout: seconds, 0 for ever, None for the cache's default.
    """

    key: str
    wanted: Wanted
    timeout: int | None
    tags: tuple[str, ...] = ()

    def load(self, stored: object, tags: dict[str, object]) -> Any:  # noqa: ARG002 - Request's form
        """Do as `Request.load`."""
        text = servable_text(stored, self.wanted)
        return MISSING if text is None else text

    def dump(self, value: Any, tags: dict[str, str]) -> tuple[str, int | None]:  # noqa: ARG002 - the same
        """Do as `Request.dump`."""
        entry = Entry(str(value), self.wanted.escaped, self.wanted.version)
        return encode(entry), self.timeout


@internalcode
def recall(request: Request, guard: Guard, render: Render) -> Operation[Any]:
    """Serve the value that is stored, or make and store one."""
    found = yield from _look_up(request, guard)
    if found.value is not MISSING:
        guard.count_hit(request.key)
        return found.value
    guard.count_miss(request.key)
    return (yield from renew(request, guard, render, found.versions))


@internalcode
def renew(
    request: Request,
    guard: Guard,
    render: Render,
    versions: dict[str, object] | None = None,
) -> Operation[Any]:
    """Make and store a value that is not there: what a miss needs.

    Of several callers one does so. The others wait, and are given what was stored.

    Args:
        request: what is asked for.
        guard: the store.
        render: makes the value.
        versions: of the request's tags, as they were when it was looked for.
    """
    for _ in range(_MOST_WAITS):
        flight, is_leader = guard.flights.join(request.key)
        if is_leader:
            return (yield from _lead(flight, request, guard, render, versions or {}))
        with guard.flights.awaited(flight, blocking=guard.blocking) as may_wait:
            landed = (yield guard.wait(flight)) if may_wait else None
        value = MISSING if landed is None else _load(request, guard, *landed)
        if value is not MISSING:
            guard.count_waited()
            return value
    # What others made is not for this caller, or they failed, or would wait for it.
    # Only who leads may store.
    return (yield render())


@internalcode
def _lead(
    flight: Flight,
    request: Request,
    guard: Guard,
    render: Render,
    versions: dict[str, object],
) -> Operation[Any]:
    key = request.key
    with guard.flights.led(key, flight) as landing:
        if guard.flights.kept_lately(key):
            # That may have been after this caller had looked for it.
            found = yield from _look_up(request, guard)
            if found.value is not MISSING:
                landing.append((found.stored, found.versions))
                guard.count_waited()
                return found.value
            versions = found.versions
        # Before the value is made: what is invalidated meanwhile is not served then.
        tags = yield from present_versions(guard, versions, request.timeout)
        value = yield render()
        if tags is None:
            return value
        try:
            stored, timeout = request.dump(value, tags)
        except NotKept:
            guard.flights.note_not_kept(key)
            return value
        if flight.is_spoiled():
            return value
        if (yield from guard.write(key, stored, timeout)):
            guard.flights.note_kept(key)
        if flight.is_spoiled():
            yield from _take_back(key, guard)
        else:
            landing.append((stored, tags))
        return value


def _take_back(key: str, guard: Guard) -> Operation[None]:
    """Delete what was stored while somebody deleted it."""
    try:
        yield from guard.delete(key)
    except StoreError as error:
        # Who deleted it has been told of theirs; this one is nobody's call.
        guard.failed("delete", key, error)


class _Found(NamedTuple):
    """What a look-up found.

    Attributes:
        value: the value, or MISSING.
        stored: what the store gave.
        versions: the present version of each tag.
    """

    value: Any
    stored: object
    versions: dict[str, object]


def _look_up(request: Request, guard: Guard) -> Operation[_Found]:
    stored, versions = yield from read_versions(guard, request.key, request.tags)
    return _Found(_load(request, guard, stored, versions), stored, versions)


def _load(
    request: Request, guard: Guard, stored: object, versions: dict[str, object]
) -> Any:
    try:
        return request.load(stored, versions)
    except UnreadableError as error:
        guard.failed("read", request.key, error.reason)
        return MISSING
