import itertools
import types
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Generic, TypeVar

import pytest

from jinja_fragcache.keys.attributes import attributes_of, hides_state

T = TypeVar("T")


class Plain:
    pass


class Slotted:
    __slots__ = ("x",)


class Both(Slotted):
    def __init__(self) -> None:
        self.x, self.y = 1, 2


class Weak(Slotted):
    __slots__ = ("__weakref__", "y")


class Listed(list[int]):
    pass


class Dict(dict[str, int]):
    __slots__ = ("z",)


class Text(str):  # noqa: SLOT000 - with a dictionary
    pass


class Tuple(tuple[int, ...]):  # noqa: SLOT001 - with a dictionary
    pass


class Sub(itertools.count):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (Plain, object),
        (Slotted, object),
        (Both, object),
        (Weak, object),
        (types.SimpleNamespace, object),
        (Listed, list),
        (Dict, dict),
        (Counter, dict),
        (OrderedDict, OrderedDict),
        (Text, str),
        (Tuple, tuple),
        (type("Set", (set,), {}), set),
        (type("Int", (int,), {}), int),
        (type("Bytes", (bytes,), {}), bytes),
        (type("Deque", (deque,), {}), deque),
    ],
)
def test_a_class_made_in_python_hides_nothing(cls: type, base: type) -> None:
    assert not hides_state(cls, base)


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (itertools.count, object),
        (Sub, object),
        (ValueError, object),
        (memoryview, object),
        (types.FunctionType, object),
        (defaultdict, dict),
        (type("Default", (defaultdict,), {}), dict),
        (OrderedDict, dict),
    ],
)
def test_a_class_written_in_c_hides_state(cls: type, base: type) -> None:
    assert hides_state(cls, base)


def test_the_attributes_are_those_in_the_dictionary_and_the_slots() -> None:
    assert attributes_of(Both()) == {"Slotted.x": 1, "y": 2}
    assert attributes_of(Slotted()) == {}
    value = Dict(a=1)
    value.z = 5  # type: ignore[attr-defined]
    assert attributes_of(value, dict) == {"Dict.z": 5}


def test_slots_of_one_name_are_two_attributes() -> None:
    class Below(Slotted):
        __slots__ = ("x",)

    value: Any = Below()
    value.x = 1
    Slotted.x.__set__(value, 2)  # type: ignore[attr-defined]
    assert sorted(attributes_of(value).values()) == [1, 2]


def test_the_type_of_a_generic_class_is_no_attribute() -> None:
    class Box(Generic[T]):
        pass

    assert attributes_of(Box[int]()) == {}
