"""Objects whose parts are known: each kind counts by all that it consists of."""

import builtins
import copy
import functools
import operator
import re
import time
import types
from array import array
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address, ip_network
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, Self
from zoneinfo import ZoneInfo

import attrs
import pytest
from django.utils.functional import SimpleLazyObject, lazystr
from django.utils.safestring import SafeString
from pydantic import BaseModel, Field, PrivateAttr
from werkzeug.datastructures import (
    CombinedMultiDict,
    Headers,
    ImmutableMultiDict,
    MultiDict,
)

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.encoding import encode_argument, encode_value


@attrs.define
class Attrs:
    x: int
    secret: int = attrs.field(repr=False)


@attrs.define(slots=False)
class AttrsDict:
    x: int
    secret: int = attrs.field(repr=False)


class Model(BaseModel):
    x: int
    secret: int = Field(repr=False)
    _private: int = PrivateAttr(default=0)


class ModelWithMore(BaseModel, extra="allow"):
    pass


def with_private(number: int) -> Model:
    model = Model(x=1, secret=1)
    model._private = number
    return model


@dataclass
class Derived:
    """A dataclass with an attribute that is not a field."""

    x: int
    secret: InitVar[int]

    def __post_init__(self, secret: int) -> None:
        self.more = secret


@dataclass
class Base:
    x: int


class Sub(Base):
    def __init__(self, x: int, secret: int) -> None:
        super().__init__(x)
        self.secret = secret


@dataclass(slots=True)
class Slots:
    x: int
    secret: int = field(repr=False)


@dataclass
class Listed(list[int]):
    x: int = 1

    def filled(self, *items: int) -> "Listed":
        self.extend(items)
        return self


class Labelled(str):  # noqa: SLOT000 - has an attribute
    label: str


class Money(Decimal):
    currency: str


class Day(date):
    weather: str


class Items(list[int]):
    owner: str


class Pairs(dict[str, int]):
    owner: str


class Ids(set[int]):
    owner: str


class Row(tuple[int, ...]):  # noqa: SLOT001 - has an attribute
    owner: str


class Struct:
    """An object with the attribute of those of msgspec."""

    __struct_fields__ = ("x", "secret")

    def __init__(self, x: int, secret: int) -> None:
        self.x, self.secret = x, secret

    def __repr__(self) -> str:
        return "Struct()"


def held(value: Any, **attributes: Any) -> Any:
    vars(value).update(attributes)
    return value


def moved(*names: str) -> OrderedDict[str, int]:
    """Return a dictionary with the same pairs, of which one is moved to the end."""
    made = OrderedDict(a=1, b=2)
    for name in names:
        made.move_to_end(name)
    return made


DIFFERENT: dict[str, tuple[Any, Any]] = {
    "attrs": (Attrs(1, 2), Attrs(1, 3)),
    "attrs with a dict": (AttrsDict(1, 2), AttrsDict(1, 3)),
    "pydantic": (Model(x=1, secret=2), Model(x=1, secret=3)),
    "pydantic private": (with_private(1), with_private(2)),
    "pydantic extra": (
        ModelWithMore.model_validate({"a": 1}),
        ModelWithMore.model_validate({"a": 2}),
    ),
    "msgspec": (Struct(1, 2), Struct(1, 3)),
    "dataclass with more": (Derived(1, 2), Derived(1, 3)),
    "below a dataclass": (Sub(1, 2), Sub(1, 3)),
    "dataclass with slots": (Slots(1, 2), Slots(1, 3)),
    "dataclass and list": (Listed().filled(1), Listed().filled(2)),
    "kind of str": (held(Labelled("a"), label="x"), held(Labelled("a"), label="y")),
    "kind of str, plain": (held(Labelled("a"), label="x"), "a"),
    "kind of Decimal": (held(Money(1), currency="EUR"), held(Money(1), currency="USD")),
    "kind of date": (
        held(Day(2026, 1, 2), weather="rain"),
        held(Day(2026, 1, 2), weather="sun"),
    ),
    "kind of list": (held(Items([1]), owner="ann"), held(Items([1]), owner="bob")),
    "content of a list": (Items([1]), Items([2])),
    "kind of dict": (held(Pairs(a=1), owner="ann"), held(Pairs(a=1), owner="bob")),
    "kind of set": (held(Ids({1}), owner="ann"), held(Ids({1}), owner="bob")),
    "kind of tuple": (held(Row((1,)), owner="ann"), held(Row((1,)), owner="bob")),
    "Counter": (Counter("aab"), Counter("ab")),
    "Counter and dict": (Counter("a"), {"a": 1}),
    "OrderedDict": (moved(), moved("a")),
    "deque": (deque([1]), deque([1], 2)),
    "defaultdict": (defaultdict(int, a=1), defaultdict(list, a=1)),
    "ChainMap": (ChainMap({1: 2}, {3: 4}), ChainMap({1: 2, 3: 4})),
    "UserDict": (UserDict(a=1), UserDict(a=2)),
    "MultiDict": (MultiDict([("q", "a"), ("q", "b")]), MultiDict([("q", "a")])),
    "Headers": (Headers([("a", "b")]), Headers([("a", "c")])),
    "CombinedMultiDict": (
        CombinedMultiDict([MultiDict([("a", 1)])]),
        CombinedMultiDict([MultiDict([("a", 2)])]),
    ),
    "range": (range(3), range(4)),
    "slice": (slice(1), slice(2)),
    "complex": (1j, 2j),
    "bytearray": (bytearray(b"a"), bytearray(b"b")),
    "array": (array("i", [1]), array("i", [2])),
    "Fraction": (Fraction(1, 2), Fraction(1, 3)),
    "IPv4Address": (ip_address("1.2.3.4"), ip_address("1.2.3.5")),
    "IPv6Network": (ip_network("::/64"), ip_network("::/65")),
    "Path": (Path("../a"), Path("../b")),
    "PurePath": (PurePosixPath("a"), PureWindowsPath("a")),
    "timedelta": (timedelta(1), timedelta(2)),
    "timezone": (UTC, timezone(timedelta(0), "GMT")),
    "ZoneInfo": (ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Paris")),
    "long pattern": (re.compile("a" * 300), re.compile("a" * 301)),
    "flags of a pattern": (re.compile("a"), re.compile("a", re.IGNORECASE)),
    "struct_time": (time.gmtime(0), time.struct_time(time.gmtime(0)[:9])),
    "mappingproxy": (MappingProxyType({1: 2}), MappingProxyType({1: 3})),
    "keys": ({1: 2}.keys(), {2: 2}.keys()),
    "values": ({1: 2}.values(), {1: 3}.values()),
    "items": ({1: 2}.items(), {1: 3}.items()),
    "class": (int, float),
    "generic": (list[int], list[str]),
    "module": (re, time),
    "function": (len, max),
    "functions of one name": (builtins.pow, operator.pow),
    "bound function": ([1].index, [2].index),
    "partial": (functools.partial(len, [1]), functools.partial(len, [2])),
    "Ellipsis": (..., NotImplemented),
    "namespace": (SimpleNamespace(a=1), SimpleNamespace(a=2)),
    "lazy text": (lazystr("a"), lazystr("b")),
    "safe text": (SafeString("<a"), SafeString("<b")),
}


@pytest.mark.parametrize("encode", [encode_value, encode_argument])
@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_objects_that_differ_in_a_part_are_told_apart(
    one: Any, other: Any, encode: Callable[[Any], str]
) -> None:
    assert encode(one) == encode(one)
    assert encode(one) != encode(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Attrs(1, 2), Attrs(1, 2)),
        (Model(x=1, secret=2), Model(x=1, secret=2)),
        (ModelWithMore(), ModelWithMore()),
        (Labelled("a"), "a"),
        (Items([1]), Items([1])),
        (ImmutableMultiDict([("a", "...")]), ImmutableMultiDict([("a", "...")])),
    ],
)
def test_objects_with_the_same_parts_are_the_same(one: Any, other: Any) -> None:
    assert encode_value(one) == encode_value(other)


def test_a_hash_that_werkzeug_remembers_is_not_part_of_an_object() -> None:
    one, other = ImmutableMultiDict([("a", 1)]), ImmutableMultiDict([("a", 1)])
    hash(one)
    assert encode_value(one) == encode_value(other)


def test_the_zone_of_a_time_is_told_apart_though_its_repr_is_the_same() -> None:
    class Zone(tzinfo):
        def __init__(self, hours: int) -> None:
            self.hours = hours

        def __repr__(self) -> str:
            return "<Zone>"

        def utcoffset(self, _: Any) -> timedelta:
            return timedelta(hours=self.hours)

        dst = utcoffset

        def tzname(self, _: Any) -> str:
            return f"{self.hours} h"

    one, other = (datetime(2026, 1, 2, tzinfo=Zone(hours)) for hours in (1, 2))
    assert encode_argument(one) != encode_argument(other)
    assert encode_argument(one) == encode_argument(one)


def test_a_class_whose_name_leads_to_another_one_is_refused() -> None:
    def make() -> type:
        class Local:
            pass

        return Local

    for cls in (make(), type("Sub", (Sub,), {})):
        with pytest.raises(KeyValueError, match="only by its name"):
            encode_value(cls)
        assert encode_argument(cls) == encode_argument(cls)
    assert encode_argument(make()) != encode_argument(make())
    with zone_file() as opened:
        zone = ZoneInfo.from_file(opened)
    for other in (types.ModuleType("re"), zone):
        with pytest.raises(KeyValueError, match="only by its name"):
            encode_value(other)


def zone_file() -> Any:
    return next(
        path.open("rb")
        for folder in ("/usr/share/zoneinfo", *map(str, Path(__file__).parents))
        for path in Path(folder).glob("**/UTC")
        if path.is_file()
    )


# Rows of databases.


class Mapped:
    """An object with the attributes of one that SQLAlchemy maps."""

    __mapper__ = None

    def __init__(self, *identity: int, shard: str | None = None) -> None:
        key = (Mapped, identity, shard) if identity else None
        self._sa_instance_state = SimpleNamespace(key=key)

    def __repr__(self) -> str:
        return "<Mapped ann>"


class Keyed:
    """An object of another object mapper, such as Tortoise or MongoEngine."""

    _meta = SimpleNamespace()

    def __init__(self, pk: Any) -> None:
        self.pk = pk

    def __repr__(self) -> str:
        return "<Keyed: Keyed object>"


@pytest.mark.parametrize("encode", [encode_value, encode_argument])
@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (Mapped(1), Mapped(1), Mapped(2)),
        (Mapped(1, 2), Mapped(1, 2), Mapped(1, 3)),
        (Mapped(1), Mapped(1), Mapped(1, shard="b")),
        (Keyed(1), Keyed(1), Keyed(2)),
        (Keyed((1, 2)), Keyed((1, 2)), Keyed((1, 3))),
    ],
)
def test_a_row_counts_by_its_primary_key(
    one: Any, same: Any, other: Any, encode: Callable[[Any], str]
) -> None:
    assert encode(one) == encode(same)
    assert encode(one) != encode(other)


@pytest.mark.parametrize("value", [Mapped(), Keyed(None), Keyed((1, None))])
def test_a_row_that_was_not_saved_is_refused(value: Any) -> None:
    with pytest.raises(KeyValueError, match="has no primary key yet") as caught:
        encode_value(value)
    assert "ann" not in caught.value.for_log


def test_a_lazy_object_of_django_counts_by_the_primary_key_behind_it() -> None:
    assert encode_value(SimpleLazyObject(lambda: Keyed(1))) == encode_value(Keyed(1))
    assert encode_value(SimpleLazyObject(lambda: Keyed(2))) != encode_value(Keyed(1))


class Scalar:
    """An object with the attributes of a number of numpy."""

    def __init__(self, number: int, *, hasobject: bool = False) -> None:
        self.dtype = SimpleNamespace(str="<i8", hasobject=hasobject)
        self.number = number

    def tobytes(self) -> bytes:
        return self.number.to_bytes(8, "little")


def test_a_number_of_numpy_counts_by_its_bytes() -> None:
    generic = type("generic", (Scalar,), {"__module__": "numpy"})
    assert encode_value(generic(1)) == encode_value(generic(1))
    assert encode_value(generic(1)) != encode_value(generic(2))
    with pytest.raises(KeyValueError):
        encode_value(generic(1, hasobject=True))


def test_a_row_of_sqlalchemy_counts_by_its_names_and_values() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine("sqlite://")

    def rows(query: str) -> list[Any]:
        with engine.connect() as connection:
            (row,) = connection.execute(sqlalchemy.text(query)).fetchall()
        engine.dispose()
        return [row, row._mapping]

    for encode in (encode_value, encode_argument):
        queries = ["1 AS a, 2 AS b", "1 AS a, 3 AS b", "1 AS a, 2 AS c", "1 AS a"]
        encoded = [list(map(encode, rows(f"SELECT {query}"))) for query in queries]
        assert len({each for pair in encoded for each in pair}) == 8
        assert encoded[0] == list(map(encode, rows("SELECT 1 AS a, 2 AS b")))
    # The names may be the same.
    first, other = (rows(f"SELECT 1 AS a, {number} AS a")[1] for number in (2, 3))
    assert encode_value(first) != encode_value(other)


WINTER = datetime(2026, 1, 1)  # noqa: DTZ001 - pytz adds the zone
SUMMER = datetime(2026, 7, 1)  # noqa: DTZ001


def test_a_time_zone_of_pytz_counts_as_what_it_is_made_from() -> None:
    pytz = pytest.importorskip("pytz")
    berlin = pytz.timezone("Europe/Berlin")
    zones = [
        berlin,
        berlin.localize(WINTER).tzinfo,
        berlin.localize(SUMMER).tzinfo,
        pytz.timezone("Europe/Paris"),
        pytz.timezone("Etc/GMT+3"),
        pytz.utc,
        pytz.FixedOffset(60),
        pytz.FixedOffset(61),
    ]
    for encode in (encode_value, encode_argument):
        assert len(set(map(encode, zones))) == len(zones)
        assert encode(copy.copy(berlin)) == encode(berlin)


class Timedelta(timedelta):
    """Like that of pandas, which has nanoseconds where Python can't read them."""

    __module__ = "pandas._libs.tslibs.timedeltas"

    def __new__(cls, nanoseconds: int) -> Self:
        made = super().__new__(cls, microseconds=nanoseconds // 1000)
        made.nanoseconds = nanoseconds
        return made

    nanoseconds: int

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.nanoseconds,)


def test_a_duration_of_pandas_counts_with_its_nanoseconds() -> None:
    for encode in (encode_value, encode_argument):
        assert encode(Timedelta(1001)) == encode(Timedelta(1001))
        assert encode(Timedelta(1001)) != encode(Timedelta(1002))
    mine = type("Timedelta", (Timedelta,), {"__module__": "mine"})
    with pytest.raises(KeyValueError):
        encode_value(mine(1001))
