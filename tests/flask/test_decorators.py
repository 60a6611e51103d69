"""The wrapper around decorated functions."""

import asyncio
import functools
from functools import cached_property
from typing import Any

import pytest

from jinja_fragcache import Cache, KeyValueError, Stats, TimeoutValueError
from tests.flask.support import Site
from tests.support import Counter


def test_the_wrapper_has_the_undecorated_function_its_name_and_docstring(
    site: Site,
) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> int:
        """Tell what it does."""
        return site.calls()

    assert [function(), function.uncached(), function()] == [1, 2, 1]
    assert function.__doc__ == "Tell what it does."
    assert function.__name__ == "function"


def test_a_coroutine_function_is_awaited_once(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    async def function() -> int:
        await asyncio.sleep(0)
        return site.calls()

    async def use() -> list[int]:
        with site.app.app_context():
            return [await function(), await function()]

    assert asyncio.run(use()) == [1, 1]
    assert asyncio.iscoroutinefunction(function)


def test_make_cache_key_may_be_replaced(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> str:
        return "text"

    assert function.make_cache_key() == "x"
    function.make_cache_key = lambda: "y"
    function()
    assert (site.cache.get("x"), site.cache.get("y")) == (None, "text")


@pytest.mark.parametrize("bad", [None, 5, b"key"])
def test_a_call_with_a_refused_key_is_not_cached(
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


def test_a_call_with_a_path_key_outside_of_a_request_is_not_cached(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    @site.cache.cached()
    def function() -> int:
        return site.calls()

    assert [function(), function()] == [1, 2]
    assert '@cache.cached(key_prefix="function")' in caplog.text


def test_a_helper_under_the_key_of_a_page_is_warned_of(
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


def test_a_wrong_call_is_the_functions_own_error(cache: Cache) -> None:
    @cache.memoize()
    def function(a: int) -> int:
        return a

    untyped: Any = function
    with pytest.raises(TypeError, match=r"^test_a_wrong.*missing 1 required .*'a'"):
        untyped()
    assert cache.stats() == Stats(uncached=1)


def test_a_wrong_timeout_is_raised_before_the_function_is_called(
    cache: Cache, calls: Counter
) -> None:
    @cache.memoize()
    def function() -> int:
        return calls()

    function.cache_timeout = "50"
    with pytest.raises(TimeoutValueError):
        function()
    assert calls.calls == 0


@pytest.mark.parametrize("bad", [max, functools.partial(int, base=2), 5, str.upper])
def test_only_functions_can_be_decorated(cache: Cache, bad: Any) -> None:
    for decorate in (cache.memoize(), cache.cached(key_prefix="x")):
        with pytest.raises(TypeError, match=r"is a function, and this is .*Write one"):
            decorate(bad)


def text() -> str:
    return "text"


async def coroutine() -> str:
    return "key"


def test_wrong_uses_say_what_to_write(site: Site) -> None:
    decorate: Any = site.cache.cached
    for name, decorator in [
        ("make_cache_key", decorate),
        ("make_name", site.cache.memoize),
    ]:
        with pytest.raises(TypeError, match=f"{name} takes a function and got 'x'"):
            decorator(**{name: "x"})(text)
    for name in ("make_cache_key", "key_prefix"):
        with pytest.raises(TypeError, match=f"{name} can't be a coroutine function"):
            decorate(**{name: coroutine})(text)
    with pytest.raises(TypeError, match="What is cached is a function"):
        decorate()(Site)
    with pytest.raises(TypeError, match=r"as in @cache\.cached\(\)"):
        decorate(text)
    with pytest.raises(TypeError, match="What is cached is a function"):
        decorate()(5)
    kinds: list[Any] = [property, cached_property]
    for kind in kinds:
        with pytest.raises(TypeError, match="Write the property's decorator above"):
            decorate()(kind(text))
    with pytest.raises(TimeoutValueError):
        decorate("soon")
    with pytest.raises(KeyValueError, match="key_prefix has to be a text"):
        decorate(key_prefix=5)(text)
