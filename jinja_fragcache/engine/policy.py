"""The rules of one cache."""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from jinja_fragcache.access.breaker import DEFAULT_RETRY_AFTER
from jinja_fragcache.entries.freshness import GracePeriods
from jinja_fragcache.errors import PolicyError, TimeoutValueError
from jinja_fragcache.messages import describe
from jinja_fragcache.stores.memory import DEFAULT_THRESHOLD
from jinja_fragcache.timeouts import LONGEST, normalize_timeout

#: Seconds to wait for a value that another caller makes.
DEFAULT_LOCK_TIMEOUT = 10.0
#: Seconds that an entry is fresh if neither the tag, the cache nor the store says how
#: long.
DEFAULT_TIMEOUT = 300

_SERIALIZERS = ("json", "pickle")
# The rules that are functions: what each returns, and an example.
_FUNCTIONS = {
    "vary_on": ("a list of key values", "lambda: [get_locale()]"),
    "unless": ("whether to cache nothing", "lambda: is_preview()"),
}


class Rules(NamedTuple):
    """For how long entries are fresh, and for how long callers wait.

    Attributes:
        default_timeout: What the timeout None stands for: seconds (int or float), a
            timedelta, 0 for never expires; None leaves it to the store.
        stale: For how many seconds after its timeout an entry is served while one
            caller renders it again. A number or a timedelta.
        stale_if_error: For how many seconds after its timeout an entry is served if
            rendering it again fails. A number or a timedelta.
        background: Whether an entry that is stale, or refreshed early, is rendered
            again behind the request, so that no caller waits for that.
        early_refresh: How early an entry is rendered again, by chance: 0 for never, 1
            for the optimum if all entries are asked for alike. (The beta of XFetch:
            Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede
            Prevention", VLDB 2015.)
        jitter: By which fraction a timeout may be shortened by chance, from 0 to 1.
        lock_timeout: How many seconds a caller waits for another one that makes the
            same value, before it makes the value itself.
        retry_after: For how many seconds the store is skipped after it failed.
        template_digest: Whether entries are bound to the source of their template.
        guard: Whether an entry is stored only if its key covers what its body reads of
            the request.
        guard_allow: The dotted names of what bodies may read all the same.
        verify: On which fraction of hits, from 0 to 1, the value is made again and
            compared with what is served.
        compression: How texts are compressed, "zlib" or "zstd"; None if they are not.
        max_entry_size: How many bytes an entry may have to be stored; None for any
            number.
        vary_on: Returns key values that are part of every key; None for none.
        unless: Returns whether to use the cache for nothing now; None for never.
        near: For how many seconds what was read is kept in this process; 0 for not at
            all.
        near_threshold: The largest number of entries that are kept so.
        prefetch: Whether a page's first read also reads what it asked for the last
            time, if the store reads many keys in one round trip.
        serializer: How the values of functions are stored, as for `FragmentCache`.
    """

    default_timeout: Any = None
    stale: Any = 0
    stale_if_error: Any = 0
    background: bool = False
    early_refresh: float = 0.0
    jitter: float = 0.0
    lock_timeout: float = DEFAULT_LOCK_TIMEOUT
    retry_after: float = DEFAULT_RETRY_AFTER
    template_digest: bool = False
    guard: bool = True
    guard_allow: tuple[str, ...] = ()
    verify: float = 0.0
    compression: str | None = None
    max_entry_size: int | None = None
    vary_on: Callable[[], Sequence[Any]] | None = None
    unless: Callable[[], object] | None = None
    near: float = 0.0
    near_threshold: int = DEFAULT_THRESHOLD
    prefetch: bool = True
    serializer: Any = "json"


class Policy(Rules):
    """Rules that were checked. Timeouts are rounded up to whole seconds.

    It takes the fields of `Rules` as keyword arguments.

    Raises:
        TimeoutValueError: If `default_timeout` is not a timeout.
        PolicyError: If another rule has a value that is not allowed.
    """

    __slots__ = ()

    def __new__(cls, **rules: Any) -> Self:
        """Check the rules."""
        given = Rules(**rules)
        checked = given._replace(
            default_timeout=normalize_timeout(given.default_timeout),
            stale=normalize_grace("stale", given.stale) or 0,
            stale_if_error=normalize_grace("stale_if_error", given.stale_if_error) or 0,
            guard_allow=_allowed(given.guard_allow),
        )
        made = super().__new__(cls, *checked)
        made._check_numbers()
        made._check_flags()
        made._check_size()
        made._check_compression()
        made._check_functions()
        made._check_serializer()
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]:
        """Return what makes a copy of it."""
        return (), self._asdict()

    def _check_numbers(self) -> None:
        for name, most in (
            ("early_refresh", LONGEST),
            ("jitter", 1),
            ("lock_timeout", LONGEST),
            ("retry_after", LONGEST),
            ("verify", 1),
            ("near", LONGEST),
        ):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 <= value <= most
            ):
                raise PolicyError(name, describe(value), f"a number from 0 to {most}")
        limit: Any = self.near_threshold
        if type(limit) is not int or limit < 1:
            raise PolicyError("near_threshold", describe(limit), "a number from 1")

    def _check_flags(self) -> None:
        for name in ("template_digest", "guard", "prefetch", "background"):
            told: Any = getattr(self, name)
            if not isinstance(told, bool):
                raise PolicyError(name, describe(told), "True or False")
        if self.background and not self.guard:
            allowed = "False without the guard, which tells what a body reads"
            raise PolicyError("background", "True", allowed)

    def _check_size(self) -> None:
        size: Any = self.max_entry_size
        if size is not None and (type(size) is not int or size < 1):
            allowed = "a whole number of bytes from 1, or None for no limit"
            raise PolicyError("max_entry_size", describe(size), allowed)

    def _check_compression(self) -> None:
        method: Any = self.compression
        if method is None:
            return
        # Here, because few caches compress.
        from jinja_fragcache.entries.compression import (  # noqa: PLC0415
            METHODS,
            is_installed,
        )

        if isinstance(method, str) and method in METHODS:
            if is_installed(method):
                return
            allowed = (
                "'zlib' or None, until zstandard is installed: pip install"
                " 'jinja-fragcache[zstd]'"
            )
        else:
            allowed = "'zlib', 'zstd' or None"
        raise PolicyError("compression", describe(method), allowed)

    def _check_serializer(self) -> None:
        given = self.serializer
        if isinstance(given, str) and given in _SERIALIZERS:
            return
        # Here, because few give another one, and it imports types that few need.
        from jinja_fragcache.entries.serializers import make_serializer  # noqa: PLC0415

        make_serializer(given)

    def _check_functions(self) -> None:
        for name, (returned, example) in _FUNCTIONS.items():
            given: Any = getattr(self, name)
            if given is not None and not _takes_nothing(given):
                raise PolicyError(
                    name,
                    describe(given),
                    "a plain function without arguments that returns"
                    f" {returned}: {name}={example}",
                )

    def grace(self, stale: int | None, stale_if_error: int | None) -> GracePeriods:
        """Return the grace periods of an entry.

        Args:
            stale: Seconds, None for the cache's.
            stale_if_error: Seconds, None for the cache's.
        """
        return GracePeriods(
            self.stale if stale is None else stale,
            self.stale_if_error if stale_if_error is None else stale_if_error,
        )

    def head_start(self, cost: float, chance: float) -> float:
        """Return how many seconds before its timeout an entry is rendered again.

        Args:
            cost: How many seconds rendering it takes.
            chance: A random number from 0 up to 1, without 1.
        """
        return -self.early_refresh * cost * math.log(1 - chance)

    def shorten(self, timeout: int, chance: float) -> int:
        """Return a timeout that is shortened by chance, so that not all expire at once.

        Args:
            timeout: Seconds.
            chance: A random number from 0 up to 1, without 1.

        Returns:
            At least one second; 0 (never expires) stays 0.
        """
        return math.ceil(timeout * (1 - self.jitter * chance))


def _allowed(names: Any) -> tuple[str, ...]:
    if names == ():
        return ()
    from .allowed import allowed_names  # noqa: PLC0415 - few allow anything

    return allowed_names(names)


def _takes_nothing(given: Any) -> bool:
    """Return whether a value is a plain function that can be called as it is."""
    if not callable(given) or any(
        map(inspect.iscoroutinefunction, (given, type(given).__call__))
    ):
        return False
    try:
        inspect.signature(given).bind()
    except TypeError:
        return False
    except ValueError:
        pass  # Some functions written in C have no signature.
    return True


def normalize_grace(name: str, seconds: Any) -> int | None:
    """Return a grace period in whole seconds, None for the cache's default.

    Args:
        name: The option that it was given as.
        seconds: A number from 0, a timedelta, or None.

    Raises:
        PolicyError: If it is anything else.
    """
    try:
        return normalize_timeout(seconds)
    except TimeoutValueError:
        raise PolicyError(
            name,
            describe(seconds),
            f"a number of seconds from 0 (not at all) to {LONGEST}, or a timedelta",
        ) from None
