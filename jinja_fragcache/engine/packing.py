"""Packs what is stored: compresses it, and refuses it if it is too large."""

from jinja_fragcache.entries.entry import HEADER_MARK, utf8_length
from jinja_fragcache.observe.events import Reason, Why

from .context import Context
from .spec import NotStored


def pack(context: Context, name: str, stored: str | int) -> str | int:
    """Return what is stored for an entry, compressed if the cache's rules say so.

    Args:
        context: The cache.
        name: What a warning calls the fragment, function or key.
        stored: The entry as text; or a number, which stays as it is.

    Raises:
        NotStored: If the store would be handed more bytes than the rules allow.
    """
    method, most = context.policy.compression, context.policy.max_entry_size
    if isinstance(stored, int):
        return stored
    if method is not None:
        from jinja_fragcache.entries.compression import compress  # noqa: PLC0415 - few do

        packed = compress(stored, method)
        stored = stored if packed is None else HEADER_MARK + packed
    if most is not None:
        size = utf8_length(stored) + context.store.added_bytes
        if size > most:
            context.recorder.stats.too_large += 1
            raise NotStored(
                f"{name} is not stored: it has {size:,} bytes. max_entry_size"
                f" (CACHE_MAX_ENTRY_SIZE) allows {most:,}. Cache smaller parts, or"
                " allow more.",
                Why(Reason.TOO_LARGE, f"too large: {size:,} bytes"),
            )
    return stored
