import ast
import copy
import enum
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple, Self
from unittest.mock import Mock
from uuid import UUID

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined, Undefined
from markupsafe import Markup
from werkzeug.datastructures import CombinedMultiDict, MultiDict
from werkzeug.local import LocalProxy

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys import encoding
from jinja_fragcache.keys.encoding import encode_argument, encode_value
from jinja_fragcache.keys.plain import encode_text
from tests.support import NAMES, SCALARS, VALUES, canonical, short_repr


def read(encoded: str, at: int = 0) -> tuple[Any, int]:
    """Decode the value at a place in an encoding.

    An encoding that can be decoded is injective.

    Returns:
        The value as `canonical` shows it, and the place after it.
    """
    kind, at = encoded[at], at + 1
    if kind in "ntf":
        return canonical({"n": None, "t": True, "f": False}[kind]), at
    digits, at = encoded[at : encoded.index(":", at)], encoded.index(":", at) + 1
    length = int(digits)
    if kind == "s":
        return ("text", encoded[at : at + length]), at + length
    if kind == "b":
        return canonical(bytes.fromhex(encoded[at : at + 2 * length])), at + 2 * length
    items = []
    for _ in range(2 * length if kind == "d" else length):
        item, at = read(encoded, at)
        items.append(item)
    if kind == "l":
        return ("list", tuple(items)), at
    if kind == "d":
        pairs = zip(items[::2], items[1::2], strict=True)
        return ("dict", tuple(sorted(pairs, key=repr))), at
    assert kind == "e"
    return ("set", tuple(sorted(items, key=repr))), at


@given(NAMES, st.lists(VALUES, max_size=4))
def test_the_encoding_of_a_name_and_key_values_can_be_decoded(
    name: str, vary_on: list[Any]
) -> None:
    encoded = encode_text(name) + "".join(map(encode_value, vary_on))
    found, at = [], 0
    while at < len(encoded):
        value, at = read(encoded, at)
        found.append(value)
    assert found == [canonical(value) for value in [name, *vary_on]]


class Colour(enum.Enum):
    RED = "red"
    NOTHING = None
    YES = True
    PAIR = (1, 2)


class Lazy:
    """A proxy of a string, like a lazy translation."""

    __class__ = property(lambda _: str)

    def __len__(self) -> int:
        return len(self.text)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class LazyTrue:
    __class__ = property(lambda _: bool)

    def __repr__(self) -> str:
        return "True"

    def __int__(self) -> int:
        return 1


class Pair(NamedTuple):
    x: int
    y: int


class OtherPair(NamedTuple):
    x: int
    y: int


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


class Quiet(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.lower()


class Html(str):
    __slots__ = ()

    def __html__(self) -> str:
        return f"<b>{self}</b>"


class Labelled(str):  # noqa: SLOT000 - has an attribute
    label: str

    def __new__(cls, text: str, label: str) -> Self:
        made = super().__new__(cls, text)
        made.label = label
        return made


class Badge(Labelled):
    def __html__(self) -> str:
        return f"<b class={self.label}>{self}</b>"


class OwnText(Labelled):
    def __cache_key__(self) -> str:
        return self.label


class Of(int):
    def __new__(cls, number: int, owner: str) -> Self:
        made = super().__new__(cls, number)
        made.owner = owner
        return made

    owner: str

    def __str__(self) -> str:
        return f"{int(self)} of {self.owner}"


@dataclass
class Card:
    number: int
    owner: str = field(repr=False)


@dataclass
class OtherCard:
    number: int
    owner: str = field(repr=False)


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "same_as"),
    [
        (1, "1"),
        (Markup("1"), "1"),
        (Markup("a b"), "a b"),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (time(3, 4), "03:04:00"),
        (Colour.RED, "red"),
        (Colour.NOTHING, None),
        (Colour.YES, True),
        pytest.param(Lazy("x"), "x", id="lazy"),
        (Colour.PAIR, (1, 2)),
        (Level.LOW, 1),
        (1.5, "1.5"),
        ([1, 2], (1, 2)),
        ({1, 2}, frozenset({2, 1})),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (LocalProxy(lambda: "x"), "x"),
        (LocalProxy(lambda: 7), 7),
        (LocalProxy(lambda: None), None),
        (LocalProxy(lambda: [1]), [1]),
        ("x" * 1000, Markup("x") * 1000),
    ],
)
def test_values_that_count_as_the_same_have_one_encoding(
    value: Any, same_as: Any
) -> None:
    assert key_of(value) == key_of(same_as)


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (True, 1),
        (True, "True"),
        (False, 0),
        ("\udc80", "\udc81"),
        ("\udc80", "?"),
        (None, "None"),
        (None, ""),
        (1, 1.0),
        ("a", b"a"),
        ([], {}),
        ({}, set()),
        ([1, 2], [12]),
        ([1, 2], {1, 2}),
        ("a", ["a"]),
        (Markup("<b>"), "<b>"),
        pytest.param(LazyTrue(), 1, id="lazy true"),
        (Pair(1, 2), (1, 2)),
        (Pair(1, 2), OtherPair(1, 2)),
        (Loud("a"), "a"),
        (Loud("a"), Quiet("a")),
        (Of(1, "ann"), Of(1, "bob")),
        (Of(1, "ann"), 1),
        (Html("a"), "a"),
        (Badge("a", "red"), Badge("a", "green")),
        (Card(1, "ann"), Card(1, "bob")),
        (Card(1, "ann"), OtherCard(1, "ann")),
        (OwnText("a", "1"), OwnText("a", "2")),
        (int, str),
    ],
)
def test_values_that_differ_have_different_encodings(value: Any, other: Any) -> None:
    assert key_of(value) != key_of(other)


def key_of(value: Any) -> str:
    return encode_value(value)


class User:
    def __init__(self, number: int) -> None:
        self.number = number

    def __cache_key__(self) -> int:
        return self.number


class Group(User):
    pass


class Account:
    def __init__(self, number: int) -> None:
        self.number = number

    def __caching_id__(self) -> str:
        return f"account {self.number}"


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __repr__(self) -> str:
        return f"Point({self.x})"


class Short(UUID):
    def __str__(self) -> str:
        return self.hex[:8]


class Money(Decimal):
    def __str__(self) -> str:
        return f"{float(self):.2f}"


class Fixed(float):
    def __repr__(self) -> str:
        return f"{self:.1f}"


class Day(datetime):
    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        del sep, timespec
        return f"{self.year}-{self.month}-{self.day}"


class Year(date):
    def __str__(self) -> str:
        return str(self.year)


class Hour(time):
    def __format__(self, spec: str) -> str:
        return f"{self.hour}{spec}"


class Zero(int):
    def __int__(self) -> int:
        return 0


class Ordinal(int):
    def __format__(self, spec: str) -> str:
        return f"{int(self)}.{spec}"


class Bold(Decimal):
    def __html__(self) -> str:
        return f"<b>{self}</b>"


# In pairs that print the same, with the plain value of the first.
PRINTED: list[tuple[Any, Any, Any]] = [
    (Short(int=1), Short(int=2), UUID(int=1)),
    (Money("1.001"), Money("1.002"), Decimal("1.001")),
    (Fixed(1.01), Fixed(1.02), 1.01),
    (Day(2020, 1, 2, 3), Day(2020, 1, 2, 4), datetime(2020, 1, 2, 3)),  # noqa: DTZ001
    (Year(2020, 1, 2), Year(2020, 1, 3), date(2020, 1, 2)),
    (Hour(1, 2), Hour(1, 3), time(1, 2)),
    (Zero(1), Zero(2), 1),
    (Ordinal(1), Ordinal(2), 1),
    (Bold("1.0"), Bold("1.00"), Decimal("1.0")),
]


@pytest.mark.parametrize(("value", "other", "plain"), PRINTED)
@pytest.mark.parametrize("encode", [encode_value, encode_argument])
def test_what_prints_less_than_it_is_counts_with_what_it_is(
    value: Any, other: Any, plain: Any, encode: Callable[[Any], str]
) -> None:
    assert len({encode(each) for each in (value, other, plain)}) == 3
    assert encode(copy.copy(value)) == encode(value)


@pytest.mark.parametrize(
    "value",
    [
        UUID(int=1),
        Decimal("1.0"),
        1.5,
        7,
        "a",
        datetime(2020, 1, 2, 3),  # noqa: DTZ001 - as it is
        date(2020, 1, 2),
        time(1, 2),
    ],
)
def test_a_subclass_that_prints_the_same_counts_as_its_text(value: Any) -> None:
    kind = type("Kind", (type(value),), {})
    made = copy.copy(value) if isinstance(value, str | int | float) else value
    arguments = made.__reduce__()[1] if isinstance(made, date | time) else (str(made),)
    assert key_of(kind(*arguments)) == key_of(value)


def test_a_time_of_a_frozen_clock_counts_as_its_text() -> None:
    with freeze_time("2020-01-02 03:04:05"):
        now = datetime.now()  # noqa: DTZ005 - as a page has it
        assert key_of(now) == key_of("2020-01-02T03:04:05")


@pytest.mark.parametrize("make", [User, Account, Point])
def test_an_object_is_identified_by_its_key_method_or_repr(
    make: Callable[[int], object],
) -> None:
    assert key_of(make(5)) == key_of(make(5))
    assert key_of(make(5)) != key_of(make(6))


def test_objects_of_two_classes_never_share_an_encoding() -> None:
    assert key_of(User(5)) != key_of(Group(5))
    assert key_of(User(5)) != key_of(5)


def test_a_field_with_a_key_method_counts_by_its_key() -> None:
    assert key_of(Pair(User(1), 2)) == key_of(Pair(User(1), 2))  # type: ignore[arg-type]
    assert key_of(Pair(User(1), 2)) != key_of(Pair(User(2), 2))  # type: ignore[arg-type]


def test_a_proxy_counts_as_the_object_behind_it() -> None:
    user = User(5)
    assert key_of(LocalProxy(lambda: user)) == key_of(user)


def test_a_dict_that_keeps_its_content_elsewhere_does_not_count_as_empty() -> None:
    def query(value: str) -> CombinedMultiDict[str, str]:
        return CombinedMultiDict([MultiDict({"q": value})])

    assert key_of(query("a")) == key_of(query("a"))
    assert key_of(query("a")) != key_of(query("b"))
    both = MultiDict([("q", "a"), ("q", "b")])
    assert key_of(both) != key_of(MultiDict([("q", "a")]))


class Transient:
    def __repr__(self) -> str:
        return f"<Transient (transient {id(self)})>"


class Long:
    def __repr__(self) -> str:
        return "<QuerySet [1, 2, 3, '...(remaining elements truncated)...']>"


class AsyncKey:
    async def __cache_key__(self) -> int:
        return 1


class DjangoModel:
    """An object with the attributes of a Django model."""

    _meta = SimpleNamespace(label="shop.Model")

    def __init__(self, pk: int | None) -> None:
        self.pk = pk

    def __repr__(self) -> str:
        return "<Model: same name>"


def test_a_django_model_is_identified_by_its_primary_key() -> None:
    assert key_of(DjangoModel(1)) == key_of(DjangoModel(1))
    assert key_of(DjangoModel(1)) != key_of(DjangoModel(2))


class Holder:
    def __repr__(self) -> str:
        return f"Holder({object()!r})"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Undefined(name="who"), "undefined: 'who'"),
        (StrictUndefined(name="who"), "undefined: 'who'"),
        (object(), "only by its address in memory"),
        (Holder(), "only by its address in memory"),
        (lambda: 1, "only by its address in memory"),
        ([object()], "only by its address in memory"),
        (Card(1, owner=object()), "only by its address in memory"),  # type: ignore[arg-type]
        (SimpleNamespace(user=object()), "only by its address in memory"),
        (Mock(), "only by its address in memory"),
        (Transient(), "only by its address in memory"),
        (Long(), "only by a shortened text"),
        (DjangoModel(None), "has no primary key yet"),
        (AsyncKey(), "is a coroutine function"),
        ({"k": Undefined(name="who")}, "undefined: 'who'"),
        pytest.param(10**5000, "bits", id="huge"),
    ],
)
def test_a_value_that_nothing_identifies_is_refused(value: Any, message: str) -> None:
    with pytest.raises(KeyValueError, match=message):
        key_of(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([object()], "It is a part of an object of list."),
        ({"k": [Undefined(name="who")]}, "It is a part of an object of dict."),
        (
            SimpleNamespace(of=[object()]),
            "It is a part of an object of SimpleNamespace.",
        ),
        (object(), "a method __cache_key__()."),
        (LocalProxy(object), "a method __cache_key__()."),
    ],
)
def test_the_refusal_of_a_part_tells_what_was_given(value: Any, told: str) -> None:
    with pytest.raises(KeyValueError) as raised:
        key_of(value)
    assert str(raised.value).endswith(told)
    assert raised.value.for_log.endswith(told)


def test_a_name_that_a_visitor_may_have_typed_is_not_for_the_log() -> None:
    undefined = Undefined(obj={}, name="ann@")
    with pytest.raises(KeyValueError, match="no attribute 'ann@'") as raised:
        key_of(undefined)
    assert "ann" not in raised.value.for_log
    assert "undefined: an attribute or item of dict" in raised.value.for_log


def test_an_undefined_variable_is_named_in_the_log() -> None:
    with pytest.raises(KeyValueError) as raised:
        key_of(Undefined(name="who"))
    assert "'who' is undefined. Check its spelling" in raised.value.for_log


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(KeyValueError, match="contains itself"):
        key_of(loop)


class Itself:
    def __cache_key__(self) -> Any:
        return self


class Endless:
    def __cache_key__(self) -> Any:
        return Endless()


class EndlessRepr:
    def __repr__(self) -> str:
        return f"<{self!r}>"


@dataclass
class Node:
    parent: Any = None


def in_a_circle() -> Node:
    node = Node()
    node.parent = Node(node)
    return node


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("encode", [encode_value, encode_argument])
@pytest.mark.parametrize(
    "value",
    [
        Itself(),
        Endless(),
        EndlessRepr(),
        in_a_circle(),
        SimpleNamespace(list=[in_a_circle()]),
        nested(102),
        nested(100_000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_that_contains_itself_is_refused(
    value: Any, encode: Callable[[Any], str]
) -> None:
    with pytest.raises(KeyValueError, match="contains itself, or is nested too deeply"):
        encode(value)


class Showing:
    """An object whose repr shows all that it holds, if there is time for it."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __repr__(self) -> str:
        return f"Showing({self.held!r})"


class Unread:
    """An object that is behind what is too large, and so is not looked at."""

    def __cache_key__(self) -> str:
        raise AssertionError


def doubled(times: int) -> Any:
    """Return a list that contains a list twice, which contains a list twice, ..."""
    value: Any = []
    for _ in range(times):
        value = [value, value]
    return value


@pytest.mark.parametrize("encode", [encode_value, encode_argument])
@pytest.mark.parametrize(
    "value",
    [
        doubled(60),
        tuple(doubled(60)),
        {"a": doubled(60)},
        OrderedDict(a=doubled(60)),
        Showing(doubled(60)),
        SimpleNamespace(list=doubled(60)),
        Card(doubled(60), "ann"),
        [*["x" * 2**16] * 100, Unread()],
        [*[b"x" * 2**16] * 100, Unread()],
        [None] * 100_000,
        [[[None]] * 1000] * 1000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_too_large_is_refused(
    value: Any, encode: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding._Encoding, "_room", 2**20)
    with pytest.raises(
        KeyValueError, match=r"is too large: .* as in item\.id"
    ) as caught:
        encode(value)
    assert "xx" not in caught.value.for_log


def test_the_error_for_a_value_that_is_too_large_tells_the_bounds() -> None:
    with pytest.raises(KeyValueError, match=r"64 MiB at most\. Write the values"):
        encode_value(doubled(60))


def test_large_values_have_keys() -> None:
    numbers = list(range(100_000))
    assert encode_value(numbers) != encode_value(numbers[1:])
    long = "x" * 2**20
    assert encode_value([long] * 10) != encode_value([long] * 9)
    # What is not in another value is not counted.
    assert encode_value("x" * 2**27)[-9:] == "x" * 9


@pytest.mark.parametrize("encode", [encode_value, encode_argument])
def test_a_value_nested_too_deeply_is_refused_whatever_its_size(
    encode: Callable[[Any], str],
) -> None:
    with pytest.raises(KeyValueError, match="nested too deeply"):
        encode(doubled(150))


def test_values_may_be_nested() -> None:
    assert key_of(nested(100)) != key_of(nested(99))


def test_a_recursion_that_ends_in_a_key_is_not_the_fault_of_the_value() -> None:
    def recurse() -> str:
        encode_argument(Card(1, "ann"))
        return recurse()

    with pytest.raises(RecursionError):
        recurse()


# Code of the user inside of a key.


def raising(error: Exception) -> dict[str, Any]:
    """Return objects that raise an exception, each in another place of its code."""

    def fail(*_: object) -> Any:
        raise error

    def make(*bases: type, **members: Any) -> Any:
        return type("Broken", bases, members)

    class Model:
        _meta = SimpleNamespace(label="shop.Model")
        pk = property(fail)

    class Field:
        __repr__ = fail

    return {
        "__cache_key__": make(__cache_key__=fail)(),
        "__cache_key__ property": make(__cache_key__=property(fail))(),
        "__caching_id__": make(__caching_id__=fail)(),
        "__getattr__": make(__getattr__=fail)(),
        "__class__": make(__class__=property(fail))(),
        "__repr__": make(__repr__=fail)(),
        "__str__": make(str, __str__=fail)("x"),
        "__html__": make(str, __html__=fail)("x"),
        "__int__": make(int, __str__=fail)(5),
        "isoformat": make(date, isoformat=fail)(2026, 1, 2),
        "pk": Model(),
        "in its key": make(__cache_key__=lambda _: [make(__repr__=fail)()])(),
        "field": Pair(Field(), 1),  # type: ignore[arg-type]
        "dataclass": Card(1, owner=make(__cache_key__=fail)()),
        "proxy": LocalProxy(fail),
        "dict": {"a": Field()},
        "key of a dict": {Field(): 1},
        "set": {Field()},
        "list": [[Field()]],
        "attribute": SimpleNamespace(a=Field()),
    }


class OwnError(Exception):
    """An exception whose text raises."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("encode", [encode_value, encode_argument])
@pytest.mark.parametrize("place", raising(OwnError()))
@pytest.mark.parametrize(
    "error",
    [StopIteration(), LookupError("x"), NameError("x"), OwnError(), EOFError()],
    ids=lambda error: type(error).__name__,
)
def test_a_value_whose_code_raises_is_refused(
    place: str, error: Exception, encode: Callable[[Any], str]
) -> None:
    with pytest.raises(KeyValueError, match=f"raised {type(error).__name__}") as caught:
        encode(raising(error)[place])
    assert "raised" in caught.value.for_log


@pytest.mark.parametrize(
    "place", ["__cache_key__", "__cache_key__ property", "__repr__", "pk", "field"]
)
def test_an_attribute_error_of_the_code_does_not_mean_that_it_is_not_there(
    place: str,
) -> None:
    with pytest.raises(KeyValueError, match="raised AttributeError: x"):
        key_of(raising(AttributeError("x"))[place])


def test_a_value_that_has_no_class_is_refused() -> None:
    class Deep:
        @property  # type: ignore[misc]  # as some proxies do
        def __class__(self) -> Any:
            raise RecursionError

    with pytest.raises(KeyValueError, match="an object of Deep"):
        encode_value(Deep())


def test_an_exception_that_ends_the_program_is_no_refusal() -> None:
    class Interrupted:
        def __cache_key__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        key_of(Interrupted())


places = st.sampled_from(sorted(raising(OwnError())))
errors = st.sampled_from(
    [StopIteration, RuntimeError, LookupError, ValueError, RecursionError]
)


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Draw values among which some raise, in containers and objects."""
    broken = st.builds(lambda place, error: raising(error())[place], places, errors)
    hashable = st.integers() | st.text(max_size=3)
    return draw(
        st.recursive(
            SCALARS | broken | st.builds(Point, st.integers()),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.tuples(inner, inner)
                | st.dictionaries(hashable, inner, max_size=3)
                | st.builds(Card, inner, inner)
                | st.builds(lambda each: SimpleNamespace(each=each), inner)
                | st.builds(deque, st.lists(inner, max_size=3))
                | st.builds(OrderedDict, st.dictionaries(hashable, inner, max_size=3))
            ),
            max_leaves=6,
        )
    )


@given(graphs())
def test_any_object_has_a_key_or_is_refused(value: Any) -> None:
    for encode in (encode_value, encode_argument):
        try:
            assert type(encode(value)) is str
        except KeyValueError as error:
            assert str(error).startswith("A key value")  # noqa: PT017 - either will do


def same(one: Any, other: Any) -> bool:
    """Return whether two objects are the same by all that they hold."""
    if type(one) is not type(other):
        return False
    if isinstance(one, deque) and one.maxlen != other.maxlen:
        return False
    if isinstance(one, (list, tuple, deque)):
        return len(one) == len(other) and all(
            same(*pair) for pair in zip(one, other, strict=True)
        )
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (int, str)):
        return bool(one == other)
    return same(vars(one), vars(other))


class Shown:
    """An object whose repr shows its attributes without saying where each ends."""

    def __init__(self, *values: Any) -> None:
        self.x, self.y = values

    def __repr__(self) -> str:
        return f"Shown{self.x}{self.y}"


digits = st.integers(0, 12) | st.text("1, ", max_size=3)
THINGS: st.SearchStrategy[Any] = st.recursive(
    digits,
    lambda inner: (
        st.builds(Shown, inner, inner)
        | st.builds(Card, inner, inner)
        | st.builds(OtherCard, inner, inner)
        | st.builds(Pair, inner, inner)
        | st.builds(deque, st.lists(inner, max_size=2), st.none() | st.just(5))
        | st.builds(OrderedDict, st.dictionaries(digits, inner, max_size=2))
        | st.builds(lambda x: SimpleNamespace(x=x), inner)
    ),
    max_leaves=5,
)


@given(THINGS, THINGS)
def test_objects_of_one_key_are_the_same_by_all_that_they_hold(
    one: Any, other: Any
) -> None:
    try:
        encoded = [encode_argument(each) for each in (one, other)]
    except KeyValueError:
        return  # a repr that shows too little
    if encoded[0] == encoded[1]:
        assert same(one, other)
    assert encode_argument(copy.deepcopy(one)) == encoded[0]


def exactly(value: Any) -> Any:
    """Return a value that is equal only for arguments that count as the same.

    It does so by the types of the arguments, in another way than the encoder.
    """
    kind = type(value)
    if kind in {list, tuple}:
        return (kind.__name__, *map(exactly, value))
    if kind is frozenset:
        return ("frozenset", *sorted(map(exactly, value), key=repr))
    if kind is dict:
        pairs = [(exactly(key), exactly(item)) for key, item in value.items()]
        return ("dict", *sorted(pairs, key=repr))
    return (kind.__name__, repr(value))


def read_datetime(text: str) -> Any:
    fields, _, fold = text.removesuffix(")").partition(", fold=")
    numbers = ast.literal_eval(fields.removeprefix("datetime.datetime") + ")")
    return datetime(*numbers, fold=int(fold or 0))  # noqa: DTZ001 - as it was given


# How the texts of arguments are read, by the name of the type.
READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "UUID": uuid.UUID,
    "Decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": read_datetime,
}


def read_argument(  # noqa: PLR0911 - one for each kind
    encoded: str, at: int = 0
) -> tuple[Any, int]:
    """Decode an argument, like `read`."""
    kind, at = encoded[at], at + 1
    if kind in "ntf":
        return exactly({"n": None, "t": True, "f": False}[kind]), at
    if kind == "x":
        _, at = read_argument(encoded, at)
        (_, name), at = read_argument(encoded, at)
        (_, text), at = read_argument(encoded, at)
        return exactly(READERS[eval(name)](eval(text))), at  # noqa: S307 - what exactly wrote
    digits, at = encoded[at : encoded.index(":", at)], encoded.index(":", at) + 1
    length = int(digits)
    if kind == "s":
        return exactly(encoded[at : at + length]), at + length
    if kind == "b":
        return exactly(bytes.fromhex(encoded[at : at + 2 * length])), at + 2 * length
    items = []
    for _ in range(2 * length if kind == "d" else length):
        item, at = read_argument(encoded, at)
        items.append(item)
    if kind == "d":
        pairs = zip(items[::2], items[1::2], strict=True)
        return ("dict", *sorted(pairs, key=repr)), at
    if kind == "z":
        return ("frozenset", *sorted(items, key=repr)), at
    return ({"l": "list", "u": "tuple"}[kind], *items), at


@given(st.lists(VALUES, max_size=4))
def test_the_encoding_of_arguments_can_be_decoded_with_their_types(
    values: list[Any],
) -> None:
    encoded = "".join(map(encode_argument, values))
    found, at = [], 0
    while at < len(encoded):
        value, at = read_argument(encoded, at)
        found.append(value)
    assert found == list(map(exactly, values))


@given(VALUES)
def test_a_copy_of_any_argument_has_the_same_encoding(value: Any) -> None:
    assert encode_argument(copy.deepcopy(value)) == encode_argument(value)


class Shade(enum.Enum):
    RED = "red"


class Number(int):
    pass


class Named(str):
    __slots__ = ()


class OtherLevel(enum.IntEnum):
    LOW = 1


class Flags(enum.Flag):
    A = 1
    B = 2


class Size(enum.StrEnum):
    SMALL = "s"


ONES: list[Any] = [
    1,
    "1",
    1.0,
    True,
    Decimal(1),
    Decimal("1.0"),
    b"1",
    Number(1),
    Named("1"),
    Markup("1"),
    [1],
    (1,),
    {1},
    frozenset({1}),
    {1: None},
    {"1": None},
    [[1]],
    ["1"],
    [True],
    Level.LOW,
    OtherLevel.LOW,
    Flags.A,
    "n",
    None,
    "None",
    0,
    False,
    "",
    [],
    (),
    {},
    set(),
    frozenset(),
    Colour.RED,
    Shade.RED,
    "red",
    Colour.NOTHING,
    Colour.YES,
    Colour.PAIR,
    (1, 2),
    [1, 2],
    Pair(1, 2),
    OtherPair(1, 2),
    Size.SMALL,
    "s",
    date(2026, 1, 2),
    datetime(2026, 1, 2),  # noqa: DTZ001 - one without a time zone
    datetime(2026, 1, 2, tzinfo=UTC),
    "2026-01-02",
    uuid.UUID(int=1),
    str(uuid.UUID(int=1)),
    User(1),
    Group(1),
    Card(1, "ann"),
    OtherCard(1, "ann"),
    Flags.A | Flags.B,
    int,
    Number,
    Point(1),
]


def test_arguments_of_different_types_have_different_encodings() -> None:
    encoded: dict[str, Any] = {}
    for value in ONES:
        text = encode_argument(value)
        assert text not in encoded, f"{value!r} and {encoded[text]!r} are the same"
        encoded[text] = value


@pytest.mark.parametrize("value", ONES, ids=short_repr)
def test_a_copy_of_each_kind_of_argument_has_the_same_encoding(value: Any) -> None:
    assert encode_argument(copy.deepcopy(value)) == encode_argument(value)


@pytest.mark.parametrize("values", [[{"a": 1, "b": 2}, {"b": 2, "a": 1}]])
def test_the_order_of_a_dict_does_not_matter(values: list[Any]) -> None:
    assert len(set(map(encode_argument, values))) == 1


class Bare:
    pass


def test_an_object_that_nothing_identifies_is_an_argument_of_its_own() -> None:
    one, other = Bare(), Bare()
    assert encode_argument(one) == encode_argument(one)
    assert encode_argument(one) != encode_argument(other)
    assert encode_argument([one]) != encode_argument([other])
    with pytest.raises(KeyValueError, match="only by its address"):
        encode_value(one)


def test_functions_made_by_one_function_are_different_arguments() -> None:
    def make() -> Callable[[], None]:
        return lambda: None

    one, other = make(), make()
    assert encode_argument(one) == encode_argument(one)
    assert encode_argument(one) != encode_argument(other)


def test_an_argument_that_can_not_have_an_id_is_refused() -> None:
    with pytest.raises(KeyValueError, match="only by its address"):
        encode_argument(object())


def test_a_proxy_counts_as_the_argument_behind_it() -> None:
    one = Bare()
    for value in [1, "1", None, [1], one]:
        proxy = LocalProxy(lambda value=value: value)  # type: ignore[misc]
        assert encode_argument(proxy) == encode_argument(value)
