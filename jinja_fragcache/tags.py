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

# Seconds. A version that expires makes misses, nothing worse, and 30 days is the
# longest that Memcached takes for a number of seconds (protocol.txt).
_VERSION_TIMEOUT = 30 * 24 * 60 * 60


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


def present_versions(
    guard: Guard, versions: Mapping[str, object]
) -> Operation[dict[str, str] | None]:
    """Give those that have no version a new one.

    Args:
        guard: the store.
        versions: what `read_versions` gave.

    Returns:
        Each tag's version; None if the store failed, so that nothing can be stored
        that could be invalidated.
    """
    present: dict[str, str] = {}
    for tag, version in versions.items():
        if not isinstance(version, str):
            version = token_hex(8)  # noqa: PLW2901 - of the tag, from here on
            key = _version_key(tag)
            if not (yield from guard.add(key, version, _VERSION_TIMEOUT)):
                # Somebody else was faster, or the store failed.
                version = yield from guard.read(key)  # noqa: PLW2901
        if not isinstance(version, str):
            return None
        present[tag] = version
    return present


def invalidate(guard: Guard, tags: Iterable[str]) -> Operation[None]:
    """Make all entries with any of the tags misses.

    Raises:
        StoreError: the store failed. They may still be served.
    """
    yield from guard.delete_many([_version_key(tag) for tag in tags])


@lru_cache(maxsize=1024)
def _version_key(tag: str) -> str:
    return digest_key("tag", tag, encode_text(tag))
