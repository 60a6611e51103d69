"""Notes what bodies read of Quart's request, session and `g`."""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from typing import Any

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.guard.watched import (
    mapping_class,
    properties_class,
    subclass,
    watch,
)

from .processors import (
    class_of,
    note_given,
    note_not_given,
    reading_apart,
    watch_all,
    watch_method,
)
from .reading import is_noting
from .request_names import told_by
from .shared import is_shared
from .variables import note_variables_of
from .werkzeug import (
    g_class,
    is_method_of,
    note_attribute,
    note_passed,
    watch_request,
)

_GLOBALS = "quart.globals"
_USER = "_quart_auth_user"
# Where a context keeps the messages. The second is that of Quart 0.23 and newer.
_FLASHES = ("flashes", "_flashes")
# The items of the session, and the attributes of `g`, that have a name of their own.
_SPECIAL = {
    "session._flashes": "flashed messages",
    "session.csrf_token": "csrf_token",
    f"g.{_USER}": "current_user",
}
# What all requests have. What is read of the scope and the body is noted, too.
_OF_REQUESTS = frozenset(
    {
        *("body_timeout", "headers", "http_version", "json_module", "method", "path"),
        *("query_string", "remote_addr", "root_path", "routing_exception", "scheme"),
        *("server", "url_rule", "view_args"),
    }
)


class QuartRequests:
    """Tells what is read of Quart's requests (see `engine.framework.Framework`)."""

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        application = _current("_cv_app")
        if application is None:
            return
        if context is not None:
            note_variables_of(context)
        watch(application.g, g_class, _read_g)
        for users in application.app.extensions.get("QUART_AUTH", ()):
            if "load_user" not in vars(users):
                users.load_user = _noting_user(users.load_user)
        current = _request_context()
        if current is None:
            return
        watch_request(_request_of(current), _OF_REQUESTS)
        watch(current, _context_class)
        if current.url_adapter is not None:
            watch(current.url_adapter, _adapter_class)
        session = _session_of(current)
        if session is not None:
            watch(session, mapping_class, "session", _note)

    def request(self) -> object:
        """Like `Framework.request`."""
        current = _request_context()
        return None if current is None else _request_of(current)

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        """Like `Framework.note_variable`."""
        application = _current("_cv_app")
        if application is None:
            return
        if note_given(vars(application.g), name, value, application.app):
            return
        if name == "current_user":
            note_read("current_user", value)
            return
        current = _request_context()
        request = None if current is None else _request_of(current)
        session = None if current is None else _session_of(current)
        note_passed(application.app, request, session, application.g, name, value)

    def note_missing(self, name: str, context: Any) -> None:
        """Like `Framework.note_missing`."""
        application = _current("_cv_app")
        if application is not None:
            note_not_given(vars(application.g), name)

    def apart(
        self, *, blocking: bool
    ) -> Callable[[], AbstractContextManager[Any]] | None:
        """Like `Framework.apart`. To enter Quart's contexts has to be awaited."""
        return nullcontext if _current("_cv_app") is None else None

    def told_by(self, name: str) -> Iterable[str]:
        """Like `Framework.told_by`."""
        root, _, part = name.partition(".")
        if root != "websocket":
            return told_by(name)
        shown = f"request.{part}" if part else "request"
        return (shown, *told_by(shown))

    def value_of(self, name: str, context: Any) -> Any:
        """Like `Framework.value_of`."""
        current, application = _request_context(), _current("_cv_app")
        if current is None or application is None:
            raise LookupError(name)
        root, _, part = name.partition(".")
        with quietly():
            if name == "current_user":
                return _user_of(application)
            if root == "session":
                kept = _session_of(current)
                return kept.get(part) if part and kept is not None else kept
            if root == "g" and part:
                return vars(application.g).get(part)
            if root == "request" and part:
                attribute, _, item = part.partition(".")
                value: Any = getattr(_request_of(current), attribute)
                return value.get(item) if item and value is not None else value
        raise LookupError(name)


def watch_processors(_: Any = None) -> bool:
    """Like `starlette.watch_processors`, of Quart's applications."""
    kind = class_of("quart.app", "Quart")
    return watch_method(kind, "update_template_context", _watching)


def _watching(update: Callable[..., Any]) -> Callable[..., Any]:
    async def watching(self: Any, *args: Any) -> None:
        if not hasattr(self.jinja_env, "fragment_cache"):
            await update(self, *args)
            return
        for processors in self.template_context_processors.values():
            watch_all(processors, _start)
        # Not `quietly`: other tasks may read for the same body meanwhile.
        with reading_apart():
            await update(self, *args)
        # As in Flask, before the template runs.
        _REQUESTS.watch(None)

    return watching


def _start() -> dict[str, Any]:
    _REQUESTS.watch(None)
    fields: dict[str, Any] = vars(_current("_cv_app").g)
    return fields


def _current(name: str) -> Any:
    """Return the current object in a context variable of Quart's, None if none."""
    # A thread that imports the module now may not have come to the variable yet.
    variable: Any = getattr(sys.modules.get(_GLOBALS), name, None)
    return None if variable is None else variable.get(None)


def _request_context() -> Any:
    """Return the context of the current request or websocket, None if there is none.

    From Quart 0.23 on, neither has a context of its own.
    """
    if hasattr(sys.modules.get(_GLOBALS), "_cv_request"):
        return _current("_cv_request") or _current("_cv_websocket")
    application = _current("_cv_app")
    kinds = ("has_request", "has_websocket")
    return application if any(getattr(application, each, 0) for each in kinds) else None


def _request_of(context: Any) -> Any:
    """Return the request of a context, or its websocket, which is noted as one."""
    found = getattr(context, "request_websocket", None)
    if found is not None:
        return found
    is_websocket = getattr(context, "has_websocket", False)
    return context.websocket if is_websocket else context.request


def _session_of(context: Any) -> Any:
    fields = vars(context)
    # From Quart 0.23 on, access by the attribute's name counts as reading.
    return fields.get("_session", fields.get("session"))


def _user_of(application: Any) -> Any:
    users = application.app.extensions.get("QUART_AUTH", ())
    if not users:
        raise LookupError("current_user")
    return users[0].load_user()


@cache
def _context_class(kind: type) -> type:
    """Return a subclass of the class of request contexts, which keep the messages."""
    return properties_class(kind, dict.fromkeys(_FLASHES, _read_flashes))


def _read_flashes(_: Any, value: Any) -> Any:
    note_read("flashed messages")
    return value


@cache
def _adapter_class(kind: type) -> type:
    """Return a subclass of the class that makes URLs, which notes what they show."""
    build = kind.build  # type: ignore[attr-defined]

    @wraps(build)
    def noting(self: Any, *args: Any, **kwargs: Any) -> str:
        url: str = build(self, *args, **kwargs)
        current = _request_context()
        if is_noting() and current is not None:
            _note_url(_request_of(current), url)
        return url

    return subclass(kind, {"build": noting})


def _note_url(request: Any, url: str) -> None:
    with quietly():
        host, root = request.host_url, request.script_root
    if "//" in url.partition("?")[0][:9]:
        note_attribute(request, "host_url", host)
    if root:
        note_read("request.script_root", root)


def _noting_user(load: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that loads the user. What it reads for that is the user."""

    @wraps(load)
    def noting() -> Any:
        with quietly():
            user = load()
        note_read("current_user", user)
        return user

    return noting


def _note(name: str, *value: Any) -> None:
    note_read(_SPECIAL.get(name, name), *value)


def _read_g(context: Any, name: str, value: Any) -> Any:
    shown = f"g.{name}"
    if is_noting() and not is_method_of(context, name):
        app = _current("_cv_app").app
        if shown in _SPECIAL or not is_shared(name, value, app):
            _note(shown, value)
    return value


_REQUESTS = QuartRequests()
