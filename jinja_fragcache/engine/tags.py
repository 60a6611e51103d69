"""Tags: labels by which many entries are invalidated at once.

A tag has a version, a random text that is stored under a key of its own. An entry
remembers the version that each of its tags had before it was made, and is served as
long as these are the same. To invalidate a tag is to replace its version, which takes
as long for one entry as for a million. The entries are never counted or listed; they
expire by their timeouts.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from jinja_fragcache.keys.beside import version_key
from jinja_fragcache.keys.fragment import tag_names
from jinja_fragcache.operations import Operation
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .context import Context
from .dependencies import current_dependencies

# A version lives ten times as long as the entry that remembers it, within these limits
# (in seconds). So few entries are lost with their version, and the versions of deleted
# objects expire, too.
_LIVES = 10
_SHORTEST = 60 * 60
_LONGEST = 30 * 24 * 60 * 60
#: In place of a version that is not known, in entries that are not stored.
UNKNOWN_VERSION = "?"
# Separates a version that an invalidation wrote from its time.
_AT = "@"


def read_versions(
    context: Context, keys: Sequence[str], tags: Sequence[str], *, again: bool = True
) -> Operation[tuple[list[object], dict[str, object]]]:
    """Read entries, and the present versions of tags, in one round trip.

    Args:
        context: The cache.
        keys: The keys of the entries.
        tags: The tags.
        again: As for `look_up`. What is stored must have versions that are not old.

    Returns:
        What is stored under each key, and each tag's version or None.
    """
    read = context.store.read_again if again else context.store.read
    stored = yield from read(with_versions(keys, tags))
    return split_versions(stored, tags)


def with_versions(keys: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Return the keys of entries, and after them those of the versions of tags."""
    return [*keys, *map(version_key, tags)]


def split_versions(
    stored: list[object], tags: Sequence[str]
) -> tuple[list[object], dict[str, object]]:
    """Return what is stored for entries, and for each tag.

    Args:
        stored: What is stored under the keys that `with_versions` returned.
        tags: The tags.
    """
    number = len(stored) - len(tags)
    return stored[:number], dict(zip(tags, stored[number:], strict=True))


def known_versions(
    tags: Iterable[str], versions: Mapping[str, object]
) -> dict[str, str] | None:
    """Return the version of each tag, None if one has none.

    Args:
        tags: The tags.
        versions: The present versions, as the store returned them.
    """
    known = {}
    for tag in tags:
        version = versions.get(tag)
        if not isinstance(version, str):
            return None
        known[tag] = version
    return known


def present_versions(
    context: Context, versions: Mapping[str, object], timeout: int | None
) -> Operation[dict[str, str] | None]:
    """Give a version to each tag that has none.

    Args:
        context: The cache.
        versions: The present version of each tag, as the store returned it.
        timeout: The timeout of the entry that will remember them: seconds, 0 for never
            expires, None for the default.

    Returns:
        Each tag's version; None if the store failed. Nothing may be stored then,
        because it could not be invalidated.
    """
    present = {tag: each for tag, each in versions.items() if isinstance(each, str)}
    missing = [tag for tag in versions if tag not in present]
    if missing:
        new = {version_key(tag): os.urandom(8).hex() for tag in missing}
        lifetime = _lifetime(context.store.seconds(timeout))
        added = yield from context.store.add(new, lifetime)
        present |= {tag: new[version_key(tag)] for tag in missing}
        # Another caller was faster, or the store failed.
        late = [tag for tag in missing if version_key(tag) not in added]
        if late:
            _, read = yield from read_versions(context, [], late)
            for tag, version in read.items():
                if version is not None and not isinstance(version, str):
                    # Others have stored it, and may never replace it.
                    key = version_key(tag)
                    if (yield from context.store.put(key, new[key], lifetime)):
                        read[tag] = new[key]
            present |= read  # type: ignore[arg-type]  # looked at in the next line
    if not all(isinstance(each, str) for each in present.values()):
        return None
    return present


def versions_since(
    context: Context, tags: Collection[str], since: float, timeout: int | None
) -> Operation[dict[str, str] | None]:
    """Return the versions of tags that became known only while a value was made.

    Args:
        context: The cache.
        tags: The tags.
        since: The time at which making the value began, in seconds since 1970.
        timeout: As for `present_versions`.

    Returns:
        Each tag's version; None if the store failed, or if a tag was invalidated since
        then, so that the value may be made of old data.
    """
    if not tags:
        return {}
    _, versions = yield from read_versions(context, [], list(tags))
    present = yield from present_versions(context, versions, timeout)
    if present is None or any(
        invalidated_at(each) > since for each in present.values()
    ):
        return None
    return present


def invalidated_at(version: str) -> float:
    """Return when an invalidation wrote a version; 0 for other versions."""
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


def cache_tag(*tags: str) -> str:
    """Add tags to the fragment, view or function whose body is running.

    In templates it is a global function: `{{ cache_tag("author:7") }}`. Where nothing
    is about to be stored, it does nothing.

    Args:
        tags: Labels for `invalidate_tags`.

    Returns:
        An empty text, so that a template prints nothing.

    Raises:
        KeyValueError: If a tag is not text.
    """
    names = tag_names(tags)
    dependencies = current_dependencies()
    if dependencies is not None:
        dependencies.include(dict.fromkeys(names))
    return ""


def invalidate(context: Context, tags: Iterable[str]) -> Operation[None]:
    """Turn all entries that have any of the tags into misses.

    Raises:
        StoreError: If the store failed. The entries may still be served.
    """
    now = context.clock()
    versions = {
        version_key(tag): f"{os.urandom(8).hex()}{_AT}{now:.6f}" for tag in tags
    }
    if versions:
        context.flights.note_invalidation()
        yield from context.store.replace(versions, _LONGEST)
