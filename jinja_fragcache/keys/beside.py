"""Keys of what is stored beside entries: their locks, and the versions of tags."""

from functools import lru_cache, partial

from .encoding import encode_text
from .fragment import digest_key

_REMEMBERED_CHARACTERS = 200


def _key(kind: str, name: str) -> str:
    # Long names are not remembered, so that the memory is bounded.
    if len(name) > _REMEMBERED_CHARACTERS:
        return _make_key(kind, name)
    return _remembered_key(kind, name)


def _make_key(kind: str, name: str) -> str:
    return digest_key(kind, name, encode_text(name))


_remembered_key = lru_cache(maxsize=4096)(_make_key)

#: Returns the key of the lock of an entry, for the entry's key.
lock_key = partial(_key, "lock")
#: Returns the key of the version of a tag, for the tag.
version_key = partial(_key, "tag")
