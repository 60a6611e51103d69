"""From what users write as a timeout to whole seconds."""

import math
from datetime import timedelta
from typing import Any

from .errors import TimeoutValueError
from .messages import describe

NEVER_EXPIRES = 0
#: The longest timeout in seconds, about 68 years: what stores keep in 32 bits.
LONGEST = 2**31 - 1


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
    if timeout is None:
        return None
    if type(timeout) is int and 0 <= timeout <= LONGEST:
        # On the path of every hit with key values.
        return timeout
    seconds = timeout
    if isinstance(timeout, timedelta):
        seconds = timeout.total_seconds()
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 <= seconds <= LONGEST
    ):
        raise TimeoutValueError(
            f"A timeout can't be {describe(timeout)}. Write a number of seconds from 0"
            f" (never expires) to {LONGEST}, a timedelta, or None for the cache's"
            " default."
        )
    return math.ceil(seconds)
