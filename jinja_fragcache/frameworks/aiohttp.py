"""Notes what bodies read of a request of aiohttp, in aiohttp-jinja2's templates."""

import sys
import warnings
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.guard.watched import mapping_class, subclass, watch

from .attributes import Attributes, named, watching
from .passed import items_of
from .processors import watch_all
from .reading import note_item

#: The name of what routing has found for a request.
ROUTE = "request.match_info.route"
# Where applications, and aiohttp-session, keep it.
_SESSIONS = ("session", "aiohttp_session")
_OF_ROUTE = frozenset({"get_info", "handler", "http_exception", "route"})


def parts_of(request: Any) -> Iterator[Any]:
    """Yield the objects of a request that a handler may give to a template."""
    yield from request.values()
    for name in _SESSIONS:
        yield from items_of(request.get(name))


def application_of(request: Any) -> Any:
    """Return what lives longer than a request: what its applications have."""
    with quietly():
        return SimpleNamespace(app=request.app, config={**request.config_dict})


def watch_processors(request: Any = None) -> bool:
    """Like `starlette.watch_processors`, of the request's applications.

    An application tells its processors to nobody but to a request.
    """
    package: Any = sys.modules.get("aiohttp_jinja2")
    if package is None or request is None:
        return False
    key, were_unwatched = package.APP_CONTEXT_PROCESSORS_KEY, False
    with quietly():
        applications = request.match_info.apps
    for each in applications:
        processors = each.get(key, ())
        watched = [*processors]
        watch_all(watched, _start)
        if watched == [*processors]:
            continue
        # That one returns the request itself.
        were_unwatched |= {*processors} != {package.request_processor}
        if isinstance(processors, list):
            processors[:] = watched
            continue
        with warnings.catch_warnings():
            # The application has started. It has the same processors as before.
            warnings.simplefilter("ignore", DeprecationWarning)
            each[key] = watched
    return were_unwatched


def _start(request: Any) -> dict[str, Any]:
    watch_request(request)
    fields: dict[str, Any] = vars(request)
    return fields


@cache
def _match_class(kind: type) -> type:
    """Return a subclass of the class of `match_info`, which has the route, too."""
    made = mapping_class(kind, "request.match_info", note_item)
    inherited: Any = kind.__getattribute__

    def get_attribute(self: Any, name: str) -> Any:
        if name in _OF_ROUTE:
            note_read(ROUTE)
        return inherited(self, name)

    return subclass(made, {"__getattribute__": get_attribute})


def _read_match(_: Any, __: str, value: Any) -> Any:
    watch(value, _match_class)
    return value


#: Lets what is read of a request be noted.
watch_request = watching(
    Attributes(
        "request",
        mappings=frozenset({"cookies", "headers", "query"}),
        shared=frozenset(
            {
                *("app", "client_max_fields", "client_max_size", "config_dict"),
                *("keep_alive", "loop", "protocol", "task", "transport", "version"),
                *("writer", "ATTRS", "POST_METHODS"),
            }
        ),
        shown={
            **named(
                "request.body",
                (
                    *("body_exists", "can_read_body", "content", "has_body", "json"),
                    *("multipart", "post", "read", "text"),
                ),
            ),
            "get_extra_info": "request.remote",
            "message": "request",
            "raw_headers": "request.headers",
        },
        special={"match_info": _read_match},
        has_items=True,
    )
)
