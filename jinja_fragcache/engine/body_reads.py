"""What a body has read of the request: for its entry, and for the body around it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from jinja_fragcache.entries.freshness import BY_VALUE, KEPT
from jinja_fragcache.guard.reads import Read
from jinja_fragcache.observe.events import Reason, Why

from .covering import names_covering
from .spec import NotStored

if TYPE_CHECKING:
    from .entry_spec import Guard


def reads_for_entry(guard: Guard | None, reads: Collection[Read]) -> tuple[str, ...]:
    """Return the names of what was read of the request, for the entry.

    Args:
        guard: The guard of the entry's key; None if there is none.
        reads: What was read.

    Raises:
        NotStored: If the key doesn't cover it.
        FragmentCacheError: If so, and the cache is strict.
    """
    if guard is None or not reads:
        return ()
    covered = _covered(guard, reads)
    if left := [read for read, names in covered if names is None]:
        guard.refuse(left)
        names = ", ".join(each.name for each in left)
        raise NotStored(why=Why(Reason.READS_UNCOVERED, f"reads {names}"))
    found = [name for _, names in covered for name in names or ()]
    return tuple(dict.fromkeys(found))


def reads_for_outer(guard: Guard | None, reads: Collection[Read]) -> list[Read]:
    """Return what was read of the request, as the body around depends on it.

    Args:
        guard: The guard of the nested key; None if there is none.
        reads: What was read.
    """
    if guard is None or not reads:
        return list(reads)
    values = guard.cover().values
    return [
        read._replace(instead=values) if _is_named(names) else read
        for read, names in _covered(guard, reads)
    ]


def _covered(
    guard: Guard, reads: Collection[Read]
) -> list[tuple[Read, list[str] | None]]:
    """Return each read that is not allowed, with the names that cover it."""
    cover = guard.cover()
    return [
        (each, names_covering(guard, each))
        for each in list(reads)
        if not cover.allows(each)
    ]


def _is_named(names: list[str] | None) -> bool:
    """Return whether names cover a read.

    What a value alone covers, or the entry keeps, has to be compared again for the body
    around, too.

    Args:
        names: As `names_covering` returns them.
    """
    return names is not None and not any(name[:1] in {BY_VALUE, KEPT} for name in names)
