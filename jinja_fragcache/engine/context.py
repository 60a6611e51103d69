"""What a miss needs: one plain object, handed through the engine."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jinja_fragcache.access import event_loops
from jinja_fragcache.access.local_store import LocalStore
from jinja_fragcache.access.safe_store import SafeStore
from jinja_fragcache.access.stats import Recorder
from jinja_fragcache.clocks import time_of_day
from jinja_fragcache.messages import logger

from .last_keys import KeyNotes
from .policy import Policy
from .singleflight import Flights
from .tag_hints import TagHints

if TYPE_CHECKING:
    from .background import Background

DEFAULT_POLICY = Policy()


class Context:
    """One cache, as seen by callers that block or by callers on an event loop.

    Args:
        store: The store, for these callers.
        recorder: Counts and announces what happens.
        blocking: Whether these callers block while they wait.
        flights: Who makes which value in this process.
        tag_hints: Which tags entries had.
        policy: The rules of the cache.
        timer: A monotonic clock, in seconds.
        clock: Returns the time, in seconds since 1970.
        chance: Returns a random number from 0 up to 1, without 1.
        key_notes: What is remembered of keys, such as that their values are slow; None
            to begin with nothing.
        verifying: The keys whose hits are being verified, of other such contexts of the
            cache, too.
        background: Where values are made that nobody waits for; None for the threads
            and tasks that all caches share.

    Attributes:
        sleep: Waits for some seconds, or returns an awaitable that does.
        local: The store, if it is in the memory of this process.
        changes_entries: Whether the policy changes timeouts or texts, or limits them.
    """

    __slots__ = (
        "_has_warned",
        "background",
        "blocking",
        "chance",
        "changes_entries",
        "clock",
        "flights",
        "key_notes",
        "local",
        "policy",
        "recorder",
        "sleep",
        "store",
        "tag_hints",
        "timer",
        "verifying",
    )

    def __init__(
        self,
        store: SafeStore,
        recorder: Recorder,
        *,
        blocking: bool,
        flights: Flights,
        tag_hints: TagHints,
        policy: Policy = DEFAULT_POLICY,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time_of_day,
        chance: Callable[[], float] = random.random,
        key_notes: KeyNotes | None = None,
        verifying: set[str] | None = None,
        background: Background | None = None,
    ) -> None:
        self.store = store
        self.recorder = recorder
        self.blocking = blocking
        self.flights = flights
        self.tag_hints = tag_hints
        self.policy = policy
        self.timer = timer
        self.clock = clock
        self.chance = chance
        # It waits without blocking where the event loop must go on.
        self.sleep: Callable[[float], Any] = (
            time.sleep if blocking else event_loops.sleep
        )
        self.key_notes = KeyNotes() if key_notes is None else key_notes
        self.verifying = set() if verifying is None else verifying
        self.background = background
        self.local = store if isinstance(store, LocalStore) else None
        self.changes_entries = bool(
            policy.jitter
            or policy.early_refresh
            or policy.compression
            or policy.max_entry_size
        )
        self._has_warned = False

    def seconds_left(self, deadline: float) -> float:
        """Return for how many seconds the caller may wait for others.

        It is 0 where waiting would stall an event loop. What is waited for may even be
        a task of the same loop, which could then never go on.

        Args:
            deadline: Until when it may wait, by the timer.
        """
        left = max(deadline - self.timer(), 0)
        if not left or not self.blocking or not event_loops.is_shared():
            return left
        self._warn_of_stalls()
        return 0

    def note_blocking(self) -> None:
        """Warn, once, if calls of a store that blocks stall an event loop."""
        if not self._has_warned and event_loops.is_shared():
            self._warn_of_stalls()

    def _warn_of_stalls(self) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        calls = f" Calls of {self.store.name} do that." if self.store.blocks else ""
        logger.warning(
            "Something is rendered on the thread of an event loop, where whatever"
            " blocks stalls all other requests.%s So a fragment that another caller is"
            " rendering is not waited for, but rendered once more. Write the endpoint"
            " with `def` in place of `async def`, and FastAPI and Starlette call it in"
            " a thread. Or make the environment with enable_async=True, and write"
            " `await template.render_async(...)`.",
            calls,
        )
