"""The keys of the calls of functions that `memoize` decorates."""

import dis
import inspect
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from types import CellType
from typing import Any
from uuid import UUID

from jinja_fragcache.errors import KeyValueError, WrongCallError
from jinja_fragcache.guard.reads import Cover
from jinja_fragcache.keys.digests import code_digest, digest, source_digest
from jinja_fragcache.keys.encoding import encode_argument
from jinja_fragcache.keys.form import digest_key
from jinja_fragcache.keys.fragment import tag_names
from jinja_fragcache.keys.plain import encode_text

from .keys import (
    CUSTOM_KEY,
    CallKey,
    TaggedKey,
    check_key,
    full_name,
)
from .signatures import signature_of

_PLAIN = (str, int, float, bool, bytes, type(None), Decimal, date, datetime, UUID)
# Stands for a cell that is not encoded. Without it, cells could swap places unnoticed.
_OTHER_CELL = "-"


class ArgumentKeys:
    """Makes the keys for the calls of a function that `memoize` decorates.

    Calls that give each parameter the same value have the same key, whether arguments
    are written by position, by name or left to their default.

    Args:
        function: The function.
        make_name: Takes the function's name and returns the name to use in the key.
        args_to_ignore: The names of parameters that the value does not depend on.
        source_check: Returns whether the function's source is part of the key; None if
            nobody has said so.
        tags: Returns the tags that the user gives to the entry of a call.
        vary: Takes a key and returns it with the present values of the whole cache.

    Attributes:
        function: The function.
        name: The function's module and qualified name.
        by_instance: Whether the function is a method, whose object is part of the key.

    Raises:
        TypeError: If `make_name` is not a function.
        KeyValueError: If `make_name` does not return a string.
        ValueError: If `args_to_ignore` has a name that is not a parameter.
    """

    by_path = False
    are_custom = False
    named = named_of_view = Cover()

    def __init__(
        self,
        function: Callable[..., Any],
        make_name: Callable[[str], str] | None,
        args_to_ignore: Iterable[str],
        source_check: Callable[[], bool | None] = lambda: None,
        tags: Callable[..., Any] = lambda *_, **__: (),
        vary: Callable[[str], str] = lambda key: key,
    ) -> None:
        self.function = function
        self._source_check = source_check
        self._source = cache(partial(source_digest, function))
        self._user_tags = tags
        self._vary = vary
        self.name = full_name(function)
        if make_name is not None and not callable(make_name):
            raise TypeError(
                f"make_name takes a function and got {make_name!r}. Write"
                " make_name=lambda name: ..."
            )
        if isinstance(args_to_ignore, str):
            raise TypeError(
                'args_to_ignore is a list of names, such as ["page"], and not'
                f" {args_to_ignore!r}."
            )
        self._key_name = (
            self.name
            if make_name is None
            else check_key(make_name(self.name), "What make_name gives")
        )
        self._signature = signature_of(function)
        # Functions defined inside another function may have the same name. They differ
        # in their code and in the variables that they read from around them.
        self._local_code = _local_code(inspect.unwrap(function))
        self._cells = tuple(_cells_read(inspect.unwrap(function)))
        self._ignored = frozenset(args_to_ignore)
        names = list(self._signature.parameters)
        if unknown := self._ignored.difference(names):
            raise ValueError(
                f"args_to_ignore names {', '.join(sorted(unknown))}, and"
                f" {self.name}() has the parameters {', '.join(names) or '(none)'}."
            )
        # Flask-Cache recognises methods in the same way.
        takes_instance = names[:1] in (["self"], ["cls"])
        self.by_instance = takes_instance and names[0] not in self._ignored

    def __call__(self, /, *args: Any, **kwargs: Any) -> str:
        """Like `of_arguments`, with the present values of the whole cache."""
        return self._vary(self.of_arguments(*args, **kwargs))

    def of_arguments(self, /, *args: Any, **kwargs: Any) -> str:
        """Return the key of a call. A value that is set under it gets the call's tags.

        Args:
            args: The call's arguments; the function may come first, as in
                Flask-Caching's `f.make_cache_key(f.uncached, 1, 2)`.
            kwargs: The call's arguments.

        Raises:
            KeyValueError: If an argument has nothing that identifies it.
            WrongCallError: If the function does not accept these arguments.
        """
        if args and self.function is getattr(args[0], "uncached", args[0]):
            args = args[1:]
        key, tags = self.of_call(args, kwargs, source_check=self._source_check())
        return TaggedKey(key, (*tags, *tag_names(self._user_tags(*args, **kwargs))))

    def of_custom_key(self, make: Any, args: Any, kwargs: Any) -> CallKey:
        """Return the key that the user's `make` returns, and the call's tags.

        Args:
            make: Takes the function and the call's arguments, and returns the key.
            args: The call's arguments.
            kwargs: The call's arguments.

        Raises:
            KeyValueError: If the key is not a string.
            WrongCallError: If the function does not accept these arguments.
        """
        key = check_key(make(self.function, *args, **kwargs), CUSTOM_KEY)
        return CallKey(key, self._tags(self._instance_of(args, kwargs)))

    def tags_of_call(self, args: Any, kwargs: Any) -> tuple[str, ...]:
        """Like `Keys.tags_of_call`. The object of a method may be what is refused.

        Raises:
            WrongCallError: If the function does not accept these arguments.
        """
        try:
            return self._tags(self._instance_of(args, kwargs))
        except KeyValueError:
            return self._tags(None)

    def _instance_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Return the object of a method's call, encoded; None for other functions."""
        arguments = self._bind(args, kwargs)
        if not self.by_instance:
            return None
        return encode_argument(next(iter(arguments.values())))

    def of_call(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        source_check: bool | None = None,
    ) -> CallKey:
        """Like `Keys.of_call`.

        Raises:
            KeyValueError: If an argument has nothing that identifies it.
            WrongCallError: If the function does not accept these arguments.
        """
        arguments = self._bind(args, kwargs)
        function = [encode_text(self._key_name), encode_text(self._code(source_check))]
        function += [_encode_cell(cell) for cell in self._cells]
        values = [
            self._encode(name, value)
            for name, value in arguments.items()
            if name not in self._ignored
        ]
        key = digest_key("memoize", self._key_name, "".join(function + values))
        return CallKey(key, self._tags(values[0] if self.by_instance else None))

    def tag_of(self, *instances: Any) -> str:
        """Return the tag of all calls, or of a method's calls on one object.

        Args:
            instances: The object, if the function is a method. None for all calls.
        """
        if not instances or not self.by_instance:
            return self._tags(None)[-1]
        encoded = [encode_argument(instance) for instance in instances]
        return self._tags("".join(encoded))[-1]

    def _code(self, source_check: bool | None) -> str:
        """Return what the key contains of the function's code."""
        if source_check is None:
            return self._local_code
        return self._source() if source_check else ""

    def _encode(self, name: str, value: Any) -> str:
        try:
            return encode_argument(value)
        except KeyValueError as error:
            # For example a sentinel such as `missing = object()`.
            if value is self._signature.parameters[name].default:
                return "default"
            if error.__cause__ is None:
                raise
            raise error.naming(f"The argument {name}") from error.__cause__

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise WrongCallError(f"{self.name}(): {error}") from None
        bound.apply_defaults()
        return bound.arguments

    def _tags(self, instance: str | None) -> tuple[str, ...]:
        """Return the tag of all calls, followed by the tag of an object's calls.

        Args:
            instance: The object, encoded; None leaves its tag out.
        """
        tag = f"memoize:{self._key_name}"
        if instance is None:
            return (tag,)
        # As a digest, because a repr may contain something secret.
        return tag, f"{tag}:{digest(instance)}"


def _local_code(function: Callable[..., Any]) -> str:
    """Return the code digest of a function defined inside another one, else ""."""
    code = getattr(function, "__code__", None)
    if code is None or "<" not in function.__qualname__:
        return ""
    return code_digest(code)


def _cells_read(function: Callable[..., Any]) -> Iterator[CellType]:
    """Yield the variables of surrounding functions that a function only reads.

    A variable that it writes, such as a counter of its calls, is not an input.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return
    written = {
        each.argval
        for each in dis.get_instructions(code)
        if each.opname in {"STORE_DEREF", "DELETE_DEREF"}
    }
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        if name not in written:
            yield cell


def _encode_cell(cell: CellType) -> str:
    """Encode a variable of a surrounding function, if its value is a plain one.

    Other objects, such as an application, are assumed to be the same everywhere.
    """
    try:
        value = cell.cell_contents
    except ValueError:
        return _OTHER_CELL  # not assigned yet
    return encode_argument(value) if type(value) in _PLAIN else _OTHER_CELL


def find_by_name(memoized: Iterable[ArgumentKeys], name: str) -> ArgumentKeys:
    """Return the keys of the function that has a name.

    Args:
        memoized: The keys of all memoized functions.
        name: The name, with or without the module.

    Raises:
        KeyValueError: If no function or more than one has the name.
    """
    everything = list(memoized)
    found = [
        keys
        for keys in everything
        if keys.name == name or keys.name.endswith((f".{name}", f".<locals>.{name}"))
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(keys.name for keys in found or everything)
    remedy = f"Write one of {known}." if known else "No function is memoized."
    raise KeyValueError(
        f"{'Several' if found else 'No'} memoized functions have the name {name!r}."
        f" {remedy}"
    )
