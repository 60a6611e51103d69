"""The engine of one cache: it has the fast path of hits, and runs flows on misses.

`FragmentCache` is its public face. Compiled templates and the Flask extension call it
directly.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja2.utils import internalcode

from jinja_fragcache.access.adapt import adapt, adapt_near
from jinja_fragcache.access.breaker import Breaker
from jinja_fragcache.access.safe_stores import safe_store_of
from jinja_fragcache.access.stats import Recorder, Stats
from jinja_fragcache.clocks import time_of_day
from jinja_fragcache.entries.freshness import (
    Wanted,
    servable_text,
)
from jinja_fragcache.errors import AsyncOnlyError, FragmentCacheError
from jinja_fragcache.observe.listeners import Listener, Listeners
from jinja_fragcache.operations import perform, perform_async
from jinja_fragcache.stores.base import Store

from .context import Context
from .dependencies import current_trial
from .last_keys import KeyNotes
from .lookup import NO_VERSIONS, NOT_READ, Found, find, find_now
from .policy import Policy
from .singleflight import Flights
from .tag_hints import ALL_KEYS, TagHints

if TYPE_CHECKING:
    from jinja_fragcache.access.adapter import Adapter
    from jinja_fragcache.access.near_store import NearReads
    from jinja_fragcache.access.seal import Seal
    from jinja_fragcache.observe.comments import Comments
    from jinja_fragcache.observe.events import About, Reason

    from .batch import Row
    from .entry_spec import EntrySpec
    from .flow import Flow
    from .joined import JoinedTexts
    from .lead import Render
    from .reporting import Draft
    from .tag_hints import Keys
    from .whole import Whole


class Undecided:
    """The result of a look-up that the fast path can't decide.

    It is a miss, or an entry of which more has to be checked than its text.

    Attributes:
        stored: What the store returned.
        is_chosen: Whether it is to be verified if it is a hit.
    """

    __slots__ = ("is_chosen", "stored")

    def __init__(self, stored: object, *, is_chosen: bool = False) -> None:
        self.stored = stored
        self.is_chosen = is_chosen


#: The same, of a miss without an entry.
NOT_STORED = Undecided(None)


def undecided_of(stored: object) -> Undecided:
    """Return the result of a look-up that found no text in what `Engine.reads` has."""
    if stored is None:
        return NOT_STORED
    return stored if isinstance(stored, Undecided) else Undecided(stored)


class Engine:
    """Looks entries up and runs flows, for one cache.

    Args:
        store: The store.
        policy: The rules.
        strict: Whether a refused key is an error, or a function that returns this.
        listeners: Are told what happens.
        signing_key: As for `FragmentCache`.
        timer: A monotonic clock, in seconds.
        clock: Returns the time, in seconds since 1970.
        chance: Returns a random number from 0 up to 1, without 1.

    Attributes:
        blocks: Whether a call into the store may block, so that callers on an event
            loop have to await it.
        context: The cache, for callers that block.
        async_context: The cache, for callers on an event loop.
        grace: The grace periods of fragments whose tag gives none.
        policy: The rules.
        stats: The counters.
        near: Reads what is kept near; None if nothing is.
        clock: Returns the time, in seconds since 1970; None if that alone does not tell
            whether an entry is fresh.
        reads: Has `get`, which returns what the store has under a key, or what is
            `Undecided` whatever that is. It raises what the store raises.
        breaker: The circuit breaker.
        tagged_keys: The keys whose entries had tags when they were last read or made.
            Of these, a hit needs more than its text.
        whole: What holds for all entries; None if nothing does.
        comments: The listener that writes comments around fragments; None if none does.
        differs: Whether there is `whole` or `comments`, so that a hit asks only once.
        template_digest: Whether entries are bound to the source of their template.

    Raises:
        StoreError: If `store` is not a store.
        PolicyError: If `signing_key` has a value that is not allowed.
    """

    whole: Whole | None = None
    _joined: JoinedTexts | None = None

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        strict: bool | Callable[[], bool] = False,
        listeners: Iterable[Listener] = (),
        signing_key: Any = None,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time_of_day,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.policy = policy
        # These are read on every hit.
        self.grace = policy.grace(None, None)
        self.clock = None if policy.early_refresh else clock
        self.template_digest: bool = policy.template_digest
        self.stats = Stats()
        self._adapter, near = _adapted(store, policy, timer, self.stats)
        # What is near of signed texts has to be opened first: the long way.
        self.near = near if signing_key is None else None
        self.blocks = self._adapter.blocks
        self.breaker = Breaker(policy.retry_after, timer)
        listeners = tuple(listeners)
        self.comments = _comments_among(listeners)
        self.differs = self.comments is not None
        self._recorder = Recorder(self.stats, listeners, strict=strict)
        flights, tag_hints = Flights(), TagHints()
        key_notes = KeyNotes()
        verifying: set[str] = set()
        self._quiet_keys: Keys = tag_hints.by_key
        # Until the first look-up has seen whether anybody listens.
        self.tagged_keys: Keys = ALL_KEYS
        seal = _seal(signing_key, clock)

        def context(*, blocking: bool) -> Context:
            return Context(
                safe_store_of(
                    self._adapter,
                    blocking=blocking,
                    seal=seal,
                    prefetch=policy.prefetch,
                    recorder=self._recorder,
                    breaker=self.breaker,
                    default_timeout=policy.default_timeout,
                ),
                self._recorder,
                blocking=blocking,
                flights=flights,
                tag_hints=tag_hints,
                policy=policy,
                timer=timer,
                clock=clock,
                chance=chance,
                key_notes=key_notes,
                verifying=verifying,
            )

        self.context = context(blocking=True)
        self.async_context = context(blocking=False)
        flights.remembers_stored = self.context.local is None
        self.reads: Any = self.context.store.plain
        self._awaited = self.async_context.store.awaited
        self._recorder.turned = self._turn
        if listeners:
            self._turn(True)

    def _turn(self, is_on: bool) -> None:
        """Let no look-up take the fast path while somebody listens.

        That path tells nothing. So a hit does nothing for those who might listen.
        """
        self.tagged_keys = ALL_KEYS if is_on else self._quiet_keys
        for context in (self.context, self.async_context):
            context.store.measure(context.timer if is_on else None)

    @property
    def listeners(self) -> Listeners:
        """Those who are told what this cache does."""
        return self._recorder.listeners

    def text(self, key: str, wanted: Wanted) -> str | Undecided:
        """Return the text of a fresh entry without tags, else `Undecided`.

        Only while the circuit breaker is closed.

        Args:
            key: The entry's key.
            wanted: What the entry must match.
        """
        # `render.lookup.fragment` does the same without this call.
        try:
            stored = self.reads.get(key)
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.read_failed(key, error)
            stored = None
        return self._decide_one(stored, wanted)

    def _decide_one(self, stored: object, wanted: Wanted) -> str | Undecided:
        """Return the text of what `reads` returned, else `Undecided`."""
        text = servable_text(stored, wanted, self.clock)
        if text is None:
            return undecided_of(stored)
        self.stats.hits += 1
        return text

    def read_failed(self, key: str, error: Exception) -> None:
        """Note that the store failed to read.

        Raises:
            AsyncOnlyError: If that is the error.
        """
        if isinstance(error, AsyncOnlyError):
            raise error
        self.context.store.read_failed([key], error)

    def near_text(self, key: str, wanted: Wanted) -> str | None:
        """Return the text of a fresh entry without tags that is near, else None.

        For callers on an event loop, to whom nothing need be awaited then.
        """
        near = self.near
        if near is None or key in self.tagged_keys:
            return None
        text = servable_text(near.get_near(key), wanted, self.clock)
        if text is not None:
            self.async_context.store.note_use(key)
            self.stats.near_hits += 1
            self._recorder.hit(key)
        return text

    async def text_async(self, key: str, wanted: Wanted) -> str | Undecided:
        """Like `text`, but awaits the store."""
        try:
            stored = await self._awaited.get(key)
        except Exception as error:  # noqa: BLE001 - reads fail open
            self.read_failed(key, error)
            stored = None
        return self._decide_one(stored, wanted)

    def texts(
        self, keys: Sequence[str], wanted: Wanted
    ) -> tuple[str | list[str | None], Sequence[object]]:
        """Return the text of a list, if all entries are fresh and without tags.

        Args:
            keys: The entries' keys, of which no tags may be known.
            wanted: What all entries must match.

        Returns:
            The text; or a list with None for what is not so, and the text of each
            other entry. And what the store returned.
        """
        stored = self.context.store.read_all_now(keys)
        return self._decide_all(keys, stored, wanted), stored

    async def texts_async(
        self, keys: Sequence[str], wanted: Wanted
    ) -> tuple[str | list[str | None], Sequence[object]]:
        """Like `texts`, but awaits the store."""
        stored = await perform_async(self.async_context.store.read(keys))
        return self._decide_all(keys, stored, wanted), stored

    def _decide_all(
        self, keys: Sequence[str], stored: Sequence[object], wanted: Wanted
    ) -> str | list[str | None]:
        joined = self._joined
        if joined is None:
            from .joined import JoinedTexts  # noqa: PLC0415 - few templates have lists

            joined = self._joined = JoinedTexts()
        texts = joined.texts(keys, stored, wanted)
        misses = 0 if isinstance(texts, str) else texts.count(None)
        self.stats.hits += len(keys) - misses
        return texts

    def find(
        self,
        spec: EntrySpec,
        stored: object = NOT_READ,
        known: Mapping[str, object] = NO_VERSIONS,
    ) -> Found:
        """Look a value up. A fresh one counts as served.

        Args:
            spec: What is asked for.
            stored: What the store returned for it; NOT_READ if it was not asked yet.
            known: The versions of tags that were read together with that.
        """
        found = find_now(spec, self.context, stored, known)
        if found is None:
            read = None if stored is NOT_READ else [stored]
            (found,) = perform(find([spec], self.context, read, known))
        return found

    async def find_async(self, spec: EntrySpec, stored: object = NOT_READ) -> Found:
        """Like `find`, but awaits the store."""
        read = None if stored is NOT_READ else [stored]
        (found,) = await perform_async(find([spec], self.async_context, read))
        return found

    def find_rows(
        self, rows: Sequence[Row], stored: Sequence[object] | None = None
    ) -> None:
        """Like `find`, for the rows of a list that have a spec."""
        from .batch import find_rows  # noqa: PLC0415 - few templates have lists

        perform(find_rows(rows, self.context, stored))

    async def find_rows_async(
        self, rows: Sequence[Row], stored: Sequence[object] | None = None
    ) -> None:
        """Like `find_rows`, but awaits the store."""
        from .batch import find_rows  # noqa: PLC0415 - few templates have lists

        await perform_async(find_rows(rows, self.async_context, stored))

    @internalcode
    def run(self, flow: Flow, render: Render) -> Any:
        """Run a flow for a caller that blocks.

        Args:
            flow: The flow.
            render: Returns the text or value. What it raises passes through.

        Raises:
            StoreError: If the flow deletes, and the store failed.
        """
        if self.blocks:
            self.context.note_blocking()
        return perform(flow(self.context, render))

    @internalcode
    async def run_async(self, flow: Flow, render: Render) -> Any:
        """Like `run`, but awaits the body and the store."""
        return await perform_async(flow(self.async_context, render))

    def present_key(self, key: str) -> str:
        """Return the key of an entry with the present values of the whole cache.

        Raises:
            KeyValueError: If one of these can't be part of a key.
        """
        present = None if self.whole is None else self.whole.present()
        return key if present is None else present.key_of(key)

    def uncached(self, about: Callable[[], About], reason: Reason) -> Draft | None:
        """Count a fragment or value that is made without asking the store.

        Args:
            about: Returns what it is.
            reason: Why the store is not asked.

        Returns:
            Its report; None if nobody listens.
        """
        self.stats.uncached += 1
        if not self._recorder.listeners.settle() or current_trial() is not None:
            return None
        # Here, because most caches have no listeners.
        from .reporting import draft_uncached  # noqa: PLC0415

        return draft_uncached(self.context, about(), reason)

    def refuse(self, place: Hashable, error: FragmentCacheError) -> None:
        """Raise an error that says why something is not cached, or log it once.

        The log does not show the value, because it may be personal.

        Args:
            place: What identifies the place, such as a tag or a function. The error is
                logged once for each place.
            error: The error.

        Raises:
            FragmentCacheError: If the cache is strict.
        """
        self._recorder.refuse(place, error)

    def warn_once(self, place: Hashable, message: str) -> None:
        """Log a warning, once for each place."""
        self._recorder.warn_once(place, message)


def _adapted(
    store: Store, policy: Policy, timer: Callable[[], float], stats: Stats
) -> tuple[Adapter, NearReads | None]:
    """Return the adapter of a store, and what reads near it, if the rules say so."""
    if not policy.near:
        return adapt(store), None
    return adapt_near(store, policy.near, policy.near_threshold, timer, stats)


def _comments_among(listeners: Sequence[Listener]) -> Comments | None:
    """Return the listener that writes comments, None if none does."""
    if not listeners:
        return None
    # Here, because most caches have no listeners.
    from jinja_fragcache.observe.comments import comments_among  # noqa: PLC0415

    return comments_among(listeners)


def _seal(signing_key: Any, clock: Callable[[], float]) -> Seal | None:
    """Return what signs entries, None if nothing does."""
    if signing_key is None:
        return None
    from jinja_fragcache.access.seal import Seal  # noqa: PLC0415 - few sign

    return Seal(signing_key, clock)
