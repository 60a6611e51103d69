"""The circuit breaker: a store that fails is skipped for a while.

So a page waits for a store that is down once, and not once for each of its fragments.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jinja_fragcache.forks import free_after_fork
from jinja_fragcache.messages import logger

#: Seconds for which a store is skipped after it failed.
DEFAULT_RETRY_AFTER = 1.0


class Breaker:
    """Decides whether a store may be called.

    It opens when the store fails. While it is open, one call is allowed as a probe
    every `retry_after` seconds. The first call that succeeds closes it.

    Args:
        retry_after: Seconds between two probes.
        timer: A monotonic clock, in seconds.

    Attributes:
        is_closed: Whether all calls are allowed. Read on every hit.
    """

    def __init__(
        self,
        retry_after: float = DEFAULT_RETRY_AFTER,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_closed = True
        self._retry_after = retry_after
        self._timer = timer
        self._next_probe = 0.0
        self._lock = free_after_fork(threading.Lock())

    def allows(self) -> bool:
        """Return whether a call may be made now."""
        if self.is_closed:
            return True
        with self._lock:
            now = self._timer()
            if now < self._next_probe:
                return False
            # Nobody else probes while this call waits for its answer.
            self._next_probe = now + self._retry_after
            return True

    def failed(self) -> None:
        """Open the breaker, because a call failed."""
        with self._lock:
            self._next_probe = self._timer() + self._retry_after
            if self.is_closed:
                self.is_closed = False
                logger.warning(
                    "The store is left alone, except for one call every %g seconds, and"
                    " pages are rendered without it, until it answers again.",
                    self._retry_after,
                )

    def succeeded(self) -> None:
        """Close the breaker, because a call succeeded."""
        if self.is_closed:
            return
        with self._lock:
            if not self.is_closed:
                self.is_closed = True
                logger.warning("The store answers again.")
