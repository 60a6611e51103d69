"""Tags: labels by which many entries are invalidated at once.

A tag has a version, a random text that is stored under a key of its own. An entry
remembers the version that each of its tags had before it was made, and is served as
long as they are the same. To invalidate a tag is to replace its version: at once,
however many entries have it. They are never counted or listed, and expire by their
timeouts.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from secrets import token_hex

from jinja_fragcache.access.runner import Operation
from jinja_fragcache.access.safe_store import Guard
from jinja_fragcache.keys.encoding import encode_text
from jinja_fragcache.keys.fragment import digest_key
from jinja_fragcache.timeouts import NEVER_EXPIRES

# Seconds. A version outlives the entries that remember it, so that it costs few of them
# their lives, but not for ever, so that those of objects that are gone go, too.
_LIVES = 10
_SHORTEST = 60 * 60
_LONGEST = 30 * 24 * 60 * 60
# Stands in the version that an invalidation leaves, before the time of day.
_AT = "@"


def read_versions(
    guard: Guard, keys: Sequence[str], tags: Sequence[str]
) -> Operation[tuple[list[object], dict[str, object]]]:
    """Read entries, and the present versions of tags in the same round trip.

    Returns:
        What is stored under each key, and each tag's version or None.
    """
    stored = yield from guard.read_many([*keys, *map(_version_key, tags)])
    versions = dict(zip(tags, stored[len(keys) :], strict=True))
    return stored[: len(keys)], versions


def present_versions(
    guard: Guard, versions: Mapping[str, object], timeout: int | None
) -> Operation[dict[str, str] | None]:
    """Give those that have no version a new one.

    Args:
        guard: the store.
        versions: the present version of each tag, as the store gave it.
        timeout: of the entry that is to remember them: seconds, 0 for ever, None for
            the default.

    Returns:
        Each tag's version; None if the store failed, so that nothing can be stored
        that could be invalidated.
    """
    present = {tag: each for tag, each in versions.items() if isinstance(each, str)}
    missing = [tag for tag in versions if tag not in present]
    if missing:
        new = {_version_key(tag): token_hex(8) for tag in missing}
        added = yield from guard.add_many(new, _lifetime(guard.seconds(timeout)))
        present |= {tag: new[_version_key(tag)] for tag in missing}
        # Somebody else was faster, or the store failed.
        late = [tag for tag in missing if _version_key(tag) not in added]
        if late:
            _, read = yield from read_versions(guard, [], late)
            present |= read  # type: ignore[arg-type]  # looked at in the next line
    if not all(isinstance(each, str) for each in present.values()):
        return None
    return present


def versions_since(
    guard: Guard, tags: Collection[str], since: float, timeout: int | None
) -> Operation[dict[str, str] | None]:
    """Give the versions of tags that were not known before a value was made.

    Args:
        guard: the store.
        tags: the tags.
        since: the time of day at which it was begun to make the value.
        timeout: as for `present_versions`.

    Returns:
        Each tag's version; None if one was invalidated since then, so that the value
        may be made of old data, or if the store failed.
    """
    if not tags:
        return {}
    _, versions = yield from read_versions(guard, [], list(tags))
    present = yield from present_versions(guard, versions, timeout)
    if present is None or any(_made_at(each) > since for each in present.values()):
        return None
    return present


def _made_at(version: str) -> float:
    """Give the time of day at which an invalidation left a version; 0 for others."""
    _, at, time = version.partition(_AT)
    try:
        return float(time) if at else 0.0
    except ValueError:
        return 0.0


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
    now = guard.now()
    versions = {_version_key(tag): f"{token_hex(8)}{_AT}{now:.6f}" for tag in tags}
    if versions:
        yield from guard.replace_many(versions, _LONGEST)


@lru_cache(maxsize=4096)
def _version_key(tag: str) -> str:
    return digest_key("tag", tag, encode_text(tag))
