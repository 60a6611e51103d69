"""Stores on Memcached servers."""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import cachelib

from jinja_fragcache.errors import StoreError

from .base import Timed, by_timeout
from .memcached_clients import make_client
from .text import NeverEmptySerializer

_SERVERS = ("127.0.0.1:11211",)
# Memcached reads what is above as a time of day (its protocol.txt, "Expiration times").
_LONGEST_RELATIVE = 60 * 60 * 24 * 30
# The last time of day that it reads: it keeps them in 32 bits.
_LAST_TIME = 2**31 - 1
_LONGEST_PREFIX = 100
_PREFIX = re.compile(r"[!-~]*")
# A key with this sign in front stands for a digest.
_PLAIN_KEY = re.compile(r"(?!~)[!-~]+")
# For how long reads may not see that another process has cleared.
_GENERATION_SECONDS = 1.0
_TRIES = 100


class MemcachedStore(cachelib.BaseCache):
    """Keeps texts and numbers on Memcached servers; with pylibmc, or with pymemcache.

    `add` and counting are atomic. Counts end at 0 and at 19 digits. The client waits
    0.25 seconds at most for a server. A server that is down fails, its keys go nowhere
    else.

    Memcached can't tell whose keys are whose. So with a key prefix, all keys hold a
    number, too, that is kept on the server and that `clear()` changes: what was there
    is not found any more, and goes as Memcached needs the room. Other processes read
    that number once a second, and each time that they write. Without a prefix `clear()`
    is refused, unless the servers may be flushed; then keys hold no number.

    Args:
        servers: a list of `"host:port"`; or a ready client of pylibmc, or a pooled one
            of pymemcache.
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 for ever.
        key_prefix: what all keys begin with, up to 100 printable characters of ASCII.
        username: for servers with SASL. This needs pylibmc.
        password: for servers with SASL.
        pool_size: the most connections of pylibmc to each server.
        may_flush: whether the servers are this store's alone, so that `clear()` may
            flush them.
        clock: gives the time of day in seconds.
        timer: a clock in seconds that never goes back.
        options: more keyword arguments for the client: `behaviors` and `binary` for
            pylibmc, those of `PooledClient` for pymemcache.

    Raises:
        StoreError: no client is installed, or the ready client is of no use.
        ValueError: the prefix can't be part of a key.
    """

    # pylibmc reads an empty value as none.
    serializer = NeverEmptySerializer()
    # Longer keys are digested. Memcached takes 250 bytes.
    _longest_place = 250

    def __init__(  # noqa: PLR0913, PLR0917 - Flask-Caching's signature, and ours
        self,
        servers: Any = None,
        default_timeout: int = 300,
        key_prefix: str | None = None,
        username: str | None = None,
        password: str | None = None,
        pool_size: int = 10,
        *,
        may_flush: bool = False,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        super().__init__(default_timeout)
        prefix = key_prefix or ""
        if len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix):
            raise ValueError(
                "The key prefix can't stand in keys of Memcached. It is up to"
                f" {_LONGEST_PREFIX} characters of ASCII without spaces."
            )
        account = (username, password) if username and password else None
        given = _SERVERS if servers is None else servers
        self._client = make_client(given, account, pool_size, options)
        self._prefix = prefix
        self._may_flush = may_flush
        self._clock = clock
        self._timer = timer
        self._generation = ""
        self._known_until = float("-inf")

    def get(self, key: str) -> str | int | None:
        """Give the value of a key, or None."""
        place = self._place(key, self._start(reading=True))
        return self._load(place, self._client.get(place))

    def get_many(self, *keys: str) -> list[Any]:
        """Give the values of keys, None for those that are not there."""
        start = self._start(reading=True)
        places = [self._place(key, start) for key in keys]
        found = self._client.get_many(places) if places else {}
        return [self._load(place, found.get(place)) for place in places]

    def has(self, key: str) -> bool:
        """Tell whether there is a value."""
        return self.get(key) is not None

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Keep a value.

        Raises:
            StoreError: it is too large for the server.
        """
        data = self.serializer.dumps(value)
        return self._keep(self._place(key), data, self._expiry(timeout))

    def set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> list[str]:
        """Keep each value whose other key has an expected value, and forget that key.

        It takes several steps. If the other key is deleted between them, the value is
        there for a moment, and then nothing.

        Args:
            values: for each key its value, and the timeout of that, as for `set`.
            others: for each key the other one.
            expected: what has to stand there.

        Returns:
            The keys of the values that were kept.

        Raises:
            StoreError: one is too large for the server. Others may have been kept.
        """
        # One start for all: what is cleared meanwhile is neither seen nor replaced.
        start = self._start()
        places = {self._place(key, start): key for key in values}
        conditions = {
            place: self._place(others[key], start) for place, key in places.items()
        }
        wanted = self.serializer.dumps(expected)
        data = {
            place: self._dumped(*values[places[place]])
            for place in self._equal(conditions, wanted)
        }
        failed: list[str] = []
        try:
            for expiry, group in by_timeout(data).items():
                failed += self._keep_many(group, expiry)
        except Exception:
            if len(data) > 1:
                # Some of them may have been written.
                self._take_back(data, conditions, wanted)
            raise
        left = self._take_back(data, conditions, wanted)
        kept = [place for place in left if place not in failed]
        self._client.delete_many([conditions[place] for place in kept])
        return [places[place] for place in kept]

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Forget those keys that have an expected value, and give them.

        What another process writes between the look and the deletion goes, too.
        """
        start = self._start()
        places = {key: self._place(key, start) for key in keys}
        equal = self._equal(places, self.serializer.dumps(expected))
        self._client.delete_many([places[key] for key in equal])
        return equal

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Keep values, and tell the keys that were kept.

        Raises:
            StoreError: one is too large for the server. Others may have been kept.
        """
        start = self._start()
        places = {self._place(key, start): key for key in mapping}
        data = {
            place: self.serializer.dumps(mapping[key]) for place, key in places.items()
        }
        failed = self._keep_many(data, self._expiry(timeout)) if data else []
        return [key for place, key in places.items() if place not in failed]

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Keep a value if there is none. Of several callers at once, one does.

        Raises:
            StoreError: it is too large for the server.
        """
        return self._add(self._place(key), *self._dumped(value, timeout))

    def add_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Keep those values whose keys have none, and give the keys of these.

        Memcached's clients add one after the other.

        Raises:
            StoreError: one is too large for the server. Others may have been added.
        """
        start = self._start()
        return [
            key
            for key, value in mapping.items()
            if self._add(self._place(key, start), *self._dumped(value, timeout))
        ]

    def delete(self, key: str) -> bool:
        """Forget a key, and tell whether there was a value."""
        return self._forget(self._place(key))

    def delete_many(self, *keys: str) -> list[str]:
        """Forget keys. A failure raises, so all of them are gone."""
        if keys:
            start = self._start()
            self._forget_many([self._place(key, start) for key in keys])
        return list(keys)

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number, from 0 if there is none. A new one gets the default timeout.

        Memcached counts no further down than to 0 (protocol.txt).

        Returns:
            What it came to; None if there is something else than a number from 0.
        """
        place = self._place(key)
        first = max(delta, 0)
        number = self._client.count(place, delta)
        if number is None and self.add(key, first):
            return first
        # Somebody else may have been faster to add it.
        return self._client.count(place, delta) if number is None else number

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Do as `inc`, downwards."""
        return self.inc(key, -delta)

    def clear(self) -> bool:
        """Forget all keys with this store's prefix, or flush the servers if it may.

        Raises:
            StoreError: it has no prefix, and may not flush.
        """
        if self._may_flush:
            self._client.flush()
        elif self._prefix:
            generation = secrets.token_hex(8)
            self._client.set(self._generation_place(), generation.encode(), 0)
            self._remember(generation)
        else:
            raise StoreError(
                "Without a key prefix, clearing would delete all that others keep in"
                " Memcached. Set CACHE_KEY_PREFIX (or key_prefix=...), or"
                ' CACHE_OPTIONS={"may_flush": True} if the servers are this cache\'s'
                " alone."
            )
        return True

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        self._client.close()

    def _equal(self, places: Mapping[str, str], wanted: bytes) -> list[str]:
        """Give those keys of a mapping whose places have what is wanted."""
        found = self._client.get_many(list(places.values())) if places else {}
        return [
            key
            for key, place in places.items()
            if self._gathered(place, found.get(place)) == wanted
        ]

    def _take_back(
        self, written: Iterable[str], conditions: Mapping[str, str], wanted: bytes
    ) -> list[str]:
        """Forget what was written and has no longer what is wanted; give the others."""
        looked_at = {place: conditions[place] for place in written}
        equal = self._equal(looked_at, wanted)
        lost = [place for place in looked_at if place not in equal]
        if lost:
            self._forget_many(lost)
        return equal

    def _keep(self, place: str, data: bytes, expiry: int) -> bool:
        return self._client.set(place, data, expiry)

    def _keep_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Write, and give the places that failed."""
        return self._client.set_many(data, expiry)

    def _add(self, place: str, data: bytes, expiry: int) -> bool:
        return self._client.add(place, data, expiry)

    def _forget(self, place: str) -> bool:
        return self._client.delete(place)

    def _forget_many(self, places: Sequence[str]) -> None:
        self._client.delete_many(places)

    def _dumped(self, value: Any, timeout: Any) -> tuple[bytes, int]:
        return self.serializer.dumps(value), self._expiry(timeout)

    def _load(self, place: str, data: bytes | None) -> str | int | None:
        """Give the value that stands for what the server has in a place."""
        whole = self._gathered(place, data)
        return None if whole is None else self.serializer.loads(whole)

    def _gathered(self, place: str, stored: bytes | None) -> bytes | None:  # noqa: ARG002 - for subclasses
        """Give all that belongs to what the server has in a place."""
        return stored

    def _expiry(self, timeout: Any) -> int:
        seconds = self._normalize_timeout(timeout)
        if seconds <= _LONGEST_RELATIVE:
            return seconds
        return min(int(self._clock()) + seconds, _LAST_TIME)

    def _place(self, key: str, start: str | None = None) -> str:
        """Give the key under which the server has an entry.

        A key that Memcached does not take is replaced by its digest.
        """
        start = self._start() if start is None else start
        place = start + key
        if len(place) <= self._longest_place and _PLAIN_KEY.fullmatch(key):
            return place
        return f"{start}~{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"

    def _start(self, *, reading: bool = False) -> str:
        """Give what all keys begin with at present."""
        if self._may_flush or not self._prefix:
            return self._prefix
        if not reading or self._timer() >= self._known_until:
            self._remember(self._read_generation())
        return f"{self._prefix}{self._generation}:"

    def _read_generation(self) -> str:
        place = self._generation_place()
        for _ in range(_TRIES):
            stored = self._client.get(place)
            if stored is not None:
                return stored.decode("ascii", "replace")
            # Never one that was before: Memcached may have dropped it for want of room.
            self._client.add(place, secrets.token_hex(8).encode(), 0)
        raise StoreError(
            "Memcached does not keep what the keys of this cache begin with"
        )

    def _remember(self, generation: str) -> None:
        self._generation = generation
        self._known_until = self._timer() + _GENERATION_SECONDS

    def _generation_place(self) -> str:
        return f"{self._prefix}generation"
