from collections.abc import Callable
from typing import Any

import pytest

from jinja_fragcache.guard.views import MappingView
from jinja_fragcache.guard.watched import WHOLE

ALL = [("cookies",)]


def viewed() -> tuple[MappingView, dict[str, Any], list[tuple[Any, ...]]]:
    notes: list[tuple[Any, ...]] = []
    mapping = {"theme": "dark"}

    def note(name: str, *value: Any) -> None:
        notes.append((name, *value))

    return MappingView(mapping, "cookies", note), mapping, notes


@pytest.mark.parametrize(
    ("read", "noted"),
    [
        (lambda view: view["theme"], [("cookies.theme", "dark")]),
        (lambda view: view.get("theme"), [("cookies.theme", "dark")]),
        (lambda view: view.get("cart"), [("cookies.cart", None)]),
        (lambda view: "cart" in view, [("cookies.cart", None)]),
        (list, ALL),
        (len, ALL),
        (repr, [("cookies", WHOLE)]),
        (lambda view: view.copy(), [("cookies", WHOLE)]),
    ],
)
def test_each_way_to_read_a_view_is_noted(
    read: Callable[[MappingView], object], noted: list[tuple[Any, ...]]
) -> None:
    view, _, notes = viewed()
    read(view)
    assert notes[:1] == noted


def test_that_an_item_is_there_is_not_its_value() -> None:
    view, _, notes = viewed()
    assert "theme" in view
    assert notes == [("cookies.theme",)]


def test_what_is_written_goes_to_the_mapping() -> None:
    view, mapping, notes = viewed()
    view["cart"] = 1
    del view["theme"]
    view.update(size=2)
    assert mapping == {"cart": 1, "size": 2}
    assert notes == []


def test_a_view_has_what_the_mapping_has() -> None:
    view, mapping, notes = viewed()
    assert {**view} == mapping
    with pytest.raises(KeyError):
        view["cart"]
    notes.clear()
    with pytest.raises(AttributeError):
        _ = view.theme
    assert notes == []
