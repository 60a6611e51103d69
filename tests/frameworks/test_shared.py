from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import create_engine
from werkzeug.local import LocalProxy

from jinja_fragcache.frameworks.shared import is_shared, lives_with


@pytest.mark.parametrize(
    ("name", "value", "shared"),
    [
        ("db", object(), True),
        ("redis", object(), True),
        ("connect", len, True),
        ("module", pytest, True),
        ("store", create_engine("sqlite://"), True),
        ("user", object(), False),
        ("theme", "dark", False),
    ],
)
def test_connections_functions_and_modules_are_the_same_for_all(
    name: str, value: Any, shared: bool
) -> None:
    assert is_shared(name, value) is shared


def made_for(user: str) -> list[Any]:
    def calls(again: int) -> Any:
        return user if again else calls(again - 1)

    def cached() -> str:
        return user

    personal = [lambda: user, partial(str, user), user.upper, calls, lru_cache(cached)]
    return [*personal, partial(user.split, sep=user)]


def test_functions_that_remember_a_user_are_not_the_same_for_all() -> None:
    assert not any(is_shared("who", each) for each in made_for("ann"))


def test_functions_that_remember_what_is_shared_are_the_same_for_all() -> None:
    engine = create_engine("sqlite://")

    def even(number: int) -> bool:
        return number == 0 or odd(number - 1)

    def odd(number: int) -> bool:
        return number != 0 and even(number - 1)

    shared: list[Any] = [even, lambda: engine, engine.connect, partial(len)]
    shared.append(
        lru_cache(test_functions_that_remember_a_user_are_not_the_same_for_all)
    )
    assert all(is_shared("who", each) for each in shared)


class Extension:
    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = object()


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.extensions["own"] = Extension()
    app.config["OBJECT"] = object()
    return app


def test_what_an_application_holds_is_the_same_for_all_users(app: Flask) -> None:
    extension = app.extensions["own"]
    for value in (app, extension, extension.held, app.config["OBJECT"], len, pytest):
        assert lives_with(app, value)


def test_a_function_is_the_same_for_all_if_what_it_remembers_is(app: Flask) -> None:
    extension, theme = app.extensions["own"], "dark"
    shared: list[Any] = [lambda: extension, extension.__init__, lambda of=app: of]
    personal: list[Any] = [lambda: theme, theme.upper, lambda of=theme: of]
    personal.append(Extension().__init__)  # type: ignore[misc]
    assert [lives_with(app, each) for each in shared] == [True] * 3
    assert [lives_with(app, each) for each in personal] == [False] * 4


def test_a_proxy_is_the_same_for_all_if_what_its_function_remembers_is(
    app: Flask,
) -> None:
    theme = "dark"
    shared = [g, LocalProxy(lambda: app), LocalProxy(ContextVar("theme"))]
    assert [lives_with(app, each) for each in shared] == [True] * 3
    assert not lives_with(app, LocalProxy(lambda: theme))


def test_a_proxy_of_another_package_is_noted_where_it_is_read(app: Flask) -> None:
    class Proxy:
        def _get_current_object(self) -> None: ...

    assert lives_with(app, Proxy())


def test_plain_values_and_new_objects_are_not(app: Flask) -> None:
    app.config["NUMBER"] = 5
    for value in (5, "text", None, object(), Extension()):
        assert not lives_with(app, value)
