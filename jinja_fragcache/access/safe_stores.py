"""Chooses the safe store of a cache: near, signed, read ahead, or several of these."""

from typing import Any

from .adapter import Adapter
from .near_adapter import NearAdapter
from .near_store import NearStore
from .prefetch import PrefetchingStore
from .safe_store import SafeStore
from .seal import Seal
from .sealed_store import SealedStore


class _SealedNearStore(SealedStore, NearStore):
    """Keeps near what is signed, as the store has it, and opens it on each read."""


class _PrefetchingNearStore(PrefetchingStore, NearStore):
    """Reads ahead what is not near."""


class _PrefetchingSealedStore(PrefetchingStore, SealedStore):
    """Opens what it reads ahead once."""


class _PrefetchingSealedNearStore(PrefetchingStore, _SealedNearStore):
    """Reads ahead what is not near, and opens it once."""


# For each kind of store, the one that reads ahead.
_PREFETCHING: dict[type[SafeStore], type[SafeStore]] = {
    SafeStore: PrefetchingStore,
    NearStore: _PrefetchingNearStore,
    SealedStore: _PrefetchingSealedStore,
    _SealedNearStore: _PrefetchingSealedNearStore,
}


def safe_store_of(
    adapter: Adapter,
    *,
    blocking: bool,
    seal: Seal | None = None,
    prefetch: bool = False,
    **more: Any,
) -> SafeStore:
    """Return the safe store of a cache, for callers that block or on an event loop.

    Args:
        adapter: The store.
        blocking: Whether the callers block.
        seal: Signs and verifies what is stored; None for nothing.
        prefetch: Whether renderings may read ahead, if that saves round trips.
        more: More arguments for `SafeStore`.
    """
    # Where each call has to be awaited, a caller that blocks is refused each time, and
    # not only when nothing is near.
    is_near = isinstance(adapter, NearAdapter) and (
        adapter.serves_blocking or not blocking
    )
    kind: type[SafeStore] = NearStore if is_near else SafeStore
    if seal is not None:
        kind = _SealedNearStore if is_near else SealedStore
        more["seal"] = seal
    if prefetch and adapter.reads_in_one_trip:
        kind = _PREFETCHING[kind]
    run = adapter.run if blocking else adapter.run_async
    return kind(adapter, run, **more)
