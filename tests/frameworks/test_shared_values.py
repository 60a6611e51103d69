from typing import Any

import pytest
from flask import Flask, g, session

from jinja_fragcache.frameworks.shared_values import lives_with, shared_names

SITE = {"name": "Shop"}


def mixed() -> dict[str, Any]:
    menu = session["menu"]
    return {
        "site": "Shop",
        "name": SITE["name"],
        "menu": menu,
        "cart": session["cart"],
        "theme": g.theme,
        "made": len(SITE),
        f"{menu}": 1,
    }


def by_keywords() -> dict[str, Any]:
    return dict(site="Shop", cart=session["cart"])  # noqa: C408 - the point


def twice() -> dict[str, Any]:
    if "cart" in session:
        return {"site": "Shop", "cart": session["cart"]}
    return {"site": "Shop", "cart": None}


def test_names_that_constants_and_globals_give_are_shared() -> None:
    assert shared_names(mixed) == {"site", "name"}
    assert shared_names(by_keywords) == {"site"}
    assert shared_names(twice) == {"site"}


class Shop:
    name = "Shop"

    def processor(self, asked: Any) -> dict[str, Any]:
        def greet() -> str:
            return str(asked.user)

        return {"shop": self.name, "user": asked.user, "greet": greet}


def test_arguments_and_functions_inside_are_not_shared() -> None:
    assert shared_names(Shop().processor) == {"shop"}
    assert shared_names(Shop.processor) == frozenset()


def test_a_processor_without_source_shares_nothing() -> None:
    assert shared_names(dict) == frozenset()


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


def test_plain_values_and_new_objects_are_not(app: Flask) -> None:
    app.config["NUMBER"] = 5
    for value in (5, "text", None, object(), Extension()):
        assert not lives_with(app, value)


def given_lists() -> dict[str, object]:
    return dict(menu=[("home", "index")], names={"a": 1}, mine=[session.get("u")])  # noqa: C408 - as users write it


def given_by_the_session() -> dict[str, object]:
    if session.get("admin"):
        return {"menu": "all", "site": "Shop", "more": 1}
    return {"menu": "some", "site": "Shop"}


def given_beside_something_else() -> dict[str, object]:
    made: dict[str, object] = {"menu": session.get("menu")}
    if made["menu"]:
        return made
    return {"menu": "some"}


@pytest.mark.parametrize(
    ("processor", "shared"),
    [
        (given_lists, {"menu", "names"}),
        (given_by_the_session, {"site"}),
        (given_beside_something_else, set()),
    ],
)
def test_constants_are_shared_unless_something_chooses_them(
    processor: Any, shared: set[str]
) -> None:
    assert shared_names(processor) == shared
