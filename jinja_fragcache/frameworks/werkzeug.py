"""Notes what bodies read of requests of Werkzeug's kind: those of Flask and Quart."""

import sys
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from types import FrameType
from typing import Any

from jinja_fragcache.engine.dependencies import current_dependencies, quietly
from jinja_fragcache.engine.noted_reads import note, note_read
from jinja_fragcache.guard.reads import Read, is_plain, texts_in, texts_of
from jinja_fragcache.guard.watched import (
    WHOLE,
    attributes_class,
    is_watched,
    mapping_class,
    properties_class,
    watch,
)

from .own_attributes import is_constant, is_own, own_attributes
from .passed import is_early_method, objects_in, read_again
from .reading import is_noting
from .request_names import (
    ATTRIBUTES,
    BELOW_ROOT,
    METHODS,
    OF_ROUTE,
    PARTS,
    ROUTED,
)
from .shared import is_shared, lives_with

_CONTAINERS = frozenset(
    {"args", "cookies", "files", "form", "headers", "values", "view_args"}
)
# Nobody else has `view_args` after it was replaced, and `headers` is Werkzeug's, too.
_EARLY_CONTAINERS = _CONTAINERS - {"headers", "view_args"}
# An attribute of the classes of requests that are watched.
_KNOWS_OWN = "_fragcache_knows_own"
_PACKAGES = frozenset({"flask", "quart", "werkzeug"})
_TAKING = ("get", "pop", "setdefault")
_OURS_IN_G = "_fragcache"
_OURS = __name__.partition(".")[0]


def watch_early(request: Any, known: frozenset[str]) -> None:
    """Let what is read of a request be noted, but for the application's attributes.

    This is enough before the first body. It costs less, and most pages have no body.

    Args:
        request: The request.
        known: As for `watch_request`.
    """
    if is_watched(request):
        return
    if type(request.view_args) is dict:
        own = _ViewArguments(request.view_args)
        own.replaced = request.view_args
        request.view_args = own
    # A view or a function may have them already.
    for name in _EARLY_CONTAINERS & vars(request).keys():
        _watch_container(f"request.{name}", request, vars(request)[name])
    watch(request, _request_class, known, None)


def watch_request(request: Any, known: frozenset[str]) -> None:
    """Let what is read of a request be noted.

    Args:
        request: The request.
        known: The attributes that all requests have. Others are the application's.
    """
    watch_early(request, known)
    kind: Any = type(request)
    if getattr(kind, _KNOWS_OWN, None) is not False:
        return  # It does, or the request can't be watched.
    own = own_attributes(request, kind.__base__, known)
    watched = _request_class(kind.__base__, known, own)
    object.__setattr__(request, "__class__", watched)


@cache
def _request_class(
    kind: type, known: frozenset[str], own: frozenset[str] | None
) -> type:
    """Return a subclass of a class of requests that notes what is read.

    Args:
        kind: The class.
        known: As for `watch_request`.
        own: The names of the attributes that are the application's, None if these are
            not noted yet.
    """
    reads: dict[str, Callable[[Any, Any], Any]] = {
        name: partial(_read_attribute, shown) for name, shown in ATTRIBUTES.items()
    }
    reads |= {name: partial(_read_own, name) for name in own or ()}
    in_bodies = reads.keys() - _CONTAINERS
    reads |= {name: partial(_read_container, f"request.{name}") for name in _CONTAINERS}
    made = properties_class(kind, reads, in_bodies=in_bodies, body=current_dependencies)

    inherited: Any = kind

    def set_attribute(self: Any, name: str, value: Any) -> None:
        inherited.__setattr__(self, name, value)
        if own is not None and name not in own and is_own(kind, name, known):
            watched = _request_class(kind, known, own | {name})
            object.__setattr__(self, "__class__", watched)

    methods: dict[str, Any] = {
        "__setattr__": set_attribute,
        "__repr__": _noting_repr(kind),
        "__getattr__": _noting_missing(kind),
    }
    for name, method in methods.items():
        setattr(made, name, method)
    setattr(made, _KNOWS_OWN, own is not None)
    for name, shown in METHODS.items():
        if hasattr(kind, name):  # A websocket of Quart has no body.
            setattr(made, name, _noting_method(getattr(kind, name), f"request.{shown}"))
    return made


def _read_own(name: str, request: Any, value: Any) -> Any:
    if is_noting() and not (is_shared(name, value) or is_constant(request, name)):
        note_attribute(request, name, value)
    return value


def _noting_missing(kind: Any) -> Callable[[Any, str], Any]:
    """Return a method that notes an attribute that only other requests have."""
    find = getattr(kind, "__getattr__", None) or kind.__getattribute__

    def get_missing(self: Any, name: str) -> Any:
        reader = _package(sys._getframe(1))  # noqa: SLF001 - as `logging` does
        if is_noting() and not name.startswith("_") and reader not in _PACKAGES:
            note_read(f"request.{name}", None)
        with quietly():
            return find(self, name)  # It raises its own error.

    return get_missing


def _noting_repr(kind: Any) -> Callable[[Any], str]:
    def show(self: Any) -> str:
        if is_noting():
            with quietly():
                url, method = self.url, self.method
            note_attribute(self, "url", url)
            note_attribute(self, "method", method)
        with quietly():
            shown: str = kind.__repr__(self)
        return shown

    return show


def _read_attribute(shown: str, request: Any, value: Any) -> Any:
    if is_noting() and not _is_flask_itself():
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
    is_ours = is_noting() and not _is_flask_itself()
    # What Werkzeug parses reads the headers for itself.
    if shown == "request.headers" and not is_ours:
        return value
    is_watched = _watch_container(shown, request, value)
    if is_ours and not is_watched:
        if value is None:  # Where no route was found. In another request, one is.
            note_attribute(request, shown.removeprefix("request."), value)
        else:
            note_read(shown)
    return value


def _watch_container(shown: str, request: Any, value: Any) -> bool:
    """Let what is read of a mapping be noted, and return whether that was possible."""
    if value is None:
        return False
    if is_watched(value):
        return True
    note_item = _note_item
    if shown == "request.view_args":
        note_item = _noting_routed(_parts(request, "view_args"))
    if shown == "request.headers":
        return watch(value, _headers_class, shown, note_item)
    if shown == "request.values" and isinstance(getattr(value, "dicts", None), list):
        # Else an item of it would be one of `request.args` or `request.form`, too.
        with quietly():
            value.dicts = [_apart(each) for each in value.dicts]
    return watch(value, mapping_class, shown, note_item)


@cache
def _headers_class(kind: type, name: str, note: Callable[..., None]) -> type:
    """Like `mapping_class`, for headers, whose `getlist` goes through all of them."""
    inherited: Any = kind

    def getlist(self: Any, *args: Any, **kwargs: Any) -> Any:
        with quietly():
            return inherited.getlist(self, *args, **kwargs)

    own = {"__slots__": (), "__module__": kind.__module__, "getlist": getlist}
    return mapping_class(type(kind.__name__, (kind,), own), name, note)


def _apart(mapping: Any) -> Any:
    """Return a copy of a mapping that is not watched, and will not be."""
    kind: Any = type(mapping)
    return (kind.__base__ if is_watched(mapping) else kind)(mapping)


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
    """The arguments of a view. A plain dictionary can't be watched.

    Attributes:
        replaced: The dictionary in whose place this one is. A view may have it.
    """

    replaced: dict[str, Any]


def _is_flask_itself() -> bool:
    """Return whether a framework reads an attribute for itself, as in `send_file`."""
    # This function, the one that asks, the property, and what reads it.
    return _package(sys._getframe(3)) in _PACKAGES  # noqa: SLF001 - as `logging` does


def _package(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0]


def _note_fields() -> None:
    """Note that all of `g` was read, as by `vars(g)`, but not by its own class."""
    if is_noting():
        reader = _package(sys._getframe(2))  # noqa: SLF001 - as `logging` does
        if reader not in _PACKAGES and reader != _OURS:
            note_read("g")


def _note_item(name: str, *value: Any) -> None:
    # The names of headers don't depend on case.
    note_read(name.lower() if name.startswith("request.headers") else name, *value)


def _noting_method(original: Callable[..., Any], shown: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        note_read(shown, WHOLE)
        with quietly():
            return original(self, *args, **kwargs)

    return method


def note_passed(
    app: Any, request: Any, session: Any, g: Any, name: str, value: Any
) -> None:
    """Note that a variable of a template shows an object of a request.

    Args:
        app: The application.
        request: The request, None outside of one.
        session: The session, None if there is none.
        g: What the application keeps for the request.
        name: The name of the variable.
        value: Its value.
    """
    if is_early_method(value):
        note_read(name)
    for each in objects_in(value):
        if any(each is kept for kept in vars(g).values()) and not lives_with(app, each):
            read_again(vars(g), each, partial(getattr, g))
        if request is not None:
            read_again(vars(request), each, partial(getattr, request))
            if getattr(vars(request).get("view_args"), "replaced", None) is each:
                request.view_args.items()
        if isinstance(session, Mapping):
            read_again(session, each, session.__getitem__)


def is_method_of(g: Any, name: str) -> bool:
    """Return whether an attribute of `g` is that of its class."""
    return name not in vars(g) and hasattr(type(g), name)


@cache
def g_class(kind: type, read: Callable[[Any, str, Any], Any]) -> type:
    """Return a subclass of the class of `g` that notes what is read.

    Args:
        kind: The class.
        read: As for `attributes_class`.
    """
    made = attributes_class(kind, read, _note_fields)

    def taking(method: str) -> Callable[..., Any]:
        original = getattr(kind, method)

        def take(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            read(self, name, vars(self).get(name))
            return original(self, name, *args, **kwargs)

        return take

    def contains(self: Any, name: str) -> bool:
        read(self, name, vars(self).get(name))
        return name in vars(self)

    def iterate(self: Any) -> Any:
        note_read("g")
        return iter([name for name in vars(self) if not name.startswith(_OURS_IN_G)])

    own = {each: taking(each) for each in _TAKING if hasattr(kind, each)}
    own |= {"__contains__": contains, "__iter__": iterate}
    for name, method in own.items():
        setattr(made, name, method)
    return made
