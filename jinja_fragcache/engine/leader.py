"""The leader: the caller that makes values while others wait.

It makes one value (a fragment, a call) or several (the rows of a list) in the same
steps: claim them, look again, make those that no other process makes, and store them
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from jinja2.utils import internalcode

from jinja_fragcache.access.local_store import LocalStore
from jinja_fragcache.operations import Operation
from jinja_fragcache.stores.base import Timed
from jinja_fragcache.timeouts import NEVER_EXPIRES

from . import claims
from .context import Context
from .lead import Lead
from .lookup import NO_VERSIONS, keys_and_tags, look_up
from .singleflight import Reach
from .tags import present_versions, split_versions, with_versions

if TYPE_CHECKING:
    from .entry_spec import EntrySpec


class Step(Protocol):
    """Something that a leader does in order: a `Lead`, or a row that is not cached."""

    def take(self, context: Context, *, leaves_taken: bool) -> Operation[None]:
        """Do it. See `Lead.take`."""
        ...


@internalcode
def lead(
    leads: Sequence[Lead],
    context: Context,
    *,
    deadline: float | None = None,
    steps: Iterable[Step] | None = None,
) -> Operation[None]:
    """Make the values that no other process makes, in order, and store them together.

    If one fails, those before it are stored.

    Args:
        leads: The values. The caller leads their flights.
        context: The cache.
        deadline: Until when to wait for a value that another process makes, by the
            timer. After that, the caller makes the value too, without storing it. None
            skips such values.
        steps: What to do in order, including the leads; None for the leads alone.
    """
    leaves_taken = deadline is None
    try:
        looks_again, has_tags = context.store.has_locks, False
        for each in leads:
            looks_again = looks_again or _may_be_stored(each, context)
            has_tags = has_tags or bool(each.spec.tags)
        if looks_again:
            yield from _claim(leads, context, deadline)
        if has_tags:
            yield from give_versions(leads, context, leaves_taken=leaves_taken)
        for step in leads if steps is None else steps:
            yield from step.take(context, leaves_taken=leaves_taken)
    except GeneratorExit:
        # Nothing can be awaited any more. The locks expire by themselves.
        raise
    except BaseException:
        yield from _store(leads, context)
        raise
    yield from _store(leads, context)


def _may_be_stored(mine: Lead, context: Context) -> bool:
    """Return whether others may have stored the value since it was looked for."""
    if mine.flight.may_be_stored:
        return True
    store = context.local
    return store is not None and store.read_now(mine.key) != mine.found.stored


def _claim(
    leads: Sequence[Lead], context: Context, deadline: float | None
) -> Operation[None]:
    """Claim values, and look again for what others have made meanwhile."""
    pauses: Iterator[float] | None = None
    specs = [each.spec for each in leads]
    while leads:
        for each in leads:
            each.flight.turn += 1
        stored: list[object] | None = None
        versions: Mapping[str, object] = NO_VERSIONS
        if context.store.has_locks:
            stored, versions = yield from _lock_and_read(leads, specs, context)
        there = yield from look_up(specs, context, stored, versions, again=True)
        # If the store failed, what was found before is better than nothing.
        if context.store.answers:
            for each, found in zip(leads, there, strict=True):
                each.there = found
        first = leads[0]
        is_decided = not first.claim.is_taken or first.is_stored_by_others
        if is_decided or deadline is None:
            return
        pauses = pauses or claims.pauses(context, first.flight, deadline)
        pause = next(pauses, None)
        if pause is None:
            return
        yield context.sleep(pause)


def _lock_and_read(
    leads: Sequence[Lead], specs: Sequence[EntrySpec], context: Context
) -> Operation[tuple[list[object] | None, Mapping[str, object]]]:
    """Take the locks of values, and read what there is, if that takes no other trip.

    Returns:
        What the store has for each value, None if it was not read; and the versions of
        tags.
    """
    keys, tags = keys_and_tags(specs, context)
    claimed_at = context.timer()
    claimed, stored = yield from claims.claim(
        context, list(dict.fromkeys(keys)), with_versions(keys, tags)
    )
    for each in leads:
        each.claim, each.claimed_at = claimed[each.key], claimed_at
    return (None, NO_VERSIONS) if stored is None else split_versions(stored, tags)


def give_versions(
    leads: Sequence[Lead], context: Context, *, leaves_taken: bool
) -> Operation[None]:
    """Give a version to all tags of what is about to be made.

    The versions are given before the values are made, so that a value whose tag is
    invalidated meanwhile is not served.
    """
    tagged = [
        each
        for each in leads
        if not each.knows_versions() and each.is_to_make(leaves_taken=leaves_taken)
    ]
    if not tagged:
        return
    asked = {
        tag: each.there.versions.get(tag) for each in tagged for tag in each.spec.tags
    }
    longest = _longest([each.longest(context) for each in tagged])
    versions = yield from present_versions(context, asked, longest)
    for each in tagged:
        each.versions = versions and {tag: versions[tag] for tag in each.spec.tags}


def _longest(seconds: Sequence[int | None]) -> int | None:
    """Return the longest timeout: 0 never expires, None is the store's default."""
    if NEVER_EXPIRES in seconds:
        return NEVER_EXPIRES
    known = [each for each in seconds if each is not None]
    return max(known) if len(known) == len(seconds) else None


def _store(leads: Sequence[Lead], context: Context) -> Operation[None]:
    """Store what was made, release the other claims, and land the flights."""
    made = []
    for each in leads:
        # A value whose key was deleted meanwhile is made of old data.
        if each.made is not None and not each.flight.is_spoiled:
            each.flight.turn += 1
            made.append(each)
    try:
        stored = yield from _write(made, context)
    except GeneratorExit:
        raise
    except BaseException:
        yield from _release(leads, context)
        raise
    if context.store.has_locks:
        yield from _release([each for each in leads if each.key not in stored], context)
    for each in made:
        # If the write failed, it may have been carried out nevertheless.
        if each.settle(is_stored=each.key in stored) and each.reach is Reach.ALL:
            yield from each.take_back(context)


def _write(made: Sequence[Lead], context: Context) -> Operation[list[str]]:
    """Store values, and return the keys of those that were stored."""
    values: dict[str, Timed] = {}
    first: Lead | None = None
    for each in made:
        is_for_all = each.claim.may_store and each.reach is Reach.ALL
        if is_for_all and each.made is not None:
            values[each.key] = each.made
            first = first or each
    if first is None:
        return []
    stored = yield from claims.write(context, values, first.claim)
    if len(stored) < len(values):
        seconds = context.timer() - first.claimed_at
        if first.claim.has_ended(seconds):
            lost = [key for key in values if key not in stored]
            claims.note_ended(context, lost, seconds)
    return stored


def store_locally(mine: Lead, context: Context, store: LocalStore) -> Operation[None]:
    """Store what was made in the memory of this process, if it is to be stored."""
    if mine.made is None:
        return
    flight = mine.flight
    # At one moment: what deletes the key spoils the flight first.
    with context.flights.lock:
        flight.turn += 1
        is_stored = (
            mine.reach is Reach.ALL
            and not flight.is_spoiled
            and store.write_now(mine.key, *mine.made)
        )
    # What writes may delete, too.
    if mine.settle(is_stored=is_stored) and is_stored:
        yield from mine.take_back(context)


def _release(leads: Sequence[Lead], context: Context) -> Operation[None]:
    yield from claims.release(context, {each.key: each.claim for each in leads})
