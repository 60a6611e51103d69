"""When entries expire, for how long they are stored, and what keeps them from it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from jinja_fragcache.entries.entry import Life
from jinja_fragcache.entries.freshness import (
    FRESH,
    GracePeriods,
    Standing,
)
from jinja_fragcache.entries.freshness import standing as standing_at
from jinja_fragcache.timeouts import LONGEST, NEVER_EXPIRES

from .context import Context
from .dependencies import current_dependencies
from .policy import DEFAULT_TIMEOUT

# For how many seconds an entry is fresh if one of its parts has expired.
_OUT_OF_DATE = 1


def end(context: Context, timeout: int | None) -> float:
    """Return when an entry that is stored now expires.

    Args:
        context: The cache.
        timeout: Seconds, 0 for never expires, None for the default.

    Returns:
        Seconds since 1970; infinity if it never expires; the present time if the store
        does not store it.
    """
    seconds = _known_seconds(context, timeout)
    if seconds is None:
        return context.clock()
    return math.inf if seconds == NEVER_EXPIRES else context.clock() + seconds


def _known_seconds(context: Context, timeout: int | None) -> int | None:
    """Return a timeout with defaults filled in, None if the store stores nothing."""
    seconds = context.store.seconds(timeout)
    if seconds is not None:
        return seconds
    told = context.store.default_timeout
    if told is not None and told < 0:
        return None
    return DEFAULT_TIMEOUT if told is None else told


def standing(context: Context, life: Life | None, grace: GracePeriods) -> Standing:
    """Return what may be done with a value that is stored."""
    if life is None:
        return FRESH
    head_start = 0.0
    if context.policy.early_refresh:
        head_start = context.policy.head_start(life.cost, context.chance())
    return standing_at(life, context.clock(), grace, head_start)


def is_expired(context: Context, life: Life | None) -> bool:
    """Return whether the timeout of an entry has ended."""
    return life is not None and context.clock() >= life.expires


def lifetime(
    context: Context,
    timeout: int | None,
    grace: GracePeriods,
    cost: float,
    *,
    until: float = math.inf,
    told: bool = False,
) -> tuple[Life | None, int | None]:
    """Return how long a new entry is fresh, and for how long it is stored.

    Args:
        context: The cache.
        timeout: Seconds, 0 for never expires, None for the default.
        grace: For how long it may be served after its timeout.
        cost: How many seconds it took to make.
        until: The time at which the first of its parts expires, in seconds since 1970.
        told: Whether the header of the entry must contain its expiry.

    Returns:
        How long it is fresh, None if it is fresh for as long as it is stored; and the
        seconds for which to store it, 0 for never expires, None for the store's
        default.
    """
    policy = context.policy
    longer = max(grace)
    told = told or bool(longer or policy.early_refresh or until < math.inf)
    if not told and not policy.jitter:
        return None, context.store.seconds(timeout)
    seconds = _known_seconds(context, timeout)
    if seconds is None or (seconds == NEVER_EXPIRES and until == math.inf):
        return None, seconds
    now = context.clock()
    expires = until
    if seconds != NEVER_EXPIRES:
        if policy.jitter:
            seconds = policy.shorten(seconds, context.chance())
        expires = min(until, now + seconds)
    if not told:
        return None, seconds
    if expires <= now:
        # A part of it has expired, and is served while it is rendered again.
        expires = now + _OUT_OF_DATE
    left = math.ceil(expires - now)
    return Life(expires, cost), min(left + longer, LONGEST)


def keep_out_of_store() -> None:
    """Keep all that is around a part from being stored, because its `unless` is true.

    What the part shows, such as a preview, is not for others.
    """
    dependencies = current_dependencies()
    if dependencies is not None:
        dependencies.make_live()


def note_uncached(tags: Iterable[str], timeout: int | None, context: Context) -> None:
    """Add a part that has no entry to the dependencies of the body around it.

    Args:
        tags: The tags that its entry would have.
        timeout: For how long it would be fresh: seconds, 0 for never expires, None for
            the default.
        context: The cache.
    """
    dependencies = current_dependencies()
    if dependencies is not None and (tags or timeout != NEVER_EXPIRES):
        known: dict[str, str | None] = dict.fromkeys(tags)
        dependencies.include(known, end(context, timeout))
