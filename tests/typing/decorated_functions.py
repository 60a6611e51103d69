"""The types of decorated functions. Read by type checkers only, never run."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, assert_type

from flask import Flask
from flask.typing import ResponseReturnValue

from jinja_fragcache import Cache, FragmentCache

app = Flask(__name__)
cache = Cache(app, config={"CACHE_TYPE": "simple"})


@app.route("/<int:number>")
@cache.cached(timeout=50)
def view(number: int) -> ResponseReturnValue:
    return f"{number}", 200


@cache.memoize(50)
def add(a: int, b: str = "", *, c: float = 0) -> list[str]:
    return [b] * a if c else []


@cache.cached(key_prefix="news", stale=60, stale_if_error=timedelta(hours=1))
def news() -> list[str]:
    return []


@cache.memoize(stale=None, stale_if_error=0.5)
async def awaited(a: int) -> str:
    return str(a)


fragments = FragmentCache()


@fragments.memoize(60, tags=["shouted"])
def shout(text: str) -> str:
    return text.upper()


@fragments.memoize(timeout=timedelta(minutes=1))
async def fetched(number: int) -> bytes:
    return bytes(number)


class Owner:
    """A class with a memoized method."""

    @cache.memoize(timeout=60)
    def method(self, a: int) -> str:
        return str(a)

    @classmethod
    @cache.memoize(timeout=60)
    def over(cls, a: int) -> str:
        return str(a)

    @cache.memoize(timeout=60)
    @classmethod
    def under(cls, a: int) -> str:
        return str(a)

    @staticmethod
    @cache.memoize(timeout=60)
    def static_over(a: int) -> str:
        return str(a)

    @cache.cached(key_prefix="under")
    @staticmethod
    def static_under() -> str:
        return ""


def call(function: Callable[[int], list[str]]) -> list[str]:
    """Take a function with one signature."""
    return function(1)


async def check() -> None:
    """Use decorated functions rightly, and at the end wrongly."""
    assert_type(add(1, "x", c=0.5), list[str])
    assert_type(await awaited(1), str)
    assert_type(news(), list[str])
    assert_type(Owner().method(1), str)
    assert_type(Owner.method(Owner(), 1), str)
    assert_type(Owner.over(1), str)
    assert_type(Owner().over(1), str)
    assert_type(Owner.under(1), str)
    assert_type(Owner().under(1), str)
    assert_type(Owner.static_over(1), str)
    assert_type(Owner.static_under(), str)
    assert_type(add.uncached(1), list[str])
    assert_type(Owner().method.uncached(Owner(), 1), str)
    assert_type(add.make_cache_key(1), str)
    call(add)
    add.cache_timeout = 10
    add.make_cache_key = lambda *_: "key"
    cache.delete_memoized(add, 1)
    add.delete_memoized()
    Owner().method.delete_memoized()
    cache.delete_memoized(Owner().method)
    cache.delete_memoized_verhash(add)
    cache.delete_cached(view, number=1)
    cache.delete_memoized("add", 1)
    value: Any = cache.get("key")
    assert_type(cache.set("key", value), bool)

    assert_type(shout("a"), str)
    assert_type(await fetched(1), bytes)
    shout.delete_memoized("a")
    await fragments.delete_memoized_async(fetched, 1)

    shout(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    add("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    call(awaited)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    add(1, d=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    awaited()  # type: ignore[call-arg, unused-coroutine]  # pyright: ignore[reportCallIssue]
    Owner().method("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cache.memoize(timeot=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cache.cached(60, stalle=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
