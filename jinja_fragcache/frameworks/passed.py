"""Finds objects of a request that a view has passed to a template.

The variable may be such an object, a method of one, or a list or dictionary of such.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from types import BuiltinMethodType, MethodType, ModuleType
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.guard.reads import is_plain
from jinja_fragcache.guard.watched import is_watched

# One object of these may stand in several places without being the same thing.
_SHARED = (bytes, Enum, ModuleType, type)


def objects_in(value: Any) -> tuple[Any, ...]:
    """Return the objects that a variable may show: its value, or what that consists of.

    A list of users may have the present one among others, and be the same for all. So
    of lists with several objects, none is returned.

    Args:
        value: The value of the variable.
    """
    kind = type(value)  # Not `isinstance`, which would load what a proxy stands for.
    found: Iterator[Any] = iter((value,))
    if issubclass(kind, list | tuple | set | frozenset):
        found = iter((value, *value) if len(value) == 1 else (value,))
    elif kind is dict:
        found = iter((value, *value.values()))
    elif issubclass(kind, MethodType | BuiltinMethodType):
        found = iter((value.__self__,))
    elif issubclass(kind, partial):
        parts = (value.func, *value.args, *value.keywords.values())
        found = (getattr(each, "__self__", each) for each in parts)
    return tuple(each for each in found if _is_object(each))


def items_of(session: Any) -> Iterator[Any]:
    """Yield the values that a session has, as far as they have been loaded."""
    # Django's loads them when one is read.
    found = getattr(session, "__dict__", {}).get("_session_cache", session)
    if isinstance(found, Mapping):
        yield from found.values()


def _is_object(value: Any) -> bool:
    kind = type(value)
    if issubclass(kind, tuple | frozenset) and not value:
        return False  # There is one empty tuple for all.
    proxied = hasattr(kind, "_get_current_object")
    return not (proxied or issubclass(kind, _SHARED) or is_plain(value))


def is_early_method(value: Any) -> bool:
    """Return whether a method was taken from an object before that was watched.

    It does not note what it reads.
    """
    is_method = issubclass(type(value), MethodType | BuiltinMethodType)
    if not is_method or not is_watched(value.__self__):
        return False
    now = getattr(value.__self__, value.__name__, None)
    return isinstance(now, MethodType) and now != value


def read_again(
    fields: Mapping[Any, Any], value: Any, read: Callable[[Any], object]
) -> None:
    """Read an object by its name, so that the read is noted.

    Args:
        fields: What has objects by their names.
        value: The object.
        read: Gets a name, and reads what has it.
    """
    with quietly():
        names = [name for name, each in fields.items() if each is value]
    for name in names:
        read(name)
