"""A store on a Redis server."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja_fragcache.operations import perform

from .base import Timed
from .facts import Amounts, Facts
from .redis_changes import RedisChanges
from .redis_operations import RedisOperations
from .text_store import TextStore


class RedisStore(RedisOperations, TextStore):
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
            option is unknown, the calls of the client have to be awaited (see
            `AsyncRedisStore`), or it decodes what it reads.
        TimeoutValueError: If the default timeout is not valid.
        ValueError: If the host is None.
    """

    def get(self, key: str) -> str | int | None:
        """Return the value of a key, or None if it has none.

        Raises:
            StoreError: If the server returned something that this store has not stored
                under the key.
        """
        # No operation, because every hit comes here.
        full_key = self._full_key(key)
        try:
            return self._loaded(full_key, self._client.get(full_key))
        except Exception as error:  # noqa: BLE001 - raised there
            return perform(self._get_failed(error))

    def get_many(self, *keys: str) -> list[Any]:
        """Return the values of keys, None for keys without an entry.

        Raises:
            StoreError: As for `get`.
        """
        return perform(self._get_many(keys))

    def has(self, key: str) -> bool:
        """Return whether the key has a value."""
        return perform(self._has(key))

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
        return perform(self._set(key, value, timeout))

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store values in one round trip, and return the keys that were stored."""
        stored: list[str] = perform(self._set_many(mapping, timeout))
        return stored

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value if the key has none, and return whether it was stored.

        It is one command. cachelib takes two, and a process that ends between them
        would leave an entry that never expires. If the key has a value, a second one
        looks whether it is of a type that this store can't read, and then replaces it.
        """
        return perform(self._add(key, value, timeout))

    def add_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store the values whose keys have none, and return these keys.

        Each value is added by a command of its own; all are sent in one round trip.
        """
        return perform(self._add_many(mapping, timeout))

    def add_and_get_many(
        self, mapping: Mapping[str, Any], keys: Sequence[str], timeout: Any = None
    ) -> tuple[list[str], list[Any] | None]:
        """Do as `add_many`, and then as `get_many`, in one round trip.

        Args:
            mapping: The values to add, by their keys.
            keys: What to read.
            timeout: The timeout of the values, as for `set`.

        Returns:
            The keys of the values that were stored, and the values that were read; None
            in place of these if they could not be read together with that.
        """
        return perform(self._add_and_get_many(mapping, keys, timeout))

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
        return perform(self._set_many_if_equal(values, others, expected))

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Delete those keys that have an expected value, and return them."""
        return perform(self._delete_many_if_equal(keys, expected))

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        return perform(self._delete(key))

    def delete_many(self, *keys: str) -> list[str]:
        """Delete the entries of keys. A failure raises, so all keys are returned."""
        return perform(self._delete_many(keys))

    def remaining(self, key: str) -> float | None:
        """Return the seconds until an entry expires, `math.inf` if it never does.

        Returns:
            None if there is no entry.
        """
        return perform(self._remaining(key))

    def get_with_remaining(self, *keys: str) -> list[tuple[Any, float | None]]:
        """Return for each key what `get` and `remaining` return, of one moment.

        Raises:
            StoreError: As for `get`.
        """
        return perform(self._get_with_remaining(keys))

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
        return perform(self._inc(key, delta))

    def clear(self) -> bool:
        """Delete all keys with this store's prefix, 500 at a time.

        Without a prefix the database is flushed, if `may_flush` allows it.

        Raises:
            StoreError: If there is no prefix and the database may not be flushed,
                because then its keys can't be told from those of others.
        """
        return perform(self._clear())

    def facts(self) -> Facts:
        """Count the keys with this store's prefix, and the bytes of their values.

        Without a prefix, all keys of the database are counted.
        """
        return perform(self._facts())

    def amounts(self) -> Amounts:
        """Count the same, by what stands in keys before their digests."""
        return perform(self._amounts())
