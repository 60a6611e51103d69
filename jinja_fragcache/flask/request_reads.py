"""Notes what bodies read of Flask's request, session and `g`.

The guard needs it: what a body reads that differs between requests has to be in its
key (see `guard`).
"""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import wraps
from types import SimpleNamespace
from typing import Any

import flask.globals
from flask import Flask, Request, current_app, g, has_app_context, has_request_context
from flask.globals import request_ctx

from jinja_fragcache.engine.dependencies import current_dependencies, quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.frameworks.processors import note_given, note_not_given
from jinja_fragcache.frameworks.request_names import told_by
from jinja_fragcache.frameworks.shared import is_shared
from jinja_fragcache.frameworks.werkzeug import (
    g_class,
    is_method_of,
    note_passed,
    watch_early,
    watch_request,
)
from jinja_fragcache.guard.watched import mapping_class, subclass, watch

from .apart import apart

# The items of the session, and the attributes of `g`, that have a name of their own.
_SPECIAL = {
    "session._flashes": "flashed messages",
    "session.csrf_token": "csrf_token",
    "g.csrf_token": "csrf_token",
    "g._login_user": "current_user",
}
_BABEL = "_flask_babel"
# What Flask-Babel keeps there, by the name of what it shows.
_OF_BABEL = {
    "babel_locale": "locale",
    "babel_translations": "locale",
    "babel_tzinfo": "timezone",
}
_NOTHING = object()
# Where the application's context keeps what was watched last.
_REQUEST, _SESSION = "_fragcache_request", "_fragcache_session"
# What all requests have.
_OF_REQUESTS = frozenset(vars(Request({}))) | {"routing_exception"}

# Flask's proxies take four calls each where these take one. From Flask 3.2 on, a
# request has no context of its own.
_app_contexts: ContextVar[Any] = flask.globals._cv_app  # noqa: SLF001 - see above
_request_contexts: ContextVar[Any] = getattr(
    flask.globals, "_cv_request", _app_contexts
)


class FlaskRequests:
    """Tells what is read of Flask's requests (see `engine.framework.Framework`)."""

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        application = _app_contexts.get(None)
        if application is None:
            return
        fields: dict[str, Any] = application.__dict__
        current: Any = _request_contexts.get(None)
        session = None if current is None else _session_of(current)
        if current is not None:
            _watch_messages(vars(current))
        if fields.get(_REQUEST, _NOTHING) is current and fields[_SESSION] is session:
            return
        fields[_REQUEST], fields[_SESSION] = current, session
        watch(fields["g"], g_class, _read_g)
        _watch_extensions(application.app)
        if current is not None:
            watch_request(current.request, _OF_REQUESTS)
        if session is not None:
            watch(session, mapping_class, "session", _note)

    def watch_early(self) -> None:
        """Let be noted what a template may take before a body runs, and read in it.

        Each page comes here. The first body calls `watch`, which does the rest.
        """
        application = _app_contexts.get(None)
        if application is None:
            return
        watch(application.g, g_class, _read_g)
        current: Any = _request_contexts.get(None)
        if current is not None:
            watch_early(current.request, _OF_REQUESTS)
            session = _session_of(current)
            if session is not None:
                watch(session, mapping_class, "session", _note)

    def request(self) -> object:
        """Like `Framework.request`."""
        return _request_contexts.get(None)

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        """Like `Framework.note_variable`."""
        if not has_app_context():
            return
        own = _current_g()
        if note_given(vars(own), name, value, current_app):
            return
        current = _request_contexts.get(None)
        if current is None:
            note_passed(current_app, None, None, own, name, value)
        else:
            session = _session_of(current)
            note_passed(current_app, current.request, session, own, name, value)

    def note_missing(self, name: str, context: Any) -> None:
        """Like `Framework.note_missing`."""
        if has_app_context():
            note_not_given(vars(_current_g()), name)

    def apart(
        self, *, blocking: bool
    ) -> Callable[[], AbstractContextManager[Any]] | None:
        """Like `Framework.apart`."""
        application = _app_contexts.get(None)
        if application is None:
            return nullcontext
        return apart(application.app, _request_contexts.get(None), blocking=blocking)

    def told_by(self, name: str) -> Iterable[str]:
        """Like `Framework.told_by`."""
        return told_by(name)

    def value_of(self, name: str, context: Any) -> Any:
        """Like `Framework.value_of`."""
        if not has_request_context():
            raise LookupError(name)
        with quietly():
            return _value_of(name)


def _value_of(name: str) -> Any:
    """Return what a read gives in the current request.

    Raises:
        LookupError: If that is not known.
    """
    root, _, part = name.partition(".")
    current = request_ctx._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
    fields = vars(_current_g())
    if name == "current_user" and hasattr(current_app, "login_manager"):
        if "_login_user" not in fields:
            current_app.login_manager._load_user()  # noqa: SLF001 - Flask-Login's own way
        return fields["_login_user"]
    if name in _OF_BABEL.values() and "flask_babel" in sys.modules:
        return getattr(sys.modules["flask_babel"], f"get_{name}")()
    if root == "session":
        session = _session_of(current)
        return session.get(part) if part and session is not None else session
    if root == "g" and part:
        return fields.get(part)
    if root == "request" and part:
        attribute, _, item = part.partition(".")
        value: Any = getattr(current.request, attribute)
        return value.get(item) if item and value is not None else value
    raise LookupError(name)


def _current_g() -> Any:
    return g._get_current_object()  # noqa: SLF001 - Werkzeug's documented way


def _session_of(context: Any) -> Any:
    fields = vars(context)
    # From Flask 3.1.3 on, access by the attribute's name counts as reading.
    return fields.get("_session", fields.get("session"))


def _watch_messages(fields: dict[str, Any]) -> None:
    """Let the messages that somebody has asked for tell that they are shown.

    Flask keeps them in the context of the request, and gives them to all who ask again.
    """
    for name in ("flashes", "_flashes"):
        if type(fields.get(name)) is list:
            fields[name] = Messages(fields[name])


def _watch_extensions(app: Flask) -> None:
    """Let Flask-Login and WTForms tell what they read, the first time they are there.

    What Flask-Login reads to find the user counts as the user. WTForms' fields have a
    token that was made when the form was, maybe before the body began.
    """
    manager = getattr(app, "login_manager", None)
    if manager is not None and "_load_user" not in vars(manager):
        manager._load_user = _quiet(manager._load_user)  # noqa: SLF001 - there is no public name
    forms: Any = sys.modules.get("wtforms.csrf.core")
    if forms is not None and not hasattr(forms.CSRFTokenField._value, "__wrapped__"):  # noqa: SLF001 - there is no public name
        forms.CSRFTokenField._value = _noting_token(forms.CSRFTokenField._value)  # noqa: SLF001 - see above


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def quiet(*args: Any, **kwargs: Any) -> Any:
        with quietly():
            return function(*args, **kwargs)

    return quiet


def _noting_token(value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(value)
    def noting(self: Any) -> Any:
        note_read("csrf_token")
        return value(self)

    return noting


def _noting_list(name: str) -> Callable[..., Any]:
    original = getattr(list, name)

    def method(self: Any, *args: Any) -> Any:
        note_read("flashed messages")
        return original(self, *args)

    return method


_OF_LISTS = (
    *("__add__", "__contains__", "__eq__", "__getitem__", "__iter__", "__len__"),
    *("__repr__", "__reversed__", "copy", "count", "index", "pop"),
)
#: Messages of `flash()`. A page may ask for them before the body that shows them, as in
#: `{% with messages = get_flashed_messages() %}` around a tag.
Messages = subclass(list, {name: _noting_list(name) for name in _OF_LISTS})


def _note(name: str, *value: Any) -> None:
    note_read(_SPECIAL.get(name, name), *value)


def _read_g(context: Any, name: str, value: Any) -> Any:
    """Note that an attribute of `g` was read, unless it is the same for all users."""
    dependencies = current_dependencies()
    if dependencies is None or dependencies.is_quiet:
        return value
    if name == _BABEL:
        if type(value) is SimpleNamespace:
            value = vars(context)[_BABEL] = _Locales(**vars(value))
        return value
    shown = f"g.{name}"
    # Such as `g.get`, which notes what it returns.
    is_ours = name.startswith("_fragcache") or is_method_of(context, name)
    if shown in _SPECIAL or not (is_ours or is_shared(name, value, current_app)):
        _note(shown, value)
    return value


class _Locales(SimpleNamespace):
    """What Flask-Babel keeps of a request in `g`, with a note of what is read."""

    def __getattribute__(self, name: str) -> Any:
        shown = _OF_BABEL.get(name)
        if shown is not None and _is_selected(shown):
            with quietly():  # What tells the locale need not be in the key beside it.
                value = _value_of(shown)
            note_read(shown, value)
        return super().__getattribute__(name)


def _is_selected(shown: str) -> bool:
    """Return whether a body runs, and Flask-Babel's users select a locale."""
    dependencies = current_dependencies()
    if dependencies is None or dependencies.is_quiet:
        return False
    extension = current_app.extensions.get("babel")
    return getattr(extension, f"{shown}_selector", None) is not None
