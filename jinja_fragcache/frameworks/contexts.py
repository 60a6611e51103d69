"""Requests that are found in the contexts of templates.

Starlette, Django, Litestar, aiohttp and Sanic give templates a variable `request`.
There is nothing to set up: the first body whose template has one lets it be watched.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple

from jinja_fragcache.engine.dependencies import current_dependencies, quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.guard.watched import is_watched

from . import aiohttp, django, litestar, quart, request_classes, sanic, starlette
from .django_language import LANGUAGE, current_language
from .passed import is_early_method, objects_in
from .processors import note_given, note_not_given
from .reading import text_of_route
from .shared import is_shared
from .variables import note_variables_of

# Variables that differ between users by their names, wherever they come from.
_PERSONAL = {
    "csrf_input": "csrf_token",
    "csrf_token": "csrf_token",
    "current_user": "current_user",
    "user": "user",
}
# What names in keys tell by another name.
_TOLD = {
    "LANGUAGE_CODE": LANGUAGE,
    "request.LANGUAGE_CODE": LANGUAGE,
    "request.build_absolute_uri": "request.build_absolute_uri()",
    "request.client.host": "request.client",
    "request.get_full_path": "request.get_full_path()",
    "request.get_host": "request.get_host()",
    "request.get_port": "request.get_port()",
}
# What templates have as variables, too, with its parts.
_SAME = {"request.user": "user", "session": "request.session", "user": "request.user"}
_ROUTES = {"request.route", "request.route_handler"}
# A field of a request whose context processors ran before they could be watched.
_UNSEEN = "_fragcache_processors_unseen"
_PLAIN = (str, bytes, int, float, bool, type(None))


class Kind(NamedTuple):
    """What is known of a framework's requests.

    Attributes:
        watch: Lets what is read of a request be noted.
        parts_of: Yields what of a request a view may give to a template.
        application_of: Returns what lives longer than a request.
        watch_processors: Gets the request, lets context processors be watched, and
            returns whether they were not until now.
        variables: Notes the reads of variables that differ by their names.
    """

    watch: Callable[[Any], object]
    parts_of: Callable[[Any], Iterator[Any]]
    application_of: Callable[[Any], Any]
    watch_processors: Callable[[Any], bool] = lambda _: False
    variables: Mapping[str, Callable[[], None]] = {}


_KINDS = {
    request_classes.AIOHTTP: Kind(
        aiohttp.watch_request,
        aiohttp.parts_of,
        aiohttp.application_of,
        aiohttp.watch_processors,
    ),
    request_classes.DJANGO: Kind(
        django.watch_request,
        django.parts_of,
        django.application_of,
        django.watch_processors,
        django.VARIABLES,
    ),
    request_classes.LITESTAR: Kind(
        litestar.watch_request, litestar.parts_of, litestar.application_of
    ),
    request_classes.SANIC: Kind(
        sanic.watch_request, sanic.parts_of, sanic.application_of
    ),
    request_classes.STARLETTE: Kind(
        starlette.watch_request,
        starlette.parts_of,
        starlette.application_of,
        starlette.watch_processors,
    ),
}


@cache
def _kind_of(kind: Any) -> Kind | None:
    """Return what is known of a class of requests, None if it is none."""
    bases = ((each.__module__, each.__name__) for each in kind.__mro__)
    return next((_KINDS[base] for base in bases if base in _KINDS), None)


def _known(value: Any) -> Kind | None:
    kind: Any = type(value)
    return _kind_of(kind)


def _request_in(context: Any) -> tuple[Any, Kind | None]:
    """Return the request that a template has, and what is known of it."""
    if context is None:
        return None, None
    request = context.vars.get("request") or context.parent.get("request")
    return request, _known(request)


class RequestsInContexts:
    """Tells what is read of requests (see `engine.framework.Framework`)."""

    request = None

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        if context is None:
            return
        request, kind = _request_in(context)
        if kind is None:
            return
        kind.watch(request)
        if kind.watch_processors(request):
            # The framework was imported after the environment was made, or it is the
            # first request of an application of aiohttp.
            vars(request)[_UNSEEN] = True
        body = current_dependencies()
        if body is not None and _UNSEEN in _fields(request):
            body.make_live()
        note_variables_of(context)

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        """Like `Framework.note_variable`."""
        request, kind = _request_in(context)
        if kind is None or value is request or is_watched(value):
            return
        if name in _PERSONAL:
            note_read(_PERSONAL[name], value)
            return
        if name in kind.variables:
            kind.variables[name]()
            return
        if type(value).__name__ == "PermWrapper":  # What Django calls `perms`.
            note_read("request.user", value.user)
            return
        app = kind.application_of(request)
        if note_given(_fields(request), name, value, app):
            return
        if not issubclass(type(value), _PLAIN) and not is_shared(name, value, app):
            with quietly():
                parts = list(kind.parts_of(request))
            shown = objects_in(value)
            if is_early_method(value) or any(
                part is each for part in parts for each in shown
            ):
                note_read(name, value)

    def note_missing(self, name: str, context: Any) -> None:
        """Like `Framework.note_missing`."""
        note_not_given(_fields(_request_in(context)[0]), name)

    def apart(
        self, *, blocking: bool
    ) -> Callable[[], AbstractContextManager[Any]] | None:
        """Like `Framework.apart`."""
        return django.connections_closed if blocking else nullcontext

    def told_by(self, name: str) -> Iterator[str]:
        """Like `Framework.told_by`."""
        if name in _TOLD:
            yield _TOLD[name]
        if name == "request.query_string":
            # Of Sanic, and of aiohttp.
            yield from ("request.args", "request.query")
        if name in {"request.path", f"{aiohttp.ROUTE}.name"}:
            yield aiohttp.ROUTE
        for other, same in _SAME.items():
            if name == other or name.startswith(f"{other}."):
                yield same + name.removeprefix(other)

    def value_of(self, name: str, context: Any) -> Any:
        """Like `Framework.value_of`."""
        if name == LANGUAGE:
            return current_language()
        request, kind = _request_in(context)
        if kind is None:
            raise LookupError(name)
        root, *parts = name.split(".", 2)
        value = request if root == "request" else _variable(context, root)
        with quietly():
            for part in parts:
                value = _part(value, part)
        if name in _ROUTES:
            return text_of_route(value)
        return str(value) if type(value).__name__ == "URL" else value


def _fields(request: Any) -> Mapping[str, Any]:
    """Return the fields of a request, none if it has memory for its own alone."""
    return getattr(request, "__dict__", {})


def _variable(context: Any, name: str) -> Any:
    for names in (context.vars, context.parent):
        if name in names:
            return names[name]
    raise LookupError(name)


def _part(value: Any, name: str) -> Any:
    if name.endswith("()"):
        return getattr(value, name[:-2])()
    get = getattr(value, "get", None)
    if not callable(get):
        return getattr(value, name)
    # Requests of Starlette and aiohttp are mappings, too.
    if _known(value) is None:
        return get(name)
    return getattr(value, name) if hasattr(value, name) else value[name]


def watch_processors() -> None:
    """Let the context processors of the frameworks that are in use be watched."""
    for framework in (django, quart, starlette):
        framework.watch_processors()
