"""Chooses the safe store of a cache: local, near, signed, or one that reads ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .adapter import Adapter
from .local_store import LocalStore
from .safe_store import SafeStore
from .store_kinds import varies_keys

if TYPE_CHECKING:
    from .seal import Seal


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
    reads_ahead = (
        prefetch and adapter.reads_in_one_trip and not varies_keys(adapter.store)
    )
    is_near = adapter.serves_near(blocking=blocking)
    kind: type[SafeStore] = SafeStore
    if reads_ahead:
        # Here, because a store in memory does not.
        from .prefetch import PrefetchingStore  # noqa: PLC0415

        kind = PrefetchingStore
    if not adapter.blocks:
        kind = LocalStore
    if is_near or seal is not None:
        # Here, because few caches need it.
        from .layers import layered_store  # noqa: PLC0415

        kind = layered_store(
            is_near=is_near, is_sealed=seal is not None, reads_ahead=reads_ahead
        )
    if seal is not None:
        more["seal"] = seal
    run = adapter.run if blocking else adapter.run_async
    return kind(adapter, run, **more)
