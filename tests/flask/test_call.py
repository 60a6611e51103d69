"""How a call of a decorated function is made, stored and served."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response, abort, make_response

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


def test_an_error_of_abort_is_not_stored(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> str:
        if site.calls() == 1:
            abort(404)
        return "found"

    assert site.get("/", "/")[1] == "found"


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
