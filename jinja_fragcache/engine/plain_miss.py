"""The shortest way of a miss, for most of those in the memory of this process.

There is no older value, nobody listens, and nothing has to be awaited. So the value is
made by plain calls, in place of the operations of `flow`, `leader` and `lead`. The
steps are the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jinja2.utils import internalcode

from jinja_fragcache.access.local_store import LocalStore
from jinja_fragcache.entries.freshness import NO_GRACE
from jinja_fragcache.operations import Done, perform

from .context import Context
from .dependencies import Dependencies
from .expiry import lifetime
from .lead import Lead, Render
from .leader import lead, store_locally
from .lookup import Found
from .singleflight import Flight, Reach
from .spec import NotStored
from .tags import known_versions

if TYPE_CHECKING:
    from .entry_spec import EntrySpec


@internalcode
def make_if_plain(
    spec: EntrySpec, found: Found, context: Context, render: Render, store: LocalStore
) -> Done[Any] | None:
    """Make and store a value, if its miss can take this way.

    Args:
        spec: What is asked for.
        found: What was found.
        context: The cache.
        render: Makes the value.
        store: The store of the cache.

    Returns:
        None if nothing was done, because the miss can't.
    """
    if not context.blocking or found.entry is not None:
        return None
    versions = known_versions(spec.tags, found.versions) if spec.tags else {}
    flight = None if versions is None else context.flights.lead(spec.key)
    if versions is None or flight is None:
        return None
    try:
        if store.read_now(flight.key) != found.stored:
            # Others have stored or deleted it meanwhile.
            mine = Lead(flight, spec, found, render)
            perform(lead([mine], context, deadline=-math.inf))
            return Done(mine.value)
        return Done(_make(flight, spec, found, versions, context, render, store))
    finally:
        context.flights.land(flight)


@internalcode
def _make(
    flight: Flight,
    spec: EntrySpec,
    found: Found,
    versions: Mapping[str, str],
    context: Context,
    render: Render,
    store: LocalStore,
) -> Any:
    began = context.clock(), context.timer()
    dependencies = Dependencies()
    dependencies.begin()
    try:
        if spec.guard is not None:
            spec.guard.start()
        value = render()
    finally:
        dependencies.end()
    if (
        dependencies.has_any
        or dependencies.parent is not None
        or context.changes_entries
    ):
        mine = Lead(flight, spec, found, render)
        mine.value, mine.versions = value, versions
        perform(mine.conclude(dependencies, context, *began))
        perform(store_locally(mine, context, store))
        return value
    if versions and flight.key in context.tag_hints.by_key:
        context.tag_hints.note(flight.key, ())
    try:
        timeout, life = spec.timeout_of(value), None
        if spec.grace != NO_GRACE:
            cost = context.timer() - began[1]
            life, timeout = lifetime(context, timeout, spec.grace, cost)
        stored = spec.dump(value, versions, life, {}, ())
    except NotStored as reason:
        Lead(flight, spec, found, render).note_refused(reason, context)
        context.flights.note_not_to_store(flight.key)
        return value
    # As in `store_locally`, without a call.
    with context.flights.lock:
        flight.turn += 1
        is_stored = not flight.is_spoiled and store.write_now(
            flight.key, stored, timeout
        )
    landing = stored, bool(versions), False, Reach.ALL
    if flight.settle(landing, is_stored=is_stored) and is_stored:
        perform(Lead(flight, spec, found, render).take_back(context))
    return value
