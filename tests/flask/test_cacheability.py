"""Which answers may be served to others."""

import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    flash,
    g,
    get_flashed_messages,
    make_response,
    redirect,
    request,
    session,
    stream_with_context,
)
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from flask.testing import FlaskClient
from flask.views import MethodView, View
from werkzeug.exceptions import NotFound

from jinja_fragcache import Cache, Stats
from jinja_fragcache.flask.cacheability import SessionWatch, is_current_view
from tests.flask.support import Site

# How a session is watched, whatever its class is.


class Frozen(dict[str, Any], SessionMixin):
    """A session whose flags are read-only."""

    @property
    def accessed(self) -> bool:  # type: ignore[override]
        return True

    @property
    def modified(self) -> bool:  # type: ignore[override]
        return bool(self)


class Silent(dict[str, Any]):
    """A session without flags."""


class Interface(SessionInterface):
    def __init__(self, opened: Any) -> None:
        self.opened = opened

    def open_session(self, app: Flask, request: Any) -> Any:
        return self.opened

    def save_session(self, app: Flask, session: Any, response: Any) -> None: ...


def watching(opened: Any) -> tuple[Flask, SessionWatch]:
    app = Flask(__name__)
    app.session_interface = Interface(opened)
    with app.test_request_context():
        return app, SessionWatch()


@pytest.mark.parametrize(
    ("use", "read", "changed"),
    [
        (lambda: None, False, False),
        (lambda: session.get("a"), True, False),
        (lambda: session.update(a=1), True, True),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_a_watch_records_only_what_happens_inside_its_block(
    use: Any,
    read: bool,
    changed: bool,
    before: bool,
) -> None:
    opened = SecureCookieSession()
    app = Flask(__name__)
    app.session_interface = Interface(opened)
    with app.test_request_context():
        if before:
            session["b"] = 1
        with SessionWatch() as watch:
            use()
    assert (watch.read, watch.changed) == (read, changed)
    # Flask needs both flags to save the session.
    assert opened.modified is (changed or before)
    assert opened.accessed is (read or before)
    assert watch.is_empty() is not (changed or before)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
@pytest.mark.parametrize("before", [False, True])
def test_a_watch_adds_up_several_blocks(
    order: list[int],
    before: bool,
) -> None:
    uses: list[Any] = [lambda: session.update(a=1), lambda: None, lambda: None]
    app = Flask(__name__)
    app.session_interface = Interface(SecureCookieSession())
    with app.test_request_context():
        if before:
            session.get("b")
        watch = SessionWatch()
        for which in order:
            with watch:
                uses[which]()
    assert (watch.read, watch.changed) == (True, True)
    assert watch.was_read_before() is before


def test_a_session_with_read_only_flags_counts_as_its_flags_say() -> None:
    _, watch = watching(Frozen(user="ann"))
    with watch:
        pass
    assert (watch.read, watch.changed) == (True, True)


def test_a_session_without_flags_counts_as_unused() -> None:
    _, watch = watching(Silent())
    with watch:
        pass
    assert (watch.read, watch.changed) == (False, False)


# What counts as the view of a request, and as an answer.


def test_a_request_without_a_route_has_no_view() -> None:
    app = Flask(__name__)

    def view() -> str:
        return "text"

    assert not is_current_view(view)
    with app.test_request_context("/nowhere"):
        assert not is_current_view(view)
    app.add_url_rule("/", endpoint="later")
    with app.test_request_context("/"):
        assert not is_current_view(view)


class Called:
    """A view that is an object."""

    __name__ = "called"

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self) -> Any:
        return self.function()


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a view as other packages do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def who() -> Any:
    return session["user"]


def dispatched(cache: Cache, *bases: type[View]) -> Callable[..., Any]:
    class Account(*(bases or (View,))):  # type: ignore[misc]  # made of its arguments
        @cache.cached(key_prefix="account")
        def dispatch_request(self) -> Any:
            return who()

    view: Callable[..., Any] = Account.as_view("account")
    return view


def dispatched_by_a_base(cache: Cache) -> Callable[..., Any]:
    class Base(View):
        @cache.cached(key_prefix="account")
        def dispatch_request(self) -> Any:
            return who()

    class Account(Base):
        def dispatch_request(self) -> Any:  # type: ignore[override]  # undecorated
            return super().dispatch_request()

    return Account.as_view("account")


def got(cache: Cache) -> type[MethodView]:
    class Account(MethodView):
        @cache.cached(key_prefix="account")
        def get(self) -> Any:
            return who()

        def post(self) -> Any:
            return self.get()

    return Account


def kept(cache: Cache) -> Callable[..., Any]:
    class Account(View):
        init_every_request = False

        @cache.cached(key_prefix="account")
        def dispatch_request(self) -> Any:
            return who()

    return Account.as_view("account")


def with_decorators(cache: Cache) -> Callable[..., Any]:
    class Account(View):
        decorators: ClassVar = [hidden, cache.cached(key_prefix="account"), hidden]

        def dispatch_request(self) -> Any:
            return who()

    return Account.as_view("account")


def called(cache: Cache) -> Callable[..., Any]:
    class Account(Called):
        @cache.cached(key_prefix="account")
        def __call__(self) -> Any:
            return who()

    return Account(who)


def bound(cache: Cache) -> Callable[..., Any]:
    class Account:
        @cache.cached(key_prefix="account")
        def view(self) -> Any:
            return who()

    return Account().view


def partial(cache: Cache) -> Callable[..., Any]:
    @cache.cached(key_prefix="account")
    def account(_: int) -> Any:
        return who()

    return functools.partial(functools.partial(account), 1)


def static(cache: Cache) -> Callable[..., Any]:
    class Account(MethodView):
        @staticmethod
        @cache.cached(key_prefix="account")
        def get() -> Any:
            return who()

    return Account.as_view("account")


VIEWS: dict[str, Callable[[Cache], Callable[..., Any]]] = {
    "dispatch_request": dispatched,
    "dispatch_request of a MethodView": lambda cache: dispatched(cache, MethodView),
    "of a base class": dispatched_by_a_base,
    "get": lambda cache: got(cache).as_view("account"),
    "get, wrapped": lambda cache: hidden(got(cache).as_view("account")),
    "one object for all": kept,
    "wrapped": lambda cache: hidden(hidden(dispatched(cache))),
    "partial of a class": lambda cache: functools.partial(dispatched(cache)),
    "decorators": with_decorators,
    "object": called,
    "bound method": bound,
    "partial": partial,
    "static method": static,
}


@pytest.mark.parametrize("in_blueprint", [False, True])
@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_a_page_that_reads_the_session_is_shown_to_nobody_else(
    site: Site, make: Callable[[Cache], Callable[..., Any]], in_blueprint: bool
) -> None:
    view = make(site.cache)
    if in_blueprint:
        blueprint = Blueprint("shop", __name__)
        blueprint.add_url_rule("/", endpoint="account", view_func=view)
        site.app.register_blueprint(blueprint)
    else:
        site.app.add_url_rule("/", endpoint="account", view_func=view)
    texts = [signed_in(site, name).get("/").text for name in ("ann", "bob")]
    assert texts == ["ann", "bob"]
    assert site.cache.stats().stored == 0


@pytest.mark.parametrize("method", ["post", "head"])
def test_another_method_that_calls_the_one_for_get_does_not_store_its_answer(
    site: Site, method: str
) -> None:
    site.app.add_url_rule("/", view_func=got(site.cache).as_view("account"))
    signed_in(site, "ann").open("/", method=method)
    assert site.cache.stats().stored == 0
    assert signed_in(site, "bob").get("/").text == "bob"


def test_a_method_that_is_no_view_is_a_function(site: Site) -> None:
    class Account(MethodView):
        def get(self) -> str:
            return self.part()

        @site.cache.cached(key_prefix="part")
        def part(self) -> str:
            return str(site.calls())

    site.app.add_url_rule("/", view_func=Account.as_view("account"))
    client = site.app.test_client()
    assert [client.get("/").text for _ in range(2)] == ["1", "1"]


def test_a_returned_http_exception_is_judged_by_its_response() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @app.route("/")
    @cache.cached()
    def index() -> Any:
        response = app.make_response("mine")
        response.set_cookie("user", "ann")
        return NotFound(response=response)

    assert app.test_client().get("/").text == "mine"
    assert cache.stats().stored == 0


def test_a_value_that_flask_refuses_is_an_error_of_flask() -> None:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @app.route("/")
    @cache.cached()
    def index() -> Any:
        return ("text", 200, {}, "too much")

    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(TypeError, match="valid response tuple"):
        app.test_client().get("/")


# Answers for one client.


def not_modified() -> Any:
    return "", 304


def partial_content() -> Any:
    return "ar", 206, {"Content-Range": "bytes 1-2/4"}


def private() -> Any:
    response = make_response("mine")
    response.cache_control.private = True
    return response


def not_to_be_stored() -> Any:
    return "mine", {"Cache-Control": "no-store"}


def with_cookie() -> Any:
    response = make_response("mine")
    response.set_cookie("user", "ann")
    return response


def with_cookie_in_a_tuple() -> Any:
    return "mine", 200, {"Set-Cookie": "user=ann"}


def changing_the_session() -> Any:
    session["user"] = "ann"
    return "mine"


def flashing() -> Any:
    flash("for you alone")
    return "mine"


FOR_ONE = [
    not_modified,
    partial_content,
    private,
    not_to_be_stored,
    with_cookie,
    with_cookie_in_a_tuple,
    changing_the_session,
    flashing,
]


@pytest.mark.parametrize("serializer", ["pickle", "json"])
@pytest.mark.parametrize("view", FOR_ONE, ids=lambda view: view.__name__)
def test_an_answer_for_one_client_is_not_stored(
    view: Callable[[], Any], serializer: str
) -> None:
    site = Site(CACHE_SERIALIZER=serializer)
    site.app.route("/")(site.cache.cached()(view))
    site.get("/", "/")
    assert site.cache.stats() == Stats(misses=2)


def test_an_answer_of_a_method_view_for_one_client_is_not_stored(
    site: Site,
) -> None:
    class Part(MethodView):
        @site.cache.cached()
        def get(self) -> Any:
            return with_cookie()

    site.app.add_url_rule("/", view_func=Part.as_view("part"))
    site.get("/", "/")
    assert site.cache.stats() == Stats(misses=2)


def test_a_method_view_with_a_key_prefix_is_judged_too(site: Site) -> None:
    class Part(MethodView):
        @site.cache.cached(key_prefix="home")
        def get(self) -> Any:
            return "text", {"Set-Cookie": "user=ann"}

        @site.cache.memoize()
        def post(self) -> str:
            return str(site.calls())

    site.app.add_url_rule("/", view_func=Part.as_view("part"))
    site.get("/", "/")
    client = site.app.test_client()
    assert [client.post("/").text for _ in range(2)] == ["1", "2"]
    assert site.cache.stats().stored == 0


def test_a_cookie_or_a_changed_session_is_warned_of_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for path, view in [("/a", with_cookie), ("/b", changing_the_session)]:
        site.app.route(path)(site.cache.cached()(view))
    site.get("/a", "/b", "/a", "/b")
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    cookie, changed = (record.getMessage() for record in caplog.records)
    assert "with_cookie(): the answer is not cached. It sets a cookie" in cookie
    assert "make_cache_key=..." in cookie
    assert "It changes the session" in changed


def test_a_stream_of_events_is_sent_while_it_is_made_and_not_stored(site: Site) -> None:
    made: list[int] = []

    @site.app.route("/")
    @site.cache.cached()
    def events() -> Response:
        def endless() -> Iterator[str]:
            while True:
                made.append(1)
                yield "data: x\n\n"

        return Response(endless(), mimetype="text/event-stream")

    response = site.app.test_client().get("/", buffered=False)
    assert next(iter(response.response)) == b"data: x\n\n"
    response.close()
    assert len(made) < 5
    assert site.cache.stats() == Stats(misses=1)


# Views that read the session.


def greeting() -> str:
    return f"Hello {session.get('user')}"


def messages() -> str:
    return str(get_flashed_messages())


def signed_in(site: Site, name: str) -> FlaskClient:
    client = site.app.test_client()
    with client.session_transaction() as opened:
        opened["user"] = name
    return client


def test_an_answer_is_not_stored_if_the_view_reads_the_session(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.route("/")(site.cache.cached()(greeting))
    assert signed_in(site, "Ann").get("/").text == "Hello Ann"
    assert signed_in(site, "Bob").get("/").text == "Hello Bob"
    (record,) = caplog.records
    told = (
        f"{__name__}.greeting(): the value is not cached. Its body reads session.user,"
    )
    assert told in record.getMessage()


def test_an_answer_that_reads_an_empty_session_is_not_stored_either(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.route("/")(site.cache.cached()(greeting))
    assert site.get("/") == ["Hello None"]
    assert signed_in(site, "Ann").get("/").text == "Hello Ann"
    assert len(caplog.records) == 1


def test_an_answer_is_not_stored_if_its_stream_reads_the_session(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> Response:
        return Response(stream_with_context(greeting() for _ in range(1)))

    assert signed_in(site, "Ann").get("/").text == "Hello Ann"
    assert signed_in(site, "Bob").get("/").text == "Hello Bob"
    assert "the value is not cached. Its body reads session.user" in caplog.text


def test_an_answer_is_not_stored_if_its_stream_changes_the_session(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached(make_cache_key=lambda: session["user"])
    def index() -> Any:
        def chunks() -> Iterator[str]:
            session["seen"] = True
            yield str(site.calls())

        return Response(stream_with_context(chunks())), session.get("status", 203)

    client = signed_in(site, "Ann")
    assert [client.get("/").text for _ in range(2)] == ["1", "2"]
    with client.session_transaction() as opened:
        assert opened["seen"]


def test_an_answer_is_not_stored_if_a_decorator_has_read_the_session_first(
    site: Site,
) -> None:
    def login_required(view: Callable[[], str]) -> Callable[[], Any]:
        return lambda: view() if "user" in session else "who are you?"

    view = site.cache.cached()(greeting)
    site.app.route("/", endpoint="index")(login_required(view))
    assert signed_in(site, "Ann").get("/").text == "Hello Ann"
    assert signed_in(site, "Bob").get("/").text == "Hello Bob"
    assert site.get("/") == ["who are you?"]


def test_an_answer_is_not_stored_if_before_request_has_read_the_session(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.app.before_request
    def load_user() -> None:
        g.user = session.get("user")

    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        return f"Account of {g.user}"

    assert signed_in(site, "Ann").get("/").text == "Account of Ann"
    assert signed_in(site, "Bob").get("/").text == "Account of Bob"
    assert site.get("/") == ["Account of None"]
    assert "The session was read before it was called, and may be" in caplog.text
    assert "Its body reads g.user" in caplog.text
    assert site.cache.stats().stored == 0


def test_flashed_messages_are_not_stored_though_there_are_none(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.route("/")(site.cache.cached()(messages))
    assert site.get("/", "/") == ["[]", "[]"]
    assert site.cache.stats().stored == 0
    assert "messages(): the value is not cached. Its body reads flashed" in caplog.text


def test_a_flashed_message_is_shown_to_one_client_only(site: Site) -> None:
    site.app.route("/")(site.cache.cached()(messages))
    site.app.before_request(lambda: session.update(seen=1))
    ann = site.app.test_client()
    with ann.session_transaction() as opened:
        opened["_flashes"] = [("message", "for Ann alone")]
    assert ann.get("/").text == "['for Ann alone']"
    assert site.get("/") == ["[]"]


def test_a_view_with_a_custom_key_may_read_the_session(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    decorate = site.cache.cached(make_cache_key=lambda: f"user/{session['user']}")
    site.app.route("/")(decorate(greeting))
    for name in ("Ann", "Bob", "Ann"):
        assert signed_in(site, name).get("/").text == f"Hello {name}"
    assert site.cache.stats() == Stats(hits=1, misses=2, stored=2)
    assert not caplog.records


def test_a_redirect_or_401_that_asks_for_a_login_is_not_stored(site: Site) -> None:
    @site.app.route("/session")
    @site.cache.cached()
    def by_session() -> Any:
        return "yours" if session.get("user") else redirect("/login")

    @site.app.route("/password")
    @site.cache.cached()
    def by_password() -> Any:
        return "yours" if request.authorization else ("who are you?", 401)

    site.get("/session", "/password")
    assert signed_in(site, "Ann").get("/session").text == "yours"
    assert site.get("/password", auth=("ann", "secret")) == ["yours"]


def test_a_cached_answer_does_not_vary_by_cookie(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        return "text"

    client = site.app.test_client()
    for _ in range(2):
        assert "Vary" not in client.get("/").headers


# Headers and methods.


def varying() -> Any:
    return "text", {"Vary": "Accept-Language, Accept-Encoding"}


def varying_in_coding() -> Any:
    return "text", {"Vary": "Accept-Encoding"}


def test_an_answer_with_vary_is_stored_only_if_the_header_is_in_its_key(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.route("/a")(site.cache.cached()(varying))
    site.app.route("/b")(site.cache.cached()(varying_in_coding))
    keys: dict[str, Callable[[], str]] = {
        "c": lambda: "c",
        "d": lambda: "d" + request.headers.get("Accept-Language", ""),
        "e": lambda: "e" + str(request.accept_languages.best),
    }
    for name, make_key in keys.items():
        site.app.route(f"/{name}", endpoint=name)(
            site.cache.cached(key_prefix=make_key)(varying)
        )
    site.get("/a", "/b", "/c", "/d", "/e")
    stored = [site.cache.has(key) for key in ("view//a", "view//b", "c", "d", "eNone")]
    assert stored == [False, True, False, True, True]
    assert "It varies by accept-language, which is not in its key" in caplog.text


def text() -> str:
    return "text"


def public() -> Any:
    return "text", {"Cache-Control": "public"}


def test_an_answer_to_a_request_with_authorization_is_stored_only_if_public(
    site: Site,
) -> None:
    site.app.route("/a")(site.cache.cached()(text))
    site.app.route("/b")(site.cache.cached()(public))
    site.get("/a", "/b", auth=("ann", "secret"))
    assert [site.cache.has(f"view//{name}") for name in "ab"] == [False, True]
    site.get("/a")
    assert site.cache.has("view//a")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_get_and_head_are_cached_under_a_path_key(site: Site, method: str) -> None:
    @site.app.route("/", methods=["GET", method])
    @site.cache.cached()
    def index() -> str:
        return f"{request.method} {site.calls()}"

    client = site.app.test_client()
    answers = [client.open("/", method=each).text for each in [method, "GET"] * 2]
    assert answers == [f"{method} 1", "GET 2", f"{method} 3", "GET 2"]


def test_head_is_answered_from_the_cache_and_does_not_fill_it(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        number = site.calls()
        return "" if request.method == "HEAD" else str(number)

    client = site.app.test_client()
    assert client.head("/").content_length == 0
    assert site.get("/") == ["2"]
    assert client.head("/").content_length == 1
    assert site.calls.calls == 2


def test_a_post_is_not_cached_under_a_key_prefix(site: Site) -> None:
    @site.app.route("/", methods=["GET", "POST"])
    @site.cache.cached(key_prefix="form")
    def form() -> str:
        return f"{request.method} {site.calls()}"

    client = site.app.test_client()
    answers = [client.open("/", method=each).text for each in ["GET", "POST"] * 2]
    assert answers == ["GET 1", "POST 2", "GET 1", "POST 3"]


def test_a_post_may_be_cached_under_a_custom_key(site: Site) -> None:
    @site.app.route("/", methods=["POST"])
    @site.cache.cached(make_cache_key=lambda: f"query/{request.get_data(as_text=True)}")
    def query() -> str:
        return str(site.calls())

    client = site.app.test_client()
    answers = [client.post("/", data=each).text for each in "aba"]
    assert answers == ["1", "2", "1"]


def test_without_the_guard_a_key_of_the_user_s_counts_as_naming_what_varies() -> None:
    site = Site(CACHE_GUARD=False)
    for name, key in (("/a", None), ("/b", lambda: "b")):
        view = site.cache.cached(make_cache_key=key)(varying)
        site.app.add_url_rule(name, name, view)
    site.get("/a", "/b")
    assert (site.cache.has("view//a"), site.cache.has("b")) == (False, True)
