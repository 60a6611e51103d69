"""A clock that a test moves."""

from jinja_fragcache.clocks import time_of_day

# Read so often, the clock has moved on by one second.
_READS_IN_A_SECOND = 100_000


class Clock:
    """A clock that a test moves. It stands still but for a moment on each reading.

    So an invalidation is later than what was rendered before it.
    """

    def __init__(self) -> None:
        self._now = time_of_day()

    def __call__(self) -> float:
        """Return the time in seconds since 1970."""
        self._now += 1 / _READS_IN_A_SECOND
        return self._now

    def move(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            TypeError: If `seconds` is no number.
            ValueError: If it is negative.
        """
        if not isinstance(seconds, (int, float)):
            raise TypeError(
                f"The clock is moved by a number of seconds, and got {seconds!r}. Write"
                " move(300)."
            )
        if not seconds >= 0:
            raise ValueError(
                f"The clock can't be moved back, and got {seconds!r} seconds."
            )
        self._now += seconds
