"""The engine: a store, the rules for using it, and the flows carried out over it."""

import random
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from jinja2.utils import internalcode

from .access.adapter import adapt
from .access.breaker import DEFAULT_RETRY_AFTER, Breaker
from .access.runner import perform, perform_async
from .access.safe_store import Announcer, Guard, Stats
from .engine.batch import Row, find_many
from .engine.flow import Flow, find
from .engine.leader import Render
from .engine.lookup import Found, Request, current_entries
from .engine.policy import DEFAULT_LOCK_TIMEOUT, Policy
from .engine.singleflight import Flights
from .engine.tag_hints import KnownTags
from .engine.tags import invalidate
from .entries.entry import Entry
from .entries.freshness import Wanted, servable_text, servable_texts
from .entries.values import NUMBER
from .errors import AsyncOnlyError, FragmentCacheError, StoreError
from .keys.fragment import make_template_fragment_key, tag_names
from .messages import logger
from .stores import MemoryStore, Store

# Places that are warned of are tags and functions, and keys, which may be any number.
_MOST_PLACES = 1000


class Unclear:
    """What a store gave, where more has to be looked at than its header line.

    Attributes:
        stored: that.
    """

    __slots__ = ("stored",)

    def __init__(self, stored: object) -> None:
        self.stored = stored


class FragmentCache:
    """Keeps fragments in a store, for one environment or several.

    Args:
        store: a `MemoryStore`, a cachelib cache, a Flask-Caching `Cache`, Django's
            `cache`, or any object with `get`, `set` and `delete` (see
            `jinja_fragcache.stores.Store`). None makes a new `MemoryStore`.
        default_timeout: what the timeout None in a tag stands for: seconds (int or
            float), a timedelta, 0 for ever. None leaves it to the store's own default.
        stale: for how many seconds (a number or a timedelta) past its timeout a
            fragment is served while one caller renders it anew, where its tag does not
            say so.
        stale_if_error: for how many seconds past its timeout a fragment is served if
            rendering it anew fails, where its tag does not say so.
        early_refresh: how early a fragment is rendered anew by one caller, by chance:
            0 for never, 1 where it is as likely as it should be (see
            `jinja_fragcache.policy.Policy`).
        jitter: by which part of it, from 0 to 1, a timeout may be shortened by chance.
        strict: whether a tag with a key that has to be refused is an error (for
            development and tests) or renders uncached with a warning. A function
            without arguments is asked each time.
        announcer: whom to tell of hits, misses, writes and deletes; None for nobody.
        lock_timeout: how many seconds a caller waits for another one that is rendering
            the same fragment, before it renders itself.
        retry_after: how many seconds the store is left alone after it failed.
        template_digest: whether an entry that was rendered from another source of its
            template, or of one that this includes, imports or extends, is a miss,
            where its tag does not say so. One without a name always is.
        timer: a clock in seconds that never goes back.
        clock: gives the time of day, in seconds since 1970.
        chance: gives random numbers from 0 up to 1, without 1.

    Raises:
        StoreError: `store` is no store.
        TimeoutValueError: `default_timeout` is no timeout.
        PolicyError: another number is not allowed.
    """

    def __init__(  # noqa: PLR0913 - a keyword for each rule
        self,
        store: Store | None = None,
        *,
        default_timeout: Any = None,
        stale: Any = 0,
        stale_if_error: Any = 0,
        early_refresh: float = 0,
        jitter: float = 0,
        strict: bool | Callable[[], bool] = False,
        announcer: Announcer | None = None,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        retry_after: float = DEFAULT_RETRY_AFTER,
        template_digest: bool = False,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if isinstance(store, FragmentCache):
            raise StoreError(
                "The store is a FragmentCache already. Use it as it is:"
                " env.fragment_cache = that_one."
            )
        self.store: Store = MemoryStore() if store is None else store
        self.policy = Policy(
            default_timeout=default_timeout,
            stale=stale,
            stale_if_error=stale_if_error,
            early_refresh=early_refresh,
            jitter=jitter,
            lock_timeout=lock_timeout,
            retry_after=retry_after,
            template_digest=template_digest,
        )
        # Both are asked for on every hit.
        self.windows = self.policy.windows(None, None)
        self.template_digest: bool = self.policy.template_digest
        self._strict = strict
        self._counts = Stats()
        self._sync, awaited = adapt(self.store)
        self._breaker = Breaker(self.policy.retry_after, timer)
        #: Whether a call to the store may have to be waited for, so that on an event
        #: loop it has to be awaited.
        self.waits = self._sync.blocking
        known_tags = KnownTags()
        #: Keys of entries that had tags the last time, looked at on every hit.
        self.tagged_keys = known_tags.by_key
        guarded = partial(
            Guard,
            counts=self._counts,
            breaker=self._breaker,
            flights=Flights(),
            known_tags=known_tags,
            policy=self.policy,
            announcer=announcer,
            timer=timer,
            clock=clock,
            chance=chance,
        )
        #: The store, for operations that are carried out by calls.
        self.guard = guarded(self._sync, blocking=True)
        #: The store, for operations that are carried out by awaiting.
        self.async_guard = guarded(awaited, blocking=False)
        # Looked at on every hit, where a call would cost too much.
        self._hit_receivers = announcer.receivers["hit"] if announcer else ()
        self._places_warned_of: set[Hashable] = set()

    def get(self, key: str) -> str | None:
        """Give the text stored under a key, or None, also if its timeout has ended.

        A store that fails is logged and counts as having nothing.

        Args:
            key: what `make_template_fragment_key` gives.
        """
        return self._text(perform(current_entries(self.guard, [key])))

    async def get_async(self, key: str) -> str | None:
        """Do as `get`, awaiting the store."""
        entries = await perform_async(current_entries(self.async_guard, [key]))
        return self._text(entries)

    def delete(self, key: str) -> None:
        """Delete an entry. That there is none is no error.

        Raises:
            StoreError: the store failed. The entry may still be served.
        """
        perform(self.guard.delete(key))

    async def delete_async(self, key: str) -> None:
        """Do as `delete`, awaiting the store."""
        await perform_async(self.async_guard.delete(key))

    def delete_fragment(self, name: str, vary_on: Iterable[Any] | None = None) -> None:
        """Delete the fragment of a name and key values.

        `cache.delete_fragment("row", [item.id])` makes
        `{% cache 300, "row", item.id %}` render anew.

        Args:
            name: the fragment's name.
            vary_on: its key values, in the tag's order.

        Raises:
            KeyValueError: a value can't stand in a key.
            StoreError: the store failed. The entry may still be served.
        """
        self.delete(make_template_fragment_key(name, vary_on))

    async def delete_fragment_async(
        self, name: str, vary_on: Iterable[Any] | None = None
    ) -> None:
        """Do as `delete_fragment`, awaiting the store."""
        await self.delete_async(make_template_fragment_key(name, vary_on))

    def invalidate_tags(self, *tags: str) -> None:
        """Make all entries with any of the tags misses, at once.

        It takes as long with one entry as with a million.

        Args:
            tags: texts, as in `{% cache 300, "post", post.id, tags=["posts"] %}`.

        Raises:
            KeyValueError: one is no text.
            StoreError: the store failed. The entries may still be served.
        """
        perform(invalidate(self.guard, tag_names(tags)))

    async def invalidate_tags_async(self, *tags: str) -> None:
        """Do as `invalidate_tags`, awaiting the store."""
        await perform_async(invalidate(self.async_guard, tag_names(tags)))

    def clear(self) -> None:
        """Delete all that the store holds, also what others keep in it.

        Raises:
            StoreError: the store failed, or has no `clear()`.
        """
        perform(self.guard.clear())

    async def clear_async(self) -> None:
        """Do as `clear`, awaiting the store."""
        await perform_async(self.async_guard.clear())

    def stats(self) -> Stats:
        """Tell what was done so far."""
        return replace(self._counts)

    def look_up(self, key: str, wanted: Wanted) -> str | Unclear:
        """Give the text to serve for a key, or what is stored where that is no such."""
        # What guard.read does, without a generator: this is on the path of every hit.
        try:
            stored = (
                self._sync.get(key)
                if self._breaker.is_closed
                else perform(self.guard.read(key))
            )
        except AsyncOnlyError:
            raise
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.guard.failed("read", key, error)
            self._breaker.failed()
            stored = None
        text = servable_text(stored, wanted)
        if text is None:
            return Unclear(stored)
        self._counts.hits += 1
        if self._hit_receivers:
            self.guard.announce("hit", key)
        return text

    def find(self, request: Request, stored: Sequence[object] | None = None) -> Found:
        """Look for a value. One that is fresh counts as served.

        Args:
            request: what is asked for.
            stored: what the store gave, in a list; None if it was not asked yet.
        """
        return perform(find(request, self.guard, stored))

    async def find_async(self, request: Request) -> Found:
        """Do as `find`, awaiting the store."""
        return await perform_async(find(request, self.async_guard))

    def look_up_many(self, keys: Sequence[str], wanted: Wanted) -> str | Unclear:
        """Give the texts of keys as one, or what is stored where that is not it.

        No tags may be known of them.
        """
        stored = perform(self.guard.read_many(keys))
        texts = servable_texts(stored, wanted)
        if texts is None:
            return Unclear(stored)
        self.guard.count_hits(keys)
        return "".join(texts)

    def find_rows(
        self, rows: Sequence[Row], stored: Sequence[object] | None = None
    ) -> list[Row]:
        """Do as `find` with rows, in one round trip."""
        return perform(find_many(rows, self.guard, stored))

    async def find_rows_async(self, rows: Sequence[Row]) -> list[Row]:
        """Do as `find_rows`, awaiting the store."""
        return await perform_async(find_many(rows, self.async_guard))

    @internalcode
    def run(self, flow: Flow, render: Render) -> Any:
        """Carry a flow out.

        Args:
            flow: what has to be done.
            render: gives the text or value. What it raises passes through.

        Raises:
            StoreError: the flow deletes and the store failed.
        """
        return perform(flow(self.guard, render))

    @internalcode
    async def run_async(self, flow: Flow, render: Render) -> Any:
        """Do as `run`, awaiting the body and the store."""
        return await perform_async(flow(self.async_guard, render))

    def count_uncached(self) -> None:
        """Note that something is made without asking the store."""
        self._counts.uncached += 1

    def refuse(self, place: Hashable, error: FragmentCacheError) -> None:
        """Raise an error, or log it once, that says why something is not cached.

        Args:
            place: where this is so. It is logged once for each place.
            error: the error.

        Raises:
            FragmentCacheError: this cache is strict.
        """
        if self._strict() if callable(self._strict) else self._strict:
            raise error from None
        self.warn_once(place, str(error))

    def warn_once(self, place: Hashable, message: str) -> None:
        """Log a warning, once for each place."""
        if place in self._places_warned_of:
            return
        if len(self._places_warned_of) >= _MOST_PLACES:
            self._places_warned_of.clear()
        self._places_warned_of.add(place)
        logger.warning(message)

    @staticmethod
    def _text(entries: list[Entry | None]) -> str | None:
        (entry,) = entries
        # A number is no text.
        return entry.text if entry is not None and entry.form != NUMBER else None
