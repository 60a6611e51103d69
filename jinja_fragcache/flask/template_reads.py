"""Notes what templates read of the request through what Flask gives them.

That are the names that context processors return, and functions such as `url_for`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, g, get_flashed_messages, has_request_context, request

from jinja_fragcache.engine.dependencies import (
    add_framework,
    current_dependencies,
    quietly,
    start_watching,
)
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.frameworks.processors import watch_all
from jinja_fragcache.frameworks.variables import note_variables
from jinja_fragcache.frameworks.werkzeug import note_attribute

from .request_reads import FlaskRequests, Messages

_WRAPS = "_fragcache_wraps"
_FRAMEWORK = FlaskRequests()


def watch_app(app: Flask) -> None:
    """Let the guard see what an application's templates and functions read.

    Args:
        app: The application.
    """
    add_framework(_FRAMEWORK)
    if hasattr(app.update_template_context, _WRAPS):
        return
    # As subclasses may override them. Flask calls both on the application.
    own: Any = app
    own.update_template_context = _noting_names(app)
    own.url_for = _noting_host(app.url_for)
    environment = app.jinja_env
    environment.globals["url_for"] = app.url_for
    environment.globals["get_flashed_messages"] = _noting_flashes
    note_variables(environment)


@wraps(get_flashed_messages)
def _noting_flashes(*args: Any, **kwargs: Any) -> Any:
    note_read("flashed messages")
    with quietly():
        return Messages(get_flashed_messages(*args, **kwargs))


def _noting_host(url_for: Callable[..., str]) -> Callable[..., str]:
    """Return `url_for`, with a note of what its URLs show of the request."""

    @wraps(url_for)
    def noting(endpoint: str, **values: Any) -> str:
        if current_dependencies() is None:
            return url_for(endpoint, **values)
        # Functions that the application has given to `url_defaults` may read anything.
        url = url_for(endpoint, **values)
        with quietly():
            in_request = has_request_context()
            host = request.host_url if in_request else ""
            root = request.script_root if in_request else ""
            blueprint = request.blueprint if in_request else None
        if in_request and endpoint.startswith("."):
            # Most templates with such endpoints belong to one blueprint.
            note_attribute(request, "blueprint", blueprint, kept=str(blueprint))
        if in_request and "//" in url.partition("?")[0][:9]:
            note_attribute(request, "host_url", host)
        if root:
            note_read("request.script_root", root)
        return url

    return noting


def _noting_names(app: Flask) -> Callable[[dict[str, Any]], None]:
    """Return `app.update_template_context`, with processors that are watched."""
    update = app.update_template_context

    @wraps(update)
    def noting(context: dict[str, Any]) -> None:
        for processors in app.template_context_processors.values():
            watch_all(processors, _start)
        with quietly():
            update(context)
        # Before the template runs, because it may take a method of the request for
        # later, which notes nothing if the request was not watched then.
        _FRAMEWORK.watch_early()

    setattr(noting, _WRAPS, update)
    return noting


def _start() -> dict[str, Any]:
    start_watching()
    fields: dict[str, Any] = vars(g._get_current_object())  # noqa: SLF001 - Werkzeug's documented way
    return fields
