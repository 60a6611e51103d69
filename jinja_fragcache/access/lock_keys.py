"""The key under which the lock of an entry is stored."""

from functools import lru_cache

from jinja_fragcache.keys.encoding import encode_text
from jinja_fragcache.keys.fragment import digest_key

_REMEMBERED_CHARACTERS = 200


def lock_key(key: str) -> str:
    """Return the key of the lock of an entry.

    Args:
        key: The entry's key.
    """
    # Long keys are not remembered, so that the memory is bounded.
    if len(key) > _REMEMBERED_CHARACTERS:
        return _make_lock_key(key)
    return _remembered_lock_key(key)


def _make_lock_key(key: str) -> str:
    return digest_key("lock", key, encode_text(key))


_remembered_lock_key = lru_cache(maxsize=1024)(_make_lock_key)
