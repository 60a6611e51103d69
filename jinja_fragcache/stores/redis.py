"""Stores on Redis servers."""

import re

import cachelib

from jinja_fragcache.errors import StoreError

from .text import TextSerializer

_KEYS_AT_ONCE = 500
_GLOB_CHARACTERS = re.compile(r"[*?\[\]\\]")


class RedisStore(cachelib.RedisCache):
    """A `cachelib.RedisCache` of texts and numbers that clears only its own."""

    serializer = TextSerializer()  # type: ignore[assignment]  # cachelib means its form

    def clear(self) -> bool:
        """Delete all keys with this store's prefix, some hundred at a time.

        Raises:
            StoreError: it has no prefix, so its keys can't be told from those of
                others in the same database.
        """
        prefix = self._get_prefix()
        if not prefix:
            raise StoreError(
                "Without a key prefix, clearing would delete all that others keep in"
                " this Redis database. Set CACHE_KEY_PREFIX (or key_prefix=...), or"
                " flush the database yourself."
            )
        pattern = _GLOB_CHARACTERS.sub(r"\\\g<0>", prefix) + "*"
        batch: list[bytes] = []
        for key in self._read_client.scan_iter(match=pattern, count=_KEYS_AT_ONCE):
            batch.append(key)
            if len(batch) == _KEYS_AT_ONCE:
                self._write_client.unlink(*batch)
                batch.clear()
        if batch:
            self._write_client.unlink(*batch)
        return True
