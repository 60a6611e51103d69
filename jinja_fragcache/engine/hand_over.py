"""Makes stale values again behind the request, so that no caller waits for a body.

The caller that would have to make the value hands its flight over to the background,
and is served the old value as all others are. In the background, there is no request.
So a body that reads anything of it is left to a caller: the entry tells what the body
read the last time, and what it reads in the background stops it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from jinja_fragcache.access.event_loops import running_loop
from jinja_fragcache.access.prefetch import leave_rendering
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import NeedsRequestError
from jinja_fragcache.guard.session_rows import is_without_session
from jinja_fragcache.messages import describe_error, logger
from jinja_fragcache.operations import Operation, perform, perform_async

from .background import BACKGROUND
from .context import Context
from .dependencies import current_dependencies, surroundings_apart
from .lead import Lead, Render
from .leader import lead
from .lookup import Found
from .singleflight import Flight
from .stale_if_error import says_gone

if TYPE_CHECKING:
    from .entry_spec import EntrySpec

# Seconds until a body is tried again in the background that has failed there.
_PAUSE = 1.0
_UNCLEAN = (
    "%r was refreshed behind the request, and then a teardown function of the"
    " application failed. Functions for before_request are not called there."
)


def hand_over(
    flight: Flight, spec: EntrySpec, found: Found, context: Context, render: Render
) -> bool:
    """Let a stale value be made in the background, and return whether it will be.

    Args:
        flight: The flight that the caller would have to lead.
        spec: What is asked for.
        found: What was found, which may be served.
        context: The cache.
        render: Makes the value.
    """
    entry, notes, blocking = found.entry, context.key_notes, context.blocking
    if entry is None or entry.reads or current_dependencies() is not None:
        return False
    apart = _apart(spec, context, render)
    if apart is None or notes.is_for_callers(spec.key):
        return False
    if context.timer() < notes.failed_at(spec.key) + _PAUSE:
        with flight:
            return True
    surroundings = surroundings_apart(blocking=blocking)
    if surroundings is None:
        return False
    spec_apart, render_apart = apart
    # What is in the store is looked at again, since it may be deleted until then.
    flight.may_be_stored = flight.is_queued = True
    work = _Work(flight, spec_apart, found, context, render_apart, surroundings)
    pool = (context.background or BACKGROUND).value
    if blocking:
        run = copy_context().run
        is_taken = pool.submit(lambda: run(work.run))
    else:
        flight.loop = running_loop()
        is_taken = pool.start_task(work.run_async)
    if not is_taken:
        flight.is_queued, flight.loop = False, None
    return is_taken


def _apart(
    spec: EntrySpec, context: Context, render: Render
) -> tuple[EntrySpec, Render] | None:
    default = context.policy.background
    try:
        return spec.apart(render, default=default, blocking=context.blocking)
    except Exception as error:  # noqa: BLE001 - it looks at values of the user's
        context.recorder.warn_once(
            (spec.name, "apart"),
            f"{spec.name}: a caller renders it, as it can't be rendered behind the"
            f" request: {describe_error(error)}",
        )
        return None


class _LeadApart(Lead):
    """A value that is made in the background, if its old entry is still there."""

    def is_to_make(self, *, leaves_taken: bool) -> bool:
        """Like `Lead.is_to_make`. What the body was given is older than a delete."""
        there, found = self.there, self.found
        is_read_again = there is not found and there.value is not MISSING
        is_same = is_read_again and there.stored == found.stored
        return is_same and not self.claim.is_taken

    def _serve(self, context: Context) -> Operation[None]:
        if self.is_stored_by_others:
            self.flight.landing = self.there.landing()
        yield from ()

    def _serve_last_good(self, context: Context, error: Exception) -> Operation[bool]:
        if says_gone(error):
            yield from self.take_back(context)
        return False


class _Work:
    """What is done in the background for one value."""

    def __init__(
        self,
        flight: Flight,
        spec: EntrySpec,
        found: Found,
        context: Context,
        render: Render,
        surroundings: list[Callable[[], Any]],
    ) -> None:
        self._flight = flight
        self._context = context
        self._surroundings = surroundings
        make = self._make if context.blocking else self._make_async
        self._render = render
        self._lead = _LeadApart(flight, spec, found, make)

    def run(self) -> None:
        """Make the value and store it."""
        with self._begun() as is_begun:
            if is_begun:
                perform(lead([self._lead], self._context))

    async def run_async(self) -> None:
        """Like `run`, in a task."""
        with self._begun() as is_begun:
            if is_begun:
                await perform_async(lead([self._lead], self._context))

    @contextmanager
    def _begun(self) -> Iterator[bool]:
        """Begin, if nobody has deleted the entry meanwhile; note what goes wrong."""
        leave_rendering()
        with self._flight:
            if not self._context.flights.begin_queued(self._flight):
                yield False
                return
            is_done = False
            try:
                with ExitStack() as stack:
                    for each in self._surroundings:
                        stack.enter_context(each())
                    yield True
                    is_done = True
            except Exception as error:  # noqa: BLE001 - nobody waits for it
                if is_done:
                    logger.error(_UNCLEAN, self._lead.key, exc_info=error)
                else:
                    self._note(error)

    def _make(self) -> Any:
        with _refusing_reads():
            return self._render()

    async def _make_async(self) -> Any:
        with _refusing_reads():
            return await self._render()

    def _note(self, error: Exception) -> None:
        key, context = self._lead.key, self._context
        if isinstance(error, NeedsRequestError) or is_without_session(error):
            context.key_notes.note_for_callers(key)
            return
        context.key_notes.note_failed(key, context.timer())
        if not says_gone(error):
            context.recorder.refresh_failed(key, error)


@contextmanager
def _refusing_reads() -> Iterator[None]:
    """Render a body in the `with` block, and stop it like `_refuse_reads`."""
    try:
        yield
    except Exception as error:
        _refuse_reads(error)
        raise
    _refuse_reads()


def _refuse_reads(error: Exception | None = None) -> None:
    """Stop a body that has read anything of the request.

    Raises:
        NeedsRequestError: If it has.
    """
    dependencies = current_dependencies()
    if dependencies is not None and dependencies.reads:
        raise NeedsRequestError from error
