"""What is read of Flask's request, session and `g` is noted while a body runs."""

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from types import SimpleNamespace
from typing import Any

import pytest
from flask import (
    Flask,
    Request,
    Response,
    flash,
    g,
    get_flashed_messages,
    request,
    session,
)
from flask.testing import FlaskClient

from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.flask.request_reads import FlaskRequests
from tests.flask.support import Site

URL = "/path?page=2"


@pytest.fixture
def app(site: Site) -> Iterator[Flask]:
    """Return the site's application in a request, whose objects are watched."""
    headers = {"Cookie": "theme=dark", "User-Agent": "agent"}
    with site.app.test_request_context(URL, headers=headers, json={"a": 1}):
        session["user"] = "Ann"
        FlaskRequests().watch(None)
        yield site.app


def noted(read: Callable[[], object]) -> dict[str, set[str]]:
    """Return the names of what is read, each with the texts of its values."""
    body = Dependencies()
    with body:
        read()
    return {name: set(each.values) for name, each in body.reads.items()}


# Outside of a request, the proxy has no methods.
@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda: session["user"], {"session.user": {"Ann"}}),
        (lambda: len(session), {"session": set()}),
        (lambda: request.args["page"], {"request.args.page": {"2"}}),
        (lambda: request.args.get("x"), {"request.args.x": {"None"}}),
        (lambda: list(request.args), {"request.args": set()}),
        (lambda: request.values.get("page"), {"request.values.page": {"2"}}),
        (lambda: request.form.get("x"), {"request.form.x": {"None"}}),
        (lambda: request.cookies["theme"], {"request.cookies.theme": {"dark"}}),
        (
            lambda: request.headers["User-Agent"],
            {"request.headers.user-agent": {"agent"}},
        ),
        (
            lambda: request.headers.getlist("User-Agent"),
            {'request.headers.getlist("user-agent")': set()},
        ),
        (lambda: request.host, {"request.host": {"localhost"}}),
        (lambda: request.path, {"request.path": {"/path"}}),
        (lambda: request.is_secure, {"request.scheme": {"False"}}),
        (lambda: request.method, {"request.method": {"GET"}}),
        (lambda: request.json, {"request.json": set()}),
        (lambda: request.get_json(), {"request.json": set()}),  # noqa: PLW0108
        (lambda: request.get_data(), {"request.data": set()}),  # noqa: PLW0108
        (lambda: g.get("theme"), {"g.theme": {"None"}}),
        (lambda: "theme" in g, {"g.theme": {"None"}}),
        (lambda: list(g), {"g": set()}),
    ],
)
def test_each_read_has_a_name_and_the_texts_of_its_value(
    app: Flask, read: Callable[[], object], expected: dict[str, set[str]]
) -> None:
    found = noted(read)
    assert found.keys() == expected.keys()
    for name, texts in expected.items():
        assert texts <= found[name]


def test_nothing_is_noted_where_no_body_runs(app: Flask) -> None:
    assert session["user"] == "Ann"
    assert noted(lambda: None) == {}


def test_the_request_of_a_test_client_inside_of_a_body_is_another_one(
    app: Flask,
) -> None:
    def ask() -> None:
        with app.test_client() as client:
            client.get("/nowhere")
            assert request.host == "localhost"

    assert noted(ask) == {}


@pytest.mark.parametrize("name", ["db", "redis", "_private"])
def test_connections_in_g_are_the_same_for_all(app: Flask, name: str) -> None:
    setattr(g, name, object())
    found = noted(lambda: getattr(g, name))
    assert found.keys() == ({f"g.{name}"} if name == "_private" else set())


def test_functions_and_modules_in_g_are_the_same_for_all(app: Flask) -> None:
    g.connect, g.module = len, pytest
    assert noted(lambda: (g.connect, g.module)) == {}


def test_what_flask_reads_for_itself_is_not_noted(app: Flask) -> None:
    assert noted(lambda: app.make_response("text")) == {}
    assert noted(lambda: Response("text").set_cookie("a", "b")) == {}


def test_flashed_messages_are_not_the_session_s(app: Flask) -> None:
    flash("Hello")
    assert noted(get_flashed_messages).keys() == {"flashed messages"}


def test_values_of_reads_are_known_in_the_current_request(app: Flask) -> None:
    g.theme = "dark"
    value_of = partial(FlaskRequests().value_of, context=None)
    names = ["session.user", "request.args.page", "request.host", "g.theme"]
    assert [value_of(name) for name in names] == ["Ann", "2", "localhost", "dark"]
    with pytest.raises(LookupError):
        value_of("tenant")


def test_outside_of_requests_and_applications_there_is_nothing_to_watch() -> None:
    framework = FlaskRequests()
    framework.watch(None)
    framework.note_variable("user", "Ann", None)
    assert framework.request() is None
    with pytest.raises(LookupError):
        framework.value_of("session.user", None)


def test_an_application_of_its_own_class_of_sessions_is_watched(site: Site) -> None:
    class Opened(dict[str, Any]):
        modified = False

    class Sessions:
        def open_session(self, *_: object) -> Opened:
            return Opened(user="Ann")

        def is_null_session(self, _: object) -> bool:
            return False

        def save_session(self, *_: object) -> None:
            pass

    site.app.session_interface = Sessions()  # type: ignore[assignment]

    @site.app.route("/")
    def index() -> list[str]:
        FlaskRequests().watch(None)
        return list(noted(lambda: session["user"]))

    client: FlaskClient = site.app.test_client()
    assert client.get("/").json == ["session.user"]


def test_messages_that_were_asked_for_before_the_body_are_noted(app: Flask) -> None:
    flash("Hello")
    assert get_flashed_messages() == ["Hello"]
    FlaskRequests().watch(None)
    assert noted(get_flashed_messages) == {"flashed messages": set()}
    assert get_flashed_messages(with_categories=True) == [("message", "Hello")]


DATES = ("Date", "If-Modified-Since", "If-Unmodified-Since")
TEXTS = (
    *("Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Content-MD5"),
    *("Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin"),
    *("Content-Encoding", "Pragma", "Referer", "User-Agent"),
)


def other_request(who: str, number: int) -> dict[str, Any]:
    """Return the arguments of a request of a user, who shares nothing with others."""
    headers = {
        **dict.fromkeys(DATES, f"Wed, 0{number} Oct 2014 07:28:00 GMT"),
        **dict.fromkeys(TEXTS, who),
        **dict.fromkeys(("If-Match", "If-None-Match", "If-Range"), f'"{who}"'),
        "Authorization": f"Bearer {who}",
        "Cache-Control": f"max-age={number}",
        "Content-Type": f"application/{who}; charset={who}",
        "Cookie": f"who={who}",
        "Max-Forwards": str(number),
        "Range": f"bytes=0-{number}",
    }
    environ = {"REMOTE_ADDR": f"10.0.0.{number}", "REMOTE_USER": who}
    return {
        "path": f"/{who}",
        "base_url": f"http{'s' * (number - 1)}://{who}.example/{who}",
        "query_string": {"q": who},
        "method": ["POST", "PUT"][number - 1],
        "headers": headers,
        "environ_base": environ,
        "data": who * number,
    }


def test_each_attribute_of_the_request_that_differs_is_noted(site: Site) -> None:
    site.app.add_url_rule("/<who>", "page", lambda who: who, methods=["POST", "PUT"])
    shown: dict[str, list[str]] = {}
    unseen = []
    for number, who in enumerate(("ann", "bob"), 1):
        with site.app.test_request_context(**other_request(who, number)):
            FlaskRequests().watch(None)
            current: Any = request._get_current_object()  # type: ignore[attr-defined]
            for name in dir(Request):
                # Bodies that are no JSON have none.
                if name.startswith("_") or name == "json":
                    continue
                read = partial(getattr, current, name)
                if callable(read()):
                    continue
                shown.setdefault(name, []).append(str(read()))
                if not noted(lambda read=read: str(read())):  # type: ignore[misc]
                    unseen.append(name)
    differing = {name for name, texts in shown.items() if len({*texts}) == 2}
    differing -= {name for name in differing if " at 0x" in shown[name][0]}
    assert {"cache_control", "host", "mimetype", "origin"} < differing
    assert differing.isdisjoint(unseen)


@pytest.mark.parametrize(
    "read",
    [
        lambda: g.pop("theme"),
        lambda: g.setdefault("theme", ""),
        lambda: g.greet,
        lambda: g.can,
    ],
)
def test_each_way_to_read_g_is_noted(app: Flask, read: Callable[[], object]) -> None:
    theme = g.theme = "dark"
    g.greet, g.can = lambda: theme, partial(str, theme)
    (name,) = noted(read)
    assert name in {"g.theme", "g.greet", "g.can"}


@pytest.mark.parametrize("name", ["view_args", "routing_exception", "url_rule"])
def test_what_a_request_without_a_route_lacks_is_noted(app: Flask, name: str) -> None:
    assert noted(lambda: getattr(request, name)).keys() == {f"request.{name}"}


def test_an_attribute_that_a_request_lacks_is_noted(app: Flask) -> None:
    assert noted(lambda: getattr(request, "user", None)) == {"request.user": {"None"}}
    assert noted(lambda: hasattr(request, "_user")) == {}
    with pytest.raises(AttributeError, match="has no attribute 'user'"):
        _ = request.user  # type: ignore[attr-defined]


def test_the_names_in_g_are_the_application_s(app: Flask) -> None:
    g.theme = "dark"
    g._fragcache_names = {}
    assert list(g) == ["theme"]


def test_the_dictionary_of_g_is_all_of_it(app: Flask) -> None:
    g.theme = "dark"
    assert noted(lambda: vars(g)["theme"]) == {"g": set()}
    assert noted(lambda: g.__dict__["theme"]) == {"g": set()}


def test_a_request_as_a_text_shows_its_url_and_method(app: Flask) -> None:
    for show in (str, repr):
        found = noted(partial(show, request))
        assert found.keys() == {"request.url", "request.method"}


def test_a_session_may_be_read_backwards(app: Flask) -> None:
    own: Any = session
    assert noted(lambda: list(reversed(own))) == {"session": set()}


def passed(value: object) -> set[str]:
    """Return what is noted of a variable of a template."""
    return set(noted(lambda: FlaskRequests().note_variable("v", value, None)))


def test_objects_of_the_request_that_a_view_passes_are_noted(app: Flask) -> None:
    user = g.user = g._login_user = SimpleNamespace(name="Ann")
    cart = session["cart"] = ["tea"]
    request.tenant = tenant = object()  # type: ignore[attr-defined]
    for value in (user, [user], {"me": user}):
        assert passed(value) == {"current_user", "g.user"}
    assert passed(cart) == {"session.cart"}
    assert passed(tenant) == {"request.tenant"}
    assert passed(request.environ) == {"request.environ"}
    assert passed(request.user_agent) == {"request.headers.user-agent"}
    assert passed(request.accept_languages) == {"request.headers.accept-language"}


def test_what_the_application_has_is_the_same_for_all_also_if_g_has_it(
    app: Flask,
) -> None:
    class Pages:
        def index(self) -> str:
            return ""

    g.pages, g.other = Pages(), Pages()
    app.add_url_rule("/pages", view_func=g.pages.index)
    assert passed(g.pages) == set()
    assert passed(g.other) == {"g.other"}


def test_a_list_with_others_a_plain_value_and_a_proxy_are_not(app: Flask) -> None:
    user = g.user = SimpleNamespace(name="Ann")
    g.none, g.empty, g.name = None, (), "Ann"
    for value in ([user, object()], None, (), "Ann", session, object()):
        assert passed(value) == set()


def test_what_a_view_has_before_the_body_begins_notes_its_items(site: Site) -> None:
    with site.app.test_request_context(URL, headers={"Cookie": "theme=dark"}):
        session["user"] = "Ann"
        args, cookies, values = request.args, request.cookies, request.values
        get = session.get
        FlaskRequests().watch(None)
        assert noted(lambda: args["page"]) == {"request.args.page": {"2"}}
        assert noted(lambda: cookies["theme"]) == {"request.cookies.theme": {"dark"}}
        assert noted(lambda: values["page"]) == {"request.values.page": {"2"}}
        assert passed(get) == {"v"}
        assert passed(session.get) == set()


def test_the_arguments_of_a_view_that_it_has_passed_are_noted(site: Site) -> None:
    site.app.add_url_rule("/<who>", "page", lambda who: who)
    with site.app.test_request_context("/ann"):
        given = request.view_args
        FlaskRequests().watch(None)
        for value in (given, [given], {"of": given}):
            assert passed(value) == {"request.view_args"}
        # What it passes now notes its items.
        now: Any = request.view_args
        assert passed(now) == set()
        assert noted(lambda: now["who"]).keys() == {"request.view_args.who"}


class Tenants(Request):
    tenant: object = None
    site = "Shop"

    @cached_property
    def theme(self) -> str | None:
        return self.args.get("page")

    def shown(self) -> str | None:
        return self.theme


def test_attributes_of_a_class_of_requests_are_noted(site: Site) -> None:
    site.app.request_class = Tenants
    with site.app.test_request_context(URL):
        own: Any = request
        assert own.theme == "2"
        FlaskRequests().watch(None)
        assert noted(lambda: own.tenant) == {"request.tenant": {"None"}}
        own.tenant = own.later = "ann"
        assert noted(lambda: own.tenant) == {"request.tenant": {"ann"}}
        assert noted(lambda: own.later) == {"request.later": {"ann"}}
        assert noted(own.shown) == {"request.theme": {"2"}}
        assert noted(lambda: own.site) == {}
