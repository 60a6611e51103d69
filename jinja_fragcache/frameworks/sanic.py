"""Notes what bodies read of a request of Sanic, in Sanic Extensions' templates."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_kept_read, note_read
from jinja_fragcache.guard.views import ListsView, NamespaceView
from jinja_fragcache.guard.watched import WHOLE

from .attributes import Attributes, named, noting_calls, watching
from .passed import items_of
from .reading import note_item, read_field


def parts_of(request: Any) -> Iterator[Any]:
    """Yield the objects of a request that a handler may give to a template."""
    fields = vars(request.ctx)
    yield from fields.values()
    yield from items_of(fields.get("session"))


def application_of(request: Any) -> Any:
    """Return the application of a request."""
    return request.app


def _read_lists(_: Any, name: str, value: Any) -> Any:
    return value if value is None else ListsView(value, f"request.{name}", note_item)


def _read_ctx(_: Any, __: str, value: Any) -> Any:
    if type(value) is SimpleNamespace:
        return NamespaceView(value, "request.ctx", read_field)
    if not _watch_ctx(value):
        note_read("request.ctx", WHOLE)
    return value


def _read_route(_: Any, name: str, value: Any) -> Any:
    note_kept_read(f"request.{name}", str(value))
    return value


def _read_whole_route(request: Any, _: str, value: Any) -> Any:
    for name in ("name", "uri_template"):
        with quietly():
            part = getattr(request, name)
        _read_route(request, name, part)
    return value


def _note_url_for(request: Any, *_: Any, **__: Any) -> None:
    # Its URLs have the host, which the client sends.
    with quietly():
        shown = {
            "request.scheme": request.scheme,
            "request.server_name": request.server_name,
            "request.server_port": str(request.server_port),
        }
    for name, value in shown.items():
        note_kept_read(name, value)


_watch_ctx = watching(Attributes("request.ctx"))
#: Lets what is read of a request be noted.
watch_request = watching(
    Attributes(
        "request",
        mappings=frozenset({"headers", "match_info"}),
        shared=frozenset(
            {
                *("app", "conn_info", "protocol", "responded", "stream"),
                *("transport", "version"),
            }
        ),
        shown={
            **named("request.args", ("get_args", "get_query_args", "query_args")),
            **named("request.body", ("json", "load_json", "receive_body")),
            **named("request.headers", ("head", "raw_headers", "request_line")),
            "get_cookies": "request.cookies",
            "get_form": "request.form",
        },
        special={
            "args": _read_lists,
            "cookies": _read_lists,
            "ctx": _read_ctx,
            "endpoint": _read_route,
            "files": _read_lists,
            "form": _read_lists,
            "name": _read_route,
            "route": _read_whole_route,
            "uri_template": _read_route,
            "url_for": noting_calls(_note_url_for),
        },
    )
)
