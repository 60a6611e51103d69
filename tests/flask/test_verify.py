"""Hits of views and functions that are verified."""

import asyncio
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import (
    Response,
    abort,
    make_response,
    redirect,
    render_template_string,
    request,
    session,
)

from jinja_fragcache import Cache, SettingError, Stats, VerificationError
from tests.flask.support import Site, make_cache


@pytest.fixture
def site() -> Site:
    return Site(CACHE_VERIFY=1)


def counts(cache: Cache) -> tuple[int, int]:
    stats = cache.stats()
    return stats.verified, stats.differed


def test_a_view_is_verified(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    values = iter("aab")

    @site.app.route("/view")
    @site.cache.cached()
    def view() -> str:
        return next(values)

    assert site.get("/view", "/view", "/view") == ["a", "a", "a"]
    assert site.cache.stats() == Stats(
        hits=2, misses=1, stored=1, verified=2, differed=1
    )
    (message,) = caplog.messages
    assert "view(): the value that was served from the cache is not what" in message
    assert "Line 1 was served as 'a' and is 'b' now." in message


def test_a_memoized_function_is_verified(site: Site) -> None:
    @site.cache.memoize()
    def double(number: int) -> list[int]:
        return [number * 2, site.calls()]

    with site.app.app_context():
        assert [double(4), double(4)] == [[8, 1], [8, 1]]
    assert counts(site.cache) == (1, 1)


def test_a_coroutine_function_is_verified(site: Site) -> None:
    @site.cache.memoize()
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * site.calls()

    async def main() -> list[int]:
        return [await double(4), await double(4)]

    with site.app.app_context():
        assert asyncio.run(main()) == [4, 4]
    assert counts(site.cache) == (1, 1)


def test_an_error_is_raised_in_debug_mode() -> None:
    site = Site(CACHE_VERIFY="1")
    site.app.debug = True

    @site.cache.cached(key_prefix="number")
    def number() -> int:
        return site.calls()

    with site.app.app_context():
        assert number() == 1
        with pytest.raises(VerificationError, match=r"number\(\): .* '1' and is '2'"):
            number()


def test_a_fragment_is_told_with_its_template(site: Site) -> None:
    site.app.debug = True

    @site.app.route("/")
    def page() -> str:
        source = '{% cache 300, "a" %}{{ n }}{% endcache %}'
        return render_template_string(source, n=site.calls())

    client = site.app.test_client()
    assert client.get("/").text == "1"
    with pytest.raises(VerificationError, match="line 1: the fragment"):
        client.get("/")


@pytest.mark.parametrize("verify", [2, -1, True, "all"])
def test_a_wrong_share_is_refused(verify: Any) -> None:
    with pytest.raises(SettingError, match="CACHE_VERIFY"):
        make_cache(CACHE_VERIFY=verify)


def test_a_function_may_be_left_out(site: Site) -> None:
    @site.cache.cached(key_prefix="a", verify=False)
    def first() -> int:
        return site.calls()

    @site.cache.memoize(verify=False)
    def second() -> int:
        return site.calls()

    with site.app.app_context():
        assert [first(), first(), second(), second()] == [1, 1, 2, 2]
    assert site.cache.stats().verified == 0


def test_a_call_that_is_verified_is_a_hit_to_those_who_listen() -> None:
    site = Site(CACHE_VERIFY=1)

    @site.app.route("/")
    @site.cache.cached(response_hit_indication=True)
    def index() -> str:
        return "text"

    client = site.app.test_client()
    marks = [client.get("/").headers.get("hit_cache") for _ in range(2)]
    assert marks == [None, "True"]


@pytest.mark.parametrize("made_now", ["the same", "another", "none"])
def test_what_is_raised_is_what_is_stored(site: Site, made_now: str) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        number = site.calls()
        if number == 1 or made_now == "the same":
            abort(404, "first")
        if made_now == "another":
            abort(404, "second")
        return "there"

    client = site.app.test_client()
    answers = [client.get("/") for _ in range(2)]
    assert [(each.status_code, "first" in each.text) for each in answers] == [
        (404, True)
    ] * 2
    assert counts(site.cache) == (1, int(made_now != "the same"))


def answers_with_the_same_parts(site: Site) -> Iterator[Any]:
    def dated() -> Response:
        response = make_response("text")
        response.date = datetime(2020, 1, site.calls(), tzinfo=UTC)
        return response

    yield dated
    yield lambda: ("text", 201, {"X-Name": "value"})
    yield lambda: (make_response("text"), 200)
    yield lambda: Response(iter(["a", "b"]))
    yield lambda: (each for each in ["a", "b"])
    yield lambda: {"a": [1, 2]}


@pytest.mark.parametrize("which", range(6))
def test_equal_answers_do_not_differ(site: Site, which: int) -> None:
    make = list(answers_with_the_same_parts(site))[which]
    site.app.add_url_rule("/", "index", site.cache.cached(response_filter=bool)(make))
    texts = site.get("/", "/")
    assert texts[0] == texts[1]
    assert counts(site.cache) == (1, 0)


@pytest.mark.parametrize("part", ["status", "header", "body", "redirect"])
def test_other_answers_differ(
    site: Site, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> Any:
        first = site.calls() == 1
        if part == "redirect" and not first:
            return redirect("/login")
        response = make_response("one" if first or part != "body" else "two")
        if part == "header":
            response.headers["X-Name"] = "one" if first else "two"
        response.status_code = 200 if first or part != "status" else 404
        return response

    assert site.get("/", "/") == ["one", "one"]
    assert counts(site.cache) == (1, 1)
    shown = {"header": "X-Name: two", "body": "two", "status": "404 NOT FOUND"}
    assert shown.get(part, "302 FOUND") in caplog.text


class Odd:
    """An object that can't be compared."""

    def __eq__(self, other: object) -> bool:
        raise TypeError

    __hash__ = object.__hash__


class Plain:
    """An object that is equal only to itself."""


@pytest.mark.parametrize("value", [math.nan, [math.nan], Odd(), Plain(), {"a": Odd()}])
def test_what_cannot_be_compared_is_not_counted_as_different(
    site: Site, value: Any
) -> None:
    @site.cache.cached(key_prefix="value")
    def function() -> Any:
        return value

    with site.app.app_context():
        function()
        function()
    assert counts(site.cache) == (1, 0)


def test_a_stream_that_is_not_stored_now_is_not_read_and_is_closed(
    site: Site,
) -> None:
    closed: list[str] = []

    def endless() -> Iterator[str]:
        while True:
            yield "x"

    @site.app.route("/")
    @site.cache.cached()
    def index() -> Any:
        if site.calls() == 1:
            return "text"
        response = Response(endless(), headers={"Cache-Control": "no-store"})
        response.call_on_close(lambda: closed.append("closed"))
        return response

    assert site.get("/", "/") == ["text", "text"]
    assert counts(site.cache) == (1, 0)
    assert closed == ["closed"]


def test_an_error_of_the_function_stays_out_of_the_page(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.app.debug = True

    @site.cache.memoize()
    def function() -> int:
        if site.calls() > 1:
            raise StopIteration
        return 1

    with site.app.app_context():
        assert [function(), function(), function()] == [1, 1, 1]
    assert len(caplog.messages) == 1


def test_functions_inside_are_called_and_not_stored(site: Site) -> None:
    @site.cache.memoize()
    def inner() -> int:
        return site.calls()

    @site.cache.cached(key_prefix="outer")
    def outer() -> list[int]:
        return [inner()]

    with site.app.app_context():
        assert [outer(), outer(), inner()] == [[1], [1], 1]
    stats = site.cache.stats()
    assert (stats.stored, stats.verified, stats.differed) == (2, 2, 2)


def test_a_function_that_calls_itself_is_called_once_for_each_argument(
    site: Site,
) -> None:
    @site.cache.memoize()
    def fibonacci(number: int) -> int:
        site.calls()
        return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)

    with site.app.app_context():
        assert fibonacci(2) == 1
        calls = site.calls.calls
        site.cache.set(fibonacci.make_cache_key(fibonacci.uncached, 18), 0)
        assert fibonacci(18) == 0
    assert site.calls.calls == calls + 19
    assert site.cache.stats().differed == 1


def test_what_the_key_lacks_is_named_without_the_guard_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(CACHE_VERIFY=1, CACHE_GUARD=False)

    @site.app.route("/")
    @site.cache.cached(key_prefix="page")
    def page() -> str:
        return request.args["q"]

    assert site.get("/?q=a", "/?q=b") == ["a", "a"]
    (message,) = caplog.messages
    assert "page(): the value that was served" in message
    assert " It reads request.args.q now, which its entry does not name." in message


def test_the_session_of_others_is_found(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(CACHE_VERIFY=1, CACHE_GUARD_ALLOW=["session"])

    @site.app.route("/enter/<name>")
    def enter(name: str) -> str:
        session["user"] = name
        return name

    @site.app.route("/")
    def page() -> str:
        source = '{% cache 300, "a" %}{{ session.user }}{% endcache %}'
        return render_template_string(source)

    clients = [site.app.test_client() for _ in "ab"]
    for client, name in zip(clients, ("ann", "bob"), strict=True):
        client.get(f"/enter/{name}")
    assert [client.get("/").text for client in clients] == ["ann", "ann"]
    (message,) = caplog.messages
    assert "Line 1 was served as 'ann' and is 'bob' now." in message
    assert "It reads session.user" in message


def test_a_read_that_a_key_value_covers_is_not_told_as_a_difference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(CACHE_VERIFY=1)

    @site.app.route("/<name>")
    def page(name: str) -> str:
        session["user"] = name
        source = '{% cache 300, "a", name %}{{ session.user }}{{ n }}{% endcache %}'
        return render_template_string(source, name=name, n=site.calls())

    assert site.get("/ann", "/ann") == ["ann1", "ann1"]
    (message,) = caplog.messages
    assert "It read" not in message


@pytest.mark.parametrize("is_raised", [False, True])
def test_a_response_inside_of_another_value_is_compared(
    site: Site, is_raised: bool
) -> None:
    @site.app.route("/")
    @site.cache.cached(response_filter=bool)
    def index() -> Any:
        response = make_response(str(site.calls() // 2))
        if is_raised:
            abort(response)
        return response, 200

    assert site.get("/", "/", "/") == ["0", "0", "0"]
    assert counts(site.cache) == (2, 2)
