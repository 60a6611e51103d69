"""A lead: one value that the leader of a flight makes while others wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja2.utils import internalcode

from jinja_fragcache.entries.freshness import NO_GRACE
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import StoreError
from jinja_fragcache.late import LateModule
from jinja_fragcache.operations import Operation
from jinja_fragcache.stores.base import Timed

from . import claims
from .claims import FREE, Claim
from .context import Context
from .dependencies import Dependencies
from .expiry import end, lifetime
from .lookup import Found, note_served
from .singleflight import Flight, Landing, Reach
from .spec import NotStored
from .stale_while_revalidate import serve_stale
from .tags import UNKNOWN_VERSION, known_versions, versions_since

if TYPE_CHECKING:
    from jinja_fragcache.guard.reads import Read

    from . import body_reads
    from .entry_spec import EntrySpec
    from .reporting import Draft
else:
    body_reads = LateModule(".body_reads", __package__)

# Renders a fragment or calls a function, and returns its text or value, or an awaitable
# of it. What it raises passes through.
Render = Callable[..., Any]


class Lead:
    """A value whose flight this caller leads.

    Args:
        flight: The flight.
        spec: What is asked for.
        found: What the caller's look-up found.
        render: Makes the value.
        draft: The report; None if nobody listens.

    Attributes:
        key: The key of the entry.
        there: What the last look-up found, which may be later than `found`.
        claim: What the caller may do with the value.
        claimed_at: When it was claimed, by the timer.
        versions: The version of each tag that the entry must have; None if the store
            failed, so that nothing may be stored.
        made: The entry of the value that was made, and its timeout; None if the value
            is for this caller alone.
        has_tags: Whether `made` has tags.
        reach: Which of the callers that wait may be served `made`, as far as its tags
            tell. Only what is for all may be stored.
        value: The value to serve; MISSING until it is known.
    """

    __slots__ = (
        "_render",
        "claim",
        "claimed_at",
        "draft",
        "flight",
        "found",
        "has_tags",
        "key",
        "made",
        "reach",
        "spec",
        "there",
        "value",
        "versions",
    )

    def __init__(
        self,
        flight: Flight,
        spec: EntrySpec,
        found: Found,
        render: Render,
        draft: Draft | None = None,
    ) -> None:
        self.flight = flight
        self.spec = spec
        self.key = spec.key
        self.found = self.there = found
        self._render = render
        self.draft = draft
        self.claim: Claim = FREE
        self.claimed_at = 0.0
        self.versions: Mapping[str, str] | None = {}
        self.made: Timed | None = None
        self.has_tags = False
        self.reach = Reach.ALL
        self.value: Any = MISSING

    @property
    def is_stored_by_others(self) -> bool:
        """Whether another caller has stored the value since this one looked it up.

        Or before, if the versions of its tags that this one had found near were old.
        """
        there, found = self.there, self.found
        is_fresh = there.standing.served and not there.standing.expired
        return is_fresh and (there.stored != found.stored or not found.standing.served)

    def is_to_make(self, *, leaves_taken: bool) -> bool:
        """Return whether this caller has to make the value."""
        if self.there is not self.found and self.is_stored_by_others:
            return False
        has_stale = self.found.standing.served
        return not (self.claim.is_taken and (leaves_taken or has_stale))

    def knows_versions(self) -> bool:
        """Set `versions` if the last look-up found one of each tag; return whether."""
        versions = known_versions(self.spec.tags, self.there.versions)
        if versions is None:
            return False
        self.versions = versions
        return True

    def longest(self, context: Context) -> int | None:
        """Return for how many seconds the entry is stored at most, None if unknown."""
        seconds = context.store.seconds(self.spec.timeout)
        return seconds + max(self.spec.grace) if seconds else seconds

    @internalcode
    def take(self, context: Context, *, leaves_taken: bool) -> Operation[None]:
        """Use the value that others have made, or make it.

        Args:
            context: The cache.
            leaves_taken: Whether to skip a value that another process is making. If
                there is no old one to serve, `value` stays MISSING then.
        """
        if self.is_to_make(leaves_taken=leaves_taken):
            if self.found.standing.served:
                context.recorder.miss(self.key)
            return self.make(context)
        return self._serve(context)

    def _serve(self, context: Context) -> Operation[None]:
        has_stale = self.found.standing.served
        if self.draft is not None and (has_stale or self.is_stored_by_others):
            self.draft.served(self.there if self.is_stored_by_others else self.found)
        if self.is_stored_by_others:
            self.value = self.there.value
            self.flight.landing = self.there.landing()
            yield from claims.release(context, {self.key: self.claim})
            self.claim = FREE
            yield from note_served(self.spec, self.there, context)
            if has_stale:
                context.recorder.hit(self.key)
            else:
                context.recorder.stats.waited += 1
        elif has_stale:
            self.value = self.found.value
            yield from serve_stale(self.spec, self.found, context)

    @internalcode
    def make(self, context: Context) -> Operation[None]:
        """Make the value, and decide what to store."""
        began = context.clock(), context.timer()
        dependencies = Dependencies()
        try:
            with dependencies:
                guard = self.spec.guard
                if guard is not None:
                    guard.start()
                self.value = yield self._render()
        except Exception as error:
            if not (yield from self._serve_last_good(context, error)):
                raise
            return
        if not self._dump_text(dependencies, context):
            yield from self.conclude(dependencies, context, *began)

    def conclude(
        self,
        dependencies: Dependencies,
        context: Context,
        since: float,
        started: float,
    ) -> Operation[None]:
        """Decide what to store, and tell the body around what this one depends on.

        Args:
            dependencies: What the body depends on.
            context: The cache.
            since: When making it began, in seconds since 1970.
            started: The same, by the timer.
        """
        cost = context.timer() - started
        versions = yield from self._versions_with_parts(dependencies, context, since)
        expires = self._decide_what_to_store(dependencies, versions, cost, context)
        outer = dependencies.parent
        if outer is not None:
            tags: Mapping[str, str | None] | None = versions
            if tags is None:
                tags = {**dict.fromkeys(self.spec.tags), **dependencies.tags}
            reads: Sequence[Read] = ()
            if dependencies.reads:
                reads = body_reads.reads_for_outer(
                    self.spec.guard, dependencies.reads.values()
                )
            outer.include(tags, expires, dependencies.templates, reads)
            if dependencies.is_outdated:
                outer.make_outdated()

    def _versions_with_parts(
        self, dependencies: Dependencies, context: Context, since: float
    ) -> Operation[Mapping[str, str] | None]:
        """Like `_all_versions`, for a body whose parts may have tags or none."""
        if self.versions is None or dependencies.is_outdated:
            return None
        if dependencies.tags:
            return (yield from self._all_versions(dependencies, context, since))
        if self.spec.tags:
            context.tag_hints.note(self.key, ())
        return self.versions

    def _dump_text(self, dependencies: Dependencies, context: Context) -> bool:
        """Set `made` if the entry has only a text and a timeout, as most have.

        For these, `conclude` asks too much.

        Args:
            dependencies: What the body depends on.
            context: The cache.

        Returns:
            Whether it has no more than that.
        """
        spec = self.spec
        if (
            dependencies.has_any
            or dependencies.parent is not None
            or spec.tags
            or spec.grace != NO_GRACE
            or context.changes_entries
            or self.draft is not None
        ):
            return False
        try:
            timeout = spec.timeout_of(self.value)
            self.made = spec.dump(self.value, {}, None, {}, ()), timeout
        except NotStored as reason:
            self.note_refused(reason, context)
            context.flights.note_not_to_store(self.key)
        return True

    def note_refused(self, reason: NotStored, context: Context) -> None:
        """Tell why the value is not stored."""
        if self.draft is not None:
            self.draft.refused(reason)
        if reason.warning is not None:
            context.recorder.warn_once(self.spec.name, reason.warning)

    def _serve_last_good(self, context: Context, error: Exception) -> Operation[bool]:
        """Use an old value in place of an error, and return whether there is one."""
        from .stale_if_error import last_good, says_gone  # noqa: PLC0415 - few fail

        self.flight.turn += 1
        last = yield from last_good(self.spec, self.there, context, error)
        if last is None:
            if self.there.value is not MISSING and says_gone(error):
                # The next failure must not bring it back.
                yield from self.take_back(context)
            return False
        if self.draft is not None:
            self.draft.served(last)
        self.value = last.value
        # If the store failed too, it is the one from before.
        reach = Reach.WHILE_DOWN if last is self.there else Reach.ALL
        self.flight.landing = last.landing(reach, failed=True)
        yield from note_served(self.spec, last, context)
        return True

    def _all_versions(
        self, dependencies: Dependencies, context: Context, since: float
    ) -> Operation[dict[str, str] | None]:
        """Return all tags of the value that was made, each with its version.

        Args:
            dependencies: What the body depends on.
            context: The cache.
            since: The time at which making the value began, in seconds since 1970.

        Returns:
            The versions; None if a tag was invalidated meanwhile, or the store failed.
        """
        named = self.spec.tags
        others = [tag for tag in dependencies.tags if tag not in named]
        context.tag_hints.note(self.key, others)
        before = {**self.there.versions, **(self.versions or {})}
        dependencies.include_versions(
            {tag: _text(before.get(tag)) for tag in (*dependencies.tags, *named)}
        )
        if dependencies.is_outdated:
            return None
        tags = dependencies.tags
        known = {tag: each for tag, each in tags.items() if each is not None}
        late = tags.keys() - known.keys()
        added = yield from versions_since(context, late, since, self.longest(context))
        return None if added is None else known | added

    def _decide_what_to_store(
        self,
        dependencies: Dependencies,
        versions: Mapping[str, str] | None,
        cost: float,
        context: Context,
    ) -> float:
        """Set `made` and `reach`, and return the time at which the value expires."""
        expires: float | None = None
        tags = versions
        if tags is None:
            self.reach = Reach.EARLIER if context.store.answers else Reach.WHILE_DOWN
            names = (*self.spec.tags, *dependencies.tags)
            tags = dict.fromkeys(names, UNKNOWN_VERSION)
        if not dependencies.is_live:
            expires = self._dump(dependencies, tags, cost, context)
        if self.draft is not None and (versions is None or dependencies.is_live):
            self.draft.kept_out(dependencies)
        if self.made is None and versions is not None:
            context.flights.note_not_to_store(self.key)
        if dependencies.parent is None:
            return dependencies.expires
        if expires is None:
            expires = end(context, self.spec.timeout)
        return min(expires, dependencies.expires)

    def _dump(
        self,
        dependencies: Dependencies,
        tags: Mapping[str, str],
        cost: float,
        context: Context,
    ) -> float | None:
        """Set `made`, and return the time at which it expires, if it has that."""
        spec = self.spec
        try:
            life, seconds = lifetime(
                context,
                spec.timeout_of(self.value),
                spec.grace,
                cost,
                until=dependencies.expires,
                told=dependencies.parent is not None,
            )
            reads: tuple[str, ...] = ()
            if dependencies.reads:
                reads = body_reads.reads_for_entry(
                    spec.guard, dependencies.reads.values()
                )
            made = spec.dump(self.value, tags, life, dependencies.templates, reads)
            if context.policy.compression or context.policy.max_entry_size:
                from .packing import pack  # noqa: PLC0415 - few caches need it

                made = pack(context, spec.name, made)
        except NotStored as reason:
            self.note_refused(reason, context)
            return None
        self.made, self.has_tags = (made, seconds), bool(tags)
        expires = life and life.expires
        if self.draft is not None:
            until = end(context, seconds) if expires is None else expires
            self.draft.made(made, seconds, tags, until)
        return expires

    def settle(self, *, is_stored: bool) -> bool:
        """Note whether the value was stored, and what its flight lands with.

        Returns:
            Whether the key was deleted meanwhile, so that the value has to go.
        """
        landing: Landing | None = None
        if self.made is not None:
            reach, claim = self.reach, self.claim
            # Without a call, because each missing row of a list comes here.
            if not is_stored and reach is Reach.ALL:
                if claim.is_taken or claim.token is not None:
                    reach = Reach.EARLIER
                elif not claim.may_store:
                    reach = Reach.WHILE_DOWN
            landing = self.made[0], self.has_tags, False, reach
        has_to_go = self.flight.settle(landing, is_stored=is_stored)
        if self.draft is not None and landing and self.reach is Reach.ALL:
            self.draft.settled(
                is_stored=is_stored,
                is_spoiled=has_to_go,
                is_taken=self.claim.is_taken,
            )
        return has_to_go

    def take_back(self, context: Context) -> Operation[None]:
        """Delete what is stored, because it is out of date."""
        try:
            yield from claims.delete(context, [self.key])
        except StoreError as error:
            # The caller did not ask for the delete, so it could do nothing about it.
            context.store.failed("delete", [self.key], error)


def _text(version: object) -> str | None:
    return version if isinstance(version, str) else None
