"""Warnings about routes that bypass the cache."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask

from jinja_fragcache import Cache

SIMPLE = {"CACHE_TYPE": "simple"}
ORDERED = r"""@app\.route\(\.\.\.\)
    @cache\.cached\(\.\.\.\)
    def """


def passed_through(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def with_route(app: Flask, cache: Cache) -> None:
    @cache.cached(timeout=50)
    @app.route("/")
    def index() -> str:
        return "Hello World"


def with_a_blueprint(app: Flask, cache: Cache) -> None:
    blueprint = Blueprint("shop", __name__)

    @cache.cached()
    @blueprint.route("/")
    def index() -> str:
        return "Hello World"

    app.register_blueprint(blueprint)


def with_another_decorator(app: Flask, cache: Cache) -> None:
    @cache.cached()
    @passed_through
    @app.route("/")
    def index() -> str:
        return "Hello World"


def with_memoize(app: Flask, cache: Cache) -> None:
    @cache.memoize()
    @app.route("/")
    def index() -> str:
        return "Hello World"


WRONG = [with_route, with_a_blueprint, with_another_decorator, with_memoize]


@pytest.mark.parametrize("order", ["cache first", "cache last"])
@pytest.mark.parametrize("write", WRONG)
def test_a_route_below_the_cache_is_warned_of_at_the_first_request(
    write: Callable[[Flask, Cache], None], order: str
) -> None:
    app = Flask(__name__)
    cache = Cache(config=SIMPLE)
    if order == "cache first":
        cache.init_app(app)
    write(app, cache)
    if order == "cache last":
        cache.init_app(app)
    client = app.test_client()
    with pytest.warns(UserWarning, match=rf"{write.__name__}\..*\n.*") as warned:
        client.get("/")
    (warning,) = warned
    assert warning.filename == __file__
    assert ORDERED.replace("\\", "") in str(warning.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.get("/").text == "Hello World"


def test_a_route_above_the_cache_is_cached_without_a_warning() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)

    @app.route("/")
    @passed_through
    @cache.cached()
    @passed_through
    def index() -> str:
        return "Hello World"

    assert app.test_client().get("/").text == "Hello World"
    assert cache.stats().stored == 1


def test_a_function_may_have_a_route_with_the_cache_and_one_without() -> None:
    app = Flask(__name__)
    cache = Cache(app, config=SIMPLE)

    def index() -> str:
        return "Hello World"

    app.route("/fresh", endpoint="fresh")(index)
    app.route("/")(cache.cached()(index))
    for path in ("/", "/fresh"):
        assert app.test_client().get(path).text == "Hello World"
