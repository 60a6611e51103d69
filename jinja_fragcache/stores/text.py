"""cachelib's stores for Redis and files, made to keep texts as texts.

As they come, they pickle what they are given and unpickle what they find, so whoever
can write to the server or the folder can run code here. All that this package keeps is
text.
"""

import re
from typing import IO, Any

import cachelib
from cachelib.serializers import BaseSerializer

from jinja_fragcache.errors import StoreError

# No UTF-8 begins with this byte. FileSystemCache counts its files in an entry.
_NUMBER_MARK = b"\xff"
_KEYS_AT_ONCE = 500
_GLOB_CHARACTERS = re.compile(r"[*?\[\]\\]")


class TextSerializer(BaseSerializer):
    """Keeps texts as UTF-8. What is neither text nor a number is refused.

    For any cachelib cache: `cache.serializer = TextSerializer()`. What such a cache has
    kept before is a miss then.
    """

    def dumps(self, value: Any, protocol: int = 0) -> bytes:  # noqa: ARG002 - cachelib's signature
        """Give the bytes of a text or a number.

        Raises:
            TypeError: the value is neither.
        """
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        if type(value) is int:
            return _NUMBER_MARK + str(value).encode("ascii")
        raise TypeError(f"This store keeps texts and was given {type(value).__name__}")

    def loads(self, bvalue: Any) -> str | int | None:
        """Read what `dumps` gave; None for anything else.

        Args:
            bvalue: bytes; or a text, from a client that decodes what it reads.
        """
        if not isinstance(bvalue, bytes):
            return bvalue if isinstance(bvalue, str) else None
        try:
            if bvalue.startswith(_NUMBER_MARK):
                return int(bvalue.removeprefix(_NUMBER_MARK))
            return bvalue.decode("utf-8", "surrogatepass")
        except ValueError:
            return None

    def dump(self, value: Any, f: IO[bytes], protocol: int = 0) -> None:  # noqa: ARG002 - cachelib's signature
        """Write a text or a number to a file."""
        f.write(self.dumps(value))

    def load(self, f: IO[bytes]) -> str | int | None:
        """Read what `dump` wrote; None for anything else."""
        return self.loads(f.read())


class FileStore(cachelib.FileSystemCache):
    """A `cachelib.FileSystemCache` that keeps texts only."""

    serializer = TextSerializer()  # type: ignore[assignment]  # cachelib means its form


class RedisStore(cachelib.RedisCache):
    """A `cachelib.RedisCache` that keeps texts only, and clears only its own."""

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
