"""Flows: how a fragment or value is served, or made and stored.

A flow takes a context and a function that renders, and is an operation (see
`jinja_fragcache.operations`). So the same flow serves plain functions and coroutine
functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jinja2.utils import internalcode

from jinja_fragcache.access.local_store import LocalStore
from jinja_fragcache.late import LateModule
from jinja_fragcache.operations import Operation

from . import claims
from .context import Context
from .dependencies import current_dependencies, current_trial
from .lead import Lead, Render
from .leader import give_versions, lead, store_locally
from .lookup import Found, assess_made, find, look_up, note_served, note_unstored
from .plain_miss import make_if_plain
from .singleflight import Flight, Landing, Reach
from .stale_while_revalidate import serve_stale

if TYPE_CHECKING:
    from . import reporting
    from .entry_spec import EntrySpec
else:
    reporting = LateModule(".reporting", __package__)

# How often a caller waits for others before it makes the value without storing it. If
# these are cancelled, that does not count: as many as there are may be cancelled.
_MOST_WAITS = 2

Flow = Callable[[Context, Render], Operation[Any]]


@internalcode
def remove(key: str, context: Context, render: Render) -> Operation[Any]:
    """Delete the entry and render. The timeout `'del'` asks for this.

    Raises:
        StoreError: If the store failed.
    """
    if current_trial() is None:
        from .whole import delete  # noqa: PLC0415 - few tags do

        yield from delete(context, [key])
    return (yield render())


@internalcode
def bypass(context: Context, render: Render) -> Operation[Any]:
    """Render without the store."""
    return (yield render())


@internalcode
def recall(spec: EntrySpec, context: Context, render: Render) -> Operation[Any]:
    """Serve the stored value, or make and store one."""
    made = current_trial()
    if made is not None:
        # Once for each key, because a function that calls itself may rely on that.
        if spec.key not in made:
            made[spec.key] = yield render()
        return made[spec.key]
    (found,) = yield from find([spec], context)
    if not found.is_fresh:
        return (yield from renew(spec, found, context, render))
    if spec.verified_as is not None:
        from .verify import is_chosen, verify  # noqa: PLC0415 - few caches verify

        if is_chosen(spec, context):
            return (yield from verify(spec, found, context, render))
    return found.value


@internalcode
def renew(
    spec: EntrySpec, found: Found, context: Context, render: Render
) -> Operation[Any]:
    """Make and store a value that is missing or not fresh.

    Of several callers, one makes it. The others are served the old value if its grace
    period allows that. Otherwise they wait, and are served what was stored.

    Args:
        spec: What is asked for.
        found: What was found.
        context: The cache.
        render: Makes the value.
    """
    # Without a call for what no body is around.
    if current_dependencies() is not None and current_trial() is not None:
        return bypass(context, render)
    if not found.standing.served:
        context.recorder.miss(spec.key)
    store = context.local
    if store is not None and context.recorder.audience is None:
        made = make_if_plain(spec, found, context, render, store)
        return made or _renew_locally(spec, found, context, render, store)
    return renew_missed(spec, found, context, render, claims.deadline(context))


@internalcode
def _renew_locally(
    spec: EntrySpec, found: Found, context: Context, render: Render, store: LocalStore
) -> Operation[Any]:
    """Like `renew_missed`, in the memory of this process, while nobody listens.

    There is no lock of another process. For what is left, the steps of `renew_missed`
    and `lead` cost too much.
    """
    has_stale = found.standing.served
    flight, is_leader = context.flights.join(spec.key, has_stale=has_stale)
    if not is_leader:
        deadline = claims.deadline(context)
        return (yield from renew_missed(spec, found, context, render, deadline))
    if has_stale and _hand_over(flight, spec, found, context, render):
        yield from serve_stale(spec, found, context)
        return found.value
    mine = Lead(flight, spec, found, render)
    with flight:
        if store.read_now(spec.key) != found.stored:
            # Others have stored or deleted it meanwhile.
            yield from lead([mine], context, deadline=-math.inf)
            return mine.value
        if spec.tags and not mine.knows_versions():
            yield from give_versions([mine], context, leaves_taken=False)
        if has_stale:
            context.recorder.miss(spec.key)
        yield from mine.make(context)
        yield from store_locally(mine, context, store)
    return mine.value


@internalcode
def renew_missed(
    spec: EntrySpec,
    found: Found,
    context: Context,
    render: Render,
    deadline: float,
    last: Flight | None = None,
) -> Operation[Any]:
    """Like `renew`, for a miss that has been counted.

    Args:
        spec: What is asked for.
        found: What was found.
        context: The cache.
        render: Makes the value.
        deadline: Until when the caller may wait for others, by the timer.
        last: The flight that the caller has waited for in vain, if any.
    """
    if context.recorder.audience is None:
        return _renew(spec, found, context, render, deadline, last)
    draft = reporting.start(spec, found, context)
    if draft is None:
        return _renew(spec, found, context, render, deadline, last)
    return draft.reported(_renew(spec, found, context, render, deadline, last, draft))


@internalcode
def _renew(
    spec: EntrySpec,
    found: Found,
    context: Context,
    render: Render,
    deadline: float,
    last: Flight | None,
    draft: reporting.Draft | None = None,
) -> Operation[Any]:
    has_stale = found.standing.served
    # What is made in the background is not reported.
    unreported = render
    if draft is not None:
        render = draft.observed(render, blocking=context.blocking)
    waits = 0
    while waits < _MOST_WAITS:
        flight, is_leader = context.flights.join(spec.key, has_stale=has_stale)
        if is_leader:
            if has_stale and _hand_over(flight, spec, found, context, unreported):
                yield from serve_stale(spec, found, context)
                if draft is not None:
                    draft.served(found)
                return found.value
            if last is not None:
                # What was found before that wait may have been deleted.
                flight.is_doubtful = True
            mine = Lead(flight, spec, found, render, draft)
            yield from _lead(mine, context, deadline)
            return mine.value
        # Another flight than the last time has begun since then.
        is_newer = last is not None and flight is not last
        last, turn = flight, flight.turn
        there = yield from join(
            flight, turn, spec, found, context, deadline, is_newer=is_newer
        )
        if there is not None:
            if draft is not None:
                draft.served(there)
            return there.value
        if not flight.is_abandoned:
            waits += 1
    return (yield from _render_alone(spec, found, context, render, draft))


def _hand_over(
    flight: Flight, spec: EntrySpec, found: Found, context: Context, render: Render
) -> bool:
    from .hand_over import hand_over  # noqa: PLC0415 - few values are stale

    return hand_over(flight, spec, found, context, render)


@internalcode
def _render_alone(
    spec: EntrySpec,
    found: Found,
    context: Context,
    render: Render,
    draft: reporting.Draft | None,
) -> Operation[Any]:
    """Make a value that is not stored: only a leader may store.

    The others made something that is not for this caller, or failed, or would have to
    wait for this caller.
    """
    try:
        value = yield render()
    except Exception as error:
        from .stale_if_error import last_good  # noqa: PLC0415 - few bodies fail

        last = yield from last_good(spec, found, context, error)
        if last is None:
            raise
        if draft is not None:
            draft.served(last)
        yield from note_served(spec, last, context)
        return last.value
    if draft is not None:
        draft.made_by_others()
    note_unstored(spec, context)
    return value


@internalcode
def _lead(mine: Lead, context: Context, deadline: float) -> Operation[None]:
    """Make a value as its leader."""
    flight = mine.flight
    waits = not (mine.found.standing.served or flight.alone)
    with flight:
        until = deadline if waits else -math.inf
        yield from lead([mine], context, deadline=until)


def join(
    flight: Flight,
    turn: int,
    spec: EntrySpec,
    found: Found,
    context: Context,
    deadline: float,
    *,
    is_newer: bool = False,
) -> Operation[Found | None]:
    """Serve the old value, or wait for the one that another caller makes and serve it.

    Args:
        flight: The flight of the other caller.
        turn: The flight's turn when this caller joined it.
        spec: What is asked for.
        found: What was found.
        context: The cache.
        deadline: Until when to wait, by the timer.
        is_newer: Whether the flight began after the caller had asked.

    Returns:
        What is served; None if there is nothing for this caller.
    """
    if found.standing.served:
        yield from serve_stale(spec, found, context)
        return found
    with context.flights.waiting(flight, blocking=context.blocking) as may_wait:
        if not may_wait:
            return None
        wait = flight.wait if context.blocking else flight.wait_async
        landed = yield wait(0 if flight.has_landed else context.seconds_left(deadline))
    if landed is None:
        return None
    there = yield from _there(flight, turn, landed, spec, context, is_newer=is_newer)
    if there is None:
        return None
    context.recorder.stats.waited += 1
    yield from note_served(spec, there, context)
    return there


def _there(
    flight: Flight,
    turn: int,
    landed: Landing,
    spec: EntrySpec,
    context: Context,
    *,
    is_newer: bool,
) -> Operation[Found | None]:
    """Return what a flight has landed with, None if it is not for this caller.

    The arguments are those of `join`, and what it landed with.
    """
    stored, has_tags, failed, reach = landed
    # What a body has made that began after this caller had asked is for it in any case.
    # If the body failed, this is an old value.
    is_newer = is_newer and not failed
    if not is_newer:
        if failed or reach is Reach.ALL:
            # If another process deletes the value or invalidates its tags, the flight
            # does not notice. So the store is asked again.
            asks = has_tags or turn == flight.turn or reach is not Reach.ALL
            read = None if asks else [stored]
            (there,) = yield from look_up([spec], context, read, again=True)
            if _is_good(there, failed=failed):
                return there
        may_be_gone = flight.is_doubtful and (has_tags or failed)
        is_shared = (failed or reach is Reach.WHILE_DOWN) and not may_be_gone
        if context.store.answers or not is_shared:
            return None
    there = assess_made(spec, stored, context, is_newer=is_newer)
    return there if _is_good(there, failed=failed) else None


def _is_good(there: Found, *, failed: bool) -> bool:
    """Return whether something may be served, maybe because a body has failed."""
    return there.standing.served or (failed and there.standing.served_on_error)
