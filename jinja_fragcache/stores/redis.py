"""A store on a Redis server."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jinja_fragcache.errors import DamagedValueError, StoreError
from jinja_fragcache.forks import PerProcess

from .base import Timed
from .checksum import with_checksum, without_checksum
from .facts import Amounts, Facts
from .redis_changes import RedisChanges
from .redis_clients import clients_of_ready, clients_of_server, clients_of_url
from .redis_errors import what_to_check
from .redis_scan import address_of, amounts_of_keys, count_keys, unlink_keys
from .redis_scripts import (
    DELETE_MANY_IF_EQUAL,
    READ_WITH_REMAINING,
    REPLACE_OTHER_TYPES,
    SET_MANY_IF_EQUAL,
    seconds_left,
)
from .text_store import TextStore

# The server's error for a key that holds a list, a hash or the like.
_WRONG_TYPE = "WRONGTYPE"
# The server's errors for a value that it can't count with.
_NOT_COUNTABLE = re.compile("not an integer|overflow|WRONGTYPE")


class RedisStore(TextStore):
    """Stores text and integers on a Redis server, and clears only its own keys.

    It takes the arguments of `cachelib.RedisCache`. `add` and counting are atomic.
    Texts have a checksum of the key and the text. The client that it makes waits for
    the server for 0.25 seconds at most, and does not try again.

    Args:
        host: The host name of the server, or a ready client.
        port: The port of the server.
        password: The password, if the server has one.
        db: The number of the database; None for 0.
        default_timeout: The timeout in seconds of entries that are stored without one;
            0 if they never expire.
        key_prefix: The start of all keys, or a function that returns it.
        url: `redis://user:password@host:port/db`, in place of host and port. Its
            password and database are used if there are no others.
        may_flush: Whether no one else uses the database, so that `clear()` may flush it
            if there is no key prefix.
        options: More keyword arguments for `redis.Redis`.

    Attributes:
        key_prefix: The start of all keys, or a function that returns it.

    Raises:
        StoreError: If the package redis is not installed, the URL is not valid, an
            option is unknown, the calls of the client have to be awaited, or it decodes
            what it reads.
        TimeoutValueError: If the default timeout is not valid.
        ValueError: If the host is None.
    """

    def __init__(
        self,
        host: Any = "localhost",
        port: int = 6379,
        password: str | None = None,
        db: int | None = None,
        default_timeout: int = 300,
        key_prefix: str | Callable[[], str] | None = None,
        *,
        url: str | None = None,
        may_flush: bool = False,
        **options: Any,
    ) -> None:
        if url is not None:
            clients = clients_of_url(url, password, db, options)
        elif isinstance(host, str):
            clients = clients_of_server(host, port, password, db or 0, options)
        elif host is None:
            raise ValueError(
                "A RedisStore's host can't be None. It is a host name, or a client such"
                " as redis.Redis()."
            )
        elif isinstance(host, PerProcess):
            clients = host
        else:
            clients = clients_of_ready(host)
        super().__init__(default_timeout)
        self.key_prefix = key_prefix or ""
        self._clients = clients
        self._may_flush = may_flush

    @property
    def _client(self) -> Any:
        """The client of this process."""
        return self._clients.value

    @property
    def where(self) -> str:
        """Where the entries are, as people call it."""
        prefix = self._full_key("")
        keys = f"keys that begin with {prefix!r}" if prefix else "all keys"
        return f"{address_of(self._client)}, {keys}"

    def what_to_check(self, error: Exception) -> str:
        """Return which settings to look at after an error, as a sentence, or ""."""
        pool = getattr(self._client, "connection_pool", None)
        return what_to_check(error, getattr(pool, "connection_kwargs", {}))

    def get(self, key: str) -> str | int | None:
        """Return the value of a key, or None if it has none.

        Raises:
            StoreError: If the server returned something that this store has not stored
                under the key.
        """
        full_key = self._full_key(key)
        try:
            stored = self._client.get(full_key)
        except Exception as error:
            # Only this key is missing, and the next write overwrites it.
            if not str(error).startswith(_WRONG_TYPE):
                raise
            return None
        (value,) = self._loaded([full_key], [stored])
        return value

    def get_many(self, *keys: str) -> list[Any]:
        """Return the values of keys, None for keys without an entry.

        Raises:
            StoreError: As for `get`.
        """
        if not keys:
            return []
        full_keys = self._full_keys(keys)
        return self._loaded(full_keys, self._read_many(full_keys))

    def has(self, key: str) -> bool:
        """Return whether the key has a value."""
        # A key of another type has no value for `get`.
        return bool(self._client.type(self._full_key(key)) == b"string")

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value.

        Args:
            key: Any text.
            value: A text, or an integer of up to 19 digits.
            timeout: Seconds or a `timedelta`; 0 if it never expires, None for the
                default timeout.

        Raises:
            TypeError: If the value is neither a text nor an integer.
            TimeoutValueError: If the timeout is not valid.
        """
        seconds, full_key = self._expiry(timeout), self._full_key(key)
        data = self._dumped(full_key, value)
        # Returned as it is, so that a client with coroutines is noticed.
        is_stored: bool = self._client.set(full_key, data, ex=seconds)
        return is_stored

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store values in one round trip, and return the keys that were stored."""
        return self._write_many(mapping, timeout, only_new=False)

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value if the key has none, and return whether it was stored.

        It is one command. cachelib takes two, and a process that ends between them
        would leave an entry that never expires. If the key has a value, a second one
        looks whether it is of a type that this store can't read, and then replaces it.
        """
        seconds, full_key = self._expiry(timeout), self._full_key(key)
        data = self._dumped(full_key, value)
        if self._client.set(full_key, data, ex=seconds, nx=True):
            return True
        return bool(self._replace_other_types({full_key: data}, seconds))

    def add_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store the values whose keys have none, and return these keys.

        Each value is added by a command of its own; all are sent in one round trip.
        """
        added = self._write_many(mapping, timeout, only_new=True)
        done = set(added)
        left = {self._full_key(key): key for key in mapping if key not in done}
        if left:
            values = {
                full_key: self._dumped(full_key, mapping[key])
                for full_key, key in left.items()
            }
            replaced = self._replace_other_types(values, self._expiry(timeout))
            added += [left[full_key] for full_key in replaced]
        return added

    def set_many_if_equal(
        self, values: Mapping[str, Timed], others: Mapping[str, str], expected: str
    ) -> list[str]:
        """Store each value whose other key has an expected value, and delete that key.

        Args:
            values: For each key, its value and its timeout, as for `set`.
            others: For each key, its other key.
            expected: The value that the other keys need to have.

        Returns:
            The keys of the values that were stored.
        """
        if not values:
            return []
        full_keys: list[str] = []
        arguments: list[Any] = []
        for key, (value, timeout) in values.items():
            full_key, other = self._full_keys([key, others[key]])
            full_keys += [full_key, other]
            arguments += [
                self._dumped(other, expected),
                self._dumped(full_key, value),
                self._expiry(timeout) or 0,
            ]
        script = (SET_MANY_IF_EQUAL, len(full_keys), *full_keys, *arguments)
        return _done(values, self._client.eval(*script))

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Delete those keys that have an expected value, and return them."""
        if not keys:
            return []
        full_keys = self._full_keys(keys)
        wanted = [self._dumped(full_key, expected) for full_key in full_keys]
        script = (DELETE_MANY_IF_EQUAL, len(keys), *full_keys, *wanted)
        return _done(keys, self._client.eval(*script))

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        return bool(self._client.delete(self._full_key(key)))

    def delete_many(self, *keys: str) -> list[str]:
        """Delete the entries of keys. A failure raises, so all keys are returned."""
        if keys:
            self._client.delete(*self._full_keys(keys))
        return list(keys)

    def remaining(self, key: str) -> float | None:
        """Return the seconds until an entry expires, `math.inf` if it never does.

        Returns:
            None if there is no entry.
        """
        milliseconds: int = self._client.pttl(self._full_key(key))
        return seconds_left(milliseconds)

    def get_with_remaining(self, *keys: str) -> list[tuple[Any, float | None]]:
        """Return for each key what `get` and `remaining` return, of one moment.

        Raises:
            StoreError: As for `get`.
        """
        full_keys = self._full_keys(keys)
        answer = self._client.eval(READ_WITH_REMAINING, len(full_keys), *full_keys)
        values = self._loaded(full_keys, answer[::2])
        return list(zip(values, map(seconds_left, answer[1::2]), strict=True))

    def changes(self) -> RedisChanges:
        """Return a connection that tells which keys have changed, not opened yet."""
        return RedisChanges(self._client.connection_pool, self._full_key(""))

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number, and return the new one.

        A number keeps its remaining time. If the key has no value, the number starts
        as `delta` and gets the default timeout.

        Returns:
            None if the value is no number, or one that would be too large.
        """
        full_key = self._full_key(key)
        pipeline = self._client.pipeline(transaction=True)
        pipeline.set(full_key, 0, ex=self._expiry(None), nx=True)
        pipeline.incrby(full_key, delta)
        answer = pipeline.execute(raise_on_error=False)[-1]
        if not isinstance(answer, Exception):
            return int(answer)
        if _NOT_COUNTABLE.search(str(answer)):
            return None
        raise answer

    def clear(self) -> bool:
        """Delete all keys with this store's prefix, 500 at a time.

        Without a prefix the database is flushed, if `may_flush` allows it.

        Raises:
            StoreError: If there is no prefix and the database may not be flushed,
                because then its keys can't be told from those of others.
        """
        prefix = self._full_key("")
        if not prefix:
            return self._flush()
        # The locks go first. Otherwise a value that is being rendered could be stored
        # after the scan has passed its key.
        unlink_keys(self._client, f"{prefix}lock:")
        unlink_keys(self._client, prefix)
        return True

    def facts(self) -> Facts:
        """Count the keys with this store's prefix, and the bytes of their values.

        Without a prefix, all keys of the database are counted.
        """
        return count_keys(self._client, self._full_key(""))

    def amounts(self) -> Amounts:
        """Count the same, by what stands in keys before their digests."""
        return amounts_of_keys(self._client, self._full_key(""))

    def _flush(self) -> bool:
        if not self._may_flush:
            raise StoreError(
                "Without a key prefix, clearing would delete what others keep in"
                " this Redis database. Set CACHE_KEY_PREFIX (or key_prefix=...), or"
                ' CACHE_OPTIONS={"may_flush": True} if the database is this cache\'s'
                " alone."
            )
        return bool(self._client.flushdb())

    def _full_key(self, key: str) -> str:
        """Return the key that the server has for a key of this store."""
        prefix = self.key_prefix
        return f"{prefix if isinstance(prefix, str) else prefix()}{key}"

    def _full_keys(self, keys: Iterable[str]) -> list[str]:
        prefix = self._full_key("")
        return [prefix + key for key in keys]

    def _expiry(self, timeout: Any) -> int | None:
        """Return the seconds as redis-py takes them: None if an entry never expires."""
        return self._seconds(timeout) or None

    def _dumped(self, full_key: str, value: Any) -> bytes:
        return with_checksum(full_key, self.serializer.dumps(value))

    def _loaded(
        self, full_keys: Sequence[str], stored: Iterable[Any]
    ) -> list[str | int | None]:
        """Return the values of which the server has returned this.

        Raises:
            DamagedValueError: If this store has not stored one of them.
        """
        loads = self.serializer.loads
        try:
            return [
                None if each is None else loads(without_checksum(full_key, each))
                for full_key, each in zip(full_keys, stored, strict=True)
            ]
        except DamagedValueError:
            # It may have been the answer to an earlier question, and then more answers
            # will come too late.
            pool = getattr(self._client, "connection_pool", None)
            if pool is not None:
                pool.disconnect(inuse_connections=False)
            raise

    def _read_many(self, full_keys: Sequence[str]) -> Iterable[bytes | None]:
        found: Iterable[bytes | None] = self._client.mget(full_keys)
        return found

    def _replace_other_types(
        self, values: Mapping[str, bytes], seconds: int | None
    ) -> list[str]:
        """Store values in place of lists, hashes and the like, which nobody can read.

        Returns:
            The full keys that had such a value, or none any more.
        """
        arguments = [part for each in values.values() for part in (each, seconds or 0)]
        script = (REPLACE_OTHER_TYPES, len(values), *values, *arguments)
        return _done(values, self._client.eval(*script))

    def _write_many(
        self, values: Mapping[str, Any], timeout: Any, *, only_new: bool
    ) -> list[str]:
        seconds = self._expiry(timeout)
        # No transaction, which twemproxy does not support.
        pipeline = self._client.pipeline(transaction=False)
        for full_key, value in zip(
            self._full_keys(values), values.values(), strict=True
        ):
            data = self._dumped(full_key, value)
            pipeline.set(full_key, data, ex=seconds, nx=only_new)
        return _done(values, pipeline.execute())


def _done(keys: Iterable[str], answers: Iterable[Any]) -> list[str]:
    """Return the keys for which the server has answered that it did something."""
    return [key for key, answer in zip(keys, answers, strict=True) if answer]
