"""Keys of what stands beside entries: locks, versions of tags, numbers, figures."""

from __future__ import annotations

from collections.abc import Iterable

from jinja_fragcache.remembered import Made

from .form import digest_key
from .plain import encode_text


def _make(parts: tuple[str, ...]) -> str:
    kind, name = parts
    return digest_key(kind, name, encode_text(name))


# By the kind of the key, and the name. As large as those of fragments.
_known = Made(_make, 4096, 500)


def lock_key(key: str) -> str:
    """Return the key of the lock of an entry, for the entry's key."""
    return _known["lock", key]


def lock_keys(keys: Iterable[str]) -> list[str]:
    """Return the keys of the locks of entries."""
    return [_known["lock", key] for key in keys]


def version_key(tag: str) -> str:
    """Return the key of the version of a tag."""
    return _known["tag", tag]


def figures_key(place: str) -> str:
    """Return the key of the figures of a worker, for its place, a number as text."""
    return _known["figures", place]


def number_key(key: str, token: str) -> str:
    """Return the key of a number that is stored beside another key.

    Args:
        key: The other key.
        token: A text that was drawn at random.
    """
    return digest_key("number", key, encode_text(key) + encode_text(token))
