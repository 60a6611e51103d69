"""Requests are found in the contexts of templates."""

from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment
from jinja2.runtime import Context
from starlette.requests import Request

from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.frameworks.contexts import RequestsInContexts
from jinja_fragcache.guard.watched import is_watched

FRAMEWORK = RequestsInContexts()


def request() -> Request:
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/a",
        "root_path": "",
        "query_string": b"page=2",
        "headers": [(b"host", b"a.com"), (b"x-user", b"ann")],
        "session": {"cart": 5},
    }
    return Request(scope)


def context(**values: Any) -> Context:
    return Environment().from_string("").new_context(values)


@pytest.mark.parametrize(
    "values", [{}, {"request": None}, {"request": "text"}, {"request": object()}]
)
def test_without_a_request_there_is_nothing_to_watch(values: dict[str, Any]) -> None:
    given = context(**values)
    FRAMEWORK.watch(given)
    FRAMEWORK.watch(None)
    assert FRAMEWORK.request is None
    assert not is_watched(given)
    with Dependencies() as body:
        FRAMEWORK.note_variable("user", "Ann", given)
    assert body.reads == {}
    with pytest.raises(LookupError):
        FRAMEWORK.value_of("user", given)
    with pytest.raises(LookupError):
        FRAMEWORK.value_of("user", None)


def test_the_request_and_the_context_are_watched() -> None:
    given = context(request=request())
    FRAMEWORK.watch(given)
    FRAMEWORK.watch(given)
    assert is_watched(given)
    assert is_watched(given["request"])
    assert is_watched(given.environment.from_string("").new_context({}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request.query_params.page", "2"),
        ("request.headers.x-user", "ann"),
        ("request.session.cart", 5),
        ("request.session.user", None),
        ("request.url.path", "/a"),
        ("request.base_url", "http://a.com/"),
        ("request.method", "GET"),
        ("user", "Ann"),
    ],
)
def test_what_a_read_gives_now(name: str, value: Any) -> None:
    given = context(request=request(), user="Ann")
    assert FRAMEWORK.value_of(name, given) == value
    FRAMEWORK.watch(given)
    with Dependencies() as body:
        assert FRAMEWORK.value_of(name, given) == value
    assert body.reads == {}


@pytest.mark.parametrize(
    "name", ["tenant", "request.user", "request.nothing", "locale"]
)
def test_what_is_not_known_now(name: str) -> None:
    with pytest.raises((LookupError, AttributeError, AssertionError)):
        FRAMEWORK.value_of(name, context(request=request()))


@pytest.mark.parametrize("name", ["user", "current_user", "csrf_token", "csrf_input"])
def test_some_variables_differ_by_their_names(name: str) -> None:
    given = context(request=request())
    with Dependencies() as body:
        FRAMEWORK.note_variable(name, SimpleNamespace(id=7), given)
        FRAMEWORK.note_variable("title", "text", given)
        FRAMEWORK.note_variable("request", given["request"], given)
    assert body.reads.keys() == {"csrf_token" if "csrf" in name else name}
