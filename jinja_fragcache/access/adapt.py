"""Chooses the adapter of a store: Django's caches have their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja_fragcache.errors import StoreError
from jinja_fragcache.messages import logger
from jinja_fragcache.operations import Operation
from jinja_fragcache.stores.base import Store
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .adapter import Adapter
from .store_check import check_store, store_name
from .store_kinds import is_django_cache, varies_keys

if TYPE_CHECKING:
    from jinja_fragcache.stores.near import NearMemory

    from .near_store import NearReads
    from .stats import Stats


def adapt(store: Store, near: NearMemory | None = None) -> Adapter:
    """Return the adapter of a store.

    Args:
        store: The store.
        near: Where to keep what is read; None for nowhere. With a store in the memory
            of this process, nothing is kept there.

    Returns:
        An adapter; a `NearAdapter` if something is kept near.

    Raises:
        StoreError: If the object lacks a method that a store has, or its methods have
            another form. Or if something is kept near, and one key may stand for
            several entries of the store.
    """
    has_coroutines = check_store(store)
    kind = _DjangoAdapter if is_django_cache(store) else Adapter
    adapter = kind(store, has_coroutines=has_coroutines)
    if near is None:
        return adapter
    if not adapter.blocks:
        # By its name, because cachelib takes long to import.
        if type(store).__name__ != "NullCache":
            logger.warning(
                "%s is in the memory of this process, so nothing can be nearer. Leave"
                " near (CACHE_NEAR_TIMEOUT) out.",
                store_name(store),
            )
        return adapter
    if varies_keys(store):
        raise StoreError(
            f"{store_name(store)} may have several entries for one key, because a"
            " function makes its keys. Nothing can be kept near then. Leave near"
            " (CACHE_NEAR_TIMEOUT) out."
        )
    # Here, because few caches need it.
    from .near_adapter import NearAdapter  # noqa: PLC0415

    near_kind = type(f"Near{kind.__name__}", (NearAdapter, kind), {})
    made: NearAdapter = near_kind(store, near, has_coroutines=has_coroutines)
    return made


def adapt_near(
    store: Store,
    seconds: float,
    threshold: int,
    timer: Callable[[], float],
    stats: Stats,
) -> tuple[Adapter, NearReads | None]:
    """Return an adapter that keeps near what is read, and what reads one key so.

    Args:
        store: The store.
        seconds: For how long a value is kept.
        threshold: How many are kept.
        timer: A monotonic clock, in seconds.
        stats: Counts what is found near.

    Returns:
        None in place of the latter if nothing is kept near (see `adapt`).

    Raises:
        StoreError: As for `adapt`.
    """
    # Here, because few caches keep anything near.
    from jinja_fragcache.stores.near import NearMemory  # noqa: PLC0415

    from .near_store import near_reads  # noqa: PLC0415

    adapter = adapt(store, NearMemory(seconds, threshold, timer=timer))
    return adapter, near_reads(adapter, stats)


class _DjangoAdapter(Adapter):
    """Django's caches, which take keys and timeouts in another form."""

    def _ask_for(self, keys: Sequence[str]) -> Any:
        return self.store.get_many(keys)

    def _one_each(self, keys: Sequence[str], answer: Any) -> list[Any]:
        return [answer.get(key) for key in keys]

    def _delete_all(self, keys: Sequence[str]) -> Operation[None]:
        yield self.store.delete_many(keys)

    @property
    def default_timeout(self) -> int | None:
        # Django's caches say None for "never expires", and 0 or less for "not at all".
        timeout = self.store.default_timeout
        if timeout is None:
            return NEVER_EXPIRES
        return int(timeout) if timeout > 0 else -1

    def increment(self, key: str, delta: int) -> Operation[int | None]:
        yield self.store.add(key, 0)
        number: int = yield self.store.incr(key, delta)
        return number

    @staticmethod
    def _timeout(timeout: int | None) -> dict[str, int | None]:
        """Return the timeout as Django takes it.

        That is None for "never expires" and 0 for "not at all". Without the argument,
        the cache's default holds. Source: Django's documentation, "The low-level cache
        API", cache.set().
        """
        if timeout is None:
            return {}
        return {"timeout": None if timeout == NEVER_EXPIRES else timeout}

    @staticmethod
    def _kept_all(values: Mapping[str, str | int], answer: object) -> bool:  # noqa: ARG004 - Django answers with the keys that failed
        return not answer
