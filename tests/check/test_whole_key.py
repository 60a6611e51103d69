"""What the `vary_on` of a cache has is in every key, as its source says."""

from contextvars import ContextVar
from functools import partial
from typing import Any

import flask
import pytest
from flask import g, request, session
from flask_babel import get_locale

from jinja_fragcache.check.whole_key import reads_in_key
from tests.check.support import codes

language = ContextVar("language", default="en")
SHOP = {"vary_on": lambda: [request.host, g.get("theme")]}


def two_lists() -> list[Any]:
    if session.get("preview"):
        return [g.locale, "preview"]
    return [g.locale, session["theme"]]


def with_own_variable() -> list[Any]:
    locale = len("x")
    return [locale, g.theme]


def with_a_function_inside() -> tuple[Any, ...]:
    def names() -> list[Any]:
        return [request.path]

    return flask.request.host, names()


def by_list() -> list[Any]:
    values = [g.theme]
    values.append("x")
    return values


LAMBDA: Any = lambda: [str(get_locale()), language.get()]  # noqa: E731 - as in settings
TWO = [lambda: [g.locale], lambda: [g.theme]]


@pytest.mark.parametrize(
    ("vary_on", "expected"),
    [
        (None, ""),
        (LAMBDA, "get_locale language.get"),
        (SHOP["vary_on"], "request.host g.theme"),
        (two_lists, "g.locale"),
        (with_own_variable, "g.theme"),
        (with_a_function_inside, "request.host"),
        (by_list, ""),
        (TWO[0], ""),
        (partial(two_lists), ""),
        (dict, ""),
        (lambda: [len, *[g.a], {1: 2}, LAMBDA[0:1, 2]], "len LAMBDA"),
        (
            lambda: [
                session.get("tenant"),
            ],
            "session.tenant",
        ),
    ],
)
def test_the_values_that_a_function_returns(vary_on: Any, expected: str) -> None:
    shown = [".".join(each.path) for each in reads_in_key(vary_on)]
    assert shown == expected.split()


def user_and_locale() -> list[Any]:
    return [session.get("user"), get_locale()]


def is_signed_in() -> list[Any]:
    return [session.get("user") is not None]


@pytest.mark.parametrize(
    ("body", "vary_on", "expected"),
    [
        ("{{ session.user }}{{ _('a') }}", user_and_locale, []),
        ("{{ session.cart }}", user_and_locale, ["FC001"]),
        ("{{ _('a') }}", LAMBDA, []),
        ("{{ session.user }}", is_signed_in, ["FC001"]),
        ("{{ _('a') }}", None, ["FC003"]),
    ],
)
def test_every_key_has_them(body: str, vary_on: Any, expected: list[str]) -> None:
    source = "{% cache 60, 'n' %}" + body + "{% endcache %}"
    assert codes(source, in_all_keys=reads_in_key(vary_on)) == expected
