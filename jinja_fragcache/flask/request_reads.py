"""Notes what bodies read of Flask's request, session and `g`.

The guard needs it: what a body reads that differs between requests has to be in its
key (see `guard`).
"""

import sys
from collections.abc import Callable
from functools import cache, partial, wraps
from types import ModuleType
from typing import Any

from flask import current_app, g, has_app_context, has_request_context
from flask.globals import request_ctx

from jinja_fragcache.engine.dependencies import (
    current_dependencies,
    note_read,
    quietly,
)
from jinja_fragcache.guard.watched import (
    attributes_class,
    mapping_class,
    properties_class,
    watch,
)

from .shared_values import lives_with

# The items of the session, and the attributes of `g`, that have a name of their own.
_SPECIAL = {
    "session._flashes": "flashed messages",
    "session.csrf_token": "csrf_token",
    "g.csrf_token": "csrf_token",
    "g._login_user": "current_user",
}
_BABEL = "_flask_babel"
#: Where `g` keeps the names whose context processors read something of the request,
#: with their values.
NAMES = "_fragcache_names"
# What `g` holds for all users alike.
_SHARED_G = frozenset(
    {
        "db",
        "conn",
        "connection",
        "cursor",
        "database",
        "engine",
        "redis",
        "sqlite_db",
    }
)
_SHARED_MODULES = frozenset(
    {
        "MySQLdb",
        "elasticsearch",
        "mysql",
        "psycopg",
        "psycopg2",
        "pymongo",
        "pymysql",
        "redis",
        "sqlalchemy",
        "sqlite3",
    }
)
_CONTAINERS = ("args", "cookies", "files", "form", "headers", "values")
# Attributes of the request by the name of what they show of it.
_ATTRIBUTES = {
    "accept_charsets": "headers.accept-charset",
    "accept_encodings": "headers.accept-encoding",
    "accept_languages": "headers.accept-language",
    "accept_mimetypes": "headers.accept",
    "access_route": "remote_addr",
    "authorization": "headers.authorization",
    "base_url": "url",
    "blueprint": "endpoint",
    "blueprints": "endpoint",
    "data": "data",
    "endpoint": "endpoint",
    "environ": "environ",
    "full_path": "url",
    "host": "host",
    "host_url": "host",
    "is_secure": "scheme",
    "json": "json",
    "method": "method",
    "path": "path",
    "query_string": "args",
    "referrer": "headers.referer",
    "remote_addr": "remote_addr",
    "remote_user": "remote_user",
    "root_path": "script_root",
    "root_url": "host",
    "scheme": "scheme",
    "script_root": "script_root",
    "stream": "data",
    "url": "url",
    "url_root": "host",
    "url_rule": "endpoint",
    "user_agent": "headers.user-agent",
    "view_args": "view_args",
}
_METHODS = {"get_data": "request.data", "get_json": "request.json"}


class FlaskRequests:
    """Tells what is read of Flask's requests (see `engine.dependencies.Framework`)."""

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        if not has_app_context():
            return
        watch(_current_g(), _g_class)
        _watch_extensions()
        if not has_request_context():
            return
        current = request_ctx._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
        watch(current.request, _request_class)
        session = _session_of(current)
        if session is not None:
            watch(session, mapping_class, "session", _note)

    def request(self) -> object:
        """Like `Framework.request`."""
        if not has_request_context():
            return None
        return request_ctx._get_current_object().request  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way

    def note_variable(self, name: str, value: Any) -> None:
        """Like `Framework.note_variable`."""
        if not has_app_context():
            return
        fields = vars(_current_g())
        names = fields.get(NAMES, {})
        is_given = name in names and names[name] is value
        if is_given and not lives_with(current_app, value):
            note_read(name, value)
        elif value is not None and fields.get("_login_user") is value:
            note_read("current_user", value)

    def value_of(self, name: str) -> Any:
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
    current = request_ctx._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the same
    fields = vars(_current_g())
    if name == "current_user" and hasattr(current_app, "login_manager"):
        if "_login_user" not in fields:
            current_app.login_manager._load_user()  # noqa: SLF001 - Flask-Login's own way
        return fields["_login_user"]
    if name == "locale" and "flask_babel" in sys.modules:
        return str(sys.modules["flask_babel"].get_locale())
    if root == "session" and part:
        session = _session_of(current)
        return None if session is None else session.get(part)
    if root == "g" and part:
        return fields.get(part)
    if root == "request" and part:
        attribute, _, item = part.partition(".")
        value: Any = getattr(current.request, attribute, None)
        return value.get(item) if item else value
    return fields.get(NAMES, {})[name]


def _current_g() -> Any:
    return g._get_current_object()  # noqa: SLF001 - the same


def _session_of(context: Any) -> Any:
    fields = vars(context)
    # From Flask 3.1.3 on, access by the attribute's name counts as reading.
    return fields.get("_session", fields.get("session"))


def _watch_extensions() -> None:
    """Let Flask-Login and WTForms tell what they read, the first time they are there.

    What Flask-Login reads to find the user counts as the user. WTForms' fields have a
    token that was made when the form was, maybe before the body began.
    """
    manager = getattr(current_app, "login_manager", None)
    if manager is not None and "_load_user" not in vars(manager):
        manager._load_user = _quiet(manager._load_user)  # noqa: SLF001 - see above
    forms: Any = sys.modules.get("wtforms.csrf.core")
    if forms is not None and not hasattr(forms.CSRFTokenField._value, "__wrapped__"):  # noqa: SLF001 - the same
        forms.CSRFTokenField._value = _noting_token(forms.CSRFTokenField._value)  # noqa: SLF001 - the same


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


def _note(name: str, value: Any) -> None:
    note_read(_SPECIAL.get(name, name), value)


@cache
def _request_class(kind: type) -> type:
    reads: dict[str, Callable[[Any, Any], Any]] = {
        name: partial(_read_attribute, f"request.{shown}")
        for name, shown in _ATTRIBUTES.items()
    }
    reads |= {name: partial(_read_container, f"request.{name}") for name in _CONTAINERS}
    made = properties_class(kind, reads)
    for name, shown in _METHODS.items():
        setattr(made, name, _noting_method(getattr(kind, name), shown))
    return made


def _read_attribute(shown: str, request: Any, value: Any) -> Any:
    if current_dependencies() is not None and not _is_flask_itself():
        note_read(shown, value)
    return value


def _read_container(shown: str, request: Any, value: Any) -> Any:
    if (
        current_dependencies() is not None
        and not _is_flask_itself()
        and not watch(value, mapping_class, shown, _note_item)
    ):
        note_read(shown)
    return value


def _is_flask_itself() -> bool:
    """Return whether Flask reads an attribute for itself, as `send_file` does."""
    # This function, the one that asks, the property, and what reads it.
    module: str = sys._getframe(3).f_globals.get("__name__", "")  # noqa: SLF001 - as `logging` does
    return module.partition(".")[0] in {"flask", "werkzeug"}


def _note_item(name: str, value: Any) -> None:
    # The names of headers don't depend on case.
    note_read(name.lower() if name.startswith("request.headers") else name, value)


def _noting_method(original: Callable[..., Any], shown: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        note_read(shown)
        with quietly():
            return original(self, *args, **kwargs)

    return method


@cache
def _g_class(kind: type) -> type:
    made = attributes_class(kind, _read_g)

    def get(self: Any, name: str, default: Any = None) -> Any:
        _read_g(self, name, vars(self).get(name))
        return kind.get(self, name, default)  # type: ignore[attr-defined]

    def contains(self: Any, name: str) -> bool:
        _read_g(self, name, vars(self).get(name))
        return name in vars(self)

    def iterate(self: Any) -> Any:
        note_read("g")
        return iter(vars(self))

    own = {"get": get, "__contains__": contains, "__iter__": iterate}
    for name, method in own.items():
        setattr(made, name, method)
    return made


def _read_g(context: Any, name: str, value: Any) -> Any:
    """Note that an attribute of `g` was read, unless it is the same for all users."""
    dependencies = current_dependencies()
    if dependencies is None or dependencies.is_quiet:
        return value
    if name == _BABEL:
        _note_locale()
        return value
    shown = f"g.{name}"
    if shown in _SPECIAL or not _is_shared(name, value):
        _note(shown, value)
    return value


def _is_shared(name: str, value: Any) -> bool:
    return (
        name.startswith("_fragcache")
        or name in _SHARED_G
        or callable(value)
        or isinstance(value, ModuleType)
        or type(value).__module__.partition(".")[0] in _SHARED_MODULES
    )


def _note_locale() -> None:
    """Note that the locale was read, if Flask-Babel selects one for each request."""
    babel: Any = sys.modules.get("flask_babel")
    extension = current_app.extensions.get("babel")
    if getattr(extension, "locale_selector", None) is None:
        return
    with quietly():  # What tells the locale need not be in the key beside it.
        locale = babel.get_locale()
    note_read("locale", str(locale))
