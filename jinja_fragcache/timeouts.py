"""From what users write as a timeout to whole seconds."""

import math
from datetime import timedelta
from typing import Any

from .errors import TimeoutValueError

NEVER_EXPIRES = 0


def normalize_timeout(timeout: Any) -> int | None:
    """Turn a timeout into whole seconds.

    Args:
        timeout: seconds as int or float, a `timedelta`, or None.

    Returns:
        Seconds, rounded up so that a short timeout never turns into 0; `0` for an entry
        that never expires; None for the cache's default.

    Raises:
        TimeoutValueError: anything else.
    """
    if timeout is None or (timeout.__class__ is int and timeout >= 0):
        seconds_or_none: int | None = timeout
        return seconds_or_none
    seconds = timeout
    if isinstance(timeout, timedelta):
        seconds = timeout.total_seconds()
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 <= seconds < math.inf
    ):
        raise TimeoutValueError(
            f"A timeout can't be {timeout!r} ({type(timeout).__name__}). Write a number"
            " of seconds from 0 (0 = never expires), a timedelta, or None for the"
            " cache's default."
        )
    return math.ceil(seconds)
