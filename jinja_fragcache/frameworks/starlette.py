"""Notes what bodies read of a request of Starlette, and so of FastAPI."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_kept_read, note_read
from jinja_fragcache.guard.watched import (
    mapping_class,
    properties_class,
    subclass,
    watch,
)

from .passed import items_of
from .processors import class_of, watch_all, watch_method
from .reading import is_noting, note_item, noting, text_of_route, watched_mapping
from .shared import is_shared

_MAPPINGS = ("cookies", "headers", "path_params", "query_params", "session")
_ATTRIBUTES = {
    "auth": "request.auth",
    "client": "request.client",
    "method": "request.method",
    "scope": "request",
    "user": "request.user",
}
_BODY = {"body": "request.body", "form": "request.form", "json": "request.json"}
_URL_PARTS = (
    *("components", "fragment", "hostname", "is_secure", "netloc", "password"),
    *("path", "port", "query", "scheme", "username"),
)
# What the application chooses by the path.
_ROUTED = frozenset({"endpoint", "route"})
# What the application has, not the client.
_OF_APPLICATION = frozenset(
    {
        *("app", "asgi", "app_root_path", "extensions", "http_version", "router"),
        "type",
    }
)


def watch_request(request: Any) -> None:
    """Let what is read of a request be noted."""
    fields = vars(request)
    for name in _MAPPINGS:  # A view or a function may have it already.
        if f"_{name}" in fields:
            watch(fields[f"_{name}"], mapping_class, f"request.{name}", note_item)
    if "_url" in fields:
        watch(fields["_url"], _url_class)
    if "_state" in fields:
        watch(fields["_state"], _state_class)
    watch(request, _request_class)


def parts_of(request: Any) -> Iterator[Any]:
    """Yield the objects of a request that a view may give to a template."""
    fields = vars(request)
    scope = fields["scope"]
    yield from (fields.get("_cookies"), fields.get("_form"), fields.get("_json"))
    yield scope
    for name in ("auth", "path_params", "session", "user"):
        yield scope.get(name)
    yield from items_of(scope.get("session"))
    yield from (scope.get("state") or {}).values()


def application_of(request: Any) -> Any:
    """Return the application of a request, None if it has none."""
    return vars(request)["scope"].get("app")  # So that nothing is noted.


def watch_processors(_: Any = None) -> bool:
    """Let the context processors of Starlette's templates be watched.

    Returns:
        Whether they were not until now, though Starlette's templates are in use.
    """
    kind = class_of("starlette.templating", "Jinja2Templates")
    return watch_method(kind, "TemplateResponse", _watching)


def _watching(respond: Callable[..., Any]) -> Callable[..., Any]:
    def watching(self: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(self.env, "fragment_cache"):
            if not isinstance(self.context_processors, list):
                self.context_processors = list(self.context_processors)
            watch_all(self.context_processors, _start)
        return respond(self, *args, **kwargs)

    return watching


def _start(request: Any) -> dict[str, Any]:
    watch_request(request)
    fields: dict[str, Any] = vars(request)
    return fields


@cache
def _request_class(kind: type) -> type:
    reads: dict[str, Callable[[Any, Any], Any]] = {
        name: partial(_read_attribute, shown) for name, shown in _ATTRIBUTES.items()
    }
    reads |= {name: partial(_read_mapping, f"request.{name}") for name in _MAPPINGS}
    reads |= {
        "app": _read_app,
        "base_url": _read_base_url,
        "state": _read_state,
        "url": _read_url,
    }
    made = _own_noting(properties_class(kind, reads), frozenset(reads))
    own: dict[str, Callable[..., None]] = {
        "__getitem__": _note_field,
        "__iter__": _note_all,
        "url_for": _note_base_url,
    }
    own |= {name: _noting_name(shown) for name, shown in _BODY.items()}
    for name, note in own.items():
        if hasattr(kind, name):  # A websocket has no body.
            setattr(made, name, noting(getattr(kind, name), note))
    return made


def _own_noting(kind: type, known: frozenset[str]) -> type:
    """Return a subclass of a class of requests that notes what the application adds.

    Args:
        kind: The class.
        known: The attributes that it notes itself.
    """
    inherited: Any = kind.__getattribute__

    def get_attribute(self: Any, name: str) -> Any:
        if name.startswith("_") or name in known or not is_noting():
            return inherited(self, name)
        try:
            value = inherited(self, name)
        except AttributeError:
            note_item(f"request.{name}", None)
            raise
        if name in vars(self) and not is_shared(name, value):
            note_item(f"request.{name}", value)
        return value

    return subclass(kind, {"__getattribute__": get_attribute})


def _noting_name(shown: str) -> Callable[..., None]:
    return lambda *_, **__: note_read(shown)


def _read_attribute(shown: str, _: Any, value: Any) -> Any:
    if is_noting():
        note_read(shown, value)
    return value


def _read_mapping(shown: str, _: Any, value: Any) -> Any:
    return watched_mapping(shown, value)


def _read_app(_: Any, value: Any) -> Any:
    return value  # It is the same for all.


def _read_base_url(_: Any, value: Any) -> Any:
    note_kept_read("request.base_url", str(value))
    return value


def _read_url(_: Any, value: Any) -> Any:
    watch(value, _url_class)
    return value


def _read_state(_: Any, value: Any) -> Any:
    watch(value, _state_class)
    return value


def _note_field(request: Any, key: Any) -> None:
    if key in _ROUTED:
        with quietly():
            route = request.scope.get("route")
        note_kept_read("request.route", text_of_route(route))
    elif key not in _OF_APPLICATION:
        note_read(f"request.{key}")


def _note_all(_: Any) -> None:
    note_read("request")


def _note_base_url(request: Any, *_: Any, **__: Any) -> None:
    # Its URLs have the host, which the client sends.
    note_kept_read("request.base_url", str(request.base_url))


@cache
def _url_class(kind: type) -> type:
    def part(name: str) -> Callable[[Any, Any], Any]:
        shown = "request.url" if name == "components" else f"request.url.{name}"
        return partial(_read_attribute, shown)

    made = properties_class(kind, {name: part(name) for name in _URL_PARTS})
    for name in ("__str__", "__repr__"):
        setattr(made, name, noting(getattr(kind, name), _note_url))
    return made


def _note_url(url: Any) -> None:
    note_read("request.url", vars(url).get("_url"))


@cache
def _state_class(kind: type) -> type:
    """Return a subclass of the class of `request.state` that notes what is read."""

    def reading(method: str) -> Callable[..., Any]:
        original = getattr(kind, method)

        def read(self: Any, name: str) -> Any:
            try:
                value = original(self, name)
            except (AttributeError, KeyError):
                _note_state(name, None)
                raise
            _note_state(name, value)
            return value

        return read

    def reading_names(method: str) -> Callable[..., Any]:
        return noting(getattr(kind, method), _noting_name("request.state"))

    makers = {
        **dict.fromkeys(("__getattr__", "__getitem__"), reading),
        **dict.fromkeys(("__iter__", "__len__"), reading_names),
    }
    own = {name: make(name) for name, make in makers.items() if hasattr(kind, name)}
    return subclass(kind, own)


def _note_state(name: str, value: Any) -> None:
    if not name.startswith("_") and not is_shared(name, value):
        note_item(f"request.state.{name}", value)
