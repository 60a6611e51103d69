"""A store on Memcached servers."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from jinja_fragcache.errors import DamagedValueError, StoreError

from .base import Timed
from .facts import Facts
from .memcached_base import (
    NamesServers,
    checked_prefix,
    clear_refused,
    facts_of,
    protocol_expiry,
    server_key,
    server_keys,
)
from .memcached_clients import make_client
from .memcached_generation import read_generation
from .text import NeverEmptySerializer
from .text_lists import TextLists
from .text_store import TextStore

_SERVERS = ("127.0.0.1:11211",)
# Stands where there is no entry, so that it can be told whether something was written
# or deleted there meanwhile. No text begins with this byte in UTF-8.
_PLACEHOLDER = b"\xffplaceholder"
_PLACEHOLDER_SECONDS = 10
# The time in which reads may miss that another process has cleared.
_GENERATION_SECONDS = 1.0


class MemcachedStore(NamesServers, TextStore):
    """Stores text and integers on Memcached servers, with pylibmc or pymemcache.

    `add` and counting are atomic. Counts end at 0 and at 19 digits. The client waits
    for a server for 0.25 seconds at most. While a server is down, calls for its keys
    fail; the keys do not move to other servers.

    Memcached can't tell which keys belong to whom. So with a key prefix, the keys on
    the server also contain a generation, which is stored on the server too. `clear()`
    changes it. Entries of earlier generations are not found any more, and Memcached
    evicts them when it needs the room. Other processes read the generation once a
    second, and before each write. Without a prefix `clear()` is refused, unless the
    servers may be flushed; then keys contain no generation.

    Args:
        servers: A list of `"host:port"`; or a ready client of pylibmc, or a
            `PooledClient` of pymemcache.
        default_timeout: The timeout in seconds of entries that are stored without one;
            0 if they never expire.
        key_prefix: The start of all keys: up to 100 printable ASCII characters.
        username: The user, for servers with SASL. This needs pylibmc.
        password: The password, for servers with SASL.
        pool_size: The largest number of pylibmc's connections to each server.
        pool_blocking: Always True, and taken because Flask-Caching has it: a thread
            waits while others use all connections.
        may_flush: Whether no one else uses the servers, so that `clear()` may flush
            them.
        clock: Returns the time of day in seconds since 1970.
        timer: A monotonic clock in seconds.
        options: More keyword arguments for the client: `behaviors` and `binary` for
            pylibmc, those of `PooledClient` for pymemcache.

    Raises:
        StoreError: If no client is installed, or the ready client can't be used.
        TimeoutValueError: If the default timeout is not valid.
        ValueError: If the prefix can't be part of a key, or `pool_blocking` is False.
    """

    # pylibmc returns None for an empty value.
    serializer = NeverEmptySerializer()
    # Longer keys are replaced by a digest. Memcached takes 250 bytes.
    _longest_key = 250

    def __init__(
        self,
        servers: Any = None,
        default_timeout: int = 300,
        key_prefix: str | None = None,
        username: str | None = None,
        password: str | None = None,
        pool_size: int = 10,
        *,
        pool_blocking: bool = True,
        may_flush: bool = False,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        super().__init__(default_timeout)
        if not pool_blocking:
            raise ValueError(
                "pool_blocking can't be False. With a larger pool_size, threads wait"
                " less for each other's connections."
            )
        prefix = checked_prefix(key_prefix)
        account = (username, password) if username and password else None
        given = _SERVERS if servers is None else servers
        self._client = make_client(given, account, pool_size, options)
        self._name_servers(given, prefix, by_login=account is not None)
        self._prefix = prefix
        self._may_flush = may_flush
        self._clock = clock
        self._timer = timer
        self._lists = TextLists()
        self._generation = ""
        self._generation_known_until = float("-inf")

    def facts(self) -> Facts:
        """Return how much is on the servers. They don't tell the keys."""
        return facts_of(self._client.stats())

    def get(self, key: str) -> str | int | None:
        """Return the value of a key, or None if it has none."""
        full_key = self._full_key(key, self._start(reading=True))
        return self._load(full_key, self._client.get(full_key))

    def get_many(self, *keys: str) -> list[Any]:
        """Return the values of keys, None for keys without an entry."""
        if not keys:
            return []
        asked = self._start(reading=True), keys
        before = self._lists.get(asked)
        full_keys = before.full_keys if before else self._full_keys(*asked)
        found = self._client.get_many(full_keys, partial(self._lists.load_found, asked))
        return self.serializer.loads_all(self._wholes(full_keys, found))

    def has(self, key: str) -> bool:
        """Return whether the key has a value."""
        return self.get(key) is not None

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value, and return whether it was stored.

        Args:
            key: Any text.
            value: A text, or an integer of up to 19 digits.
            timeout: Seconds or a `timedelta`; 0 if it never expires, None for the
                default timeout.

        Raises:
            StoreError: If the value is too large for the server.
            TypeError: If the value is neither a text nor an integer.
            TimeoutValueError: If the timeout is not valid.
        """
        data = self.serializer.dumps(value)
        return self._write(self._full_key(key), data, self._expiry(timeout))

    def set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> list[str]:
        """Store each value whose other key has an expected value, and delete that key.

        Who deletes an entry deletes its other key first. So each entry is looked at
        before its other key, and is written only if nothing has happened to it since
        then: by `cas` (protocol.txt).

        Args:
            values: For each key, its value and its timeout, as for `set`.
            others: For each key, its other key.
            expected: The value that the other keys need to have.

        Returns:
            The keys of the values that were stored.

        Raises:
            StoreError: If a value is too large for the server. Others may have been
                stored.
        """
        # One generation for all steps: entries of a later one are neither read nor
        # overwritten.
        start = self._start()
        keys = {self._full_key(key, start): key for key in values}
        conditions = {
            full_key: self._full_key(others[key], start)
            for full_key, key in keys.items()
        }
        states = self._states(list(keys))
        stored = []
        for full_key in self._keys_equal(conditions, self.serializer.dumps(expected)):
            if full_key not in states:
                continue
            dumped = self._dump(*values[keys[full_key]])
            try:
                if self._write_if(full_key, states[full_key], *dumped):
                    stored.append(full_key)
            except StoreError:
                # As after a `set`, the old value must not stay.
                self._client.delete(full_key)
                raise
        self._client.delete_many([conditions[full_key] for full_key in stored])
        return [keys[full_key] for full_key in stored]

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Delete those keys that have an expected value, and return them.

        A value that another process writes between the read and the delete is deleted
        as well.
        """
        start = self._start()
        full_keys = {key: self._full_key(key, start) for key in keys}
        equal = self._keys_equal(full_keys, self.serializer.dumps(expected))
        self._client.delete_many([full_keys[key] for key in equal])
        return equal

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store values, and return the keys of those that were stored.

        Raises:
            StoreError: If a value is too large for the server. Others may have been
                stored.
        """
        start = self._start()
        keys = {self._full_key(key, start): key for key in mapping}
        data = {each: self.serializer.dumps(mapping[key]) for each, key in keys.items()}
        failed = self._write_many(data, self._expiry(timeout)) if data else []
        return [key for full_key, key in keys.items() if full_key not in failed]

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value if the key has none, and return whether it was stored.

        Raises:
            StoreError: If the value is too large for the server.
        """
        return self._add_readable(self._full_key(key), *self._dump(value, timeout))

    def add_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store the values whose keys have none, and return these keys.

        The clients of Memcached add one value after the other.

        Raises:
            StoreError: If a value is too large for the server. Others may have been
                stored.
        """
        start = self._start()
        return [
            key
            for key, value in mapping.items()
            if self._add_readable(
                self._full_key(key, start), *self._dump(value, timeout)
            )
        ]

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        return self._delete(self._full_key(key))

    def delete_many(self, *keys: str) -> list[str]:
        """Delete the entries of keys. A failure raises, so all keys are returned."""
        if keys:
            self._delete_many(self._full_keys(self._start(), keys))
        return list(keys)

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number, and return the new one.

        If the key has no value, the number starts as `delta`, or as 0 if that is less,
        and gets the default timeout. Memcached does not count below 0 (protocol.txt).

        Returns:
            None if the value is no number of 0 or more.
        """
        full_key = self._full_key(key)
        first = max(delta, 0)
        number = self._client.count(full_key, delta)
        if number is None and self._add(full_key, *self._dump(first, None)):
            return first
        # Another caller may have added it meanwhile.
        return self._client.count(full_key, delta) if number is None else number

    def clear(self) -> bool:
        """Delete all keys with this store's prefix, or flush the servers if it may.

        Raises:
            StoreError: If there is no prefix and the servers may not be flushed.
        """
        if self._may_flush:
            self._client.flush()
        elif self._prefix:
            generation = secrets.token_hex(8)
            self._client.set(self._generation_key(), generation.encode(), 0)
            self._remember(generation)
        else:
            raise clear_refused()
        return True

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        self._client.close()

    def _keys_equal(self, full_keys: Mapping[str, str], wanted: bytes) -> list[str]:
        """Return the keys of a mapping whose full keys have the wanted value."""
        found = self._client.get_many(list(full_keys.values())) if full_keys else []
        return [
            key
            for (key, full_key), each in zip(full_keys.items(), found, strict=True)
            if self._whole(full_key, each) == wanted
        ]

    def _states(self, full_keys: Sequence[str]) -> Mapping[str, Any]:
        """Return the states of entries, which change with each write and delete.

        A missing entry has no state, so a placeholder is put there. It counts as
        missing.
        """
        for full_key in full_keys:
            self._client.add(full_key, _PLACEHOLDER, _PLACEHOLDER_SECONDS)
        return self._client.states(full_keys) if full_keys else {}

    def _add_readable(self, full_key: str, data: bytes, expiry: int) -> bool:
        """Add a value, also in place of one that this store can't read.

        That is what another client has stored, with flags or without a checksum.
        """
        for _ in range(2):
            if self._add(full_key, data, expiry):
                return True
            if self._is_readable(full_key):
                return False
            # If the value was just deleted, the second try adds this one.
        self._client.delete(full_key)
        return self._add(full_key, data, expiry)

    def _is_readable(self, full_key: str) -> bool:
        """Return whether a key has a value that this store can read."""
        try:
            return self._client.get(full_key) not in {None, _PLACEHOLDER}
        except DamagedValueError:
            return False

    # A subclass spreads values over several keys by these methods.

    def _write(self, full_key: str, data: bytes, expiry: int) -> bool:
        return self._client.set(full_key, data, expiry)

    def _write_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Write values, and return the full keys that failed."""
        return self._client.set_many(data, expiry)

    def _write_if(self, full_key: str, state: Any, data: bytes, expiry: int) -> bool:
        """Write an entry if it still has a state."""
        return self._client.set_if(full_key, state, data, expiry)

    def _add(self, full_key: str, data: bytes, expiry: int) -> bool:
        return self._client.add(full_key, data, expiry)

    def _delete(self, full_key: str) -> bool:
        return self._client.delete(full_key)

    def _delete_many(self, full_keys: Sequence[str]) -> None:
        self._client.delete_many(full_keys)

    def _whole(self, full_key: str, stored: bytes | None) -> bytes | None:
        """Return the whole value of which the server has this under a full key."""
        return stored

    def _wholes(self, full_keys: Sequence[str], found: Sequence[Any]) -> Sequence[Any]:
        """Like `_whole` for each full key. What is text already is whole."""
        return found

    def _load(self, full_key: str, stored: bytes | None) -> str | int | None:
        # A placeholder is no text, so it is None, too.
        return self.serializer.loads(self._whole(full_key, stored))

    def _dump(self, value: Any, timeout: Any) -> tuple[bytes, int]:
        return self.serializer.dumps(value), self._expiry(timeout)

    def _expiry(self, timeout: Any) -> int:
        return protocol_expiry(self._seconds(timeout), self._clock())

    def _full_key(self, key: str, start: str | None = None) -> str:
        """Return the key that the server has for a key of this store.

        Args:
            key: The key.
            start: What `_start` returned, to use it for several keys.
        """
        start = self._start() if start is None else start
        return server_key(key, start, self._longest_key)

    def _full_keys(self, start: str, keys: Sequence[str]) -> list[str]:
        return server_keys(keys, start, self._longest_key)

    def _start(self, *, reading: bool = False) -> str:
        """Return the start of all full keys: the prefix and the current generation.

        Args:
            reading: Whether a generation that was read in the last second will do.
        """
        if self._may_flush or not self._prefix:
            return self._prefix
        if not reading or self._timer() >= self._generation_known_until:
            self._remember(read_generation(self._client, self._generation_key()))
        return f"{self._prefix}{self._generation}:"

    def _remember(self, generation: str) -> None:
        self._generation = generation
        self._generation_known_until = self._timer() + _GENERATION_SECONDS

    def _generation_key(self) -> str:
        return f"{self._prefix}generation"
