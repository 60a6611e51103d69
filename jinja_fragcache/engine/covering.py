"""Whether a key covers what a body read, and what an entry keeps to compare of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jinja_fragcache.entries.freshness import BY_VALUE, KEPT
from jinja_fragcache.guard.reads import (
    NOTHING,
    Cover,
    Read,
    has_items,
    texts_of_mappings,
)
from jinja_fragcache.keys.digests import digest

if TYPE_CHECKING:
    from .entry_spec import Guard

# In place of the digest of a value of which only its presence matters.
_THERE = "there"


def names_covering(guard: Guard, read: Read) -> list[str] | None:
    """Return the names by which a key covers a read, None if it does not.

    Args:
        guard: The guard of the key.
        read: The read.

    Returns:
        The names for the entry: "=" stands before that of a read that only a value
        covers, and a digest of the value after it. That can be compared again in the
        next request, else it covers nothing. If only its presence matters, a word
        stands in place of the digest. "~" stands before that of a read that the entry
        keeps, with its text.
    """
    cover = guard.cover()
    if cover.names_it(read):
        return [read.name]
    found = _kept(cover, read) or _compared(guard, cover, read)
    if found or not read.parts:
        return found or None
    of_parts = [names_covering(guard, part) for part in read.parts]
    if any(names is None for names in of_parts):
        return None
    return [name for names in of_parts for name in names or ()]


def _compared(guard: Guard, cover: Cover, read: Read) -> list[str]:
    """Return a read with what is compared on a hit, if that makes it covered."""
    now = guard.texts_now(read.name)
    if now and cover.tells(read):
        return [f"{BY_VALUE}{read.name} {_digest_of(now)}"]
    if cover.tells_presence(read):
        if not now:
            return [read.name]  # It can't be read again.
        is_any = now != NOTHING and not has_items(read.name)
        return [f"{BY_VALUE}{read.name} {_THERE if is_any else _digest_of(now)}"]
    values = read.values & now
    if has_items(read.name):
        values |= texts_of_mappings(now)  # All that it has tells what was read of it.
    elif not (read.values or read.is_object or read.parts):
        values = now  # As a value tells whether it is there.
    if cover.values.isdisjoint(values):
        return []
    # Two objects may have each other's texts, such as an id and a name.
    texts = now if read.is_object else cover.values & now
    return [f"{BY_VALUE}{read.name} {_digest_of(texts)}"]


def _kept(cover: Cover, read: Read) -> list[str]:
    """Return a read with the text that the entry keeps of it, if it does."""
    if read.kept is not None:
        # A hit need not compare what a key that names all its parts tells.
        if read.parts and all(map(cover.names_it, read.parts)):
            return [part.name for part in read.parts]
        return [f"{KEPT}{read.name} {read.kept}"]
    if f"{KEPT}{read.name}" in cover.names and len(read.values) == 1:
        return [f"{KEPT}{read.name} {next(iter(read.values))}"]
    return []


def is_covered_now(reads: Sequence[str], guard: Guard | None) -> bool:
    """Return whether what is not covered by a name is the same as it was.

    What was covered by a value alone has to be the same value: two different ones may
    be the same by chance, such as the numbers of a user and of a product, or give the
    same key. They are not the same in the next request. And what the entry keeps has to
    be the present value.

    Args:
        reads: The reads of an entry.
        guard: The guard of its key.
    """
    by_value = [name[1:].rpartition(" ") for name in reads if name[:1] == BY_VALUE]
    kept = [name[1:].partition(" ") for name in reads if name[:1] == KEPT]
    if not (by_value or kept):
        return True
    return (
        guard is not None
        and all(_has_now(guard, name, value) for name, _, value in by_value)
        and all(text in guard.texts_now(name) for name, _, text in kept)
    )


def _has_now(guard: Guard, name: str, value: str) -> bool:
    """Return whether a read gives now the value of the key that it gave before.

    Args:
        guard: The guard of the key.
        name: The name of the read.
        value: The digest of the value.
    """
    now = guard.texts_now(name)
    if value == _THERE:
        return bool(now) and now != NOTHING
    # This is told without asking a user's function again what the key has.
    if now and value == _digest_of(now):
        return True
    told = guard.cover().values & now
    return bool(told) and value in {_digest_of(told), _digest_of(now)}


def _digest_of(texts: frozenset[str]) -> str:
    # What is personal must not stand in a store where it is read by chance.
    return digest(repr(sorted(texts)))
