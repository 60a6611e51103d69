"""Tags: labels by which many entries are invalidated at once.

A tag has a version, a random text that is stored under a key of its own. An entry
remembers the version that each of its tags had before it was made, and is served as
long as they are the same. To invalidate a tag is to delete its version: at once,
however many entries have it. They are never counted or listed, and expire by their
timeouts.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from secrets import token_hex

from .encoding import encode_text
from .guard import Guard
from .keys import digest_key
from .operations import Operation
from .timeouts import NEVER_EXPIRES

# Seconds. A version outlives the entries that remember it, so that it costs few of them
# their lives, but not for ever, so that those of objects that are gone go, too.
_LIVES = 10
_SHORTEST = 60 * 60
_LONGEST = 30 * 24 * 60 * 60


def read_versions(
    guard: Guard, key: str, tags: Sequence[str]
) -> Operation[tuple[object, dict[str, object]]]:
    """Read an entry, and the present versions of tags in the same round trip.

    Returns:
        What is stored under the key, and each tag's version or None.
    """
    if not tags:
        return (yield from guard.read(key)), {}
    stored, *versions = yield from guard.read_many([key, *map(_version_key, tags)])
    return stored, dict(zip(tags, versions, strict=True))


def versions_of(guard: Guard, tags: Sequence[str]) -> Operation[dict[str, object]]:
    """Read the present versions of tags, for an entry that was read before."""
    versions = yield from guard.read_many([_version_key(tag) for tag in tags])
    return dict(zip(tags, versions, strict=True))


def present_versions(
    guard: Guard, versions: Mapping[str, object], timeout: int | None
) -> Operation[dict[str, str] | None]:
    """Give those that have no version a new one.

    Args:
        guard: the store.
        versions: what `read_versions` gave.
        timeout: of the entry that is to remember them: seconds, 0 for ever, None for
            the default.

    Returns:
        Each tag's version; None if the store failed, so that nothing can be stored
        that could be invalidated.
    """
    lifetime = _lifetime(guard.seconds(timeout))
    present: dict[str, str] = {}
    for tag, version in versions.items():
        if not isinstance(version, str):
            version = token_hex(8)  # noqa: PLW2901 - of the tag, from here on
            key = _version_key(tag)
            if not (yield from guard.add(key, version, lifetime)):
                # Somebody else was faster, or the store failed.
                version = yield from guard.read(key)  # noqa: PLW2901
        if not isinstance(version, str):
            return None
        present[tag] = version
    return present


def _lifetime(timeout: int | None) -> int:
    if timeout == NEVER_EXPIRES:
        return NEVER_EXPIRES
    if timeout is None:
        return _LONGEST
    return min(max(timeout * _LIVES, _SHORTEST), max(timeout, _LONGEST))


def invalidate(guard: Guard, tags: Iterable[str]) -> Operation[None]:
    """Make all entries with any of the tags misses.

    Raises:
        StoreError: the store failed. They may still be served.
    """
    yield from guard.delete_many([_version_key(tag) for tag in tags])


@lru_cache(maxsize=1024)
def _version_key(tag: str) -> str:
    return digest_key("tag", tag, encode_text(tag))
