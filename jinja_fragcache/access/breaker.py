"""A store that fails is left alone for a while, so that a page waits for it once."""

import threading
import time
from collections.abc import Callable

from jinja_fragcache.messages import logger

#: Seconds that a store is left alone after it failed.
DEFAULT_RETRY_AFTER = 1.0


class Breaker:
    """Tells whether a store may be called (a circuit breaker).

    It opens when the store fails, and then lets one call through in each `retry_after`
    seconds, as a probe. The first call that succeeds closes it.

    Args:
        retry_after: seconds.
        timer: a clock in seconds that never goes back.

    Attributes:
        is_closed: whether all calls are let through, which is asked on every hit.
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
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Tell whether a call may be made now."""
        if self.is_closed:
            return True
        with self._lock:
            now = self._timer()
            if now < self._next_probe:
                return False
            # Nobody else tries while this one waits for the answer.
            self._next_probe = now + self._retry_after
            return True

    def failed(self) -> None:
        """Note that the store failed."""
        with self._lock:
            self._next_probe = self._timer() + self._retry_after
            if self.is_closed:
                self.is_closed = False
                logger.warning(
                    "The store is left alone, but for one call every %g seconds, until"
                    " it answers again.",
                    self._retry_after,
                )

    def succeeded(self) -> None:
        """Note that the store answered."""
        if self.is_closed:
            return
        with self._lock:
            if not self.is_closed:
                self.is_closed = True
                logger.warning("The store answers again.")
