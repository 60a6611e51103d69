"""Chooses the safe store of a cache: whether it keeps something near, and signs."""

from functools import partial
from typing import Any

from .adapter import Adapter
from .near_adapter import NearAdapter
from .near_store import NearStore
from .safe_store import SafeStore
from .seal import Seal
from .sealed_store import SealedStore


class _SealedNearStore(SealedStore, NearStore):
    """Keeps near what is signed, as the store has it, and opens it on each read."""


def safe_store_of(
    adapter: Adapter, *, blocking: bool, seal: Seal | None = None, **more: Any
) -> SafeStore:
    """Return the safe store of a cache, for callers that block or on an event loop.

    Args:
        adapter: The store.
        blocking: Whether the callers block.
        seal: Signs and verifies what is stored; None for nothing.
        more: More arguments for `SafeStore`.
    """
    # Where each call has to be awaited, a caller that blocks is refused each time, and
    # not only when nothing is near.
    is_near = isinstance(adapter, NearAdapter) and (
        adapter.serves_blocking or not blocking
    )
    kind: Any = NearStore if is_near else SafeStore
    if seal is not None:
        kind = partial(_SealedNearStore if is_near else SealedStore, seal=seal)
    run = adapter.run if blocking else adapter.run_async
    made: SafeStore = kind(adapter, run, **more)
    return made
