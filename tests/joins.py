"""A way to wait until callers have missed a key and joined the flight that makes it."""

import threading
from collections.abc import Callable
from typing import Any

_PATIENCE = 30


class Joins:
    """Counts who joins a flight: a caller waits for it then, or leads it.

    Attributes:
        count: How many callers have joined a flight.
    """

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def counting(self, join: Callable[..., Any]) -> Callable[..., Any]:
        """Return what to put in the place of `Flights.join` or `Flights.lead`."""

        def join_and_count(*arguments: Any, **options: Any) -> Any:
            joined = join(*arguments, **options)
            if joined is None:
                # It can't be led by `lead`, so `join` is called next.
                return joined
            with self._changed:
                self.count += 1
                self._changed.notify_all()
            return joined

        return join_and_count

    def wait_for(self, number: int) -> None:
        """Wait until so many callers have joined a flight."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= number, _PATIENCE)
