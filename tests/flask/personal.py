"""Ways in which a page can be personal, as a site that shows them.

Each way is shown by a fragment, by a view under `cached`, by a helper with `key_prefix`
and by a memoized function. The site is made with the cache of this package, or with
Flask-Caching's.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import flask_caching
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from cachelib import SimpleCache
from flask import (
    Flask,
    flash,
    g,
    get_flashed_messages,
    render_template,
    request,
    session,
)
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from flask_babel import (
    Babel,
    format_date,
    format_datetime,
    get_locale,
    get_timezone,
    gettext,
)
from flask_caching.jinja2ext import CacheExtension
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_session.cachelib import CacheLibSessionInterface
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import DictLoader
from werkzeug.middleware.proxy_fix import ProxyFix

from jinja_fragcache import guard_variables, note_read

FORMS = ("fragment", "view", "helper", "memoize")
BY_NAME = ("fragment", "view", "helper")
ANN, BOB = "ann", "bob"
TENANT: ContextVar[str] = ContextVar("tenant")


@dataclass(frozen=True)
class Way:
    """A way in which a page can be personal.

    Attributes:
        name: What the documentation calls it.
        read: What the guard calls it.
        body: The template text that shows it.
        key: An expression, for templates and for Python, that a key may have. None if
            it belongs into no key.
        enter: How the two users are known: "session", "remember" (a cookie), "ann" (only
            she has a session), "server" (a session on the server), or "".
        page: The template around the body. The tag stands where the angles are.
        options: The arguments of a user's request.
        suffix: What is added to the path for a user.
        before: Returns variables of the template, before the body begins.
        covered_in: The forms whose keys can cover it. The key of a memoized function
            has values, no names.
    """

    name: str
    read: str
    body: str
    key: str | None = None
    enter: str = ""
    page: str = "<<{body}>>"
    options: Callable[[str], dict[str, Any]] = field(default=lambda _: {})
    suffix: Callable[[str], str] = field(default=lambda _: "")
    before: Callable[[], dict[str, Any]] = dict
    covered_in: tuple[str, ...] = FORMS


def header(name: str, **values: str) -> Callable[[str], dict[str, Any]]:
    return lambda who: {"headers": {name: values.get(who, who)}}


def cookie(name: str, **values: str) -> Callable[[str], dict[str, Any]]:
    return lambda who: {"cookie": (name, values.get(who, who))}


LANGUAGE = header("Accept-Language", ann="en", bob="de")
USER = "{{ current_user.name }}"
USER_KEY = "current_user.get_id()"
FORM = "{{ form.hidden_tag() }}"
DATE = "{{ format_date(day) }}"


def day() -> dict[str, Any]:
    return {"day": date(2024, 5, 6), "time": datetime(2024, 5, 6, 12, tzinfo=UTC)}


def form() -> dict[str, Any]:
    return {"form": FlaskForm()}


def says_again() -> dict[str, Any]:
    get_flashed_messages()
    return {}


# fmt: off
WAYS = [
    Way('`session["name"]`', "session.name", "{{ session['name'] }}", "session['name']", "session"),
    Way('`session.get("name")`', "session.name", "{{ session.get('name') }}", "session.get('name')", "session"),
    Way('`session.pop("name")`', "session.name", "{{ session.pop('name') }}", None, "session"),
    Way('`"vip" in session`', "session.vip", "{{ 'vip' in session }}", "session.get('vip')", "ann"),
    Way("`len(session)`", "session", "{{ session|length }}", "session.items()", "ann", covered_in=BY_NAME),
    Way("`for name in session`", "session", "{% for name in session %}{{ name }} {% endfor %}", "session.items()", "ann", covered_in=BY_NAME),
    Way("`if session`", "session", "{% if session %}yes{% else %}no{% endif %}", "session.items()", "ann", covered_in=BY_NAME),
    Way("`session.name`, kept on the server by Flask-Session", "session.name", "{{ session['name'] }}", "session['name']", "server"),
    Way("`current_user`, logged in by the session", "current_user", USER, USER_KEY, "session"),
    Way("`current_user`, logged in by the remember cookie", "current_user", USER, USER_KEY, "remember"),
    Way("`current_user`, by an API key in a header", "current_user", USER, USER_KEY, options=header("X-Api-Key")),
    Way("`current_user`, by an API key in the query", "current_user", USER, USER_KEY, options=lambda who: {"query_string": {"api_key": who}}),
    Way("`current_user.is_authenticated`", "current_user", "{{ current_user.is_authenticated }}", USER_KEY, "ann"),
    Way("`current_user` in an include", "current_user", "{% include 'user.html' %}", USER_KEY, "session"),
    Way("`current_user` in an imported macro", "current_user", "{{ macros.user() }}", page="{{% import 'macros.html' as macros with context %}}<<{body}>>", key=USER_KEY, enter="session"),
    Way("`current_user` in a block", "current_user", "{% block main %}{{ current_user.name }}{% endblock %}", USER_KEY, "session"),
    Way("`current_user` in `super()`", "current_user", "{{ super() }}", page="{{% extends 'layout.html' %}}{{% block main %}}<<{body}>>{{% endblock %}}", key=USER_KEY, enter="session"),
    Way("`current_user` in a function", "current_user", "{{ greeting() }}", USER_KEY, "session"),
    Way("`current_user` in a filter", "current_user", "{{ word|greet }}", before=lambda: {"word": "Hello"}, key=USER_KEY, enter="session"),
    Way("a name that a context processor makes of the session", "cart", "{{ cart }}", "cart_of_session()", "session", covered_in=BY_NAME),
    Way("the user under another name, passed to the template", "current_user", "{{ me.name }}", USER_KEY, "session", before=lambda: {"me": current_user._get_current_object()}),
    Way("`g.user`, set before the view", "g.user", "{{ g.user.name }}", "g.user.id", "session"),
    Way("`request.user`, set before the view", "request.user", "{{ request.user.name }}", "request.user.id", "session"),
    Way('`g.get("theme")`', "g.theme", "{{ g.get('theme') }}", "g.get('theme')", options=cookie("theme")),
    Way("`request.cookies`", "request.cookies.theme", "{{ request.cookies.theme }}", "request.cookies.get('theme')", options=cookie("theme")),
    Way("`request.accept_languages`", "request.headers.accept-language", "{{ request.accept_languages.best }}", "request.accept_languages.best", options=LANGUAGE),
    Way('`request.headers["Accept-Language"]`', "request.headers.accept-language", "{{ request.headers['Accept-Language'] }}", "request.headers['Accept-Language']", options=LANGUAGE),
    Way("`request.user_agent`", "request.headers.user-agent", "{{ request.user_agent.string }}", "request.user_agent.string", options=header("User-Agent")),
    Way("`request.authorization`", "request.headers.authorization", "{{ request.authorization.username }}", "request.authorization.username", options=lambda who: {"auth": (who, "secret")}),
    Way("`request.if_none_match`", "request.headers.if-none-match", "{{ request.if_none_match.to_header() }}", "request.if_none_match.to_header()", options=header("If-None-Match", ann='"a"', bob='"b"')),
    Way("`request.origin`", "request.headers.origin", "{{ request.origin }}", "request.origin", options=header("Origin")),
    Way("a header of one's own", "request.headers.x-group", "{{ request.headers.get('X-Group') }}", "request.headers.get('X-Group')", options=header("X-Group")),
    Way("`request.remote_addr`, by `X-Forwarded-For`", "request.remote_addr", "{{ request.remote_addr }}", "request.remote_addr", options=header("X-Forwarded-For", ann="10.0.0.1", bob="10.0.0.2")),
    Way("`request.access_route`", "request.access_route", "{{ request.access_route[0] }}", "request.access_route", options=header("X-Forwarded-For", ann="10.0.0.1", bob="10.0.0.2")),
    Way("`request.host`", "request.host", "{{ request.host }}", "request.host", options=lambda who: {"base_url": f"http://{who}.example"}),
    Way("`request.host`, by `X-Forwarded-Host`", "request.host", "{{ request.host }}", "request.host", options=header("X-Forwarded-Host")),
    Way("`request.url_root`", "request.url_root", "{{ request.url_root }}", "request.url_root", options=lambda who: {"base_url": f"http://{who}.example"}),
    Way("`request.scheme`", "request.scheme", "{{ request.scheme }}", "request.scheme", options=header("X-Forwarded-Proto", ann="http", bob="https")),
    Way("`request.is_secure`", "request.scheme", "{{ request.is_secure }}", "request.is_secure", covered_in=BY_NAME, options=header("X-Forwarded-Proto", ann="http", bob="https")),
    Way("`request.script_root`", "request.script_root", "{{ request.script_root }}", "request.script_root", options=header("X-Forwarded-Prefix", ann="/a", bob="/b")),
    Way("`url_for(...)` below a script root", "request.script_root", "{{ url_for('enter', who='x') }}", "request.script_root", options=header("X-Forwarded-Prefix", ann="/a", bob="/b")),
    Way("`url_for(..., _external=true)`", "request.host_url", "{{ url_for('enter', who='x', _external=true) }}", "request.host_url", options=lambda who: {"base_url": f"http://{who}.example"}),
    Way("`request.path`", "request.path", "{{ request.path }}", "request.path", suffix=lambda who: f"/{who}"),
    Way("`request.view_args`", "request.view_args.who", "{{ request.view_args.who }}", "request.view_args['who']", suffix=lambda who: f"/{who}"),
    Way("`request.url`", "request.url", "{{ request.url }}", "request.url", options=lambda who: {"query_string": {"q": who}}),
    Way("`request.args`", "request.args.q", "{{ request.args.q }}", "request.args.get('q')", options=lambda who: {"query_string": {"q": who}}),
    Way("`request.values`", "request.values.q", "{{ request.values.q }}", "request.values.get('q')", options=lambda who: {"query_string": {"q": who}}),
    Way("`request.query_string`", "request.args", "{{ request.query_string.decode() }}", "request.query_string.decode()", covered_in=BY_NAME, options=lambda who: {"query_string": {"q": who}}),
    Way("`request.environ`", "request.environ", "{{ request.environ['QUERY_STRING'] }}", None, options=lambda who: {"query_string": {"q": who}}),
    Way("`request.form`", "request.form.q", "{{ request.form.q }}", "request.form.get('q')", options=lambda who: {"method": "POST", "data": {"q": who}}),
    Way("`request.json`", "request.json", "{{ request.json.q }}", "request.get_json()", options=lambda who: {"method": "POST", "json": {"q": who}}),
    Way("`request.get_data()`", "request.data", "{{ request.get_data() }}", "request.get_data()", options=lambda who: {"method": "POST", "data": who}),
    Way("`request.method`", "request.method", "{{ request.method }}", "request.method", options=lambda who: {"method": "GET" if who == ANN else "POST"}),
    Way("`csrf_token()`", "csrf_token", "{{ csrf_token() }}", None, "session"),
    Way("`form.hidden_tag()`, of a form made before", "csrf_token", FORM, None, "session", before=form),
    Way("`form.csrf_token`, of a form made before", "csrf_token", "{{ form.csrf_token }}", None, "session", before=form),
    Way("flashed messages", "flashed messages", "{{ get_flashed_messages() }}", None, "session"),
    Way("flashed messages, asked for a second time", "flashed messages", "{{ get_flashed_messages() }}", None, "session", before=says_again),
    Way('`_("Hello")`, the locale by a header', "locale", "{{ _('Hello') }}", "get_locale()", options=LANGUAGE),
    Way('`_("Hello")`, the locale by a cookie', "locale", "{{ _('Hello') }}", "get_locale()", options=cookie("locale", ann="en", bob="de")),
    Way("`format_date(...)`, the locale by the user", "locale", DATE, "get_locale()", "session", before=day),
    Way("`format_datetime(...)`, the time zone by the user", "timezone", "{{ format_datetime(time) }}", "[get_locale(), get_timezone()]", "session", before=day),
    Way("what a function reads from a context variable, with `note_read`", "tenant", "{{ tenant() }}", "tenant()", options=header("X-Tenant")),
    Way("a variable of the page, named to `guard_variables`", "customer", "{{ customer }}", "customer", covered_in=("fragment",), options=header("X-Tenant"), before=lambda: {"customer": TENANT.get()}),
]
# fmt: on


class User(UserMixin):  # type: ignore[misc]
    """A user whose id is the name."""

    def __init__(self, name: str) -> None:
        self.id = self.name = name


def tenant() -> str:
    """Return the tenant, as an application does that keeps it in a context variable."""
    found = TENANT.get()
    note_read("tenant", found, again=TENANT.get)
    return found


def cart_of_session() -> str:
    return f"cart of {session.get('name')}"


TEMPLATES = {
    "user.html": USER,
    "macros.html": "{% macro user() %}{{ current_user.name }}{% endmacro %}",
    "layout.html": "{% block main %}{{ current_user.name }}{% endblock %}",
}
FUNCTIONS: dict[str, Any] = {
    "greeting": lambda: f"Hello {current_user.name}",
    "tenant": tenant,
    "cart_of_session": cart_of_session,
    "get_locale": get_locale,
    "get_timezone": get_timezone,
    "format_date": format_date,
    "format_datetime": format_datetime,
    "_": gettext,
}
# What the expressions of keys read in Python.
NAMES = {"session": session, "current_user": current_user, "g": g, "request": request}


class Sessions(SecureCookieSessionInterface):
    """Keeps sessions in a cookie, or on the server for those who ask for that."""

    def __init__(self, app: Flask) -> None:
        self._server = CacheLibSessionInterface(app, client=SimpleCache())

    def open_session(self, app: Any, request: Any) -> Any:
        if request.headers.get("X-Session") == "server":
            return self._server.open_session(app, request)
        return super().open_session(app, request)

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        if isinstance(session, self._server.session_class):
            self._server.save_session(app, session, response)
        else:
            super().save_session(app, session, response)


def make_app(folder: Path) -> Flask:
    """Return an application with users, forms, languages and sessions.

    Args:
        folder: Where its translations are written.
    """
    app = Flask("personal")
    app.secret_key = "for tests"
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(folder)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    app.session_interface = Sessions(app)
    CSRFProtect(app)
    write_translations(folder)
    Babel(app, locale_selector=locale, timezone_selector=zone)
    manager = LoginManager(app)
    manager.user_loader(User)
    manager.request_loader(user_of)
    app.before_request(begin)
    app.context_processor(lambda: {"site": "Shop", "cart": cart_of_session()})
    app.jinja_env.globals.update(FUNCTIONS)
    app.jinja_env.filters["greet"] = lambda text: f"{text} {current_user.name}"
    app.add_url_rule("/enter/<who>", "enter", enter)
    return app


def write_translations(folder: Path) -> None:
    catalog = Catalog("de")
    catalog.add("Hello", "Hallo")
    target = folder / "de" / "LC_MESSAGES"
    target.mkdir(parents=True, exist_ok=True)
    with (target / "messages.mo").open("wb") as file:
        write_mo(file, catalog)


def locale() -> str | None:
    if "locale" in request.cookies:
        return request.cookies["locale"]
    if current_user.is_authenticated:
        return {ANN: "en", BOB: "de"}[current_user.name]
    return request.accept_languages.best_match(["en", "de"])


def zone() -> str | None:
    zones = {ANN: "Europe/Berlin", BOB: "America/New_York"}
    return zones[current_user.name] if current_user.is_authenticated else None


def user_of(request: Any) -> User | None:
    key = request.headers.get("X-Api-Key") or request.args.get("api_key")
    return None if key is None else User(key)


def begin() -> None:
    TENANT.set(request.headers.get("X-Tenant", "nobody"))
    g.theme = request.cookies.get("theme")
    if "X-Load-User" in request.headers:
        g.user = request.user = User(session["name"])  # type: ignore[attr-defined]


def enter(who: str) -> str:
    session.update({"name": who, "vip": who == ANN})
    flash(f"Hello {who}")
    login_user(User(who), remember="remember" in request.args)
    return ""


class PersonalSite:
    """A site that shows each way by each form, with and without a key that covers it.

    Args:
        cache: The cache.
        folder: Where translations are written.
        settings: The settings of the cache.
    """

    def __init__(self, cache: Any, folder: Path, **settings: Any) -> None:
        self.app = make_app(folder)
        self.app.debug = settings.pop("debug", False)
        self.cache = cache
        cache.init_app(self.app, config={"CACHE_TYPE": "SimpleCache", **settings})
        if isinstance(cache, flask_caching.Cache):
            self.app.jinja_env.add_extension(CacheExtension)
        self._given: dict[str, Any] = {}
        self._templates = dict(TEMPLATES)
        self.app.jinja_loader = DictLoader(self._templates)
        for number, way in enumerate(WAYS):
            for covered in (False, True) if way.key else (False,):
                for form in FORMS:
                    self._add(number, way, form, covered=covered)

    def _add(self, number: int, way: Way, form: str, *, covered: bool) -> None:
        name = f"{form}-{number}{'-covered' if covered else ''}"
        tag = (
            "{% cache 300, '" + name + "'" + (f", {way.key}" if covered else "") + " %}"
        )
        start, end = (tag, "{% endcache %}") if form == "fragment" else ("", "")
        page = way.page.format(body=way.body)
        self._templates[name] = page.replace("<<", start).replace(">>", end)

        def show(*_: Any) -> str:
            return render_template(name, **self._given)

        show.__name__ = show.__qualname__ = name
        key = (lambda: f"{name}:{self._value(way)}") if covered else None
        call: Callable[..., str] = show
        if form == "helper":
            call = self.cache.cached(key_prefix=key or name)(show)
        elif form == "memoize":
            call = self.cache.memoize()(show)

        def view(who: str | None = None) -> str:
            self._given = way.before()
            given = [self._value(way)] if covered and form == "memoize" else []
            return call(*given)

        view.__name__ = view.__qualname__ = f"view-{name}"
        if form == "view":
            view = self.cache.cached(make_cache_key=key and (lambda **_: key()))(view)
        for path in (f"/{name}", f"/{name}/<who>"):
            self.app.add_url_rule(path, name, view, methods=["GET", "POST"])

    def _value(self, way: Way) -> Any:
        assert way.key is not None
        names = {**NAMES, **FUNCTIONS, **way.before()}
        return eval(way.key, names)  # noqa: S307 - the table's own

    def client(self, way: Way, who: str) -> FlaskClient:
        """Return the client of a user, who is known as the way says."""
        client = self.app.test_client()
        if way.enter in {"session", "remember", "server"} or way.enter == who:
            query = "?remember" if way.enter == "remember" else ""
            client.get(f"/enter/{who}{query}", headers=_session_header(way))
        if way.enter == "remember":
            client.delete_cookie("session")
        return client

    def visit(
        self,
        way: Way,
        form: str,
        who: str,
        client: FlaskClient,
        *,
        covered: bool = False,
    ) -> str:
        """Return what a user sees."""
        name = f"{form}-{WAYS.index(way)}{'-covered' if covered else ''}"
        options = way.options(who)
        headers = {**options.pop("headers", {}), **_session_header(way)}
        if way.read in {"g.user", "request.user"}:
            headers["X-Load-User"] = "yes"
        if "cookie" in options:
            client.set_cookie(*options.pop("cookie"))
        url = f"/{name}{way.suffix(who)}"
        return client.open(url, headers=headers, **options).text


def _session_header(way: Way) -> dict[str, str]:
    return {"X-Session": "server"} if way.enter == "server" else {}


guard_variables("customer")
