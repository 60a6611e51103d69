"""Notes what bodies read of requests of Werkzeug's kind: those of Flask and Quart."""

import sys
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any

from jinja_fragcache.engine.dependencies import (
    current_dependencies,
    note,
    note_read,
    quietly,
)
from jinja_fragcache.guard.reads import Read, is_plain, texts_in, texts_of
from jinja_fragcache.guard.watched import (
    WHOLE,
    attributes_class,
    is_watched,
    mapping_class,
    properties_class,
    watch,
)

from .request_names import (
    ATTRIBUTES,
    BELOW_ROOT,
    METHODS,
    OF_ROUTE,
    PARTS,
    ROUTED,
)

_CONTAINERS = ("args", "cookies", "files", "form", "headers", "values", "view_args")
_PACKAGES = frozenset({"flask", "quart", "werkzeug"})


def watch_request(request: Any, known: frozenset[str]) -> None:
    """Let what is read of a request be noted.

    Args:
        request: The request.
        known: The attributes that all requests have. Others are the application's.
    """
    if is_watched(request):
        return
    if type(request.view_args) is dict:
        request.view_args = _ViewArguments(request.view_args)
    watch(request, _request_class, _own_attributes(request, known))


def _own_attributes(request: Any, known: frozenset[str]) -> frozenset[str]:
    """Return the attributes that an application has given to a request."""
    kind = type(request)
    return frozenset(
        name
        for name in vars(request)
        if not (name.startswith("_") or name in known or hasattr(kind, name))
    )


@cache
def _request_class(kind: type, own: frozenset[str]) -> type:
    """Return a subclass of a class of requests that notes what is read.

    Args:
        kind: The class.
        own: The names of attributes that the class doesn't know.
    """
    reads: dict[str, Callable[[Any, Any], Any]] = {
        name: partial(_read_attribute, shown) for name, shown in ATTRIBUTES.items()
    }
    reads |= {name: partial(_read_attribute, name) for name in own}
    reads |= {name: partial(_read_container, f"request.{name}") for name in _CONTAINERS}
    made = properties_class(kind, reads)
    for name, shown in METHODS.items():
        setattr(made, name, _noting_method(getattr(kind, name), f"request.{shown}"))
    return made


def _read_attribute(shown: str, request: Any, value: Any) -> Any:
    dependencies = current_dependencies()
    if (
        dependencies is not None
        and not dependencies.is_quiet
        and not _is_flask_itself()
    ):
        note_attribute(request, shown, value)
    return value


def note_attribute(
    request: Any, shown: str, value: Any, *, kept: str | None = None
) -> None:
    """Note that an attribute of a request was read.

    Args:
        request: The request.
        shown: The name of what it shows.
        value: Its value.
        kept: Its text, if the entry keeps that.
    """
    texts = texts_of(value)
    if shown == "blueprint":
        with quietly():
            texts = texts_of(request.blueprint)  # For `blueprints`, too.
    if shown.startswith("headers."):
        with quietly():
            # As it stands in the request, not as it was parsed.
            raw = request.headers.get(shown.partition(".")[2])
        if shown.startswith("headers.accept"):
            # One of several languages may stand in a key by itself.
            texts = texts_in([each for each, _ in value])
        texts = texts_of(raw) if raw is None else texts | texts_of(raw)
    with quietly():
        parts = tuple(
            Read(f"request.{each}", texts_of(getattr(request, each)))
            for each in _parts(request, shown)
        )
        if shown == "headers.authorization" and value and value.username is not None:
            parts = (Read("request.authorization.username"),)
    # As of the languages, one of what is parsed from a header is enough.
    is_list = isinstance(value, list) and not shown.startswith("headers.")
    note(Read(f"request.{shown}", texts, parts=parts, is_object=is_list, kept=kept))


def _parts(request: Any, shown: str) -> tuple[str, ...]:
    """Return the attributes that tell what another attribute of a request shows."""
    if shown in ROUTED:
        return (*OF_ROUTE, "host") if _has_hosts(request) else OF_ROUTE
    names = PARTS.get(shown, ())
    if shown in BELOW_ROOT and request.script_root:
        return (*names, "script_root")
    return names


def _has_hosts(request: Any) -> bool:
    """Return whether two hosts may have different views, or that is not known."""
    rule = vars(request).get("url_rule")
    return rule is None or _is_of_hosts(rule.map)


@lru_cache(maxsize=8)
def _is_of_hosts(urls: Any) -> bool:
    """Return whether some rule of an application is that of one host."""
    return any(rule.host or rule.subdomain for rule in urls.iter_rules())


def _read_container(shown: str, request: Any, value: Any) -> Any:
    if current_dependencies() is None or _is_flask_itself():
        return value
    note_item = _note_item
    if shown == "request.view_args":
        with quietly():
            note_item = _noting_routed(_parts(request, "view_args"))
    if not watch(value, mapping_class, shown, note_item) and value is not None:
        note_read(shown)
    return value


@cache
def _noting_routed(parts: tuple[str, ...]) -> Callable[..., None]:
    """Return what notes an item that other attributes of the request tell."""
    reads = tuple(Read(f"request.{each}") for each in parts)

    def note_item(name: str, *value: Any) -> None:
        is_whole = WHOLE in value
        texts: frozenset[str] = frozenset().union(*map(texts_of, value))
        is_object = not is_whole and not all(map(is_plain, value))
        note(Read(name, texts, (), frozenset(), reads, is_object, is_whole=is_whole))

    return note_item


class _ViewArguments(dict[str, Any]):
    """The arguments of a view. A plain dictionary can't be watched."""


def _is_flask_itself() -> bool:
    """Return whether a framework reads an attribute for itself, as in `send_file`."""
    # This function, the one that asks, the property, and what reads it.
    module: str = sys._getframe(3).f_globals.get("__name__", "")  # noqa: SLF001 - as `logging` does
    return module.partition(".")[0] in _PACKAGES


def _note_item(name: str, *value: Any) -> None:
    # The names of headers don't depend on case.
    note_read(name.lower() if name.startswith("request.headers") else name, *value)


def _noting_method(original: Callable[..., Any], shown: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        note_read(shown, WHOLE)
        with quietly():
            return original(self, *args, **kwargs)

    return method


@cache
def g_class(kind: type, read: Callable[[Any, str, Any], Any]) -> type:
    """Return a subclass of the class of `g` that notes what is read.

    Args:
        kind: The class.
        read: As for `attributes_class`.
    """
    made = attributes_class(kind, read)

    def get(self: Any, name: str, default: Any = None) -> Any:
        read(self, name, vars(self).get(name))
        return kind.get(self, name, default)  # type: ignore[attr-defined]

    def contains(self: Any, name: str) -> bool:
        read(self, name, vars(self).get(name))
        return name in vars(self)

    def iterate(self: Any) -> Any:
        note_read("g")
        return iter(vars(self))

    own = {"get": get, "__contains__": contains, "__iter__": iterate}
    for name, method in own.items():
        setattr(made, name, method)
    return made
