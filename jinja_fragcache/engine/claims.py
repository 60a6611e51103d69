"""Claims: the right to make and store a value, held by one of all processes.

A claim is a lock in the store. A delete takes the lock away first, and a value is
written only while its lock is held. So what is deleted while it is being made is not
stored.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jinja_fragcache.messages import logger
from jinja_fragcache.operations import Operation
from jinja_fragcache.stores.base import Timed

from .context import Context
from .singleflight import Flight

# Seconds between two checks of what another process does: so short that a page does not
# wait much longer than it has to, and so long that the store is not kept busy.
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25
# So many locks that were left are released by one caller. Each takes a round trip.
_RELEASED_AT_ONCE = 8
# Fraction of `lock_timeout` that a nested render waits for another process.
_NESTED = 0.1


class Claim(NamedTuple):
    """What a caller may do with a value that it is about to make.

    Attributes:
        may_store: Whether it may store the value.
        is_taken: Whether another process is making it.
        token: The token that holds the key's lock; None without a lock.
        seconds: For how many seconds the lock lives.
    """

    may_store: bool
    is_taken: bool = False
    token: str | None = None
    seconds: int = 0

    def has_ended(self, after: float) -> bool:
        """Return whether the lock may have expired after some seconds."""
        # Some stores count from the second that has begun.
        return self.token is not None and after >= self.seconds - 1


#: The claim on a value in a store without locks.
FREE = Claim(may_store=True)


def claim(
    context: Context, keys: Sequence[str], wanted: Sequence[str] = ()
) -> Operation[tuple[dict[str, Claim], list[Any] | None]]:
    """Try to get the right to make and store values. All locks get one token.

    Args:
        context: The cache.
        keys: The keys of the values.
        wanted: What to read after that.

    Returns:
        The claims, by their keys. And what is stored under the wanted keys; None if to
        read it takes another round trip.
    """
    if not context.store.has_locks:
        return dict.fromkeys(keys, FREE), None
    claims: dict[str, Claim] = {}
    stored: list[Any] | None = None
    for key, left in context.key_notes.left_locked(keys).items():
        if not (yield from _unlock(context, [key], left)):
            claims[key] = Claim(may_store=False)
    free = [key for key in keys if key not in claims]
    if free:
        token = os.urandom(16).hex()
        locked, stored = yield from _lock(context, free, token, wanted)
        claims |= locked
    return claims, stored


def _lock(
    context: Context, keys: Sequence[str], token: str, wanted: Sequence[str]
) -> Operation[tuple[dict[str, Claim], list[Any] | None]]:
    # A value that took long to make the last time may do so again.
    slow = 2 * context.key_notes.slow_seconds(keys)
    # The lock ends before those who wait for it give up, so that one of them stores.
    seconds = max(math.ceil(max(context.policy.lock_timeout, slow)), 1)
    try:
        taken, stored = yield from context.store.lock(keys, token, seconds, wanted)
    except GeneratorExit:
        # Nothing can be awaited any more. The locks end by themselves.
        raise
    except BaseException:
        # The caller was cancelled. The locks may have been taken.
        yield from _unlock(context, keys, token)
        raise
    if taken is None:
        # They may have been taken here, too: perhaps only the answer was lost.
        for key in keys:
            context.key_notes.note_left_locked(key, token)
        # While the store fails, nothing tells whether a value was deleted.
        return dict.fromkeys(keys, Claim(may_store=False)), None
    if context.key_notes.locks_left:
        yield from _release_left(context)
    mine = Claim(may_store=True, token=token, seconds=seconds)
    others = Claim(may_store=False, is_taken=True)
    return {key: mine if key in taken else others for key in keys}, stored


def _release_left(context: Context) -> Operation[None]:
    """Release some locks that could not be released before: the store answers again.

    Nobody may ask for their keys here, and other processes wait for them meanwhile.
    """
    for key, token in context.key_notes.left_locked_first(_RELEASED_AT_ONCE).items():
        if not (yield from _unlock(context, [key], token)):
            return


def release(context: Context, claims: Mapping[str, Claim]) -> Operation[None]:
    """Release the locks of claims, so that other processes can make the values."""
    by_token: dict[str, list[str]] = {}
    for key, each in claims.items():
        if each.token is not None:
            by_token.setdefault(each.token, []).append(key)
    for token, keys in by_token.items():
        yield from _unlock(context, keys, token)


def _unlock(context: Context, keys: Sequence[str], token: str) -> Operation[bool]:
    released = False
    try:
        released = yield from context.store.unlock(keys, token)
    finally:
        # If it failed, the next caller that claims the key releases the lock first, and
        # does not wait for it. So does the next one that claims any key, if it can. In
        # a scope of trio or anyio that was cancelled, nothing can be awaited any more.
        for key in keys:
            context.key_notes.note_left_locked(key, None if released else token)
    return released


def write(
    context: Context, values: Mapping[str, Timed], claim: Claim
) -> Operation[list[str]]:
    """Store values that were not deleted since they were claimed, and end the claims.

    Args:
        context: The cache.
        values: For each key its value and its timeout in seconds, 0 for never expires,
            None for the default.
        claim: The claim of one of them. All were claimed at once.

    Returns:
        The keys of the values that were stored.
    """
    if claim.token is None:
        return context.store.write(values)
    return context.store.write_locked(values, claim.token)


def delete(context: Context, keys: Sequence[str]) -> Operation[bool]:
    """Delete entries, and end all claims on them.

    Returns:
        Whether there were some, as far as the store knows.

    Raises:
        StoreError: If the store failed. The entries may still be served.
    """
    context.flights.spoil(*keys)
    return context.store.delete(keys)


def clear(context: Context) -> Operation[None]:
    """Delete everything in the store, and end all claims.

    Raises:
        StoreError: If the store failed, or has no `clear()`.
    """
    context.flights.spoil_all()
    yield from context.store.clear()


def deadline(context: Context) -> float:
    """Return the time, by the timer, until which a caller may wait from now on."""
    return context.timer() + context.policy.lock_timeout


def pauses(context: Context, flight: Flight, deadline: float) -> Iterator[float]:
    """Iterate over the seconds to wait between checks of what another process does.

    Args:
        context: The cache.
        flight: The caller's flight.
        deadline: Until when the caller may wait, by the timer.
    """
    started = context.timer()
    left = context.seconds_left(deadline)
    if flight.parent is not None:
        # The other process may wait for what is being made here.
        left *= _NESTED
    end = started + left
    pause = _FIRST_PAUSE
    while left > 0:
        yield min(pause, left)
        # The checks take time, too.
        left = min(left - pause, end - context.timer())
        pause = min(2 * pause, _LONGEST_PAUSE)


def note_ended(context: Context, keys: Sequence[str], seconds: float) -> None:
    """Log that values were not stored because their locks expired first.

    Their next locks live longer.

    Args:
        context: The cache.
        keys: The keys of the values.
        seconds: How long it took to make all of them.
    """
    for key in keys:
        context.key_notes.note_slow(key, seconds)
    others = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    logger.warning(
        "%r%s took %.1f seconds to make. Its lock had ended before, so whether it was"
        " deleted meanwhile is not known, and it is not stored. Its next lock is"
        " longer. To store the first one too, set lock_timeout (CACHE_LOCK_TIMEOUT) to"
        " more than that.",
        keys[0],
        others,
        seconds,
    )
