"""`Cache.cached`, on views and on functions."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    g,
    get_flashed_messages,
    jsonify,
    make_response,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
)
from flask.testing import FlaskClient
from flask.views import MethodView

from jinja_fragcache import Cache, KeyValueError, MemoryStore, Stats, TimeoutValueError
from jinja_fragcache.flask import CachedResponse
from tests.support import Clock, Counter


class Site:
    """An application with a cache, and what its views count."""

    def __init__(self, **settings: Any) -> None:
        self.app = Flask(__name__)
        self.app.secret_key = "for tests"  # noqa: S105 - no password
        self.clock = Clock()
        self.store = MemoryStore(timer=self.clock)
        settings.setdefault("CACHE_TYPE", self.store)
        self.cache = Cache(self.app, config=settings)
        self.calls = Counter()

    def get(self, *urls: str, **options: Any) -> list[str]:
        client = self.app.test_client()
        return [client.get(url, **options).text for url in urls]


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_view_is_called_once_for_each_path(site: Site) -> None:
    @site.app.route("/row/<int:number>")
    @site.cache.cached(timeout=50)
    def row(number: int) -> str:
        return f"{number}: {site.calls()}"

    assert site.get("/row/1", "/row/1", "/row/2") == ["1: 1", "1: 1", "2: 2"]
    assert site.cache.get("view//row/1") == "1: 1"
    assert site.cache.stats() == Stats(hits=2, misses=2, stored=2)


def test_arguments_in_the_query_string_do_not_count_unless_asked_for(
    site: Site,
) -> None:
    @site.app.route("/plain")
    @site.cache.cached()
    def plain() -> str:
        return str(site.calls())

    @site.app.route("/search")
    @site.cache.cached(query_string=True)
    def search() -> str:
        return f"{site.calls()} {request.args.to_dict(flat=False)}"

    assert site.get("/plain?a=1", "/plain?a=2") == ["1", "1"]
    first = site.get("/search?a=1&b=2&a=3")
    assert site.get("/search?b=2&a=1&a=3") == first
    others = ["/search", "/search?a=1", "/search?a=1&b=2", "/search?a=", "/search?a"]
    assert len({*first, *site.get(*others)}) == 5  # "a=" is what "a" means
    assert site.calls.calls == 6


def test_the_timeout(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached(timeout=timedelta(minutes=1))
    def index() -> str:
        return str(site.calls())

    assert site.get("/") == ["1"]
    site.clock.now += 59
    assert site.get("/") == ["1"]
    site.clock.now += 1
    assert site.get("/") == ["2"]
    index.cache_timeout = 10
    site.cache.clear()
    assert site.get("/") == ["3"]
    site.clock.now += 10
    assert site.get("/") == ["4"]


def test_the_default_timeout() -> None:
    site = Site(CACHE_DEFAULT_TIMEOUT=7)

    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        return str(site.calls())

    assert site.get("/", "/") == ["1", "1"]
    site.clock.now += 7
    assert site.get("/") == ["2"]


def test_a_response_may_have_a_timeout_of_its_own(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached(timeout=100)
    def index() -> Response:
        return CachedResponse(make_response(str(site.calls())), timeout=5)

    assert site.get("/", "/") == ["1", "1"]
    site.clock.now += 5
    assert site.get("/") == ["2"]


def test_functions_are_cached_by_key_prefix(site: Site) -> None:
    @site.cache.cached(timeout=50, key_prefix="all_comments")
    def get_all_comments() -> list[int]:
        return [site.calls(), 2]

    assert get_all_comments() == get_all_comments() == [1, 2]
    with site.app.test_request_context("/anywhere", method="POST"):
        assert get_all_comments() == [1, 2]
    assert site.cache.get("all_comments") == [1, 2]


def test_a_stored_list_is_not_the_one_that_was_given(site: Site) -> None:
    @site.cache.cached(key_prefix="numbers")
    def numbers() -> list[int]:
        return [1]

    for _ in range(3):
        numbers().append(2)
    assert numbers() == [1]


def test_key_prefix_may_be_a_function(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached(key_prefix=lambda: f"lang/{request.args['lang']}")
    def index() -> str:
        return f"{request.args['lang']} {site.calls()}"

    assert site.get("/?lang=de", "/?lang=en", "/?lang=de") == ["de 1", "en 2", "de 1"]
    assert site.cache.get("lang/de") == "de 1"


def test_a_prefix_may_have_other_percent_signs(site: Site) -> None:
    @site.app.route("/100%")
    @site.cache.cached(key_prefix="100%/%s")
    def index() -> str:
        return "text"

    assert site.get("/100%25") == ["text"]
    assert site.cache.get("100%//100%") == "text"


def test_make_cache_key_is_given_the_arguments(site: Site) -> None:
    def key(number: int) -> str:
        return f"{request.host}/{number}"

    @site.app.route("/<int:number>")
    @site.cache.cached(make_cache_key=key)
    def index(number: int) -> str:
        return f"{number} {site.calls()}"

    assert site.get("/1", "/2", "/1") == ["1 1", "2 2", "1 1"]
    assert site.get("/1", base_url="http://other/") == ["1 3"]
    assert site.cache.get("localhost/1") == "1 1"
    assert index.make_cache_key is key


def test_make_cache_key_may_be_replaced(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> str:
        return "text"

    assert function.make_cache_key() == "x"
    function.make_cache_key = lambda: "y"
    function()
    assert (site.cache.get("x"), site.cache.get("y")) == (None, "text")


@pytest.mark.parametrize("bad", [None, 5, b"key"])
def test_a_key_that_is_no_text_is_refused(
    site: Site, bad: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @site.cache.cached(make_cache_key=lambda: bad)
    def function() -> int:
        return site.calls()

    assert [function(), function()] == [1, 2]
    assert len(caplog.records) == 1
    assert "function(): the value is not cached. What make_cache_key" in caplog.text
    site.app.debug = True
    with pytest.raises(KeyValueError, match="has to be a text"):
        function()


def test_a_path_key_without_a_request_is_refused(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.cache.cached()
    def function() -> int:
        return site.calls()

    assert [function(), function()] == [1, 2]
    assert '@cache.cached(key_prefix="function")' in caplog.text


@pytest.mark.parametrize(
    "unless",
    [lambda: True, lambda *_, **__: "yes", lambda *args, **kwargs: args and kwargs],
)
def test_unless_leaves_the_cache_alone(site: Site, unless: Callable[..., Any]) -> None:
    @site.app.route("/<name>")
    @site.cache.cached(unless=unless)
    def index(name: str) -> str:
        return f"{name} {site.calls()}"

    assert site.get("/a", "/a") == ["a 1", "a 2"]
    assert site.cache.stats() == Stats(uncached=2)


def test_unless_is_given_the_function_and_its_arguments(site: Site) -> None:
    seen = []

    def unless(function: Any, name: str) -> bool:
        seen.append((function.__name__, name))
        return False

    @site.app.route("/<name>")
    @site.cache.cached(unless=unless)
    def index(name: str) -> str:
        return f"{name} {site.calls()}"

    assert site.get("/a", "/a") == ["a 1", "a 1"]
    assert seen == [("index", "a")] * 2


def test_forced_update_makes_it_anew(site: Site) -> None:
    forced = False

    @site.app.route("/")
    @site.cache.cached(forced_update=lambda: forced)
    def index() -> str:
        return str(site.calls())

    assert site.get("/", "/") == ["1", "1"]
    forced = True
    assert site.get("/", "/") == ["2", "3"]
    forced = False
    assert site.get("/") == ["3"]


def test_is_stale_is_given_the_value(site: Site) -> None:
    @site.cache.cached(key_prefix="n", is_stale=lambda value: value < 3)
    def number() -> int:
        return site.calls()

    assert [number() for _ in range(5)] == [1, 2, 3, 3, 3]


@pytest.mark.parametrize("option", ["unless", "forced_update", "is_stale"])
def test_what_an_option_raises_passes(site: Site, option: str) -> None:
    class OptionError(Exception):
        pass

    def fail(*_: Any) -> bool:
        raise OptionError

    options: dict[str, Any] = {option: fail}

    @site.cache.cached(key_prefix="x", **options)
    def function() -> str:
        return "text"

    site.cache.set("x", "stored")
    with pytest.raises(OptionError):
        function()


def test_an_option_may_be_a_function_that_tells_no_parameters(site: Site) -> None:
    @site.cache.cached(key_prefix="x", response_filter=bool)
    def function() -> int:
        return site.calls() - 1

    assert [function(), function(), function()] == [0, 1, 1]


def test_response_filter_tells_what_is_kept(site: Site) -> None:
    def succeeded(answer: tuple[str, int]) -> bool:
        return answer[1] == 200

    @site.app.route("/")
    @site.cache.cached(response_filter=succeeded)
    def index() -> tuple[str, int]:
        number = site.calls()
        return str(number), 500 if number == 1 else 200

    assert site.get("/", "/", "/") == ["1", "2", "2"]


@pytest.mark.parametrize(("cache_none", "calls"), [(False, 2), (True, 1)])
def test_none_is_a_value_if_told(
    site: Site,
    cache_none: bool,  # noqa: FBT001 - a parameter of the test
    calls: int,
) -> None:
    @site.cache.cached(key_prefix="none", cache_none=cache_none)
    def function() -> None:
        site.calls()

    function()
    function()
    assert site.calls.calls == calls
    assert site.cache.has("none") is cache_none


def test_a_none_that_others_stored_is_no_value_unless_told(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> int:
        return site.calls()

    site.cache.set("x", None)
    assert function() == 1


@pytest.mark.parametrize("value", ["", 0, False, [], {}, 0.0, b"", ()])
def test_a_value_that_counts_as_false_is_a_value(site: Site, value: Any) -> None:
    @site.cache.cached(key_prefix="value")
    def function() -> Any:
        site.calls()
        return value

    assert [function(), function()] == [value, value]
    assert type(function()) is type(value)
    assert site.calls.calls == 1


def text() -> Any:
    return "<p>text</p>"


def with_status() -> Any:
    return "made", 201


def with_headers() -> Any:
    return "text", 202, [("X-A", "1"), ("X-A", "2")]


def object_() -> Any:
    return {"a": [1, 2]}


def list_() -> Any:
    return [1, "a"]


def json_response() -> Any:
    return jsonify(a=1), 418


def own_response() -> Any:
    response = make_response(b"\xff\x00bytes")
    response.mimetype = "image/x-none"
    response.headers.add("Link", "<a>; rel=next")
    response.headers.add("Link", "<b>; rel=prev")
    return response


def moved() -> Any:
    return redirect("/elsewhere")


def stream() -> Any:
    return Response((chunk for chunk in ("a", "b", "c")), mimetype="text/csv")


def stream_in_context() -> Any:
    @stream_with_context
    def chunks() -> Iterator[str]:
        yield request.method
        yield "!"

    return chunks()  # type: ignore[call-arg]  # Flask's type is that of a decorator


def generator() -> Iterator[Any]:
    yield "text "
    yield b"and bytes"


def a_file() -> Any:
    return send_file(__file__, mimetype="text/plain")


async def coroutine() -> Any:
    await asyncio.sleep(0)
    return "text", 203


ANSWERS = [
    text,
    with_status,
    with_headers,
    object_,
    list_,
    json_response,
    own_response,
    moved,
    stream,
    stream_in_context,
    generator,
    a_file,
    coroutine,
]


@pytest.mark.parametrize("serializer", ["pickle", "json"])
@pytest.mark.parametrize("view", ANSWERS, ids=lambda view: view.__name__)
def test_an_answer_from_the_cache_is_the_same(
    view: Callable[[], Any], serializer: str
) -> None:
    site = Site(CACHE_SERIALIZER=serializer)
    site.app.route("/uncached", endpoint="uncached")(view)
    site.app.route("/")(site.cache.cached()(view))
    client = site.app.test_client()
    expected = client.get("/uncached")
    answers = [client.get("/") for _ in range(3)]
    for answer in (expected, *answers):
        assert answer.data == expected.data
        answer.close()
        assert answer.status == expected.status
        ignored = ("Date", "Content-Length")
        assert [h for h in answer.headers if h[0] not in ignored] == [
            h for h in expected.headers if h[0] not in ignored
        ]
    assert site.cache.stats() == Stats(hits=2, misses=1, stored=1)


def test_an_error_in_a_stream_passes_and_nothing_is_stored(site: Site) -> None:
    class BodyError(Exception):
        pass

    error = BodyError("no")

    @site.app.route("/")
    @site.cache.cached()
    def index() -> Response:
        def chunks() -> Iterator[str]:
            yield "a"
            raise error

        return Response(chunks())

    site.app.testing = True
    with pytest.raises(BodyError) as raised:
        site.get("/")
    assert raised.value is error
    assert site.cache.stats() == Stats(misses=1)


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration(5), SystemExit(1)])
def test_what_a_function_raises_passes_unchanged(
    site: Site, error: BaseException
) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> None:
        site.calls()
        raise error

    for _ in range(2):
        with pytest.raises(type(error)) as raised:
            function()
        assert raised.value is error
    assert site.calls.calls == 2
    assert site.cache.stats() == Stats(misses=2)


def test_what_abort_raises_is_not_stored(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        if site.calls() == 1:
            abort(404)
        return "found"

    assert site.get("/", "/")[1] == "found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_requests_that_read_have_part_in_the_key_of_a_path(
    site: Site, method: str
) -> None:
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


def test_an_answer_of_a_method_of_a_view_for_one_is_not_given_to_others(
    site: Site,
) -> None:
    class Part(MethodView):
        @site.cache.cached()
        def get(self) -> Any:
            return with_cookie()

    site.app.add_url_rule("/", view_func=Part.as_view("part"))
    site.get("/", "/")
    assert site.cache.stats() == Stats(misses=2)


@pytest.mark.parametrize("serializer", ["pickle", "json"])
@pytest.mark.parametrize("view", FOR_ONE, ids=lambda view: view.__name__)
def test_an_answer_for_one_is_not_given_to_others(
    view: Callable[[], Any], serializer: str
) -> None:
    site = Site(CACHE_SERIALIZER=serializer)
    site.app.route("/")(site.cache.cached()(view))
    site.get("/", "/")
    assert site.cache.stats() == Stats(misses=2)


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


def greeting() -> str:
    return f"Hello {session.get('user')}"


def messages() -> str:
    return str(get_flashed_messages())


def signed_in(site: Site, name: str) -> FlaskClient:
    client = site.app.test_client()
    with client.session_transaction() as opened:
        opened["user"] = name
    return client


def test_what_a_view_reads_in_a_session_is_not_given_to_others(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.route("/")(site.cache.cached()(greeting))
    assert signed_in(site, "Ann").get("/").text == "Hello Ann"
    assert signed_in(site, "Bob").get("/").text == "Hello Bob"
    told = "greeting(): the answer is not cached. It reads the session, and others"
    assert [record.getMessage()[: len(told)] for record in caplog.records] == [
        f"{__name__}.{told}"[: len(told)]
    ]
    assert told in caplog.text


def test_nor_is_what_its_stream_reads_there(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> Response:
        return Response(stream_with_context(greeting() for _ in range(1)))

    assert signed_in(site, "Ann").get("/").text == "Hello Ann"
    assert signed_in(site, "Bob").get("/").text == "Hello Bob"
    assert "the answer is not cached. It reads the session" in caplog.text


def test_what_changes_the_session_in_its_stream_is_not_kept(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached(make_cache_key=lambda: session["user"])
    def index() -> Any:
        def chunks() -> Iterator[str]:
            session["seen"] = True
            yield str(site.calls())

        return Response(stream_with_context(chunks())), session.get("status", 201)

    client = signed_in(site, "Ann")
    assert [client.get("/").text for _ in range(2)] == ["1", "2"]
    with client.session_transaction() as opened:
        assert opened["seen"]


def test_it_is_not_where_others_read_the_session_before(site: Site) -> None:
    def login_required(view: Callable[[], str]) -> Callable[[], Any]:
        return lambda: view() if "user" in session else "who are you?"

    view = site.cache.cached()(greeting)
    site.app.route("/", endpoint="index")(login_required(view))
    assert signed_in(site, "Ann").get("/").text == "Hello Ann"
    assert signed_in(site, "Bob").get("/").text == "Hello Bob"
    assert site.get("/") == ["who are you?"]


@pytest.mark.skipif(
    tuple(map(int, version("flask").split("."))) < (3, 1, 3),
    reason="Flask before 3.1.3 does not note `in` as reading the session",
)
def test_what_is_read_in_an_empty_session_is_kept_and_warned_of(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.route("/")(site.cache.cached()(messages))
    assert site.get("/", "/") == ["[]", "[]"]
    assert site.cache.stats().stored == 1
    assert "messages(): the answer is cached. It reads the session" in caplog.text


def test_a_message_for_one_is_not_given_to_others(site: Site) -> None:
    site.app.route("/")(site.cache.cached()(messages))
    site.app.before_request(lambda: session.update(seen=1))
    ann = site.app.test_client()
    with ann.session_transaction() as opened:
        opened["_flashes"] = [("message", "for Ann alone")]
    assert ann.get("/").text == "['for Ann alone']"
    assert site.get("/") == ["[]"]


def test_with_a_key_of_its_own_a_view_may_read_the_session(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    decorate = site.cache.cached(make_cache_key=lambda: f"user/{session['user']}")
    site.app.route("/")(decorate(greeting))
    for name in ("Ann", "Bob", "Ann"):
        assert signed_in(site, name).get("/").text == f"Hello {name}"
    assert site.cache.stats() == Stats(hits=1, misses=2, stored=2)
    assert not caplog.records


def varying() -> Any:
    return "text", {"Vary": "Accept-Language, Accept-Encoding"}


def varying_in_coding() -> Any:
    return "text", {"Vary": "Accept-Encoding"}


def test_what_varies_is_not_kept_without_a_key_of_its_own(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.route("/a")(site.cache.cached()(varying))
    site.app.route("/b")(site.cache.cached()(varying_in_coding))
    site.app.route("/c", endpoint="c")(
        site.cache.cached(key_prefix=lambda: "c")(varying)
    )
    site.get("/a", "/b", "/c")
    assert [site.cache.has(key) for key in ("view//a", "view//b", "c")] == [
        False,
        True,
        True,
    ]
    assert "It varies by accept-language, which is not in its key" in caplog.text


def public() -> Any:
    return "text", {"Cache-Control": "public"}


def test_the_answer_to_an_authorized_request_is_not_kept(site: Site) -> None:
    site.app.route("/a")(site.cache.cached()(text))
    site.app.route("/b")(site.cache.cached()(public))
    site.get("/a", "/b", auth=("ann", "secret"))
    assert [site.cache.has(f"view//{name}") for name in "ab"] == [False, True]
    site.get("/a")
    assert site.cache.has("view//a")


def test_a_method_of_a_view_with_its_own_prefix_is_judged_too(site: Site) -> None:
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


def test_a_view_with_a_prefix_answers_a_form_itself(site: Site) -> None:
    @site.app.route("/", methods=["GET", "POST"])
    @site.cache.cached(key_prefix="form")
    def form() -> str:
        return f"{request.method} {site.calls()}"

    client = site.app.test_client()
    answers = [client.open("/", method=each).text for each in ["GET", "POST"] * 2]
    assert answers == ["GET 1", "POST 2", "GET 1", "POST 3"]


def test_with_a_key_of_its_own_a_view_may_cache_a_post(site: Site) -> None:
    @site.app.route("/", methods=["POST"])
    @site.cache.cached(make_cache_key=lambda: f"query/{request.get_data(as_text=True)}")
    def query() -> str:
        return str(site.calls())

    client = site.app.test_client()
    answers = [client.post("/", data=each).text for each in "aba"]
    assert answers == ["1", "2", "1"]


def test_what_takes_the_place_of_a_page_is_warned_of(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.cache.cached()
    def helper() -> list[str]:
        return ["a"]

    @site.app.route("/")
    def index() -> str:
        return str(helper())

    assert site.get("/", "/") == ["['a']"] * 2
    (record,) = caplog.records
    assert "helper(): its key is the path of the request" in record.getMessage()
    assert "@cache.cached(key_prefix='helper')" in record.getMessage()


def test_a_stream_of_events_is_sent_as_it_comes(site: Site) -> None:
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


def test_a_long_stream_is_sent_and_not_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jinja_fragcache.flask.responses.LONGEST_STREAM", 10)

    @site.app.route("/<int:length>")
    @site.cache.cached()
    def numbers(length: int) -> Response:
        return Response(str(number) for number in range(length))

    assert site.get("/10", "/12") == ["0123456789", "01234567891011"]
    assert [site.cache.has(f"view//{each}") for each in (10, 12)] == [True, False]


def test_a_stream_in_a_tuple_is_kept(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> Any:
        return (str(site.calls()) for _ in range(3)), 201

    client = site.app.test_client()
    answers = [client.get("/") for _ in range(2)]
    assert [(each.text, each.status_code) for each in answers] == [("123", 201)] * 2


def test_what_a_session_told_before_the_view_is_not_given_to_others(
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
    assert site.cache.stats().stored == 1


def test_who_is_sent_to_a_login_sends_no_other_there(site: Site) -> None:
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


def test_an_answer_may_tell_that_it_is_a_hit(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached(response_hit_indication=True)
    def index() -> str:
        return "text"

    client = site.app.test_client()
    marks = [client.get("/").headers.get("hit_cache") for _ in range(3)]
    assert marks == [None, "True", "True"]

    @site.cache.cached(key_prefix="x", response_hit_indication=True)
    def function() -> str:
        return "text"

    assert [function(), function()] == ["text", "text"]


def test_a_coroutine_function_is_called_once(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    async def function() -> int:
        await asyncio.sleep(0)
        return site.calls()

    async def use() -> list[int]:
        with site.app.app_context():
            return [await function(), await function()]

    assert asyncio.run(use()) == [1, 1]
    assert asyncio.iscoroutinefunction(function)


def test_unless_leaves_a_coroutine_function_alone(site: Site) -> None:
    @site.cache.cached(key_prefix="x", unless=lambda: True)
    async def function() -> int:
        return site.calls()

    async def use() -> list[int]:
        return [await function(), await function()]

    assert asyncio.run(use()) == [1, 2]


def test_what_a_coroutine_function_raises_passes_unchanged(site: Site) -> None:
    error = asyncio.CancelledError()

    @site.cache.cached(key_prefix="x")
    async def function() -> None:
        raise error

    async def use() -> None:
        with pytest.raises(asyncio.CancelledError) as raised:
            await function()
        assert raised.value is error

    asyncio.run(use())
    assert site.cache.stats() == Stats(misses=1)


def test_views_of_blueprints_and_classes_are_cached(site: Site) -> None:
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.route("/<name>")
    @site.cache.cached()
    def item(name: str) -> str:
        return f"{name} {site.calls()}"

    class Whole(MethodView):
        decorators = [site.cache.cached()]  # noqa: RUF012 - how Flask declares it

        def get(self) -> str:
            return str(site.calls())

    class Part(MethodView):
        @site.cache.cached()
        def get(self) -> str:
            return str(site.calls())

        def post(self) -> str:
            return str(site.calls())

    site.app.register_blueprint(blueprint)
    site.app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    site.app.add_url_rule("/part", view_func=Part.as_view("part"))
    assert site.get("/shop/a", "/shop/b", "/shop/a") == ["a 1", "b 2", "a 1"]
    assert site.get("/whole", "/whole", "/part", "/part") == ["3", "3", "4", "4"]
    assert site.app.test_client().post("/part").text == "5"
    with site.app.test_request_context():
        assert site.cache.delete_cached(item, name="a")
    assert site.get("/shop/a") == ["a 6"]


def test_delete_cached_deletes_what_a_path_has(site: Site) -> None:
    @site.app.route("/works/<kind>")
    @site.cache.cached(query_string=True)
    def works(kind: str) -> str:
        return f"{kind} {site.calls()}"

    site.get("/works/a?limit=1&x=ü", "/works/b")
    query = {"x": "ü", "limit": 1}
    assert site.cache.delete_cached(works, "/works/a", query)
    assert not site.cache.delete_cached(works, "/works/a", "limit=1&x=%C3%BC")
    assert site.get("/works/a?limit=1&x=ü", "/works/b") == ["a 3", "b 2"]
    with site.app.app_context():
        assert site.cache.delete_cached(works, kind="b")
    assert site.get("/works/b") == ["b 4"]


def test_delete_cached_says_what_to_give(site: Site) -> None:
    @site.app.route("/<name>")
    @site.cache.cached()
    def index(name: str) -> str:
        return name

    with pytest.raises(KeyValueError, match=r"Give the path: make_cache_key\(path="):
        site.cache.delete_cached(index, name="a")
    with site.app.app_context():
        with pytest.raises(KeyValueError, match="Give all arguments"):
            site.cache.delete_cached(index)
        with pytest.raises(KeyValueError, match="delete_cached takes a function that"):
            site.cache.delete_cached(index.uncached, name="a")


def test_the_function_itself_is_at_hand(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> int:
        """Tell what it does."""
        return site.calls()

    assert [function(), function.uncached(), function()] == [1, 2, 1]
    assert function.__doc__ == "Tell what it does."
    assert function.__name__ == "function"


def test_source_check_makes_anew_what_other_code_made() -> None:
    site = Site(CACHE_SOURCE_CHECK=True)

    def old() -> str:
        return "old"

    def new() -> str:
        return "new"

    cached = site.cache.cached(key_prefix="x")
    assert [cached(old)(), cached(new)(), cached(old)()] == ["old", "new", "old"]
    unchecked = site.cache.cached(key_prefix="y", source_check=False)
    assert [unchecked(old)(), unchecked(new)()] == ["old", "old"]


def test_a_failing_store_costs_no_answer() -> None:
    class Broken(MemoryStore):
        def get(self, key: str) -> Any:
            raise ConnectionError

        def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
            raise ConnectionError

    site = Site(CACHE_TYPE=Broken())

    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        return str(site.calls())

    assert site.get("/", "/") == ["1", "2"]
    assert (site.cache.stats().misses, site.cache.stats().stored) == (2, 0)


def test_what_is_stored_and_can_not_be_read_is_made_anew(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> list[int]:
        return [site.calls()]

    function()
    site.store.set("x", '\x1e{"form":"pickle","format":1}\nno pickle')
    assert [function(), function()] == [[2], [2]]
    assert "could not read 'x'" in caplog.text


def test_a_value_that_can_not_be_kept_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(CACHE_SERIALIZER="json")

    @site.cache.cached(key_prefix="x")
    def function() -> dict[int, int]:
        return {1: site.calls()}

    assert [function(), function()] == [{1: 1}, {1: 2}]
    assert len(caplog.records) == 1
    assert "function(): the value is not cached. {1: 1} (dict) can't" in caplog.text
    site.app.testing = True
    with pytest.raises(TypeError, match="set CACHE_SERIALIZER to 'pickle'"):
        function()


@pytest.mark.parametrize("name", ["unless", "forced_update", "response_filter"])
@pytest.mark.parametrize("bad", [True, "yes", coroutine])
def test_an_option_that_is_no_function_is_refused(
    site: Site, name: str, bad: Any
) -> None:
    for decorator in (site.cache.cached, site.cache.memoize):
        with pytest.raises(TypeError, match=f"{name} takes a plain function"):
            decorator(**{name: bad})


def test_wrong_uses_say_what_to_write(site: Site) -> None:
    decorate: Any = site.cache.cached
    for name, decorator in [
        ("make_cache_key", decorate),
        ("make_name", site.cache.memoize),
    ]:
        with pytest.raises(TypeError, match=f"{name} takes a function and got 'x'"):
            decorator(**{name: "x"})(text)
    with pytest.raises(TypeError, match="What is cached is a function"):
        decorate()(Site)
    wrong: Any = "text"
    with pytest.raises(TypeError, match=r"CachedResponse takes a response"):
        CachedResponse(wrong, timeout=5)
    with pytest.raises(TypeError, match="set_many takes a dictionary"):
        site.cache.set_many(wrong)
    with pytest.raises(TypeError, match=r"as in @cache\.cached\(\)"):
        decorate(text)
    with pytest.raises(TypeError, match="What is cached is a function"):
        decorate()(5)
    with pytest.raises(TimeoutValueError):
        decorate("soon")
    with pytest.raises(KeyValueError, match="key_prefix has to be a text"):
        decorate(key_prefix=5)(text)


def test_json_in_a_store_is_text() -> None:
    site = Site(CACHE_SERIALIZER="json")

    @site.cache.cached(key_prefix="x")
    def function() -> dict[str, int]:
        return {"a": 1}

    function()
    head, body = site.store.get("x").split("\n")
    assert (head[0], json.loads(head[1:])) == ("\x1e", {"form": "json", "format": 1})
    assert json.loads(body) == {"a": 1}
