"""The cache of one application: its engine, and values of any type in its store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja_fragcache.access.runner import Operation, perform
from jinja_fragcache.access.safe_store import Guard
from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.lookup import current_entries
from jinja_fragcache.engine.tags import invalidate
from jinja_fragcache.entries.entry import Entry
from jinja_fragcache.entries.values import MISSING, UnreadableError, ValueCodec
from jinja_fragcache.errors import SerializationError, StoreError
from jinja_fragcache.messages import logger
from jinja_fragcache.timeouts import normalize_timeout

from .keys import check_key


@dataclass(frozen=True, slots=True)
class AppCache:
    """Reads and writes values in one application's store.

    Attributes:
        fragment_cache: the engine.
        codec: turns values into what is stored, and back.
        source_check: whether decorated functions are called again if their code has
            changed (`CACHE_SOURCE_CHECK`).
        ignore_errors: whether a failed delete is logged instead of raised
            (`CACHE_IGNORE_ERRORS`).
    """

    fragment_cache: FragmentCache
    codec: ValueCodec
    source_check: bool
    ignore_errors: bool

    @property
    def _guard(self) -> Guard:
        return self.fragment_cache.guard

    def get_many(self, keys: tuple[str, ...]) -> list[Any]:
        """Return the values of keys, None for a key without a value.

        Raises:
            KeyValueError: If a key is not a string.
        """
        for key in keys:
            check_key(key)
        return [
            None if value is MISSING else value
            for value in perform(self._read_many(keys))
        ]

    def has(self, key: str) -> bool:
        """Return whether a key has a value. None is one, too.

        Raises:
            KeyValueError: If the key is not a string.
        """
        (value,) = perform(self._read_many((check_key(key),)))
        return value is not MISSING

    def set_many(self, values: Mapping[str, Any], timeout: Any) -> bool:
        """Store values and return whether all of them were stored.

        Args:
            values: the values by their keys.
            timeout: seconds (int or float), a timedelta, 0 for never expiring, None for
                the cache's default.

        Raises:
            KeyValueError: If a key is not a string.
            TimeoutValueError: If `timeout` is not a timeout.
            SerializationError: If a value can't be stored and the cache is strict.
        """
        seconds = normalize_timeout(timeout)
        encoded = self._encode(values)
        stored = perform(self._guard.write_many(encoded, seconds)) if encoded else True
        return stored and len(encoded) == len(values)

    def add(self, key: str, value: Any, timeout: Any) -> bool:
        """Store a value if the key has none, and return whether it was stored.

        Args and errors are those of `set_many`.
        """
        seconds = normalize_timeout(timeout)
        encoded = self._encode({key: value})
        if not encoded or not perform(self._guard.add(key, encoded[key], seconds)):
            return False
        self._guard.count_stored([key])
        return True

    def increment(self, key: str, delta: int) -> int | None:
        """Add to a number and return the sum.

        Returns:
            None if the store failed, or if the key has another value than a number.

        Raises:
            KeyValueError: If the key is not a string.
            TypeError: If `delta` is not an int.
        """
        if type(delta) is not int:
            raise TypeError(f"delta is a whole number and got {delta!r}.")
        return perform(self._guard.increment(check_key(key), delta))

    def delete(self, key: str) -> bool:
        """Delete a value and return whether there was one.

        Returns:
            False also if the store failed and `ignore_errors` is set.

        Raises:
            KeyValueError: If the key is not a string.
            StoreError: If the store failed. The value may still be served.
        """
        return bool(self._attempt(self._guard.delete(check_key(key))))

    def delete_many(self, keys: tuple[str, ...]) -> bool:
        """Delete values.

        Returns:
            False if the store failed and `ignore_errors` is set, else True.

        Raises:
            KeyValueError: If a key is not a string.
            StoreError: If the store failed. The values may still be served.
        """
        for key in keys:
            check_key(key)
        return self._attempt(self._guard.delete_many(keys)) is not False

    def invalidate(self, tags: Iterable[str]) -> bool:
        """Invalidate all values that have any of the tags.

        Returns:
            False if the store failed and `ignore_errors` is set, else True.

        Raises:
            StoreError: If the store failed. The values may still be served.
        """
        return self._attempt(invalidate(self._guard, tags)) is not False

    def clear(self) -> bool:
        """Delete everything that this application has stored.

        Returns:
            False if the store failed and `ignore_errors` is set, else True.

        Raises:
            StoreError: If the store failed, or does not know which entries are this
                application's.
        """
        return self._attempt(self._guard.clear()) is not False

    def _read_many(self, keys: tuple[str, ...]) -> Operation[list[Any]]:
        entries = yield from current_entries(self._guard, keys)
        values = []
        for key, entry in zip(keys, entries, strict=True):
            value = self._decode(key, entry)
            (self._guard.count_miss if value is MISSING else self._guard.count_hit)(key)
            values.append(value)
        return values

    def _decode(self, key: str, entry: Entry | None) -> Any:
        if entry is None:
            return MISSING
        try:
            return self.codec.decode(key, entry)
        except UnreadableError as error:
            self._guard.failed("read", key, error.reason)
            return MISSING

    def _encode(self, values: Mapping[str, Any]) -> dict[str, str | int]:
        """Return what to store for values, without those that can't be stored.

        Raises:
            SerializationError: If one can't be stored and the cache is strict.
        """
        encoded = {}
        for key, value in values.items():
            check_key(key)
            try:
                encoded[key] = self.codec.encode(key, value)
            except SerializationError as error:
                told = SerializationError(f"{key!r} is not stored. {error}")
                self.fragment_cache.refuse(("value", key), told)
        return encoded

    def _attempt(self, operation: Operation[Any]) -> Any:
        """Carry out a delete and return its result.

        Returns:
            False if it failed and `ignore_errors` is set.

        Raises:
            StoreError: If it failed.
        """
        try:
            return perform(operation)
        except StoreError as error:
            if not self.ignore_errors:
                raise
            logger.warning("%s", error)
            return False
