"""`Cache.cached`, on views and on functions."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import (
    Blueprint,
    Response,
    jsonify,
    make_response,
    redirect,
    request,
    send_file,
    stream_with_context,
)
from flask.views import MethodView

from jinja_fragcache import KeyValueError, MemoryStore, Stats
from tests.flask.support import Site


def test_a_view_is_called_once_for_each_path(site: Site) -> None:
    @site.app.route("/row/<int:number>")
    @site.cache.cached(timeout=50)
    def row(number: int) -> str:
        return f"{number}: {site.calls()}"

    assert site.get("/row/1", "/row/1", "/row/2") == ["1: 1", "1: 1", "2: 2"]
    assert site.cache.get("view//row/1") == "1: 1"
    assert site.cache.stats() == Stats(hits=2, misses=2, stored=2)


def test_the_query_string_counts_only_with_query_string(
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
    assert len({*first, *site.get(*others)}) == 5  # "a" means the same as "a="
    assert site.calls.calls == 6


def test_a_value_expires_after_its_timeout(site: Site) -> None:
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


def test_the_default_timeout_is_a_setting() -> None:
    site = Site(CACHE_DEFAULT_TIMEOUT=7)

    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        return str(site.calls())

    assert site.get("/", "/") == ["1", "1"]
    site.clock.now += 7
    assert site.get("/") == ["2"]


def test_functions_are_cached_under_their_key_prefix(site: Site) -> None:
    @site.cache.cached(timeout=50, key_prefix="all_comments")
    def get_all_comments() -> list[int]:
        return [site.calls(), 2]

    assert get_all_comments() == get_all_comments() == [1, 2]
    with site.app.test_request_context("/anywhere", method="POST"):
        assert get_all_comments() == [1, 2]
    assert site.cache.get("all_comments") == [1, 2]


def test_each_call_returns_its_own_copy(site: Site) -> None:
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


def test_make_cache_key_gets_the_arguments(site: Site) -> None:
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


def text() -> Any:
    return "<p>text</p>"


def with_status() -> Any:
    return "found", 203


def with_headers() -> Any:
    return "text", 410, [("X-A", "1"), ("X-A", "2")]


def object_() -> Any:
    return {"a": [1, 2]}


def list_() -> Any:
    return [1, "a"]


def json_response() -> Any:
    return jsonify(a=1), 404


def own_response() -> Any:
    response = make_response(b"\xff\x00bytes")
    response.mimetype = "image/x-none"
    response.headers.add("Link", "<a>; rel=next")
    response.headers.add("Link", "<b>; rel=prev")
    return response


def moved() -> Any:
    return redirect("/elsewhere", code=301)


def stream() -> Any:
    return Response((chunk for chunk in ("a", "b", "c")), mimetype="text/csv")


def stream_in_context() -> Any:
    @stream_with_context
    def chunks() -> Iterator[str]:
        yield request.method
        yield "!"

    return chunks()  # type: ignore[call-arg]  # Flask declares the type of a decorator


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
def test_an_answer_from_the_cache_equals_the_original(
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


def test_json_is_stored_as_text() -> None:
    site = Site(CACHE_SERIALIZER="json")

    @site.cache.cached(key_prefix="x")
    def function() -> dict[str, int]:
        return {"a": 1}

    function()
    head, body = site.store.get("x").split("\n")
    assert (head[0], json.loads(head[1:])) == ("\x1e", {"form": "json", "format": 1})
    assert json.loads(body) == {"a": 1}


def test_a_failing_store_does_not_fail_the_view() -> None:
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


def test_delete_cached_takes_the_path_or_the_views_arguments(site: Site) -> None:
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


def test_an_error_of_delete_cached_says_what_to_pass(site: Site) -> None:
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
