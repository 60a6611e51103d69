"""What to delete of the values of functions that `memoize` has decorated."""

from collections.abc import Callable
from operator import is_
from typing import Any, NamedTuple

from jinja_fragcache.errors import KeyValueError, WrongCallError

from .argument_keys import ArgumentKeys
from .decorators import decorated, keys_of


class Deletion(NamedTuple):
    """Something to delete.

    Attributes:
        name: The key of an entry, or a tag.
        is_tag: Whether it is a tag, whose entries are to be invalidated.
    """

    name: str
    is_tag: bool


#: The keys of a decorated function, and the object that it is a method of, if any.
Memoized = tuple[ArgumentKeys, tuple[Any, ...]]


def memoized_keys(function: Any) -> Memoized | None:
    """Return a function's keys, None if `memoize` has not decorated it."""
    memoized = decorated(function, ArgumentKeys)
    if memoized is None:
        return None
    owner = getattr(function, "__self__", None)
    return keys_of(memoized), () if owner is None else (owner,)


def deletions(
    find: Callable[[Any], Memoized],
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[Deletion]:
    """Return what `delete_memoized` deletes.

    Args:
        find: Returns the keys of what is given as a function, or raises.
        function: The function, or a method of an object.
        args: The arguments of the only call to delete, or further functions.
        kwargs: Further arguments of that call.

    Raises:
        KeyValueError: If an argument has nothing that identifies it, or a method's
            object is missing.
        WrongCallError: If the function does not accept these arguments.
    """
    if args and all(decorated(each, ArgumentKeys) for each in args):
        functions = (function, *args)
        return [deletions(find, each, (), {})[0] for each in functions]
    keys, instances = find(function)
    # With a method's object alone, all calls on that object are meant.
    if not kwargs and (not args or _are_same(args, instances)):
        return [Deletion(keys.tag_of(*instances), is_tag=True)]
    # The object of a method may be repeated as the first argument.
    if instances and not (args and args[0] is instances[0]):
        args = (*instances, *args)
    try:
        return [Deletion(keys.of_arguments(*args, **kwargs), is_tag=False)]
    except WrongCallError:
        if args or not keys.by_instance:
            raise
        raise KeyValueError(
            f"{keys.name}() is a method, and its object is missing. Write"
            " cache.delete_memoized(object.method, ...)."
        ) from None


def _are_same(args: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    """Return whether two tuples have the same objects, whatever these are equal to."""
    return len(args) == len(others) and all(map(is_, args, others))
