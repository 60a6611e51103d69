"""Notes what bodies read of a request of Django."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.expiry import keep_out_of_store
from jinja_fragcache.engine.noted_reads import note_kept_read, note_read
from jinja_fragcache.guard.watched import (
    attributes_class,
    is_watched,
    mapping_class,
    subclass,
    watch,
)

from .django_language import note_language, watch_language
from .passed import items_of
from .processors import class_of, watch_all, watch_method
from .reading import is_noting, note_item, noting, watched_mapping
from .shared import is_shared

#: What the variables of Django's context processors are, besides the request's objects.
VARIABLES = {"LANGUAGE_BIDI": note_language, "LANGUAGE_CODE": note_language}
_MAPPINGS = frozenset({"COOKIES", "FILES", "GET", "META", "POST", "headers", "session"})
# Attributes of the request's class, and those that are set on each request, by what
# they show of it.
_ATTRIBUTES = {
    "accepted_types": "headers.accept",
    "accepted_types_by_precedence": "headers.accept",
    "auser": "user",
    "body": "body",
    "content_params": "content_type",
    "content_type": "content_type",
    "environ": "META",
    "method": "method",
    "path": "path",
    "path_info": "path",
    "user": "user",
}
_METHODS = {
    "accepts": "headers.accept",
    "get_full_path": "get_full_path()",
    "get_full_path_info": "get_full_path()",
    "get_port": "get_port()",
    "get_preferred_type": "headers.accept",
    "read": "body",
    "readline": "body",
}
# Set on each request by Django, and the same for all or for Django alone.
_QUIET = frozenset(
    {
        *("csrf_cookie_needs_update", "csrf_processing_done", "current_app"),
        *("encoding", "exception_reporter_filter", "urlconf"),
    }
)
_HOST = "request.get_host()"


@contextmanager
def connections_closed() -> Iterator[None]:
    """Close the connections to databases that the thread has opened in the block."""
    try:
        yield
    finally:
        databases: Any = sys.modules.get("django.db")
        configuration: Any = sys.modules.get("django.conf")
        # It may have been imported without being used.
        if databases is not None and configuration.settings.configured:
            databases.connections.close_all()


def watch_request(request: Any) -> None:
    """Let what is read of a request be noted, and of what Django keeps in it."""
    watch_language()
    fields = vars(request)
    if fields.get("is_preview"):
        # Wagtail shows an editor what nobody else may see yet.
        keep_out_of_store()
    user, messages = fields.get("user"), fields.get("_messages")
    if _is_lazy(user):
        watch(user, _user_class)
    if messages is not None:
        watch(messages, _messages_class)
    watch(request, _request_class)


def parts_of(request: Any) -> Iterator[Any]:
    """Yield the objects of a request that a view may give to a template."""
    for name, value in vars(request).items():
        if not name.startswith("_") and name not in _QUIET:
            yield value
    yield from items_of(vars(request).get("session"))


def application_of(_: Any) -> Any:
    """Return what lives as long as the site: its settings."""
    return sys.modules["django.conf"].settings._wrapped  # noqa: SLF001 - no public way


def watch_processors(_: Any = None) -> bool:
    """Like `starlette.watch_processors`, of Django's Jinja2 back end."""
    kind = class_of("django.template.backends.jinja2", "Template")
    return watch_method(kind, "render", _watching)


def _watching(render: Callable[..., Any]) -> Callable[..., Any]:
    def watching(self: Any, *args: Any, **kwargs: Any) -> Any:
        backend = self.backend
        if hasattr(backend.env, "fragment_cache"):
            watch_all(backend.template_context_processors, _start)
        return render(self, *args, **kwargs)

    return watching


def _start(request: Any) -> dict[str, Any]:
    watch_request(request)
    fields: dict[str, Any] = vars(request)
    return fields


@cache
def _request_class(kind: type) -> type:
    made = attributes_class(kind, _read_attribute)
    own: dict[str, Callable[..., None]] = {
        name: _noting_name(f"request.{shown}") for name, shown in _METHODS.items()
    }
    own |= {
        "build_absolute_uri": _note_url,
        "get_host": _note_host,
        "get_signed_cookie": _note_cookie,
        "is_secure": _note_scheme,
    }
    for name, note in own.items():
        if hasattr(kind, name):
            setattr(made, name, noting(getattr(kind, name), note))
    return made


def _noting_name(shown: str) -> Callable[..., None]:
    return lambda *_, **__: note_read(shown)


def _read_attribute(request: Any, name: str, value: Any) -> Any:
    if not is_noting() or name.startswith("_") or name in _QUIET:
        return value
    if name in _MAPPINGS:
        if name == "session" and value is not None:
            watch(value, _session_class)
        return value if value is None else watched_mapping(f"request.{name}", value)
    if name == "LANGUAGE_CODE":
        note_language()
    elif name == "scheme":
        _note_scheme(request)
    elif name == "resolver_match":
        _note_match(value)
    elif name in _ATTRIBUTES:
        if not is_watched(value):  # Else it notes its reads itself.
            note_read(f"request.{_ATTRIBUTES[name]}", value)
    elif not hasattr(type(request), name) and not is_shared(
        name, value, application_of(request)
    ):
        note_read(f"request.{name}", value)
    return value


def _note_match(match: Any) -> None:
    if not watch(match, _match_class):  # No view was found. In another request, one is.
        note_read("request.resolver_match", match)


def _note_host(request: Any) -> None:
    """Note the host. If the settings allow one, the client may only vary its port."""
    with quietly():
        host = request.get_host()
    allowed = sys.modules["django.conf"].settings.ALLOWED_HOSTS
    is_one = len(allowed) < 2 and not any(  # noqa: PLR2004 - more than one
        each.startswith(".") or "*" in each for each in allowed
    )
    if is_one:
        note_kept_read(_HOST, host)
    else:
        note_read(_HOST, host)


def _note_scheme(request: Any) -> None:
    with quietly():
        scheme = request.scheme
    note_kept_read("request.scheme", scheme)


def _note_url(request: Any, location: Any = None) -> None:
    _note_host(request)
    _note_scheme(request)
    place = "" if location is None else str(location)
    if not place.startswith("/") and "//" not in place:
        note_read("request.build_absolute_uri()")


def _note_cookie(_: Any, key: str, *__: Any, **___: Any) -> None:
    note_read(f"request.COOKIES.{key}")


def _is_lazy(value: Any) -> bool:
    # Not `isinstance`, which would load the object.
    return any(each.__name__ == "LazyObject" for each in type(value).__mro__)


@cache
def _user_class(kind: type) -> type:
    """Return a subclass of a lazy object's class, which notes that the user is read.

    All that is read of it goes through the attribute `_wrapped`. What finding the user
    reads, such as the session, counts as the user.
    """
    inherited: Any = kind.__getattribute__
    empty = sys.modules["django.utils.functional"].empty

    def get_attribute(self: Any, name: str) -> Any:
        if name != "_wrapped" or not is_noting():
            return inherited(self, name)
        with quietly():
            if inherited(self, name) is empty:
                inherited(self, "_setup")()
        user = inherited(self, name)
        note_read("request.user", user)
        return user

    return subclass(kind, {"__getattribute__": get_attribute})


@cache
def _match_class(kind: type) -> type:
    return attributes_class(kind, _read_match)


def _read_match(_: Any, name: str, value: Any) -> Any:
    shown = f"request.resolver_match.{name}"
    if name == "kwargs":
        return watched_mapping(shown, value)
    note_read(shown, value)
    return value


@cache
def _session_class(kind: type) -> type:
    """Return a subclass of a session's class that notes what is read, also its key."""
    made = mapping_class(kind, "request.session", note_item)

    def session_key(self: Any) -> Any:
        key = kind.session_key.fget(self)  # type: ignore[attr-defined]
        caller: str = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - as `logging` does
        if not caller.startswith("django.contrib.sessions."):
            note_read("request.session.session_key", key)
        return key

    made.session_key = property(session_key)  # type: ignore[attr-defined]
    if hasattr(kind, "is_empty"):
        note = _noting_name("request.session")
        made.is_empty = noting(kind.is_empty, note)  # type: ignore[attr-defined]
    return made


@cache
def _messages_class(kind: type) -> type:
    note = _noting_name("flashed messages")
    methods = ("__contains__", "__iter__", "__len__")
    return subclass(kind, {name: noting(getattr(kind, name), note) for name in methods})
