"""The keys of views and of function calls."""

import dis
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from types import CellType
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

from flask import current_app, has_app_context, has_request_context, request
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BuildError
from werkzeug.wrappers import Request

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.digests import code_digest, digest
from jinja_fragcache.keys.encoding import encode_argument, encode_text
from jinja_fragcache.keys.fragment import digest_key
from jinja_fragcache.messages import describe

_PATH = "%s"
_CUSTOM = "What make_cache_key gives"
_PLAIN = (str, int, float, bool, bytes, type(None), Decimal, date, datetime, UUID)
# Takes the place of what is not encoded, or cells could change places.
_OTHER_CELL = "-"
QueryArguments = str | Mapping[str, Any] | Iterable[tuple[str, Any]]


class CallKey(NamedTuple):
    """What is known of a call before it is made.

    Attributes:
        key: the key of its entry.
        tags: the tags by which it can be deleted.
    """

    key: str
    tags: tuple[str, ...] = ()


class WrongCallError(TypeError):
    """A function can't be called with the arguments that were given."""


def full_name(function: Any) -> str:
    """Give the name by which a function is known wherever it is imported."""
    return f"{function.__module__}.{function.__qualname__}"


def check_key(key: Any, name: str = "A key") -> str:
    """Check a key that users gave.

    Args:
        key: what they gave.
        name: what it is, for the error.

    Raises:
        KeyValueError: it is no text.
    """
    if not isinstance(key, str):
        raise KeyValueError(f"{name} has to be a text and is {describe(key)}.")
    return key


class Keys(Protocol):
    """Gives the keys of a function's calls."""

    @property
    def by_path(self) -> bool:
        """Whether the path of the request is in the key."""
        ...

    @property
    def are_own(self) -> bool:
        """Whether users' code gives the key of each call."""
        ...

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        """Give the key of a call that is not made: the function's `make_cache_key`."""
        ...

    def of_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallKey:
        """Give the key of a call that is made now."""
        ...

    def of_custom_key(
        self, make: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> CallKey:
        """Give it where users' code makes it."""
        ...


class ViewKeys:
    """The keys of a function that `cached` decorates.

    Args:
        function: the function.
        key_prefix: the key; `%s` in it stands for the path of the request. A function
            without arguments gives one for each call.
        query_string: whether the arguments in the query string belong to the key.

    Raises:
        KeyValueError: the key is no text.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        key_prefix: str | Callable[[], str],
        *,
        query_string: bool,
    ) -> None:
        if not callable(key_prefix):
            check_key(key_prefix, "key_prefix")
        self._function = function
        self._key_prefix = key_prefix
        self._query_string = query_string
        self.by_path = isinstance(key_prefix, str) and _PATH in key_prefix
        self.are_own = callable(key_prefix)

    def __call__(
        self,
        *args: Any,
        path: str | None = None,
        query_args: QueryArguments | None = None,
        **kwargs: Any,
    ) -> str:
        """Give the key that a request has, from outside of it.

        Args:
            args: the view's arguments.
            path: the request's path, in place of the view's arguments.
            query_args: its query string, or the arguments in it, if they belong to the
                key.
            kwargs: the view's arguments.

        Raises:
            KeyValueError: there is no such path.
        """
        if self.by_path and path is None:
            path = self._path_of(args, kwargs)
        return self._key(path, _pairs(query_args))

    def of_call(self, args: Any, kwargs: Any) -> CallKey:  # noqa: ARG002 - as ArgumentKeys
        """Give the key of a call: of the request in which it is made.

        Raises:
            KeyValueError: there is none, and the key has its path in it.
        """
        return CallKey(self._of_request())

    def of_custom_key(self, make: Any, args: Any, kwargs: Any) -> CallKey:
        """Give the key that users' code gives for a call.

        Raises:
            KeyValueError: it is no text.
        """
        return CallKey(check_key(make(*args, **kwargs), _CUSTOM))

    def _of_request(self) -> str:
        if not has_request_context():
            if self.by_path or self._query_string:
                raise KeyValueError(
                    f"The key of {full_name(self._function)}() is made of the request,"
                    " and there is none. To cache a function that is no view, write"
                    f' @cache.cached(key_prefix="{self._function.__name__}").'
                )
            return self._key(None, [])
        return self._key(request.path, list(request.args.items(multi=True)))

    def _key(self, path: str | None, pairs: list[tuple[str, str]]) -> str:
        prefix = self._key_prefix
        if callable(prefix):
            key = check_key(prefix(), "What key_prefix gives")
        else:
            key = prefix if path is None else prefix.replace(_PATH, path)
        if not self._query_string:
            return key
        # The same arguments in another order are the same page. The values of one
        # stay in their order, since views take the first.
        pairs = sorted(pairs, key=itemgetter(0))
        encoded = "".join(map(encode_argument, pairs))
        # No path has such a key, whatever stands in it.
        return digest_key("query", key, encode_text(key) + encoded)

    def _path_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        names = inspect.signature(self._function).parameters
        values = {**dict(zip(names, args, strict=False)), **kwargs}
        view = full_name(self._function)
        example = f'make_cache_key(path="/...") or delete_cached({view}, "/...")'
        endpoints = self._endpoints()
        if len(endpoints) != 1:
            known = ", ".join(endpoints) or "none"
            raise KeyValueError(
                f"The path of {view}() is not known: as a view it has to have one"
                f" endpoint and has {known}. Give the path: {example}."
            )
        try:
            url = current_app.url_map.bind("localhost").build(endpoints[0], values)
        except (BuildError, TypeError, ValueError):
            # The last two are what converters raise of what is no number.
            raise KeyValueError(
                f"The path of {view}() can't be made of {values}. Give all arguments"
                f" that are in its route, or the path: {example}."
            ) from None
        # Of another host it may be a whole URL. A request's path is unquoted.
        return unquote(urlsplit(url).path)

    def _endpoints(self) -> list[str]:
        if not has_app_context():
            return []
        return [
            endpoint
            for endpoint, view in current_app.view_functions.items()
            if inspect.unwrap(view) is inspect.unwrap(self._function)
        ]


def _pairs(query_args: QueryArguments | None) -> list[tuple[str, str]]:
    if query_args is None:
        return []
    if isinstance(query_args, str):
        # Read by what reads a request's, so that nothing is read otherwise.
        query = query_args.removeprefix("?").encode().decode("latin-1")
        return list(Request({"QUERY_STRING": query}).args.items(multi=True))
    pairs = MultiDict(query_args).items(multi=True)
    return [(name, str(value)) for name, value in pairs]


class ArgumentKeys:
    """The keys of the calls of a function that `memoize` decorates.

    Calls that mean the same have the same key, however their arguments are written.

    Args:
        function: the function.
        make_name: gives another name for the function in the key, from its name.
        args_to_ignore: the names of parameters that the value does not depend on.

    Raises:
        TypeError: `make_name` is no function.
        ValueError: the function has no parameter of a name in `args_to_ignore`.
    """

    by_path = False
    are_own = False

    def __init__(
        self,
        function: Callable[..., Any],
        make_name: Callable[[str], str] | None,
        args_to_ignore: Iterable[str],
    ) -> None:
        self._function = function
        self.name = full_name(function)
        if make_name is not None and not callable(make_name):
            raise TypeError(
                f"make_name takes a function and got {make_name!r}. Write"
                " make_name=lambda name: ..."
            )
        self._key_name = (
            self.name
            if make_name is None
            else check_key(make_name(self.name), "What make_name gives")
        )
        self._signature = inspect.signature(function)
        # Functions that are made in another one may have one name. They differ in their
        # code, and in what they took from there.
        self._code = _local_code(inspect.unwrap(function))
        self._cells = tuple(_cells_read(inspect.unwrap(function)))
        self._ignored = frozenset(args_to_ignore)
        names = list(self._signature.parameters)
        if unknown := self._ignored.difference(names):
            raise ValueError(
                f"args_to_ignore names {', '.join(sorted(unknown))}, and"
                f" {self.name}() has the parameters {', '.join(names) or '(none)'}."
            )
        # As Flask-Cache tells methods from functions.
        takes_instance = names[:1] in (["self"], ["cls"])
        self._by_instance = takes_instance and names[0] not in self._ignored

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        """Give the key of a call.

        Args:
            args: the call's arguments; the function itself may come first, as in
                Flask-Caching's `f.make_cache_key(f.uncached, 1, 2)`.
            kwargs: the call's arguments.

        Raises:
            KeyValueError: an argument does not say what it is.
            WrongCallError: the function can't be called so.
        """
        if args and args[0] is self._function:
            args = args[1:]
        return self.of_call(args, kwargs).key

    def of_custom_key(self, make: Any, args: Any, kwargs: Any) -> CallKey:
        """Give the key that users' code gives for a call, and the call's tags.

        Raises:
            KeyValueError: it is no text.
        """
        key = check_key(make(self._function, *args, **kwargs), _CUSTOM)
        arguments = self._bind(args, kwargs)
        if not self._by_instance:
            return CallKey(key, self._tags(None))
        return CallKey(key, self._tags(encode_argument(next(iter(arguments.values())))))

    def of_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallKey:
        """Give the key and tags of a call; else as above."""
        arguments = self._bind(args, kwargs)
        function = [encode_text(self._key_name), encode_text(self._code)]
        function += map(_encode_cell, self._cells)
        values = [
            self._encode(name, value)
            for name, value in arguments.items()
            if name not in self._ignored
        ]
        key = digest_key("memoize", self._key_name, "".join(function + values))
        return CallKey(key, self._tags(values[0] if self._by_instance else None))

    def tag_of(self, *instances: Any) -> str:
        """Give the tag of all calls, or of those of a method on one object."""
        if not instances or not self._by_instance:
            return self._tags(None)[-1]
        return self._tags("".join(map(encode_argument, instances)))[-1]

    def _encode(self, name: str, value: Any) -> str:
        try:
            return encode_argument(value)
        except KeyValueError:
            # Such as `missing = object()`, which is there to be told from all values.
            if value is self._signature.parameters[name].default:
                return "default"
            raise
        except RecursionError:
            raise
        except Exception as error:
            raise KeyValueError(
                f"The argument {name} does not say what it is. It raised"
                f" {type(error).__name__}: {error}."
            ) from error

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise WrongCallError(f"{self.name}(): {error}") from None
        bound.apply_defaults()
        return bound.arguments

    def _tags(self, instance: str | None) -> tuple[str, ...]:
        """Give the tag of all calls, and that of an object, which is given encoded."""
        tag = f"memoize:{self._key_name}"
        if instance is None:
            return (tag,)
        # Not as it is: a repr may tell what nobody needs to know.
        return tag, f"{tag}:{digest(instance)}"


def _local_code(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    if code is None or "<" not in function.__qualname__:
        return ""
    return code_digest(code)


def _cells_read(function: Callable[..., Any]) -> Iterator[CellType]:
    """Give the variables of surrounding functions that a function only reads.

    What it writes there, such as how often it was called, is no argument of it.
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
    """Encode a variable of a surrounding function, if it is a plain value.

    Other objects, such as an application, are taken to be the same everywhere.
    """
    try:
        value = cell.cell_contents
    except ValueError:
        return _OTHER_CELL  # not assigned yet
    return encode_argument(value) if type(value) in _PLAIN else _OTHER_CELL
