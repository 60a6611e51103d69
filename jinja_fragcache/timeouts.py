"""Converts what users write as a timeout to whole seconds."""

from __future__ import annotations

import math
from typing import Any

from .errors import TimeoutValueError
from .messages import describe

#: The timeout of an entry that never expires.
NEVER_EXPIRES = 0
#: The longest timeout in seconds, about 68 years. Stores keep timeouts in 32 bits.
LONGEST = 2**31 - 1


def normalize_timeout(timeout: Any) -> int | None:
    """Return a timeout in whole seconds.

    Args:
        timeout: Seconds as int or float, a `timedelta`, or None.

    Returns:
        Seconds, rounded up so that a short timeout never becomes 0, which means that
        the entry never expires. None for None, which means the cache's default.

    Raises:
        TimeoutValueError: If it is anything else, negative or longer than `LONGEST`.
    """
    if timeout is None:
        return None
    if type(timeout) is int and 0 <= timeout <= LONGEST:
        # A fast path: calls of functions and look-ups with options come here.
        return timeout
    seconds = timeout
    if not isinstance(timeout, (int, float)):
        from datetime import timedelta  # noqa: PLC0415 - most are numbers

        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
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
