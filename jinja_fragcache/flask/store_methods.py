"""The methods of `Cache` for what is stored: `get`, `set`, `clear` and the like."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.keys.fragment import make_template_fragment_key, tag_names
from jinja_fragcache.messages import describe

from .value_cache import AppCache


class StoreMethods(ABC):
    """Reads, writes and deletes what is in the current application's store.

    If the store fails to read or write, this is logged, and the key counts as having no
    value. If it fails to delete, this is raised, unless CACHE_IGNORE_ERRORS is set.

    All methods raise SettingError if there is no current application, or if `init_app`
    was not called for it.
    """

    @property
    @abstractmethod
    def _app_cache(self) -> AppCache:
        """The cache of the current application."""
        ...

    @property
    def fragment_cache(self) -> FragmentCache:
        """The engine of the current application."""
        return self._app_cache.fragment_cache

    def key_for(self, name: str, vary_on: Iterable[Any] | None = None) -> str:
        """Return the key under which a cache tag stores its fragment now.

        Args:
            name: The name of the fragment.
            vary_on: The key values, in the tag's order; None if there are none.

        Raises:
            KeyValueError: If a value, or one that CACHE_VARY_ON gives, can't be part of
                a key.
        """
        return self.fragment_cache.key_for(name, vary_on)

    def get(self, key: str) -> Any:
        """Return the value of a key, or None if it has none.

        Args:
            key: The key that was passed to `set`, or for a fragment the one that
                `key_for` returns. The value of a fragment is its text.

        Raises:
            KeyValueError: If the key is not a string.
        """
        return self._app_cache.get_many((key,))[0]

    def get_many(self, *keys: str) -> list[Any]:
        """Return the values of keys, in the same order. None for a key without a value.

        Raises:
            KeyValueError: If a key is not a string.
        """
        return self._app_cache.get_many(keys)

    def get_dict(self, *keys: str) -> dict[str, Any]:
        """Like `get_many`, but return a dictionary of keys and values."""
        return dict(zip(keys, self._app_cache.get_many(keys), strict=True))

    def has(self, key: str) -> bool:
        """Return whether a key has a value. A stored None is a value, too.

        Raises:
            KeyValueError: If the key is not a string.
        """
        return self._app_cache.has(key)

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value.

        Args:
            key: A string.
            value: Any value that CACHE_SERIALIZER can store.
            timeout: Seconds (int or float), a timedelta, 0 for never expiring, None for
                CACHE_DEFAULT_TIMEOUT.

        Returns:
            Whether the value was stored.

        Raises:
            KeyValueError: If the key is not a string.
            TimeoutValueError: If `timeout` is not a timeout.
            SerializationError: If the serializer can't store the value and the
                application is in debug or testing mode. Otherwise this is logged.
        """
        return self._app_cache.set_many({key: value}, timeout)

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Like `set`, for several values.

        Args:
            mapping: The values by their keys.
            timeout: As for `set`.

        Returns:
            The keys, or an empty list if one of the values was not stored.

        Raises:
            TypeError: If `mapping` is not a mapping.
        """
        if not isinstance(mapping, Mapping):
            raise TypeError(f"set_many takes a dictionary and got {describe(mapping)}.")
        return list(mapping) if self._app_cache.set_many(mapping, timeout) else []

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Like `set`, but store the value only if the key has none."""
        return self._app_cache.add(key, value, timeout)

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number. A key without a value counts as 0.

        Args:
            key: A string.
            delta: The number to add.

        Returns:
            The sum, or None if the store failed or the value is not a number.

        Raises:
            KeyValueError: If the key is not a string.
            TypeError: If `delta` is not an int.
        """
        return self._app_cache.increment(key, delta)

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Like `inc`, but subtract. On Memcached the result is never below 0."""
        return self._app_cache.increment(key, -delta)

    def delete(self, key: str) -> bool:
        """Delete a value.

        Args:
            key: The key. One that is made without the values of CACHE_VARY_ON stands
                for the entries with all of them.

        Returns:
            False if the store reports that there was none, else True; with
            CACHE_VARY_ON, always True. With CACHE_IGNORE_ERRORS, False also if the
            store failed.

        Raises:
            KeyValueError: If the key is not a string.
            StoreError: If the store failed. The value may still be served.
        """
        return self._app_cache.delete(key)

    def delete_many(self, *keys: str) -> list[str]:
        """Like `delete`, for several values.

        Returns:
            The keys. With CACHE_IGNORE_ERRORS, an empty list if the store failed.
        """
        return list(keys) if self._app_cache.delete_many(keys) else []

    def unlink(self, *keys: str) -> list[str]:
        """Like `delete_many`. On Redis, Flask-Caching deletes so in the background."""
        return self.delete_many(*keys)

    def delete_fragment(self, name: str, vary_on: Iterable[Any] | None = None) -> bool:
        """Delete the fragment with a name and key values.

        After `cache.delete_fragment("row", [item.id])`, the fragment
        `{% cache 300, "row", item.id %}` is rendered again, with all values of
        CACHE_VARY_ON.

        Args:
            name: The name of the fragment.
            vary_on: The key values, in the tag's order; None if there are none.

        Returns:
            What `delete` returns.

        Raises:
            KeyValueError: If a value can't be part of a key.
            StoreError: If the store failed. The fragment may still be served.
        """
        return self._app_cache.delete(make_template_fragment_key(name, vary_on))

    def invalidate_tags(self, *tags: str) -> bool:
        """Invalidate all fragments and values that have any of the tags.

        Args:
            tags: Tags that were passed to the cache tag, `cached`, `memoize` or
                `cache_tag`.

        Returns:
            True. With CACHE_IGNORE_ERRORS, False if the store failed.

        Raises:
            KeyValueError: If a tag is not a string.
            StoreError: If the store failed. Entries with the tags may still be served.
        """
        return self._app_cache.invalidate(tag_names(tags))

    def clear(self) -> bool:
        """Delete everything that this application has stored.

        Returns:
            True. With CACHE_IGNORE_ERRORS, False if the store failed.

        Raises:
            StoreError: If the store failed, or does not know which entries are this
                application's.
        """
        return self._app_cache.clear()

    def stats(self) -> Stats:
        """Return the counts of hits, misses and the like; see `FragmentCache.stats`."""
        return self.fragment_cache.stats()
