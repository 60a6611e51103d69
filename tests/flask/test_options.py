"""The options that `cached` and `memoize` share."""

import asyncio
import hashlib
import linecache
from collections.abc import Callable
from typing import Any

import pytest

from jinja_fragcache import Cache, Stats
from tests.flask.support import Site
from tests.support import Counter


@pytest.mark.parametrize(
    "unless",
    [lambda: True, lambda *_, **__: "yes", lambda *args, **kwargs: args and kwargs],
)
def test_unless_bypasses_the_cache(site: Site, unless: Callable[..., Any]) -> None:
    @site.app.route("/<name>")
    @site.cache.cached(unless=unless)
    def index(name: str) -> str:
        return f"{name} {site.calls()}"

    assert site.get("/a", "/a") == ["a 1", "a 2"]
    assert site.cache.stats() == Stats(uncached=2)


def test_unless_bypasses_the_cache_of_a_coroutine_function(site: Site) -> None:
    @site.cache.cached(key_prefix="x", unless=lambda: True)
    async def function() -> int:
        return site.calls()

    async def use() -> list[int]:
        return [await function(), await function()]

    assert asyncio.run(use()) == [1, 2]


def test_unless_gets_the_function_and_the_arguments(site: Site) -> None:
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


def test_forced_update_calls_the_function_again(site: Site) -> None:
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


def test_is_stale_gets_the_stored_value(site: Site) -> None:
    @site.cache.cached(key_prefix="n", is_stale=lambda value: value < 3)
    def number() -> int:
        return site.calls()

    assert [number() for _ in range(5)] == [1, 2, 3, 3, 3]


def test_response_filter_decides_what_is_stored(site: Site) -> None:
    def succeeded(answer: tuple[str, int]) -> bool:
        return answer[1] == 200

    @site.app.route("/")
    @site.cache.cached(response_filter=succeeded)
    def index() -> tuple[str, int]:
        number = site.calls()
        return str(number), 500 if number == 1 else 200

    assert site.get("/", "/", "/") == ["1", "2", "2"]


def test_options_of_memoize_get_the_arguments(cache: Cache, calls: Counter) -> None:
    @cache.memoize(
        unless=lambda function, a: function.__name__ == "function" and a == 1,
        forced_update=lambda a: a == 2,
        is_stale=lambda value, a: value[0] == a == 3,
        response_filter=lambda value: value[0] != 4,
    )
    def function(a: int) -> tuple[int, int]:
        return a, calls()

    for a in (1, 2, 3, 4):
        first, second = function(a), function(a)
        assert first != second
    assert function(5) == function(5)


@pytest.mark.parametrize("option", ["unless", "forced_update", "is_stale"])
def test_an_error_of_an_option_is_raised(site: Site, option: str) -> None:
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


def test_an_option_may_be_a_function_without_a_signature(site: Site) -> None:
    @site.cache.cached(key_prefix="x", response_filter=bool)
    def function() -> int:
        return site.calls() - 1

    assert [function(), function(), function()] == [0, 1, 1]


@pytest.mark.parametrize(("cache_none", "calls"), [(False, 2), (True, 1)])
def test_none_is_stored_only_with_cache_none(
    site: Site,
    cache_none: bool,
    calls: int,
) -> None:
    @site.cache.cached(key_prefix="none", cache_none=cache_none)
    def function() -> None:
        site.calls()

    function()
    function()
    assert site.calls.calls == calls
    assert site.cache.has("none") is cache_none


def test_a_stored_none_is_a_miss_without_cache_none(site: Site) -> None:
    @site.cache.cached(key_prefix="x")
    def function() -> int:
        return site.calls()

    site.cache.set("x", None)
    assert function() == 1


def test_source_check_ignores_values_of_other_code() -> None:
    site = Site(CACHE_SOURCE_CHECK=True)

    def old() -> str:
        return "old"

    def new() -> str:
        return "new"

    cached = site.cache.cached(key_prefix="x")
    assert [cached(old)(), cached(new)(), cached(old)()] == ["old", "new", "old"]
    unchecked = site.cache.cached(key_prefix="y", source_check=False)
    assert [unchecked(old)(), unchecked(new)()] == ["old", "old"]


def make_function(text: str, site: Site) -> Any:
    def function() -> str:
        site.calls()
        return text

    return function


@pytest.mark.parametrize(
    ("setting", "option", "shared"),
    [
        (None, None, False),
        (None, False, True),
        (False, None, True),
        (True, None, False),
        (True, False, True),
        (False, True, False),
    ],
)
def test_the_source_of_inner_functions_counts_unless_it_is_not_to(
    setting: bool | None, option: bool | None, *, shared: bool
) -> None:
    site = Site(CACHE_SOURCE_CHECK=setting)
    memoize = site.cache.memoize(source_check=option)

    def inner(version: int) -> Any:
        if version == 1:

            def function() -> str:
                return "one"
        else:

            def function() -> str:
                return "two"

        return memoize(function)

    assert inner(1)() == "one"
    assert inner(2)() == ("one" if shared else "two")


def test_the_source_is_in_the_key_from_the_first_call_on(site: Site) -> None:
    decorators = (
        site.cache.cached(key_prefix="x", source_check=True),
        site.cache.memoize(source_check=True),
    )
    for decorator in decorators:
        function = decorator(make_function("text", site))
        before = function.make_cache_key()
        assert (function(), function()) == ("text", "text")
        assert function.make_cache_key() == before != "x"
        assert site.cache.get(before) == "text"
    assert site.calls.calls == 2


def test_a_comment_is_a_part_of_the_source(site: Site) -> None:
    namespace: dict[str, Any] = {}
    memoize = site.cache.memoize(source_check=True)
    keys = set()
    for comment in "ab":
        source = f"def function():  # {comment}\n    return 5\n"
        name = f"<{comment}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        exec(compile(source, name, "exec"), namespace)  # noqa: S102 - a constant text
        namespace["function"].__module__ = "module"
        keys.add(memoize(namespace["function"]).make_cache_key())
    assert len(keys) == 2


def test_hash_method_is_taken_and_changes_no_key(site: Site) -> None:
    keys = set()
    for method in (None, hashlib.md5, hashlib.sha512):

        @site.cache.memoize(hash_method=method)
        def function(a: int) -> int:
            return a

        keys.add(function.make_cache_key(1))
    assert len(keys) == 1
    with pytest.raises(TypeError, match="hash_method can't be 'sha256'"):
        site.cache.memoize(hash_method="sha256")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    ["query_string", "cache_none", "source_check", "verify", "response_hit_indication"],
)
@pytest.mark.parametrize("bad", ["false", ["page"]])
def test_an_option_that_is_no_flag_is_refused(site: Site, name: str, bad: Any) -> None:
    decorator: Any = site.cache.cached
    with pytest.raises(TypeError, match=f"{name} is True or False and got"):
        decorator(**{name: bad})(lambda: "")
    decorator(**{name: 1})(lambda: "")


async def coroutine() -> None: ...


@pytest.mark.parametrize("name", ["is_stale", "response_filter"])
def test_a_function_that_takes_no_value_is_refused_where_it_gets_one(
    site: Site, name: str
) -> None:
    told = rf"{name} gets a value, and .* Write {name}=lambda value"
    decorators: list[Any] = [site.cache.cached, site.cache.memoize]
    for decorator in decorators:
        with pytest.raises(TypeError, match=told):
            decorator(**{name: lambda: True})
        decorator(**{name: lambda *_: True})
        decorator(**{name: bool})


@pytest.mark.parametrize("name", ["unless", "forced_update", "response_filter"])
@pytest.mark.parametrize("bad", [True, "yes", coroutine])
def test_an_option_that_is_no_function_is_refused(
    site: Site, name: str, bad: Any
) -> None:
    for decorator in (site.cache.cached, site.cache.memoize):
        with pytest.raises(TypeError, match=f"{name} takes a plain function"):
            decorator(**{name: bad})
