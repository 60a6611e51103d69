"""A store in the cache of a uWSGI server."""

from typing import Any

import cachelib

from .memory import DEFAULT_THRESHOLD, MemoryStore
from .shared import Shared
from .text import NeverEmptySerializer


class UWSGIStore(Shared, cachelib.UWSGICache):
    """A `cachelib.UWSGICache` that holds text and integers, and never unpickles.

    It works in the processes of a uWSGI server that has a cache
    (`--cache2 name=shop,...`), and its workers share it. `add` is atomic, counting is
    not.

    Args:
        default_timeout: The timeout in seconds of entries that are stored without one;
            0 if they never expire.
        cache: The name of the cache; `name@host:port` for that of another server.

    Raises:
        RuntimeError: If the process is not one of a uWSGI server.
    """

    serializer = NeverEmptySerializer()  # type: ignore[assignment]  # of another class than cachelib's own

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle an empty `MemoryStore`."""
        return MemoryStore, (DEFAULT_THRESHOLD, self.default_timeout)

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:  # type: ignore[override]  # False in place of None
        """Store a value.

        Returns:
            False if the cache is full, or its blocks are too small for the value.
        """
        return bool(super().set(key, value, timeout))
