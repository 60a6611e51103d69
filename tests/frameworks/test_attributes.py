"""Attributes that note that they are read, whatever computes them."""

from typing import Any

import pytest

from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.frameworks.attributes import (
    Attributes,
    named,
    noting_calls,
    watching,
)
from jinja_fragcache.guard.watched import is_watched


class Request:
    __slots__ = ("_secret", "app", "cookies", "headers", "ip")

    def __init__(self) -> None:
        self._secret = 1
        self.app = "app"
        self.cookies = {"theme": "dark"}
        self.headers = {"host": "a.com"}
        self.ip = "::1"

    @property
    def host(self) -> str:
        return self.headers["host"]

    def url_for(self, path: str) -> str:
        return f"//{self.host}/{path}"

    def __str__(self) -> str:
        return self.ip


def _note_call(request: Request, path: str) -> None:
    calls.append(path)


calls: list[str] = []
WATCH = watching(
    Attributes(
        "request",
        mappings=frozenset({"cookies"}),
        shared=frozenset({"app"}),
        shown=named("request.META", ["headers"]),
        special={"url_for": noting_calls(_note_call)},
        is_text=True,
    )
)


@pytest.mark.parametrize(
    ("read", "noted"),
    [
        (lambda request: request.ip, {"request.ip"}),
        (lambda request: request.host, {"request.host"}),
        (lambda request: request.headers, {"request.META"}),
        (lambda request: request.cookies["theme"], {"request.cookies.theme"}),
        (lambda request: request.app, set()),
        (lambda request: request._secret, set()),
        (lambda request: getattr(request, "missing", None), {"request.missing"}),
        (lambda request: request.url_for("x"), set()),
        (str, {"request"}),
    ],
)
def test_what_is_noted_of_a_request(read: Any, noted: set[str]) -> None:
    request = Request()
    before = read(request)
    assert WATCH(request)
    assert isinstance(request, Request)
    assert read(request) == before
    with Dependencies() as body:
        assert read(request) == before
    assert body.reads.keys() == noted


def test_calls_are_noted_with_their_arguments() -> None:
    request = Request()
    WATCH(request)
    with Dependencies():
        calls.clear()
        assert request.url_for("x") == "//a.com/x"
    assert calls == ["x"]


def test_what_cannot_be_watched_is_told() -> None:
    assert not WATCH(object())
    request = Request()
    assert WATCH(request)
    assert WATCH(request)
    assert is_watched(request)


class Items(dict[str, Any]):
    """A request that an application keeps things in."""


def test_items_are_noted_and_attributes_that_are_missing_are_not() -> None:
    request = Items(user="ann", db=object())
    watching(Attributes("request", has_items=True))(request)
    with Dependencies() as body:
        assert request["user"] == "ann"
        assert request["db"]
        assert getattr(request, "user", None) is None
        with pytest.raises(KeyError):
            request["cart"]
    assert body.reads.keys() == {"request.user", "request.cart"}
    with Dependencies() as body:
        assert len(request) == len([*request]) == 2
    assert body.reads.keys() == {"request"}
