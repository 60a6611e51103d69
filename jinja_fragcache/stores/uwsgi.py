"""A store in the cache of a uWSGI server."""

from typing import Any

import cachelib

from .text import NeverEmptySerializer


class UWSGIStore(cachelib.UWSGICache):
    """A `cachelib.UWSGICache` of texts and numbers.

    It works in processes of a uWSGI server that has a cache (`--cache2 name=shop,...`),
    and is shared by its workers. `add` is atomic, counting is not.

    Args:
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 for ever.
        cache: the cache's name; `name@host:port` for that of another server.

    Raises:
        RuntimeError: the process is not one of a uWSGI server.
    """

    serializer = NeverEmptySerializer()  # type: ignore[assignment]  # cachelib means its form

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:  # type: ignore[override]  # False in place of None
        """Keep a value. False: the cache is full, or its blocks are too small."""
        return bool(super().set(key, value, timeout))
