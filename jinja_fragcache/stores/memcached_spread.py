"""A store on Memcached servers for values that are larger than these take."""

import re
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from jinja_fragcache.errors import StoreError

from .memcached import MemcachedStore

# No text begins with this byte in UTF-8.
_HEAD = re.compile(rb"\xfe([0-9a-f]{32}) ([0-9]{1,9}) ([0-9a-f]{64})")
_CHUNK_SIZE = 1_000_000
_MOST_CHUNKS = 32


class SpreadMemcachedStore(MemcachedStore):
    """A `MemcachedStore` that spreads large values over several keys.

    The key of a large value holds a head: a random token, the number of chunks and a
    digest of the value. The keys of the chunks contain the token, so the chunks of two
    writes are never mixed. They are written before the head and deleted after it. If a
    chunk is missing, the value is missing. The chunks of an overwritten value stay
    until their timeout ends, or until Memcached needs the room.

    Args:
        servers: As for `MemcachedStore`.
        default_timeout: As for `MemcachedStore`.
        key_prefix: As for `MemcachedStore`.
        username: As for `MemcachedStore`.
        password: As for `MemcachedStore`.
        pool_size: As for `MemcachedStore`.
        chunksize: The bytes in one key. By default Memcached takes 1 MiB, with the key
            and about 70 bytes of its own and of the checksum.
        maxchunk: The largest number of keys for one value.
        options: As for `MemcachedStore`.

    Raises:
        ValueError: If `chunksize` or `maxchunk` is not an integer of 1 or more.
    """

    # With the token and the number of a chunk, its key has up to 250 bytes.
    _longest_key = 200

    def __init__(
        self,
        servers: Any = None,
        default_timeout: int = 300,
        key_prefix: str | None = None,
        username: str | None = None,
        password: str | None = None,
        pool_size: int = 10,
        *,
        chunksize: int = _CHUNK_SIZE,
        maxchunk: int = _MOST_CHUNKS,
        **options: Any,
    ) -> None:
        for name, value in (("chunksize", chunksize), ("maxchunk", maxchunk)):
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} is a whole number from 1 and got {value!r}.")
        super().__init__(
            servers,
            default_timeout,
            key_prefix,
            username,
            password,
            pool_size,
            **options,
        )
        self._chunk_size = chunksize
        self._most_chunks = maxchunk

    def _write(self, full_key: str, data: bytes, expiry: int) -> bool:
        if len(data) <= self._chunk_size:
            return self._client.set(full_key, data, expiry)
        # Deleted first: if a chunk can't be written, the old value must not stay.
        self._client.delete(full_key)
        head = self._write_chunks(full_key, data, expiry)
        return self._client.set(full_key, head, expiry)

    def _write_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        small = {
            full_key: each
            for full_key, each in data.items()
            if len(each) <= self._chunk_size
        }
        failed = self._client.set_many(small, expiry) if small else []
        for full_key, each in data.items():
            if full_key not in small and not self._write(full_key, each, expiry):
                failed.append(full_key)
        return failed

    def _write_if(self, full_key: str, state: Any, data: bytes, expiry: int) -> bool:
        if len(data) <= self._chunk_size:
            return super()._write_if(full_key, state, data, expiry)
        head = self._write_chunks(full_key, data, expiry)
        written = super()._write_if(full_key, state, head, expiry)
        if not written:
            self._delete_chunks(full_key, head)
        return written

    def _add(self, full_key: str, data: bytes, expiry: int) -> bool:
        if len(data) <= self._chunk_size:
            return self._client.add(full_key, data, expiry)
        head = self._write_chunks(full_key, data, expiry)
        added = self._client.add(full_key, head, expiry)
        if not added:
            self._delete_chunks(full_key, head)
        return added

    def _delete(self, full_key: str) -> bool:
        head = self._client.get(full_key)
        deleted = self._client.delete(full_key)
        self._delete_chunks(full_key, head)
        return deleted

    def _delete_many(self, full_keys: Sequence[str]) -> None:
        heads = self._client.get_many(list(full_keys))
        self._client.delete_many(full_keys)
        for full_key, head in zip(full_keys, heads, strict=True):
            self._delete_chunks(full_key, head)

    def _whole(self, full_key: str, stored: bytes | None) -> bytes | None:
        """Return the value that a head stands for, or what is stored if it is no head.

        Returns:
            None if there is nothing, or if a chunk is missing or damaged.
        """
        head = _HEAD.fullmatch(stored or b"")
        if head is None:
            return stored
        keys = self._chunk_keys(full_key, head)
        chunks = self._client.get_many(keys) if keys else []
        data = b"".join(each or b"" for each in chunks)
        return data if _digest(data) == head[3] else None

    def _wholes(self, full_keys: Sequence[str], found: Sequence[Any]) -> Sequence[Any]:
        return [
            each if type(each) is str else self._whole(full_key, each)
            for full_key, each in zip(full_keys, found, strict=True)
        ]

    def _write_chunks(self, full_key: str, data: bytes, expiry: int) -> bytes:
        """Write the chunks of a value, and return its head.

        Raises:
            StoreError: If it needs more chunks than are allowed, or one of them is too
                large for the server.
        """
        count = -(-len(data) // self._chunk_size)
        if count > self._most_chunks:
            raise StoreError(
                f"A value of {len(data)} bytes does not fit into {self._most_chunks}"
                f" keys of {self._chunk_size} bytes. Cache smaller parts, or give other"
                ' CACHE_OPTIONS={"chunksize": ..., "maxchunk": ...}.'
            )
        token = secrets.token_hex(16)
        for number in range(count):
            begin = number * self._chunk_size
            chunk = data[begin : begin + self._chunk_size]
            self._client.set(f"{full_key}.{token}.{number}", chunk, expiry)
        return b"\xfe%s %d %s" % (token.encode(), count, _digest(data))

    def _delete_chunks(self, full_key: str, stored: bytes | None) -> None:
        head = _HEAD.fullmatch(stored or b"")
        if head is not None and (keys := self._chunk_keys(full_key, head)):
            self._client.delete_many(keys)

    def _chunk_keys(self, full_key: str, head: re.Match[bytes]) -> list[str]:
        """Return the keys of the chunks; none if the head is not one of this store."""
        token, count = head[1].decode(), int(head[2])
        numbers = range(count if count <= self._most_chunks else 0)
        return [f"{full_key}.{token}.{number}" for number in numbers]


def _digest(data: bytes) -> bytes:
    return sha256(data).hexdigest().encode()
