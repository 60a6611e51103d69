import json
import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from multidict import MultiDict

from jinja_fragcache.guard.views import DictView, ListsView, MappingView, NamespaceView
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


def test_several_values_of_a_key_are_shown_as_the_mapping_does() -> None:
    notes: list[tuple[Any, ...]] = []
    query = MultiDict([("a", "1"), ("a", "2")])
    view = MappingView(query, "query", lambda *each: notes.append(each))
    assert [*view.items()] == [("a", "1"), ("a", "2")]
    assert [*view.values()] == ["1", "2"]
    assert [*view.keys()] == ["a", "a"]
    assert view.getall("a") == ["1", "2"]
    whole = ("query", WHOLE)
    assert notes == [whole, whole, ("query",), whole]


class Lists(dict[str, list[str]]):
    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, [default])[0]

    def getlist(self, key: str, default: Any = None) -> Any:
        return super().get(key, default) or []

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self.get(name)


ALL_OF_A = [('args.getlist("a")', ["1", "2"])]


@pytest.mark.parametrize(
    ("read", "found", "noted"),
    [
        (lambda view: view["a"], ["1", "2"], ALL_OF_A),
        (lambda view: view.getlist("a"), ["1", "2"], ALL_OF_A),
        (lambda view: view.get("a"), "1", [("args.a", "1")]),
        (lambda view: view.get("b", 3), 3, [("args.b", None)]),
        (lambda view: view.a, "1", [("args.a", "1")]),
        (lambda view: view.copy(), {"a": ["1", "2"]}, [("args", WHOLE)]),
    ],
)
def test_items_that_are_lists(
    read: Callable[[ListsView], object], found: object, noted: list[tuple[Any, ...]]
) -> None:
    notes: list[tuple[Any, ...]] = []
    lists = Lists({"a": ["1", "2"]})
    assert read(ListsView(lists, "args", lambda *each: notes.append(each))) == found
    if noted == ALL_OF_A:
        # That its first value is the same tells less.
        assert notes[0][0] == noted[0][0]
    else:
        assert notes == noted


def test_a_namespace_notes_what_is_read_of_it_and_writes_to_it() -> None:
    notes: list[tuple[str, Any]] = []

    def read(name: str, value: Any) -> Any:
        notes.append((name, value))
        return value

    namespace = SimpleNamespace(user="ann")
    view = NamespaceView(namespace, "ctx", read)
    view.cart = 5
    assert (view.user, namespace.cart) == ("ann", 5)
    del view.cart
    with pytest.raises(AttributeError):
        _ = view.cart
    assert repr(view) == repr(namespace) == "namespace(user='ann')"
    assert view.__dict__ == {"user": "ann"}
    whole = ("ctx", WHOLE)
    assert notes == [("ctx.user", "ann"), ("ctx.cart", None), whole, whole]


@pytest.mark.parametrize("items", [{}, {"theme": "dark", "size": "1"}])
@pytest.mark.parametrize(
    "read",
    [
        *(json.dumps, partial(json.dumps, indent=1), dict, len, bool, str, repr),
        *(copy, deepcopy, list, lambda view: view == {}, lambda view: view != {}),
        *(lambda view: view | {"a": "1"}, lambda view: {"a": "1"} | view),
        *(lambda view: view.copy(), lambda view: list(reversed(view))),
        lambda view: pickle.loads(pickle.dumps(view)),
        lambda view: {**view},
    ],
)
def test_a_view_of_a_dictionary_is_read_as_the_dictionary(
    read: Callable[[Any], object], items: dict[str, str]
) -> None:
    notes: list[tuple[Any, ...]] = []
    view = DictView(items, "cookies", lambda *each: notes.append(each))
    assert isinstance(view, dict)
    assert read(view) == read(items)
    assert notes[0][0] == "cookies"


def test_a_view_of_lists_is_a_dictionary_too() -> None:
    lists = Lists({"a": ["1", "2"]})
    view = ListsView(lists, "args", lambda *_: None)
    assert json.dumps(view) == json.dumps(lists)
    assert dict(view) == {"a": ["1", "2"]}


def test_what_is_written_into_a_view_of_a_dictionary_goes_there() -> None:
    items = {"a": "1"}
    view = DictView(items, "cookies", lambda *_: None)
    view |= {"b": "2"}
    view["c"] = "3"
    assert items == {"a": "1", "b": "2", "c": "3"}


def test_a_view_is_shown_as_a_text_like_the_mapping() -> None:
    query = MappingProxyType({"a": "1"})
    assert str(MappingView(query, "query", lambda *_: None)) == str(query)
