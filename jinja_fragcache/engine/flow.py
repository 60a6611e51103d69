"""What happens to a fragment or value that is asked for: the algorithm.

A flow is given a guarded store and a function that renders, and is an operation (see
`operations`): it is the same with plain functions and with coroutines.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jinja2.utils import internalcode

from jinja_fragcache.access.runner import Operation
from jinja_fragcache.access.safe_store import Guard

from .leader import Leader, Render
from .lookup import Found, Request, last_good, look_up, note_served, note_unstored
from .singleflight import Flight

# How often a caller waits for others before it makes the value itself.
_MOST_WAITS = 2

Flow = Callable[[Guard, Render], Operation[Any]]


@internalcode
def remove(key: str, guard: Guard, render: Render) -> Operation[Any]:
    """Delete the entry and render: what the timeout `'del'` asks for.

    Raises:
        StoreError: the store failed.
    """
    yield from guard.delete(key)
    return (yield render())


@internalcode
def bypass(guard: Guard, render: Render) -> Operation[Any]:  # noqa: ARG001 - a flow's form
    """Render and leave the store alone."""
    return (yield render())


@internalcode
def recall(request: Request, guard: Guard, render: Render) -> Operation[Any]:
    """Serve the value that is stored, or make and store one."""
    found = yield from find(request, guard)
    if found.is_fresh:
        return found.value
    return (yield from renew(request, found, guard, render))


def find(
    request: Request, guard: Guard, stored: Sequence[object] | None = None
) -> Operation[Found]:
    """Look for a value, as `look_up`. One that is fresh counts as served."""
    found = yield from look_up(request, guard, stored)
    return (yield from hit(request, guard, found))


def hit(request: Request, guard: Guard, found: Found) -> Operation[Found]:
    """Note that a value is served, if it is fresh."""
    if found.is_fresh:
        guard.count_hit(request.key)
        yield from note_served(request, found, guard)
    return found


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
    return (yield from renew_missed(request, found, guard, render, guard.deadline()))


def hit_stale(request: Request, found: Found, guard: Guard) -> Operation[None]:
    """Note that a value is served while somebody else makes it anew."""
    guard.count_stale_hit(request.key, found.standing)
    yield from note_served(request, found, guard)


def wait_for(
    flight: Flight, joined_in: int, request: Request, guard: Guard, deadline: float
) -> Operation[Found | None]:
    """Wait for the value that another caller makes, and serve it.

    Args:
        flight: the other caller's.
        joined_in: the flight's turn when this caller joined it.
        request: what is asked for.
        guard: the store.
        deadline: up to when to wait.

    Returns:
        What is served; None if there is nothing for this caller.
    """
    with guard.flights.awaited(flight, blocking=guard.blocking) as may_wait:
        landed = (yield guard.wait(flight, deadline)) if may_wait else None
    if landed is None:
        return None
    # Another process can't tell the flight that it deletes the value, and what it
    # invalidates may be stored: only who asks the store knows.
    asks = landed.has_tags or joined_in == flight.turn
    there = yield from look_up(request, guard, None if asks else [landed.stored])
    standing = there.standing
    if not (standing.served or (landed.failed and standing.served_on_error)):
        return None
    guard.count_waited()
    yield from note_served(request, there, guard)
    return there


@internalcode
def renew_missed(
    request: Request, found: Found, guard: Guard, render: Render, deadline: float
) -> Operation[Any]:
    """Do as `renew`, for a miss that was counted.

    Args:
        request: what is asked for.
        found: what is there.
        guard: the store.
        render: makes the value.
        deadline: up to when the caller may wait for others.
    """
    has_stale = found.standing.served
    for _ in range(_MOST_WAITS):
        flight, is_leader = guard.flights.join(request.key, has_stale=has_stale)
        if is_leader:
            leader = Leader(flight, request, guard, render)
            return (yield from leader.lead(found, deadline))
        if has_stale:
            yield from hit_stale(request, found, guard)
            return found.value
        there = yield from wait_for(flight, flight.turn, request, guard, deadline)
        if there is not None:
            return there.value
    # What others made is not for this caller, or they failed, or would wait for it.
    # Only who leads may store.
    try:
        value = yield render()
    except Exception as error:
        last = yield from last_good(request, found, guard, error)
        if last is None:
            raise
        yield from note_served(request, last, guard)
        return last.value
    note_unstored(request, guard)
    return value
