"""Looks entries up: what the store has, and what may be done with it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.entries.entry import (
    FEW_TAGS,
    TAG_LINES,
    Entry,
    shows_old_tags,
)
from jinja_fragcache.entries.freshness import (
    BY_VALUE,
    GONE,
    KEPT,
    Standing,
    Wanted,
    decoded_text,
    has_current_tags,
    read_name,
)
from jinja_fragcache.entries.values import MISSING, UnreadableError, read_entry
from jinja_fragcache.late import LateModule
from jinja_fragcache.operations import Operation

from .context import Context
from .dependencies import current_dependencies, current_trial
from .expiry import end, is_expired, note_uncached, standing
from .singleflight import Landing, Reach
from .tags import UNKNOWN_VERSION, read_versions

if TYPE_CHECKING:
    from jinja_fragcache.guard import reads as guard_reads
    from jinja_fragcache.observe.listeners import Listeners

    from . import reporting
    from .entry_spec import EntrySpec, Guard
else:
    guard_reads = LateModule("jinja_fragcache.guard.reads")
    reporting = LateModule(".reporting", __package__)


class Found(NamedTuple):
    """What a look-up found.

    Attributes:
        value: The value, or MISSING.
        standing: What may be done with it.
        stored: What the store returned.
        versions: The present version of each tag that the entry must have, or had when
            it was last read or made.
        entry: The entry, None if there is none.
        seconds: How long calls of the store took, if somebody listens.
    """

    value: Any
    standing: Standing
    stored: object
    versions: Mapping[str, object]
    entry: Entry | None = None
    seconds: float = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether it may be served as it is."""
        return self.standing.served and not self.standing.due

    def landing(self, reach: Reach = Reach.ALL, *, failed: bool = False) -> Landing:
        """Return what a flight lands with if others have stored its value.

        Args:
            reach: For whom it is.
            failed: Whether the body raised, so that this is an old value.
        """
        return self.stored, bool(self.versions), failed, reach


#: Makes one of a tuple with all fields. `Found(...)` calls a function of Python's.
found_of: Callable[[tuple[Any, ...]], Found] = partial(tuple.__new__, Found)
#: In place of what the store returns.
NOT_READ: Any = object()
#: Those of no tags.
NO_VERSIONS: Mapping[str, object] = MappingProxyType({})
#: The result of a look-up without an entry and without tags.
NOTHING = Found(MISSING, GONE, None, {})


def look_up(
    specs: "Sequence[EntrySpec]",
    context: Context,
    stored: Sequence[object] | None = None,
    known: Mapping[str, object] = NO_VERSIONS,
    *,
    again: bool = False,
) -> Operation[list[Found]]:
    """Ask the store for values, in one round trip if their tags are known.

    Args:
        specs: What is asked for.
        context: The cache.
        stored: What the store returned for each of them; None if it was not asked yet.
        known: The versions of tags that were read together with that.
        again: Whether to ask the store itself, also for what is kept near, because
            another process may have changed it since the last look.
    """
    versions = dict(known)
    if stored is None:
        keys, tags = keys_and_tags(specs, context)
        if tags:
            stored, versions = yield from read_versions(
                context, keys, tags, again=again
            )
        else:
            read = context.store.read_again if again else context.store.read
            stored = yield from read(keys)
    if stored.count(None) == len(stored):
        return _nothing(specs, versions, context)
    entries = [read_entry(each) for each in stored]
    yield from _read_other_versions(context, entries, versions, again=again)
    return [
        _assess(*each, versions, context)
        for each in zip(specs, stored, entries, strict=True)
    ]


def keys_and_tags(
    specs: "Sequence[EntrySpec]", context: Context
) -> tuple[list[str], list[str]]:
    """Return what a look-up reads: the keys of entries, and tags that these may have.

    Args:
        specs: What is asked for.
        context: The cache.
    """
    keys: list[str] = []
    tags: set[str] = set()
    for each in specs:
        keys.append(each.key)
        tags.update(each.tags)
    hints = context.tag_hints
    if hints.by_key:
        tags.update(tag for key in keys for tag in hints.of(key))
    return keys, list(tags)


def decide_tagged(
    read: Sequence[Any],
    wanted: Wanted,
    tags: Sequence[str],
    stats: Stats,
    clock: Callable[[], float] | None,
) -> str | Found | None:
    """Decide what may be served of a look-up with the tags that a cache tag names.

    The header line of the entry is not decoded if it does not say when the entry
    expires: of one that may be served and has no other tags, each character is known.
    Nor is it if one of these tags was invalidated, and the entry has no others. Only
    while nobody listens and no body is running.

    Args:
        read: What the store has for the entry and, after it, for the version of each
            tag.
        wanted: What the entry must match.
        tags: The tags.
        stats: Where a hit is counted.
        clock: As for `servable_text`.

    Returns:
        The text of a fresh entry; what was found if there is none; None if only `find`
        can tell.
    """
    stored, *versions = read
    if stored is not None:
        if type(stored) is not str or not len(tags) == len(versions) <= FEW_TAGS:
            return None
        for version in versions:
            if type(version) is not str:
                break
        else:
            line = TAG_LINES[wanted.escaped, wanted.version, *tags, *versions]
            text = stored.removeprefix(line)
            # The line names no body.
            if text != stored and wanted.body is None:
                stats.hits += 1
                return text
    known = dict(zip(tags, versions, strict=False))
    if stored is not None:
        if not shows_old_tags(stored, known, wanted.version):
            pairs = tuple(sorted(known.items()))
            decoded = decoded_text(stored, wanted, clock, pairs)
            if decoded is not None:
                stats.hits += 1
            return decoded
        # Another body may have made it, and only `find` tells which.
        if wanted.body is not None:
            return None
    return found_of((MISSING, GONE, stored, known, None, 0.0))


def _nothing(
    specs: "Sequence[EntrySpec]", versions: Mapping[str, object], context: Context
) -> list[Found]:
    """Return what a look-up found that found no entry."""
    # Not by a generator, because each row of a list would cost.
    if not versions and not any([each.tags for each in specs]):  # noqa: C419
        return [NOTHING for _ in specs]
    return [
        Found(MISSING, GONE, None, _versions_of(each, None, versions, context))
        for each in specs
    ]


def _read_other_versions(
    context: Context,
    entries: Sequence[Entry | None],
    versions: dict[str, object],
    *,
    again: bool = False,
) -> Operation[None]:
    """Read the versions of tags that only the entries name."""
    has = {
        tag
        for entry in entries
        if entry is not None and entry.tags
        for tag, _ in entry.tags
    }
    others = sorted(has - versions.keys())
    if others:
        _, read = yield from read_versions(context, [], others, again=again)
        versions |= read


def _assess(
    spec: "EntrySpec",
    stored: object,
    entry: Entry | None,
    versions: Mapping[str, object],
    context: Context,
) -> Found:
    """Decide what may be done with what the store returned.

    Args:
        spec: What is asked for.
        stored: What the store returned.
        entry: The same as an entry, None if it is none.
        versions: The present version of each tag that matters.
        context: The cache.
    """
    mine = _versions_of(spec, entry, versions, context)
    value: Any = MISSING
    if entry is None or has_current_tags(entry, spec.tags, versions):
        try:
            value = spec.load(stored, entry)
        except UnreadableError as error:
            context.store.failed("read", [spec.key], error.reason)
    if value is MISSING or entry is None:
        return Found(MISSING, GONE, stored, mine)
    return Found(value, standing(context, entry.life, spec.grace), stored, mine, entry)


def assess_made(
    spec: "EntrySpec", made: object, context: Context, *, is_newer: bool
) -> Found:
    """Decide what may be done with what another caller has made, without the store.

    Its tags may be of any version.

    Args:
        spec: What is asked for.
        made: The entry.
        context: The cache.
        is_newer: Whether making it began after this caller had asked for it. If not, a
            body around this caller is not stored, either.
    """
    entry = read_entry(made)
    tags = dict(entry.tags) if entry is not None else {}
    dependencies = current_dependencies()
    is_known = is_newer and UNKNOWN_VERSION not in tags.values()
    if dependencies is not None and not is_known:
        dependencies.make_outdated()
    return _assess(spec, made, entry, tags, context)


def _versions_of(
    spec: "EntrySpec",
    entry: Entry | None,
    versions: Mapping[str, object],
    context: Context,
) -> Mapping[str, object]:
    """Return the versions of the tags that an entry must have, or last had."""
    hints = context.tag_hints
    if entry is not None and (entry.tags or hints.by_key):
        others = [tag for tag, _ in entry.tags if tag not in spec.tags]
        hints.note(spec.key, others)
    if not versions and not spec.tags:
        return {}
    tags = (*spec.tags, *hints.of(spec.key))
    return {tag: versions.get(tag) for tag in tags}


def current_entries(
    context: Context, keys: Sequence[str]
) -> Operation[list[Entry | None]]:
    """Return the fresh entries of keys, of fragments and of values alike.

    An entry that is bound to templates counts as fresh even if they were edited.
    """
    # As in `find`.
    again = current_dependencies() is not None
    read = context.store.read_again if again else context.store.read
    stored = yield from read(keys)
    entries = [read_entry(each) for each in stored]
    versions: dict[str, object] = {}
    yield from _read_other_versions(context, entries, versions, again=again)
    return [
        entry
        if entry is not None
        and has_current_tags(entry, (), versions)
        and not is_expired(context, entry.life)
        else None
        for entry in entries
    ]


def find(
    specs: "Sequence[EntrySpec]",
    context: Context,
    stored: Sequence[object] | None = None,
    known: Mapping[str, object] = NO_VERSIONS,
) -> Operation[list[Found]]:
    """Like `look_up`. Fresh values count as served."""
    if current_trial() is not None:
        return [NOTHING for _ in specs]
    audience = context.recorder.audience
    # Perhaps nobody listens any more; or nobody has looked whether somebody does.
    if audience is not None and audience.settle():
        return (yield from _find_told(specs, context, stored, known, audience))
    dependencies = current_dependencies()
    # What is near may have been deleted elsewhere. In a body it would become part of an
    # entry, and be served for as long as that.
    again = dependencies is not None
    found = yield from look_up(specs, context, stored, known, again=again)
    for spec, each in zip(specs, found, strict=True):
        if each is not NOTHING and each.is_fresh:
            context.recorder.stats.hits += 1
            if dependencies is not None:
                yield from note_served(spec, each, context)
    return found


def find_now(
    spec: "EntrySpec",
    context: Context,
    stored: object = NOT_READ,
    known: Mapping[str, object] = NO_VERSIONS,
) -> Found | None:
    """Like `find`, for one value, by plain calls.

    Args:
        spec: What is asked for.
        context: The cache.
        stored: What the store returned for it; NOT_READ if it was not asked yet.
        known: As for `look_up`.

    Returns:
        None if only `find` can do it: somebody listens, a body is running, or more has
        to be read than what a store in the memory of this process has for the key.
    """
    if context.recorder.audience is not None or current_dependencies() is not None:
        return None
    if stored is NOT_READ:
        local = context.local
        if local is None or spec.tags or spec.key in context.tag_hints.by_key:
            return None
        stored = local.read_now(spec.key)
    entry = read_entry(stored)
    if entry is not None:
        for tag, _ in entry.tags:
            if tag not in known:
                return None
    found = _assess(spec, stored, entry, known, context)
    if found.is_fresh:
        context.recorder.stats.hits += 1
    return found


def _find_told(
    specs: "Sequence[EntrySpec]",
    context: Context,
    stored: Sequence[object] | None,
    known: Mapping[str, object],
    audience: "Listeners",
) -> Operation[list[Found]]:
    """Like `find`, and tell those who listen."""
    again = current_dependencies() is not None
    looking = look_up(specs, context, stored, known, again=again)
    found = yield from reporting.measured(looking)
    for spec, each in zip(specs, found, strict=True):
        if each.is_fresh:
            context.recorder.hit(spec.key)
            yield from reporting.report_hit(spec, each, context, audience)
            yield from note_served(spec, each, context)
    return found


def note_served(spec: "EntrySpec", found: Found, context: Context) -> Operation[None]:
    """Add a value that is served to the dependencies of the body that asked for it."""
    dependencies, entry = current_dependencies(), found.entry
    if dependencies is None or entry is None:
        return
    if entry.life is not None:
        expires = entry.life.expires
    else:
        left = yield from context.store.remaining(spec.key)
        if left is None and context.store.tells_remaining:
            # It has just gone, or the store failed.
            left = 0.0
        expires = end(context, spec.timeout) if left is None else context.clock() + left
    reads: list[guard_reads.Read] = []
    if entry.reads:
        reads = [_read_of(each, spec.guard) for each in entry.reads]
        if dependencies.has_places and any(
            each.name not in dependencies.reads for each in reads
        ):
            # Here, because few entries tell what their bodies have read.
            from jinja_fragcache.guard.places import places  # noqa: PLC0415

            where = (*places(), spec.name)
            reads = [each._replace(where=where) for each in reads]
    dependencies.include(dict(entry.tags), expires, dict(entry.templates), reads)


def _read_of(name: str, guard: "Guard | None") -> "guard_reads.Read":
    """Return what a nested entry tells of a read of its body.

    Args:
        name: As in `Entry.reads`.
        guard: The guard of the entry's key.
    """
    if name[:1] == KEPT:
        shown, _, text = name[1:].partition(" ")
        return guard_reads.Read(shown, frozenset({text}), kept=text)
    if name[:1] == BY_VALUE:
        shown = read_name(name)
        return guard_reads.Read(shown, guard.texts_now(shown) if guard else frozenset())
    return guard_reads.Read(
        name, instead=guard.cover().values if guard else frozenset()
    )


def note_unstored(spec: "EntrySpec", context: Context) -> None:
    """Like `note_served`, for a value that was made and not stored."""
    note_uncached(spec.tags, spec.timeout, context)
