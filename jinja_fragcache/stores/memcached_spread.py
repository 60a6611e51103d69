"""A store on Memcached servers for values that are larger than what these take."""

import re
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from jinja_fragcache.errors import StoreError

from .memcached import MemcachedStore

# No text begins with this byte.
_HEAD = re.compile(rb"\xfe([0-9a-f]{32}) ([0-9]{1,9}) ([0-9a-f]{64})")
_CHUNK_SIZE = 1_000_000
_MOST_CHUNKS = 32


class SpreadMemcachedStore(MemcachedStore):
    """A `MemcachedStore` that spreads large values over several keys.

    Under the key itself there is a head then: a random token, the number of chunks and
    a digest of the value. The chunks have the token in their keys, so those of two
    writes are never mixed. They are written before the head and deleted after it. If
    one of them is gone, the value is. Chunks of a value that was overwritten go with
    their timeout, or as Memcached needs the room.

    Args:
        servers: as for `MemcachedStore`.
        default_timeout: as for `MemcachedStore`.
        key_prefix: as for `MemcachedStore`.
        username: as for `MemcachedStore`.
        password: as for `MemcachedStore`.
        pool_size: as for `MemcachedStore`.
        chunksize: bytes in one key. Memcached takes 1 MiB, with the key and about 60
            bytes of its own, if it is not told otherwise.
        maxchunk: the most keys that one value takes.
        options: as for `MemcachedStore`.

    Raises:
        ValueError: a number is not a whole one from 1.
    """

    # With what stands behind a chunk's key, it is 250 at most.
    _longest_place = 200

    def __init__(  # noqa: PLR0913, PLR0917 - as that of its base, and two more
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

    def _add(self, place: str, data: bytes, expiry: int) -> bool:
        if len(data) <= self._chunk_size:
            return self._client.add(place, data, expiry)
        head = self._spread(place, data, expiry)
        added = self._client.add(place, head, expiry)
        if not added:
            self._delete_chunks(place, head)
        return added

    def _keep(self, place: str, data: bytes, expiry: int) -> bool:
        if len(data) <= self._chunk_size:
            return self._client.set(place, data, expiry)
        # If a chunk can't be written, there shall be nothing in place of the old value.
        self._client.delete(place)
        return self._client.set(place, self._spread(place, data, expiry), expiry)

    def _keep_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        small = {
            place: each for place, each in data.items() if len(each) <= self._chunk_size
        }
        failed = self._client.set_many(small, expiry) if small else []
        for place, each in data.items():
            if place not in small and not self._keep(place, each, expiry):
                failed.append(place)
        return failed

    def _forget(self, place: str) -> bool:
        head = self._client.get(place)
        deleted = self._client.delete(place)
        self._delete_chunks(place, head)
        return deleted

    def _forget_many(self, places: Sequence[str]) -> None:
        heads = self._client.get_many(places)
        self._client.delete_many(places)
        for place, head in heads.items():
            self._delete_chunks(place, head)

    def _spread(self, place: str, data: bytes, expiry: int) -> bytes:
        """Write the chunks of a value and give its head."""
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
            self._client.set(f"{place}.{token}.{number}", chunk, expiry)
        return b"\xfe%s %d %s" % (token.encode(), count, _digest(data))

    def _gathered(self, place: str, stored: bytes | None) -> bytes | None:
        """Give the value that a head stands for; what is no head is the value."""
        head = _HEAD.fullmatch(stored or b"")
        if head is None:
            return stored
        places = self._chunk_places(place, head)
        chunks = self._client.get_many(places) if places else {}
        data = b"".join(chunks.get(each) or b"" for each in places)
        return data if _digest(data) == head[3] else None

    def _delete_chunks(self, place: str, stored: bytes | None) -> None:
        head = _HEAD.fullmatch(stored or b"")
        if head is not None and (places := self._chunk_places(place, head)):
            self._client.delete_many(places)

    def _chunk_places(self, place: str, head: re.Match[bytes]) -> list[str]:
        """Give the keys of the chunks, none if others have written the head."""
        token, count = head[1].decode(), int(head[2])
        numbers = range(count if count <= self._most_chunks else 0)
        return [f"{place}.{token}.{number}" for number in numbers]


def _digest(data: bytes) -> bytes:
    return sha256(data).hexdigest().encode()
