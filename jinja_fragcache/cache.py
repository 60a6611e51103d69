"""`FragmentCache`: a store, and the rules for using it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .access.breaker import DEFAULT_RETRY_AFTER
from .access.stats import Stats
from .clocks import time_of_day
from .engine.context import Context
from .engine.engine import Engine
from .engine.lookup import current_entries
from .engine.policy import DEFAULT_LOCK_TIMEOUT, Policy
from .engine.tags import invalidate
from .entries.entry import Entry
from .entries.values import NUMBER
from .errors import PolicyError, StoreError
from .functions.memoize import MemoizeMethods
from .keys.fragment import make_template_fragment_key, tag_names
from .messages import describe
from .observe.listeners import Listener, listener_list
from .operations import Operation, perform, perform_async
from .stores.base import Store
from .stores.memory import DEFAULT_THRESHOLD, MemoryStore
from .stores.shared import Shared

if TYPE_CHECKING:
    from .functions.value_rules import PlainRules
    from .observe.figures import Figures
    from .observe.workers import AllFigures


class FragmentCache(MemoizeMethods, Shared):
    """Caches fragments in a store, for one environment or several.

    Args:
        store: A `MemoryStore`, a cachelib cache, a Flask-Caching `Cache`, Django's
            `cache`, or any object with `get`, `set` and `delete` (see
            `jinja_fragcache.stores.Store`). None makes a new `MemoryStore`.
        default_timeout: What the timeout None in a tag stands for: seconds (int or
            float), a timedelta, 0 for never expires. None leaves it to the store.
        stale: For how many seconds (a number or a timedelta) after its timeout a
            fragment is served while one caller renders it again, if its tag does not
            say so.
        stale_if_error: For how many seconds after its timeout a fragment is served if
            rendering it again fails, if its tag does not say so.
        background: Whether a stale fragment is rendered again behind the request, so
            that no caller waits for it, if its tag does not say so.
        early_refresh: How early one caller renders a fragment again, by chance: 0 for
            never, 1 for the optimum if all fragments are asked for alike (the beta of
            XFetch, VLDB 2015).
        jitter: By which fraction a timeout may be shortened by chance, from 0 to 1.
        strict: Whether a tag with a refused key is an error (for development and
            tests), or renders uncached with a warning. A function without arguments
            that returns this is called each time.
        listeners: Are told what this cache does: objects of subclasses of `Listener`.
        statistics: Whether figures of each name are collected, and kept in the store
            for all workers to read. A hit takes longer then.
        debug_comments: Whether comments around fragments in HTML tell what became of
            them. They show keys, so it is for development.
        lock_timeout: How many seconds a caller waits for another one that renders the
            same fragment, before it renders the fragment itself.
        retry_after: For how many seconds the store is skipped after it failed.
        template_digest: Whether an entry is a miss if its template has changed, or a
            template that this one includes, imports or extends, if its tag does not say
            so. A fragment without a name is always bound to these.
        guard: Whether a fragment is stored only if its key covers what its body reads
            of the request. Else it is rendered, and an error if the cache is strict.
        guard_allow: The dotted names of what bodies may read all the same, such as
            `g.theme`.
        verify: On which fraction of hits, from 0 to 1, the body is rendered too, and
            compared with what is served. A difference is counted and logged; with 1, it
            is an error if the cache is strict.
        compression: How texts from 2,048 bytes are stored: "zlib" or "zstd" (Python
            3.14, or `pip install 'jinja-fragcache[zstd]'`) if that makes them smaller;
            None as they are.
        max_entry_size: How many bytes an entry may have, compressed and signed. What is
            larger is rendered and not stored. None for no limit.
        signing_key: A secret text or bytes, or a list of them with the newest last. An
            entry that is not signed for its key with one of them is a miss. It needs
            `pip install 'jinja-fragcache[signing]'`, or Flask. None signs nothing.
        vary_on: A function without arguments that returns a list of key values, such as
            the locale. They are part of the key of all that this cache stores.
        unless: A function without arguments that returns whether to use the cache for
            nothing now, such as for a preview.
        near: For how many seconds this process keeps what it has read from the store,
            so that it asks only once for it. It may be that much older than what the
            store has, if others write there and the store does not tell. 0 keeps
            nothing.
        near_threshold: The largest number of entries that are kept so.
        prefetch: Whether a page's first read also reads what it asked for the last
            time, if the store reads many keys in one round trip.
        serializer: How `memoize` stores values other than strings and whole numbers:
            "json", "pickle" (nearly any object, but who can write to the store can run
            code), or an object with `dumps(value)` and `loads(made)`.
        timer: A monotonic clock, in seconds.
        clock: Returns the time, in seconds since 1970.
        chance: Returns a random number from 0 up to 1, without 1.

    Attributes:
        store: The store.
        policy: The rules, as they were given.
        figures: Collects the figures of this process; None if none are collected.
        engine: The engine, for the other parts of this package. It is not public.

    Raises:
        StoreError: If `store` is not a store, if itsdangerous is needed for
            `signing_key` and not installed, or if `near` is given with a store that may
            have several entries for one key.
        TimeoutValueError: If `default_timeout` is not a timeout.
        PolicyError: If another rule has a value that is not allowed.
        ListenerError: If one of `listeners` is no `Listener`.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        default_timeout: Any = None,
        stale: Any = 0,
        stale_if_error: Any = 0,
        background: bool = False,
        early_refresh: float = 0,
        jitter: float = 0,
        strict: bool | Callable[[], bool] = False,
        listeners: Iterable[Listener] = (),
        statistics: bool = False,
        debug_comments: bool = False,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        retry_after: float = DEFAULT_RETRY_AFTER,
        template_digest: bool = False,
        guard: bool = True,
        guard_allow: Iterable[str] = (),
        verify: float = 0,
        compression: str | None = None,
        max_entry_size: int | None = None,
        signing_key: str | bytes | Sequence[str | bytes] | None = None,
        vary_on: Callable[[], Sequence[Any]] | None = None,
        unless: Callable[[], object] | None = None,
        near: float = 0,
        near_threshold: int = DEFAULT_THRESHOLD,
        prefetch: bool = True,
        serializer: Any = "json",
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time_of_day,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if isinstance(store, FragmentCache):
            raise StoreError(
                "The store is a FragmentCache already. Use it as it is:"
                " env.fragment_cache = that_one."
            )
        self.store: Store = MemoryStore() if store is None else store
        _check_flag("debug_comments", debug_comments)
        _check_flag("statistics", statistics)
        if not callable(strict):
            _check_flag("strict", strict, ", or a function that returns it")
        self.policy = Policy(
            default_timeout=default_timeout,
            stale=stale,
            stale_if_error=stale_if_error,
            background=background,
            early_refresh=early_refresh,
            jitter=jitter,
            lock_timeout=lock_timeout,
            retry_after=retry_after,
            template_digest=template_digest,
            guard=guard,
            guard_allow=guard_allow,
            verify=verify,
            compression=compression,
            max_entry_size=max_entry_size,
            vary_on=vary_on,
            unless=unless,
            near=near,
            near_threshold=near_threshold,
            prefetch=prefetch,
            serializer=serializer,
        )
        heard_by = listener_list(listeners)
        if debug_comments:
            from .observe.comments import Comments  # noqa: PLC0415 - few write any

            heard_by.append(Comments())
        self.engine: Engine = _engine_class(self.policy)(
            self.store,
            self.policy,
            strict=strict,
            listeners=heard_by,
            signing_key=signing_key,
            timer=timer,
            clock=clock,
            chance=chance,
        )
        self.figures: Figures | None = None
        if statistics:
            self.collect_figures()
        self._is_signed = signing_key is not None
        self._rules: PlainRules | None = None

    def __reduce__(self) -> tuple[Callable[[Policy], FragmentCache], tuple[Policy]]:
        """Pickle the rules alone. A store holds connections and locks.

        The signing key is left out: what is in this process needs none.
        """
        return _with_policy, (self.policy,)

    def _value_rules(self) -> PlainRules:
        engine = self.engine
        if self._rules is None:
            # Here, because it imports types that only values of functions may have.
            from .functions.value_rules import plain_rules  # noqa: PLC0415

            self._rules = plain_rules(engine, is_signed=self._is_signed)
        return self._rules

    def key_for(self, name: str, vary_on: Iterable[Any] | None = None) -> str:
        """Return the key under which a cache tag stores its fragment now.

        It is that of `make_template_fragment_key`, with the values that the `vary_on`
        of this cache returns now, if it has one.

        Args:
            name: The fragment's name.
            vary_on: Its key values, in the tag's order.

        Raises:
            KeyValueError: If a value can't be part of a key.
        """
        return self.engine.present_key(make_template_fragment_key(name, vary_on))

    def get(self, key: str) -> str | None:
        """Return the text stored under a key, or None if there is none or it expired.

        A store that fails is logged, and counts as empty.

        Args:
            key: What `key_for` returns.
        """
        return _text(perform(current_entries(self.engine.context, [key])))

    async def get_async(self, key: str) -> str | None:
        """Like `get`, but awaits the store."""
        reading = current_entries(self.engine.async_context, [key])
        return _text(await perform_async(reading))

    def delete(self, key: str) -> None:
        """Delete an entry. It is not an error if there is none.

        Args:
            key: What `key_for` returns. What `make_template_fragment_key` returns
                stands for the entries with all values of the cache's `vary_on`.

        Raises:
            StoreError: If the store failed. The entry may still be served.
        """
        perform(_delete(self.engine.context, key))

    async def delete_async(self, key: str) -> None:
        """Like `delete`, but awaits the store."""
        await perform_async(_delete(self.engine.async_context, key))

    def delete_fragment(self, name: str, vary_on: Iterable[Any] | None = None) -> None:
        """Delete the fragment of a name and key values.

        After `cache.delete_fragment("row", [item.id])`, the next page renders
        `{% cache 300, "row", item.id %}` again, whatever the cache's own `vary_on`
        returns then.

        Args:
            name: The fragment's name.
            vary_on: Its key values, in the tag's order.

        Raises:
            KeyValueError: If a value can't be part of a key.
            StoreError: If the store failed. The entry may still be served.
        """
        self.delete(make_template_fragment_key(name, vary_on))

    async def delete_fragment_async(
        self, name: str, vary_on: Iterable[Any] | None = None
    ) -> None:
        """Like `delete_fragment`, but awaits the store."""
        await self.delete_async(make_template_fragment_key(name, vary_on))

    def invalidate_tags(self, *tags: str) -> None:
        """Turn all entries that have any of the tags into misses, at once.

        It takes as long for one entry as for a million.

        Args:
            tags: Texts, as in `{% cache 300, "post", post.id, tags=["posts"] %}`.

        Raises:
            KeyValueError: If a tag is not text.
            StoreError: If the store failed. The entries may still be served.
        """
        perform(invalidate(self.engine.context, tag_names(tags)))

    async def invalidate_tags_async(self, *tags: str) -> None:
        """Like `invalidate_tags`, but awaits the store."""
        await perform_async(invalidate(self.engine.async_context, tag_names(tags)))

    def clear(self) -> None:
        """Delete everything in the store, including what others keep in it.

        Raises:
            StoreError: If the store failed, or has no `clear()`.
        """
        perform(_clear(self.engine.context))

    async def clear_async(self) -> None:
        """Like `clear`, but awaits the store."""
        await perform_async(_clear(self.engine.async_context))

    def listen(self, listener: Listener) -> None:
        """Tell a listener what this cache does, from now on.

        While there is one, a hit takes longer.

        Raises:
            ListenerError: If it is no `Listener`.
        """
        self.engine.listeners.add(listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell a listener nothing any more. It is not an error if it was not told."""
        self.engine.listeners.remove(listener)

    def collect_figures(self) -> Figures:
        """Collect figures of each name from now on, if that is not done already.

        Each worker that collects keeps its figures in the store, too.
        """
        if self.figures is None:
            # Here, because few collect figures.
            from .engine.worker_figures import WorkerFigures  # noqa: PLC0415
            from .observe.figures import Figures  # noqa: PLC0415

            engine = self.engine
            self.figures = Figures(engine.context.clock)
            self._worker_figures = WorkerFigures(
                self.figures, engine.context, engine.async_context
            )
            self.listen(self.figures)
        return self.figures

    def figures_of_workers(self) -> AllFigures:
        """Return the figures of all workers that share the store and collect them.

        Those of this worker are the present ones, those of others a few seconds old.
        If the store fails, its `note` says so.
        """
        return perform(self._all_figures(self.engine.context))

    async def figures_of_workers_async(self) -> AllFigures:
        """Like `figures_of_workers`, but awaits the store."""
        return await perform_async(self._all_figures(self.engine.async_context))

    def _all_figures(self, context: Context) -> Operation[AllFigures]:
        from .engine.worker_figures import all_figures  # noqa: PLC0415 - few ask

        return all_figures(context, self.figures)

    def stats(self) -> Stats:
        """Return the counters of this cache in this process."""
        return self.engine.stats.copy()


def _check_flag(name: str, given: object, others: str = "") -> None:
    """Raise a `PolicyError` if an option of `FragmentCache` is no flag."""
    if not isinstance(given, bool):
        raise PolicyError(name, describe(given), f"True or False{others}")


def _engine_class(policy: Policy) -> type[Engine]:
    if policy.vary_on is None and policy.unless is None and not policy.verify:
        return Engine
    from .engine.special_engines import special_engine  # noqa: PLC0415 - few need it

    return special_engine(policy)


def _delete(context: Context, key: str) -> Operation[bool]:
    from .engine.whole import delete  # noqa: PLC0415 - most only read

    return delete(context, [key])


def _clear(context: Context) -> Operation[None]:
    from .engine.claims import clear  # noqa: PLC0415 - few clear their store

    return clear(context)


def _text(entries: Sequence[Entry | None]) -> str | None:
    (entry,) = entries
    # A number is not a text.
    return entry.text if entry is not None and entry.form != NUMBER else None


def _with_policy(policy: Policy) -> FragmentCache:
    """Return a cache with a store in this process, for one that was pickled."""
    # The store of the copy is as near as can be.
    return FragmentCache(**{**policy._asdict(), "near": 0})
