"""The safe stores that keep near what they read, or sign it, or both."""

from .near_store import NearStore
from .prefetch import PrefetchingStore
from .safe_store import SafeStore
from .sealed_store import SealedStore


class _SealedNearStore(SealedStore, NearStore):
    """Keeps near what is signed, as the store has it, and opens it on each read."""


class _PrefetchingNearStore(PrefetchingStore, NearStore):
    """Reads ahead what is not near."""


class _PrefetchingSealedStore(PrefetchingStore, SealedStore):
    """Opens what it reads ahead once."""


class _PrefetchingSealedNearStore(PrefetchingStore, _SealedNearStore):
    """Reads ahead what is not near, and opens it once."""


# By whether it is near, whether it is signed, and whether it is read ahead.
_KINDS: dict[tuple[bool, bool, bool], type[SafeStore]] = {
    (False, True, False): SealedStore,
    (False, True, True): _PrefetchingSealedStore,
    (True, False, False): NearStore,
    (True, False, True): _PrefetchingNearStore,
    (True, True, False): _SealedNearStore,
    (True, True, True): _PrefetchingSealedNearStore,
}


def layered_store(
    *, is_near: bool, is_sealed: bool, reads_ahead: bool
) -> type[SafeStore]:
    """Return the class of a safe store of which something is near or signed."""
    return _KINDS[is_near, is_sealed, reads_ahead]
