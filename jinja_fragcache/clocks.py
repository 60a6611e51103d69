"""The time of day, by which entries expire. Tests may move it."""

from __future__ import annotations

import time


def time_of_day() -> float:
    """Return the time in seconds since 1970.

    `time.time` is looked up on each call, because freezegun moves the time by replacing
    it. What waits uses `time.monotonic` as it is, so that no wait lasts for ever while
    the time stands still.
    """
    return time.time()
