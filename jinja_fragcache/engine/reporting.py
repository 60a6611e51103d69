"""Makes the reports that listeners get, from what the engine knows anyway.

Nothing here runs while nobody listens, and nothing decides what is served.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from jinja2.utils import internalcode

from jinja_fragcache.entries.entry import Entry, utf8_length
from jinja_fragcache.entries.freshness import Standing
from jinja_fragcache.entries.values import MISSING, read_entry
from jinja_fragcache.observe.events import About, Outcome, Reason, Report, Why
from jinja_fragcache.observe.listeners import Listeners
from jinja_fragcache.observe.meter import Meter
from jinja_fragcache.operations import Operation
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .context import Context
from .dependencies import OWN_TAG, Dependencies
from .spec import NotStored, Stopped
from .tags import invalidated_at

if TYPE_CHECKING:
    from .entry_spec import EntrySpec


class Looked(Protocol):
    """What a look-up found: see `lookup.Found`."""

    @property
    def value(self) -> Any:
        """The value, or MISSING."""
        ...

    @property
    def standing(self) -> Standing:
        """What may be done with it."""
        ...

    @property
    def stored(self) -> object:
        """What the store returned."""
        ...

    @property
    def versions(self) -> Mapping[str, object]:
        """The present version of each tag that matters."""
        ...

    @property
    def entry(self) -> Entry | None:
        """The entry; None if there is none that may be served."""
        ...

    @property
    def seconds(self) -> float:
        """How long calls of the store took for it."""
        ...


def measured(
    finding: Operation[Sequence[Any]],
) -> Operation[list[Any]]:
    """Run a look-up, and note in what it finds how long the store took.

    Those that were looked up together share the time.
    """
    with Meter() as meter:
        found = yield from finding
    share = meter.seconds / max(len(found), 1)
    return [each._replace(seconds=share) for each in found]


class Draft:
    """What is known so far of a report.

    Its outcome, `not_stored`, `store_seconds`, size, tags and age are the report's.

    Args:
        context: The cache.
        audience: Those who get the report.
        about: What it is about.
        key: The key of the entry, if it has one.
        why: Why it is no hit.

    Attributes:
        expires: When the timeout ends, in seconds since 1970; None if not known.
        error: What the body raised.
        rendered: Whether the body ran.
        waited: Whether another caller's value is served.
        is_over: Whether it is known what is served.
    """

    def __init__(
        self,
        context: Context,
        audience: Listeners,
        about: About,
        key: str | None,
        why: Why | None,
    ) -> None:
        self._context = context
        self._audience = audience
        self.about = about
        self._key = key
        self._why = why
        self.outcome: Outcome = "miss"
        self.not_stored: Why | None = None
        self.rendered = self.waited = self.is_over = False
        self._body_seconds = 0.0
        self.store_seconds = 0.0
        self.size: int | None = None
        self.tags: tuple[str, ...] = ()
        self.age: float | None = None
        self.expires: float | None = None
        self.error: BaseException | None = None

    def observed(
        self, render: Callable[..., Any], *, blocking: bool
    ) -> Callable[..., Any]:
        """Return what renders a body as before, and notes how that went.

        Args:
            render: Renders it.
            blocking: Whether it blocks, or returns an awaitable.
        """
        if blocking:

            @internalcode
            def run(*args: Any, **kwargs: Any) -> Any:
                with self._body():
                    return render(*args, **kwargs)

            return run

        @internalcode
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with self._body():
                return await render(*args, **kwargs)

        return run_async

    @contextmanager
    def _body(self) -> Iterator[None]:
        timer = self._context.timer
        self.rendered = self.is_over = True
        if self.outcome != "uncached":
            self.outcome = "miss"
        started = timer()
        try:
            # What the body does with the store is not this entry's.
            with Meter(), ExitStack() as stack:
                self._audience.enter_bodies(self.about, stack)
                yield
        except Exception as error:
            self.error = error.error if isinstance(error, Stopped) else error
            self.not_stored = Why(Reason.ERROR)
            raise
        finally:
            self._body_seconds += timer() - started

    def served(self, found: Looked) -> None:
        """Note that a stored value is served: an old one, or what others have made."""
        self.is_over = True
        self.waited = self.outcome == "miss" and not self.rendered
        if found.standing.expired:
            self.outcome = "stale"
        elif not self.waited:
            self.outcome = "hit"
        self.describe(found.stored, found.entry)

    def describe(self, stored: object, entry: Entry | None) -> None:
        """Note what is known of an entry."""
        self.size = size_of(stored)
        if entry is None:
            return
        self.tags = _own_left_out(tag for tag, _ in entry.tags)
        if entry.life is not None:
            self.expires = entry.life.expires

    def made(
        self, stored: object, seconds: int | None, tags: Mapping[str, str], end: float
    ) -> None:
        """Note what is to be stored.

        Whoever has stored it takes `not_stored` back. What is deleted while it is made
        is not stored.

        Args:
            stored: The entry.
            seconds: For how long it is stored, 0 for never expires, None for the
                store's default.
            tags: Its tags.
            end: When it expires, in seconds since 1970.
        """
        self.not_stored = Why(Reason.DELETED_MEANWHILE)
        self.size, self.age = size_of(stored), 0.0
        self.tags = _own_left_out(tags)
        self.expires = math.inf if seconds == NEVER_EXPIRES else end

    def refused(self, refusal: NotStored) -> None:
        """Note that what was made must not be stored."""
        self.not_stored = refusal.why or Why(Reason.RULES)

    def kept_out(self, dependencies: Dependencies) -> None:
        """Note that what was made is not stored because of what is nested in it."""
        if dependencies.is_live:
            reason = Reason.NESTED
        else:
            is_outdated = dependencies.is_outdated
            reason = Reason.TAG_MEANWHILE if is_outdated else Reason.STORE
        self.not_stored = Why(reason)

    def made_by_others(self) -> None:
        """Note that what was made is not stored: only a leader may store."""
        self.not_stored = Why(Reason.LOCK)

    def settled(self, *, is_stored: bool, is_spoiled: bool, is_taken: bool) -> None:
        """Note whether what was to be stored is.

        Args:
            is_stored: Whether the store has it.
            is_spoiled: Whether its key was deleted meanwhile.
            is_taken: Whether another process has its lock.
        """
        if is_spoiled:
            self.not_stored = Why(Reason.DELETED_MEANWHILE)
        elif is_stored:
            self.not_stored = None
        else:
            self.not_stored = Why(Reason.LOCK if is_taken else Reason.STORE)

    def send(self) -> None:
        """Tell those who listen."""
        if self.not_stored is not None and self.outcome != "stale":
            self.size = self.age = self.expires = None
        about, expires = self.about, self.expires
        if self._key is not None and expires is not None:
            self._audience.expiries.add(self._key, expires)
        self._audience.report(
            Report(
                about.kind,
                about.name,
                self.outcome,
                self._why,
                self.not_stored,
                self._key,
                about.values,
                about.template,
                about.line,
                rendered=self.rendered,
                waited=self.waited,
                body_seconds=self._body_seconds,
                store_seconds=self.store_seconds,
                size=self.size,
                tags=self.tags,
                age=self.age,
                expires_in=None if expires is None else expires - self._context.clock(),
                error=self.error,
            )
        )

    @internalcode
    def reported(self, operation: Operation[Any]) -> Operation[Any]:
        """Run an operation, and send the report when it has ended."""
        try:
            value = yield from self.measured(operation)
        except Exception:
            self.send()
            raise
        self.send()
        return value

    @internalcode
    def measured(self, operation: Operation[Any]) -> Operation[Any]:
        """Run an operation, and note how long calls of the store take."""
        with Meter() as meter:
            try:
                return (yield from operation)
            finally:
                self.store_seconds += meter.seconds


def start(spec: EntrySpec, found: Looked, context: Context) -> Draft | None:
    """Begin the report of a value that is missing, or old; None if nobody listens."""
    audience = context.recorder.audience
    if audience is None:
        return None
    why = why_missed(spec, found, context)
    draft = Draft(context, audience, spec.about(), spec.key, why)
    if found.standing.served:
        # Until it turns out that it is made again.
        draft.outcome = "stale" if found.standing.expired else "hit"
    draft.store_seconds = found.seconds
    return draft


@internalcode
def reported_together(
    drafts: Sequence[Draft], leading: Operation[None]
) -> Operation[None]:
    """Lead several values, and send the reports of those that have one then.

    Those that another process makes are waited for later.
    """
    try:
        with Meter() as meter:
            yield from leading
    finally:
        for draft in drafts:
            draft.store_seconds += meter.seconds / len(drafts)
            if draft.is_over:
                draft.send()


def draft_uncached(context: Context, about: About, reason: Reason) -> Draft | None:
    """Begin the report of what is made without the store; None if nobody listens."""
    audience = context.recorder.audience
    if audience is None:
        return None
    draft = Draft(context, audience, about, None, Why(reason))
    draft.outcome = "uncached"
    return draft


@internalcode
def report_uncached(
    flow: Callable[..., Operation[Any]],
    draft: Draft,
    context: Context,
    render: Callable[..., Any],
) -> Operation[Any]:
    """Run the flow of what is not cached, and send its report."""
    observed = draft.observed(render, blocking=context.blocking)
    return draft.reported(flow(context, observed))


def report_hit(
    spec: EntrySpec, found: Looked, context: Context, audience: Listeners
) -> Operation[None]:
    """Report a hit."""
    draft = Draft(context, audience, spec.about(), spec.key, None)
    draft.outcome = "hit"
    draft.store_seconds = found.seconds
    draft.describe(found.stored, found.entry)
    if audience.want_expiry and (draft.expires is None):
        with Meter() as meter:
            left = yield from context.store.remaining(spec.key)
        draft.store_seconds += meter.seconds
        if left is not None:
            draft.expires = context.clock() + left
            timeout = context.store.seconds(spec.timeout)
            if timeout and left < math.inf:
                draft.age = max(timeout - left, 0.0)
    elif draft.expires is None:
        draft.expires = audience.expiries.get(spec.key)
    draft.send()


def why_missed(spec: EntrySpec, found: Looked, context: Context) -> Why:
    """Return why a value is no hit, as far as what was found tells."""
    if found.value is not MISSING:
        early = not found.standing.expired
        return Why(Reason.EARLY_REFRESH if early else Reason.TIMEOUT)
    if found.stored is None:
        if not context.store.answers:
            return Why(Reason.STORE)
        audience = context.recorder.audience
        ended = None if audience is None else audience.expiries.get(spec.key)
        is_over = ended is not None and ended <= context.clock()
        return Why(Reason.TIMEOUT if is_over else Reason.NO_ENTRY)
    entry = read_entry(found.stored)
    if entry is None:
        return Why(Reason.UNREADABLE)
    return _why_tags(spec, entry, found, context) or spec.why_not(entry)


def _why_tags(
    spec: EntrySpec, entry: Entry, found: Looked, context: Context
) -> Why | None:
    has = dict(entry.tags)
    for tag in (*spec.tags, *has):
        now = found.versions.get(tag)
        if tag in has and now == has[tag]:
            continue
        shown = "its key" if tag[:1] == OWN_TAG else f'tag "{tag}"'
        if tag not in has:
            return Why(Reason.TAG, f"{shown} is new")
        at = invalidated_at(now) if isinstance(now, str) else 0.0
        if not at:
            return Why(Reason.TAG, f"{shown} has another version")
        seconds = max(context.clock() - at, 0)
        return Why(Reason.TAG, f"{shown} invalidated {seconds:.0f} s ago")
    return None


def size_of(stored: object) -> int | None:
    """Return the bytes of what is stored; None for a number, or for nothing."""
    return utf8_length(stored) if isinstance(stored, str) else None


def _own_left_out(tags: Any) -> tuple[str, ...]:
    return tuple(sorted(tag for tag in tags if tag[:1] != OWN_TAG))
