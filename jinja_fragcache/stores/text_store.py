"""The bases of the stores that hold text and integers as bytes."""

from collections.abc import Mapping
from typing import Any

import cachelib

from jinja_fragcache.timeouts import NEVER_EXPIRES, normalize_timeout

from .memory import DEFAULT_THRESHOLD, MemoryStore
from .shared import Shared
from .text import TextSerializer


class HoldsTexts(Shared):
    """Base of the stores that hold text and integers as bytes, plain or asynchronous.

    Args:
        default_timeout: The timeout of entries that are stored without one: seconds or
            a `timedelta`; 0 or None if they never expire.

    Attributes:
        default_timeout: The same in seconds; 0 if they never expire.
        serializer: Turns values into bytes and back.

    Raises:
        TimeoutValueError: If the default timeout is not valid.
    """

    serializer = TextSerializer()

    def __init__(self, default_timeout: Any) -> None:
        self.default_timeout: int = normalize_timeout(default_timeout) or NEVER_EXPIRES

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle an empty `MemoryStore`, and no connection, password or folder."""
        return MemoryStore, (DEFAULT_THRESHOLD, self.default_timeout)

    def _seconds(self, timeout: Any) -> int:
        """Return a timeout in seconds: 0 if it never ends, for None the default.

        Raises:
            TimeoutValueError: If the timeout is not valid.
        """
        seconds = normalize_timeout(timeout)
        return self.default_timeout if seconds is None else seconds


class TextStore(HoldsTexts, cachelib.BaseCache):
    """Base of the plain ones.

    It is a `cachelib.BaseCache` with all the methods of one, so it can be used wherever
    a cachelib cache can. Subclasses define `get`, `set`, `add`, `delete`, `has`, `inc`
    and `clear`; nothing is left to cachelib, whose own methods use private names.
    """

    def __init__(self, default_timeout: Any) -> None:
        HoldsTexts.__init__(self, default_timeout)
        cachelib.BaseCache.__init__(self, self.default_timeout)

    def get_many(self, *keys: str) -> list[Any]:
        """Return the values of keys, None for keys without an entry."""
        return [self.get(key) for key in keys]

    def get_dict(self, *keys: str) -> dict[str, Any]:
        """Like `get_many`, but return a dictionary."""
        return dict(zip(keys, self.get_many(*keys), strict=True))

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store values, and return the keys of those that were stored.

        Args:
            mapping: The values, by their keys.
            timeout: As for `set`.
        """
        return [key for key, value in mapping.items() if self.set(key, value, timeout)]

    def delete_many(self, *keys: str) -> list[str]:
        """Delete the entries of keys, and return the keys that have no entry now."""
        return [key for key in keys if self.delete(key) or not self.has(key)]

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Like `inc`, but subtract."""
        return self.inc(key, -delta)
