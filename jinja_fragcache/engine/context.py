"""What a miss needs: one plain object, handed through the engine."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jinja_fragcache.access import event_loops
from jinja_fragcache.access.safe_store import SafeStore
from jinja_fragcache.access.stats import Recorder
from jinja_fragcache.clocks import time_of_day

from .background import BACKGROUND, Background
from .policy import Policy
from .singleflight import Flights
from .tag_hints import TagHints

DEFAULT_POLICY = Policy()


@dataclass(slots=True)
class Context:
    """One cache, as seen by callers that block or by callers on an event loop.

    Attributes:
        store: The store, for these callers.
        recorder: Counts and announces what happens.
        blocking: Whether these callers block while they wait.
        flights: Who makes which value in this process.
        tag_hints: Which tags entries had.
        policy: The rules of the cache.
        timer: A monotonic clock, in seconds.
        clock: Returns the time, in seconds since 1970.
        chance: Returns a random number from 0 up to 1, without 1.
        sleep: Waits for some seconds, or returns an awaitable that does.
        verifying: The keys whose hits are being verified.
        background: Where values are made that nobody waits for.
    """

    store: SafeStore
    recorder: Recorder
    blocking: bool
    flights: Flights
    tag_hints: TagHints
    policy: Policy = DEFAULT_POLICY
    timer: Callable[[], float] = time.monotonic
    clock: Callable[[], float] = time_of_day
    chance: Callable[[], float] = random.random
    sleep: Callable[[float], Any] = time.sleep
    verifying: set[str] = field(default_factory=set)
    background: Background = field(default=BACKGROUND)

    def __post_init__(self) -> None:
        """Wait without blocking where the event loop must go on."""
        if not self.blocking:
            self.sleep = event_loops.sleep
