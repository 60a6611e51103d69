"""One call of a decorated function, as the engine looks it up, makes and stores it."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from jinja_fragcache.engine.spec import NotStored, Stopped
from jinja_fragcache.entries.entry import Entry, Life
from jinja_fragcache.entries.freshness import GracePeriods
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import KeyValueError, SerializationError

from .cacheability import SessionWatch, judge
from .keys import full_name
from .options import Options
from .responses import CachedResponse, join_chunks, mark_hit, read_stream
from .value_cache import AppCache


@dataclass(slots=True)
class FunctionCall:
    """One call of a decorated function: the engine's spec of its entry.

    Attributes:
        app_cache: The values of the current application.
        function: The function.
        options: The options of its decorator.
        args: The arguments of the call.
        kwargs: The arguments of the call.
        key: The key of the entry.
        tags: The tags of the entry.
        version: The digest of the function's code, which has to be that of the entry;
            None if the code doesn't matter.
        timeout: The function's timeout in seconds, 0 for never expiring, None for the
            cache's default.
        session_watch: Records how the function uses the session; None outside of a
            request.
        is_view: Whether the function is the view of the current request, so that its
            value is the answer.
        is_key_custom: Whether a function of the user made the key.
        grace: The grace periods of the entry.
        is_made: Whether the function was called and returned.
        is_kept: Whether the value it returned is to be stored.
    """

    app_cache: AppCache
    function: Callable[..., Any]
    options: Options
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: str
    tags: tuple[str, ...]
    version: str | None
    timeout: int | None
    session_watch: SessionWatch | None
    is_view: bool
    is_key_custom: bool
    grace: GracePeriods
    is_made: bool = False
    is_kept: bool = False

    def load(self, stored: object, entry: Entry | None) -> Any:
        """Return the stored value, or MISSING if it may not be served.

        Args:
            stored: What the store returned.
            entry: The entry in it, None if it has none.

        Raises:
            UnreadableError: If the serializer can't read the entry.
        """
        if entry is None or entry.version != self.version:
            return MISSING
        if self.options.forced_update(*self.args, **self.kwargs):
            return MISSING
        value = self.app_cache.codec.decode(self.key, entry)
        if value is None and not self.options.cache_none:
            return MISSING
        if value is MISSING or self.options.is_stale(value, *self.args, **self.kwargs):
            return MISSING
        return value

    def timeout_of(self, value: Any) -> int | None:
        """Return the timeout of a value that was made, in seconds.

        Raises:
            NotStored: If the value is not to be stored.
        """
        if not self.is_kept:
            raise NotStored
        if isinstance(value, CachedResponse) and value.timeout is not None:
            return value.timeout
        return self.timeout

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
    ) -> str | int:
        """Return what to store for a value.

        Args:
            value: The value.
            tags: Its tags, each with its version.
            life: How long it is fresh, if the store's timeout alone doesn't tell that.
            templates: Not used.

        Raises:
            NotStored: If the serializer can't keep it, and the cache is not strict.
            SerializationError: If the same, if the cache is strict.
        """
        try:
            return self.app_cache.codec.encode(
                self.key, value, self.version, tags, life
            )
        except SerializationError as error:
            refuse(self.app_cache, self.function, error)
            raise NotStored from None

    def make(self) -> Any:
        """Call the function and return its value, with generators joined.

        Raises:
            Stopped: If the function raised StopIteration.
        """
        with self.session_watch or nullcontext():
            try:
                value = self.function(*self.args, **self.kwargs)
            except StopIteration as error:
                raise Stopped(error) from None
            value = join_chunks(value)
        return self._finish(value)

    async def make_async(self) -> Any:
        """Like `make`, for a coroutine function."""
        with self.session_watch or nullcontext():
            value = await self.function(*self.args, **self.kwargs)
        return self._finish(value)

    def mark(self) -> None:
        """Mark the answer as a hit, if it is one and the options ask for the mark."""
        if self.options.response_hit_indication and not self.is_made:
            mark_hit()

    def _finish(self, value: Any) -> Any:
        """Decide whether to store a value; if so, read its stream to the end.

        A stream is a part of the function that runs later: it may use the session, and
        it may fail.
        """
        self.is_kept = (
            (value is not None or self.options.cache_none)
            and bool(self.options.response_filter(value))
            and self._may_be_shared(value)
            and self._read(value)
        )
        self.is_made = True
        return value

    def _read(self, value: Any) -> bool:
        """Read a stream and return whether the value may still be stored."""
        watch = self.session_watch
        if watch is None:
            return read_stream(value)
        seen = (watch.read, watch.changed)
        with watch:
            is_whole = read_stream(value)
        if seen == (watch.read, watch.changed):
            return is_whole
        return is_whole and self._may_be_shared(value)

    def _may_be_shared(self, value: Any) -> bool:
        """Return whether other requests may get a value; warn if they may not."""
        watch = self.session_watch
        if watch is None:
            return True
        verdict = judge(
            value, watch, is_view=self.is_view, is_key_custom=self.is_key_custom
        )
        if verdict.warning is not None:
            name = full_name(self.function)
            done = "cached" if verdict.kept else "not cached"
            self.app_cache.fragment_cache.engine.warn_once(
                (name, done),
                f"{name}(): the answer is {done}."
                f" {verdict.warning}. Leave such requests out with unless=..., tell"
                " them apart with make_cache_key=..., or cache the parts that are the"
                " same for all with the cache tag.",
            )
        return verdict.kept


def refuse(
    app_cache: AppCache,
    function: Callable[..., Any],
    error: KeyValueError | SerializationError,
) -> None:
    """Raise, or log once, that a function's value is not cached.

    Args:
        app_cache: The values of the current application.
        function: The function.
        error: Why its key or its value was refused.

    Raises:
        KeyValueError: If the key was refused and the cache is strict.
        SerializationError: If the value was refused and the cache is strict.
    """
    name = full_name(function)
    start = f"{name}(): the value is not cached."
    refusal = type(error)(f"{start} {error}", for_log=f"{start} {error.for_log}")
    app_cache.fragment_cache.engine.refuse(name, refusal)
