"""Notes what bodies read of a request of Litestar."""

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_kept_read, note_read
from jinja_fragcache.guard.watched import WHOLE, mapping_class, subclass, watch

from .attributes import Attributes, named, noting_calls, watching
from .passed import items_of
from .reading import is_noting, note_item, text_of_route
from .shared import is_shared

# It has functions that templates call, such as `csrf_token`.
_CALLABLES = "litestar.template.base"


def parts_of(request: Any) -> Iterator[Any]:
    """Yield the objects of a request that a handler may give to a template."""
    for name in ("auth", "session", "user"):
        yield request.scope.get(name)
    yield from items_of(request.scope.get("session"))
    yield from (request.scope.get("state") or {}).values()


def application_of(request: Any) -> Any:
    """Return the application of a request."""
    with quietly():
        return request.scope.get("litestar_app")


def _read_scope(_: Any, __: str, value: Any) -> Any:
    # This function, `Attributes.note`, the attribute, and what reads it.
    caller = sys._getframe(3).f_globals.get("__name__")  # noqa: SLF001 - as `logging` does
    note_read("csrf_token" if caller == _CALLABLES else "request")
    return value


def _read_state(_: Any, __: str, value: Any) -> Any:
    watch(value, _state_class)
    return value


def _read_url(_: Any, __: str, value: Any) -> Any:
    if not _watch_url(value):
        note_read("request.url", WHOLE)
    return value


def _read_base_url(_: Any, __: str, value: Any) -> Any:
    note_kept_read("request.base_url", str(value))
    return value


def _read_route(_: Any, name: str, value: Any) -> Any:
    note_kept_read(f"request.{name}", text_of_route(value))
    return value


def _note_base_url(request: Any, *_: Any, **__: Any) -> None:
    # Its URLs have the host, which the client sends.
    with quietly():
        base_url = str(request.base_url)
    note_kept_read("request.base_url", base_url)


@cache
def _state_class(kind: type) -> type:
    """Return a subclass of the class of `request.state` that notes what is read."""
    made: Any = mapping_class(kind, "request.state", _note_state)

    def get_attribute(self: Any, name: str) -> Any:
        try:
            value = kind.__getattr__(self, name)  # type: ignore[attr-defined]
        except AttributeError:
            _note_state(f"request.state.{name}", None)
            raise
        _note_state(f"request.state.{name}", value)
        return value

    return subclass(made, {"__getattr__": get_attribute})


def _note_state(shown: str, *value: Any) -> None:
    name = shown.removeprefix("request.state.")
    if is_noting() and not (name.startswith("_") or is_shared(name, *(value or ("",)))):
        note_item(shown, *value)


_watch_url = watching(Attributes("request.url", is_text=True))
#: Lets what is read of a request be noted.
watch_request = watching(
    Attributes(
        "request",
        mappings=frozenset({"cookies", "headers", "path_params", "query_params"}),
        shared=frozenset(
            {
                *("app", "is_connected", "logger", "receive", "send"),
                "supports_push_promise",
            }
        ),
        shown={
            **named("request.body", ("body", "json", "msgpack", "stream")),
            "form": "request.form",
            "get_session_id": "request.session",
        },
        special={
            "base_url": _read_base_url,
            "route_handler": _read_route,
            "scope": _read_scope,
            "state": _read_state,
            "url": _read_url,
            "url_for": noting_calls(_note_base_url),
            "url_for_static_asset": noting_calls(_note_base_url),
        },
    )
)
