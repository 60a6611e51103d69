"""How a call of a decorated function is made, stored and served."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response, abort, make_response
from markupsafe import Markup
from werkzeug.exceptions import (
    Gone,
    HTTPException,
    NotFound,
    default_exceptions,
)

from jinja_fragcache import Stats
from jinja_fragcache.flask import CachedResponse
from tests.flask.support import Site


@pytest.mark.parametrize("value", ["", 0, False, [], {}, 0.0, b"", ()])
def test_a_false_value_is_stored(site: Site, value: Any) -> None:
    @site.cache.cached(key_prefix="value")
    def function() -> Any:
        site.calls()
        return value

    assert [function(), function()] == [value, value]
    assert type(function()) is type(value)
    assert site.calls.calls == 1


def test_a_cached_response_overrides_the_timeout(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached(timeout=100)
    def index() -> Response:
        return CachedResponse(make_response(str(site.calls())), timeout=5)

    assert site.get("/", "/") == ["1", "1"]
    site.clock.now += 5
    assert site.get("/") == ["2"]


def test_an_answer_from_the_cache_may_be_marked_as_a_hit(site: Site) -> None:
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


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration(5), SystemExit(1)])
def test_an_error_of_the_function_is_raised_unchanged(
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


def test_an_error_of_a_coroutine_function_is_raised_unchanged(site: Site) -> None:
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


STORED = {200, 203, 204, 300, 301, 308, 404, 410}


@pytest.mark.parametrize("how", ["raised", "returned"])
@pytest.mark.parametrize("status", sorted(set(default_exceptions) | STORED | {201}))
def test_raised_or_returned_an_answer_is_stored_by_its_status(
    site: Site, status: int, how: str
) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> Any:
        text = f"call {site.calls()}"
        if how == "raised":
            raise HTTPException(response=Response(text, status))
        return text, status

    client = site.app.test_client()
    assert [client.get("/").status_code for _ in range(3)] == [status] * 3
    assert site.calls.calls == (1 if status in STORED else 3)


@pytest.mark.parametrize("serializer", ["pickle", "json"])
def test_an_answer_of_abort_is_raised_again(serializer: str) -> None:
    site = Site(CACHE_SERIALIZER=serializer)

    @site.app.errorhandler(404)
    def not_found(error: NotFound) -> Any:
        return f"{type(error).__name__}: {error.description}", 404

    @site.app.route("/<name>")
    @site.cache.cached(response_hit_indication=True)
    def index(name: str) -> str:
        site.calls()
        abort(404, f"no {name}")

    client = site.app.test_client()
    answers = [client.get("/x") for _ in range(2)]
    assert [(each.status_code, each.text) for each in answers] == [
        (404, "NotFound: no x")
    ] * 2
    assert [each.headers.get("hit_cache") for each in answers] == [None, "True"]
    assert site.calls.calls == 1
    assert site.get("/y") == ["NotFound: no y"]


def test_an_answer_of_abort_is_stored_with_its_response_and_timeout(
    site: Site,
) -> None:
    @site.app.route("/")
    @site.cache.cached(timeout=5)
    def index() -> str:
        abort(Response(str(site.calls()), 410, {"X-Own": "1"}))

    client = site.app.test_client()
    answers = [client.get("/") for _ in range(2)]
    site.clock.now += 5
    answers.append(client.get("/"))
    assert [each.text for each in answers] == ["1", "1", "2"]
    assert {(each.status_code, each.headers["X-Own"]) for each in answers} == {
        (410, "1")
    }


def test_what_the_response_filter_admits_is_stored_whatever_its_status(
    site: Site,
) -> None:
    asked = []

    def admit(response: Response) -> bool:
        asked.append(response.status_code)
        return response.status_code != 503

    @site.app.route("/<int:status>")
    @site.cache.cached(response_filter=admit)
    def index(status: int) -> str:
        site.calls()
        raise HTTPException(response=Response(status=status))

    site.get("/403", "/403", "/503", "/503")
    assert (asked, site.calls.calls) == ([403, 503, 503], 3)


class OwnNotFound(NotFound):
    pass


def with_more() -> NotFound:
    error = NotFound("text")
    error.more = 5  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "error",
    [OwnNotFound(), with_more(), NotFound(Markup("<b>")), Gone(5)],  # type: ignore[arg-type]
    ids=["own", "more", "markup", "number"],
)
def test_an_exception_that_could_not_be_made_again_is_not_stored(
    site: Site, error: HTTPException
) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        site.calls()
        raise error

    site.get("/", "/")
    assert site.calls.calls == 2


def test_a_serializer_of_the_user_that_refuses_a_raised_answer_does_no_harm() -> None:
    class Refusing:
        def dumps(self, value: Any) -> str:
            raise ValueError(value)

        def loads(self, text: str) -> Any: ...

    site = Site(CACHE_SERIALIZER=Refusing())
    site.app.debug = True

    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        abort(404)

    client = site.app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [404, 404]


def test_memoize_does_not_store_what_its_function_raises(site: Site) -> None:
    @site.cache.memoize()
    def function() -> None:
        site.calls()
        abort(404)

    for _ in range(2):
        with site.app.test_request_context(), pytest.raises(NotFound):
            function()
    assert site.calls.calls == 2


def test_an_answer_that_a_coroutine_function_raises_is_stored(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    async def function() -> None:
        site.calls()
        abort(404)

    with site.app.test_request_context():
        for _ in range(2):
            with pytest.raises(NotFound):
                asyncio.run(function())
    assert site.calls.calls == 1


def test_functions_of_the_user_are_asked_once_for_each_call(site: Site) -> None:
    asked: list[tuple[Any, ...]] = []
    answers = {"unless": False, "forced_update": False, "is_stale": False}

    def ask(name: str) -> Any:
        def answer(*args: Any, **kwargs: Any) -> bool:
            # `unless` gets the function first.
            asked.append((name, *args[name == "unless" :], kwargs))
            return answers[name]

        return answer

    @site.cache.memoize(**{name: ask(name) for name in answers})
    def function(a: int, b: int) -> int:
        return site.calls()

    def call() -> list[tuple[Any, ...]]:
        asked.clear()
        function(1, b=2)
        return asked

    given = (1, {"b": 2})
    before = [("unless", *given), ("forced_update", *given)]
    assert call() == before  # a miss
    assert call() == [*before, ("is_stale", 1, *given)]  # a hit
    answers["is_stale"] = True
    assert call() == [*before, ("is_stale", 1, *given)]
    answers["forced_update"] = True
    assert call() == before
    answers["unless"] = True
    assert call() == before[:1]
    assert site.calls.calls == 4


def test_an_error_in_a_stream_is_raised_and_nothing_is_stored(site: Site) -> None:
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


def test_an_unreadable_entry_is_replaced(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> list[int]:
        return [site.calls()]

    function()
    site.store.set("x", '\x1e{"form":"pickle","format":1}\nno pickle')
    assert [function(), function()] == [[2], [2]]
    assert "could not read 'x'" in caplog.text


def test_a_value_that_can_not_be_stored_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(CACHE_SERIALIZER="json")

    @site.cache.cached(key_prefix="x")
    def function() -> dict[int, int]:
        return {1: site.calls()}

    assert [function(), function()] == [{1: 1}, {1: 2}]
    assert len(caplog.records) == 1
    assert "the value is not cached. an object of dict can't be kept" in caplog.text
    assert "{1: 1}" not in caplog.text
    site.app.testing = True
    with pytest.raises(TypeError, match="set CACHE_SERIALIZER to 'pickle'"):
        function()
