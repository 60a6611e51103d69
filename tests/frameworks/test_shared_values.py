from typing import Any

import pytest
from flask import g, session

from jinja_fragcache.frameworks.shared_values import names_written, shared_names

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


def written() -> dict[str, Any]:
    given = dict(a=1)  # noqa: C408 - as some write it
    given.update(b=2)
    given.setdefault("c", 3)
    given["d"] = 4
    return {"e": 5, **given}


def test_the_names_that_stand_in_a_processor_are_known() -> None:
    assert names_written(written) == {*"abcde"}
    assert names_written(print) == frozenset()
