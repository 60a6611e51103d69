"""What happens to a fragment or value that is asked for: the algorithm.

A flow is given a guarded store and a function that renders, and is an operation (see
`operations`): it is the same with plain functions and with coroutines.
"""

from collections.abc import Callable
from typing import Any

from jinja2.utils import internalcode

from .guard import Guard
from .leader import Leader, Render
from .operations import Operation
from .request import Found, Request, assess, last_good, look_up

# How often a caller waits for others before it makes the value itself.
_MOST_WAITS = 2

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


@internalcode
def recall(request: Request, guard: Guard, render: Render) -> Operation[Any]:
    """Serve the value that is stored, or make and store one."""
    found = yield from look_up(request, guard)
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
            leader = Leader(flight, request, guard, render)
            return (yield from leader.lead(found, deadline))
        if has_stale:
            guard.count_stale_hit(request.key, found.standing)
            return found.value
        joined_in = flight.turn
        with guard.flights.awaited(flight, blocking=guard.blocking) as may_wait:
            landed = (yield guard.wait(flight, deadline)) if may_wait else None
        if landed is not None:
            # Another process can't tell the flight that it deletes the value, and what
            # it invalidates may be stored: only who asks the store knows.
            if request.tags or joined_in == flight.turn:
                there = yield from look_up(request, guard)
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
        last = yield from last_good(request, found, guard, error)
        if last is None:
            raise
        return last.value
