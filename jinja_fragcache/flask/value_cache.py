"""One application's cache: its engine, and values of any type in its store."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine import claims
from jinja_fragcache.engine.context import Context
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.lookup import current_entries
from jinja_fragcache.engine.packing import pack
from jinja_fragcache.engine.spec import NotStored
from jinja_fragcache.engine.tags import invalidate, present_versions, read_versions
from jinja_fragcache.engine.whole import delete, tag_of_key
from jinja_fragcache.entries.entry import Entry
from jinja_fragcache.entries.values import MISSING, UnreadableError, ValueCodec
from jinja_fragcache.errors import SerializationError, StoreError
from jinja_fragcache.functions.keys import TaggedKey, check_key, tags_of
from jinja_fragcache.messages import logger
from jinja_fragcache.operations import Operation, perform
from jinja_fragcache.timeouts import normalize_timeout


@dataclass(frozen=True, slots=True)
class AppCache:
    """Caches values in one application's store, by the rules of its engine.

    Attributes:
        fragment_cache: The cache of the application's templates.
        codec: How values are stored.
        source_check: Whether the source of a decorated function is part of its keys
            (`CACHE_SOURCE_CHECK`); None if nobody has said so.
        announce_call: Gets "hit" or "miss" and a call, and sends Flask-Caching's
            signal; None if these are not sent (`CACHE_ENABLE_SIGNALS`).
        guards: Whether what a body reads of the request has to be in its key
            (`CACHE_GUARD`).
        ignore_errors: Whether a delete that fails is logged, not raised
            (`CACHE_IGNORE_ERRORS`).
        settings: The settings in force. In testing mode, they are known when the cache
            is first used.
        kept_alive: What signals hold weakly, and is needed as long as this object.
    """

    fragment_cache: FragmentCache
    codec: ValueCodec
    source_check: bool | None
    announce_call: Callable[[str, Any], None] | None
    guards: bool
    ignore_errors: bool
    settings: Mapping[str, Any]
    kept_alive: tuple[object, ...] = ()

    @property
    def engine(self) -> Engine:
        """The engine of the application's cache."""
        return self.fragment_cache.engine

    @property
    def _context(self) -> Context:
        return self.engine.context

    def present_key(self, key: str) -> str:
        """Return the key of a call with the present values of the whole cache.

        A value that is set under it gets the tags of the call.

        Raises:
            KeyValueError: If one of these can't be part of a key.
        """
        present = self.engine.present_key(key)
        if present == key:
            return key
        return TaggedKey(present, (*tags_of(key), tag_of_key(key)))

    def get_many(self, keys: tuple[str, ...]) -> list[Any]:
        """Return the values of keys, None for those that have none."""
        for key in keys:
            check_key(key)
        return [
            None if value is MISSING else value
            for value in perform(self._read_many(keys))
        ]

    def has(self, key: str) -> bool:
        """Return whether a key has a value."""
        (value,) = perform(self._read_many((check_key(key),)))
        return value is not MISSING

    def set_many(self, values: Mapping[str, Any], timeout: Any) -> bool:
        """Store values, and return whether all of them were stored."""
        return perform(self._set_many(values, normalize_timeout(timeout)))

    def add(self, key: str, value: Any, timeout: Any) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        return perform(self._add(key, value, normalize_timeout(timeout)))

    def increment(self, key: str, delta: int) -> int | None:
        """Add to a number and return the sum, None if the store failed."""
        if type(delta) is not int:
            raise TypeError(f"delta is a whole number and got {delta!r}.")
        return perform(self._context.store.increment(check_key(key), delta))

    def delete(self, key: str) -> bool:
        """Delete a value, and return whether there was one."""
        return bool(self._attempt(delete(self._context, [check_key(key)])))

    def delete_many(self, keys: tuple[str, ...]) -> bool:
        """Delete values, and return whether that was done."""
        for key in keys:
            check_key(key)
        return not keys or self._attempt(delete(self._context, keys)) is not False

    def invalidate(self, tags: Iterable[str]) -> bool:
        """Turn all values that have any of the tags into misses.

        Returns:
            Whether that was done.

        Raises:
            StoreError: If the store failed. The values may still be served.
        """
        return self._attempt(invalidate(self._context, tags)) is not False

    def clear(self) -> bool:
        """Delete everything, and return whether that was done."""
        return self._attempt(claims.clear(self._context)) is not False

    def _set_many(
        self, values: Mapping[str, Any], seconds: int | None
    ) -> Operation[bool]:
        encoded = yield from self._encode(values, seconds)
        timed = {key: (each, seconds) for key, each in encoded.items()}
        written = yield from self._context.store.write(timed)
        return len(written) == len(values)

    def _add(self, key: str, value: Any, seconds: int | None) -> Operation[bool]:
        encoded = yield from self._encode({key: value}, seconds)
        if not encoded or not (yield from self._context.store.add(encoded, seconds)):
            return False
        self._context.recorder.stored([key])
        return True

    def _read_many(self, keys: tuple[str, ...]) -> Operation[list[Any]]:
        entries = yield from current_entries(self._context, keys)
        recorder = self._context.recorder
        values = []
        for key, entry in zip(keys, entries, strict=True):
            value = self._decode(key, entry)
            (recorder.miss if value is MISSING else recorder.hit)(key)
            values.append(value)
        return values

    def _decode(self, key: str, entry: Entry | None) -> Any:
        if entry is None:
            return MISSING
        try:
            return self.codec.decode(entry)
        except UnreadableError as error:
            self._context.store.failed("read", [key], error.reason)
            return MISSING

    def _encode(
        self, values: Mapping[str, Any], seconds: int | None
    ) -> Operation[dict[str, str | int]]:
        """Return what is stored for values, without those that can't be stored.

        Raises:
            SerializationError: If a value can't be stored, and the cache is strict.
        """
        tags = sorted({tag for key in values for tag in tags_of(key)})
        versions: dict[str, str] | None = {}
        if tags:
            _, read = yield from read_versions(self._context, [], tags)
            versions = yield from present_versions(self._context, read, seconds)
        if versions is None:
            return {}
        encoded = {}
        for key, value in values.items():
            check_key(key)
            own = {tag: versions[tag] for tag in tags_of(key)}
            try:
                made = self.codec.encode(value, own, is_counter=True)
                encoded[str(key)] = pack(self._context, repr(key), made)
            except NotStored as reason:
                self.engine.warn_once(("value", key), str(reason))
            except SerializationError as error:
                start = f"{key!r} is not stored."
                told = SerializationError(
                    f"{start} {error}", for_log=f"{start} {error.for_log}"
                )
                self.engine.refuse(("value", key), told)
        return encoded

    def _attempt(self, operation: Operation[Any]) -> Any:
        """Run a delete. Return False if it failed, and failures are ignored.

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
