"""Keeps the items of `{% cache_each %}`, which are all read before they are used.

`itertools.groupby` empties a group when the next one is read. So groups become lists,
and so does what reads from a group, such as `map(str, group)` or a generator.
"""

import gc
from collections.abc import AsyncIterable, AsyncIterator
from itertools import groupby
from typing import Any

from jinja2.utils import internalcode

# The class of the groups, which has no name.
_GROUP = type(next(groupby([0]))[1])
# How many tuples, lists and dictionaries a group may be inside of, in an item.
_DEEPEST = 3
# How many objects are looked at to find the group that an iterator reads from.
_MOST = 100


@internalcode
def items(iterable: Any) -> Any:
    """Return the items of a list, so that they can all be read before they are used.

    Args:
        iterable: The value that the tag goes through.
    """
    # Each list of hits asks this. What has a length has its items already.
    if type(iterable) is list:
        return iterable
    kind = type(iterable)
    if hasattr(kind, "__len__") and not hasattr(kind, "__next__"):
        return iterable
    if hasattr(iterable, "__aiter__"):
        # Which one a loop takes of both, the environment decides.
        both = hasattr(iterable, "__iter__")
        return iterable if both else _kept_async(iterable)
    return map(_kept, iterable)


async def _kept_async(iterable: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async for item in iterable:
        yield _kept(item)


def _kept(item: Any, depth: int = 0) -> Any:
    """Return an item with lists in place of the groups in it."""
    kind: type[Any] = type(item)
    if hasattr(kind, "__next__"):
        return list(item) if _reads_group(item) else item
    is_dict = kind is dict
    if depth == _DEEPEST or not (is_dict or issubclass(kind, (list, tuple))):
        return item
    parts = [*item.values()] if is_dict else [*item]
    kept = [_kept(part, depth + 1) for part in parts]
    if all(map(_is, kept, parts)):
        return item
    if is_dict:
        return dict(zip(item, kept, strict=True))
    # A named tuple takes its values one by one.
    return getattr(kind, "_make", kind)(kept)


def _is(kept: object, part: object) -> bool:
    return kept is part


def _reads_group(iterator: Any) -> bool:
    """Return whether an iterator is a group, or reads from one."""
    found = [iterator]
    for each in found:
        if type(each) is _GROUP:
            return True
        if len(found) < _MOST:
            found += filter(_may_lead, gc.get_referents(each))
    return False


def _may_lead(value: object) -> bool:
    """Return whether an iterator that has this value may read a group through it."""
    kind = type(value)
    return hasattr(kind, "__next__") or kind is tuple or kind is dict
