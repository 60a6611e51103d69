"""The rules that hold for all that one cache keeps."""

import math
from dataclasses import dataclass
from typing import Any

from jinja_fragcache.access.breaker import DEFAULT_RETRY_AFTER
from jinja_fragcache.entries.freshness import Windows
from jinja_fragcache.errors import PolicyError, TimeoutValueError
from jinja_fragcache.messages import describe
from jinja_fragcache.timeouts import LONGEST, normalize_timeout

#: Seconds to wait for somebody else's value.
DEFAULT_LOCK_TIMEOUT = 10.0
#: Seconds that an entry is fresh where nothing and nobody says how long.
DEFAULT_TIMEOUT = 300


@dataclass(frozen=True, slots=True)
class Policy:
    """How long entries are fresh, and how long anything is waited for.

    Attributes:
        default_timeout: what the timeout None stands for: seconds (int or float), a
            timedelta, 0 for ever; None leaves it to the store.
        stale: for how many seconds past its timeout an entry is served while one caller
            makes it anew. A number or a timedelta, as the next one.
        stale_if_error: for how many seconds past its timeout an entry is served if
            making it anew fails.
        early_refresh: how early an entry is made anew, by chance: 0 for never, 1 for
            what is best where all entries are asked for alike. (The beta of XFetch:
            Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede
            Prevention", VLDB 2015.)
        jitter: by which part of it a timeout may be shortened, by chance: from 0 to 1.
        lock_timeout: how many seconds a caller waits for another one that is making the
            same value, before it makes it itself.
        retry_after: how many seconds the store is left alone after it failed.
        template_digest: whether entries are bound to the source of their template.

    Raises:
        TimeoutValueError: `default_timeout` is no timeout.
        PolicyError: another one has a value that is not allowed.
    """

    default_timeout: Any = None
    stale: Any = 0
    stale_if_error: Any = 0
    early_refresh: float = 0.0
    jitter: float = 0.0
    lock_timeout: float = DEFAULT_LOCK_TIMEOUT
    retry_after: float = DEFAULT_RETRY_AFTER
    template_digest: bool = False

    def __post_init__(self) -> None:
        """Check the values and turn timeouts into whole seconds."""
        set_to = object.__setattr__
        set_to(self, "default_timeout", normalize_timeout(self.default_timeout))
        for name in ("stale", "stale_if_error"):
            set_to(self, name, normalize_window(name, getattr(self, name)) or 0)
        for name, most in (
            ("early_refresh", LONGEST),
            ("jitter", 1),
            ("lock_timeout", LONGEST),
            ("retry_after", LONGEST),
        ):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 <= value <= most
            ):
                raise PolicyError(name, describe(value), f"a number from 0 to {most}")

        told: Any = self.template_digest
        if not isinstance(told, bool):
            raise PolicyError("template_digest", describe(told), "True or False")

    def windows(self, stale: int | None, stale_if_error: int | None) -> Windows:
        """Give the windows of an entry.

        Args:
            stale: seconds, None for the cache's.
            stale_if_error: seconds, None for the cache's.
        """
        return Windows(
            self.stale if stale is None else stale,
            self.stale_if_error if stale_if_error is None else stale_if_error,
        )

    def head_start(self, cost: float, chance: float) -> float:
        """Give how many seconds before its timeout an entry is to be made anew.

        Args:
            cost: how many seconds it takes to make.
            chance: a random number from 0 up to 1, without 1.
        """
        return -self.early_refresh * cost * math.log(1 - chance)

    def shorten(self, timeout: int, chance: float) -> int:
        """Give a timeout shortened by chance, so that not all end at once.

        Args:
            timeout: seconds.
            chance: a random number from 0 up to 1, without 1.

        Returns:
            At least one second; 0 for ever stays 0.
        """
        return math.ceil(timeout * (1 - self.jitter * chance))


def normalize_window(name: str, seconds: Any) -> int | None:
    """Turn a stale window into whole seconds, None for the cache's default.

    Args:
        name: the option that it was given as.
        seconds: a number from 0 (none), a timedelta, or None.

    Raises:
        PolicyError: anything else.
    """
    try:
        return normalize_timeout(seconds)
    except TimeoutValueError:
        raise PolicyError(
            name,
            describe(seconds),
            f"a number of seconds from 0 (not at all) to {LONGEST}, or a timedelta",
        ) from None
