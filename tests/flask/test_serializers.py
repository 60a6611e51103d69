import enum
import json
import math
import pickle
import re
from base64 import b64encode
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from cachelib.serializers import BaseSerializer, RedisSerializer
from flask import Flask
from flask.json.provider import DefaultJSONProvider
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer
from markupsafe import Markup

from jinja_fragcache.entries.entry import Entry, encode
from jinja_fragcache.entries.serializers import CustomSerializer
from jinja_fragcache.entries.values import (
    MISSING,
    Serializer,
    UnreadableError,
    ValueCodec,
    read_entry,
)
from jinja_fragcache.errors import SerializationError, SettingError
from jinja_fragcache.flask.serializers import (
    JSONSerializer,
    PickleSerializer,
    make_serializer,
)
from tests.support import NAMES, short_repr

SECRET = "correct horse battery staple"


PICKLE, JSON = PickleSerializer(), JSONSerializer()
ALL: list[Serializer] = [PICKLE, JSON]


def shown(value: Any) -> Any:
    """Return what shows every difference between two values, even in type and order."""
    kind = type(value)
    if kind in {list, tuple}:
        return (kind, *map(shown, value))
    if kind is dict:
        return (kind, *((shown(key), shown(item)) for key, item in value.items()))
    return (kind, repr(value))


def through(serializer: Serializer, value: Any) -> Any:
    """Encode a value and decode it, as the cache does."""
    codec = ValueCodec(serializer)
    entry = read_entry(codec.encode(value))
    assert entry is not None
    return codec.decode(entry)


# Two surrogates that JSON joins into one character.
PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# In whole minutes: Python reads an offset of a microsecond as no offset.
zones = st.none() | st.integers(-1439, 1439).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | NAMES.filter(lambda text: not PAIR.search(text))
    | st.binary()
    | st.text().map(Markup)
    | st.uuids()
    | st.decimals(allow_nan=True)
    | st.dates()
    | st.datetimes(timezones=zones, allow_imaginary=True).map(
        lambda moment: moment.replace(fold=0)
    )
)
# Keys that are tags of Flask's JSON, and the suffix with which Flask escapes them.
tag_keys = st.sampled_from([" t", " b", " di", " m", " u", " d", " t__", " dec"])
keys = st.text() | tag_keys | tag_keys.map(lambda key: key + "__")
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(ALL), values)
@example(JSON, {" t": [1]})
@example(JSON, {" di": {" t__": [1]}})
@example(JSON, {" t__": {" t": (1,)}})
@example(JSON, [{" response": ["200 OK", [], ""]}, {" date": "2026-01-01"}])
@example(JSON, {"b": 1, "a": 2})
@example(JSON, datetime(2026, 1, 2, 3, 4, 5, 678901))  # noqa: DTZ001 - one without a time zone
@example(JSON, math.nan)
@example(JSON, [-0.0, math.inf, 10**400])
@example(JSON, Decimal("1.10"))
@example(JSON, Decimal("sNaN"))
@example(PICKLE, "lone surrogate \udc80")
@example(JSON, ["lone surrogate \udc80"])
def test_a_value_is_read_back_unchanged(serializer: Serializer, value: Any) -> None:
    assert shown(through(serializer, value)) == shown(value)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Level(enum.IntEnum):
    LOW = 1


class Size(enum.StrEnum):
    SMALL = "s"


class Pair(NamedTuple):
    x: int
    y: int


@dataclass
class Card:
    number: int


class Html:
    def __html__(self) -> str:
        return "<b>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Html)

    __hash__ = None  # type: ignore[assignment]


BERLIN = ZoneInfo("Europe/Berlin")
REFUSED: list[Any] = [
    {1: "a"},
    {None: "a"},
    {True: "a"},
    {(1,): "a"},
    {"a": 1, 1: "b"},
    {Markup("a"): 1},
    {Text("a"): 1},
    {Size.SMALL: 1},
    Text("a"),
    Number(1),
    Level.LOW,
    Size.SMALL,
    [Text("a")],
    [Number(1)],
    {"a": Level.LOW},
    (Size.SMALL,),
    {1},
    frozenset(),
    Pair(1, 2),
    [Pair(1, 2)],
    Card(1),
    Html(),
    OrderedDict(a=1),
    bytearray(b"a"),
    timedelta(1),
    1j,
    object(),
    Flask,
    datetime(2026, 1, 2, tzinfo=BERLIN),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(microseconds=1))),
    datetime(2026, 1, 2, fold=1),  # noqa: DTZ001 - one without a time zone
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1), "CET")),
    "\ud83d\ude00",
]


@pytest.mark.parametrize("value", REFUSED, ids=short_repr)
def test_json_refuses_values_that_would_change(value: Any) -> None:
    for each in [value, [value], {"a": value}, (value,)]:
        with pytest.raises(SerializationError, match="set CACHE_SERIALIZER to 'pick"):
            JSON.dumps(each)


def test_json_refuses_values_nested_too_deep() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    itself: list[Any] = []
    itself.append(itself)
    for value in [deep, itself]:
        with pytest.raises(SerializationError, match="can't be kept as JSON"):
            JSON.dumps(value)


@pytest.mark.parametrize(
    "value",
    [each for each in REFUSED if type(each) is not object],
    ids=short_repr,
)
def test_pickle_keeps_nearly_any_object(value: Any) -> None:
    read = through(PICKLE, value)
    assert (type(read), repr(read)) == (type(value), repr(value)) or read == value


class Unwilling:
    def __reduce__(self) -> str:
        raise LookupError("not me")


@pytest.mark.parametrize("value", [lambda: 1, [Unwilling()], (each for each in "a")])
def test_values_that_can_not_be_pickled_are_refused(value: Any) -> None:
    with pytest.raises(SerializationError, match="Cache what it is made of instead"):
        PICKLE.dumps(value)


class Changed(DefaultJSONProvider):
    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, **kwargs).replace("a", "b")

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return "changed"


def test_json_does_not_depend_on_the_applications_json_provider() -> None:
    value = {"z": "a", "b": ["a"], "a": Decimal(1)}
    app = Flask(__name__)
    outside = JSON.dumps(value)
    with app.app_context():
        assert JSON.dumps(value) == outside
        app.json = Changed(app)
        assert JSON.dumps(value) == outside
        assert shown(JSON.loads(outside)) == shown(value)


# Entries of another form are never read.


FORMS = ["pickle", "json", "own", "number", "markup", None]


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    return tmp_path / "unpickled"


def trapped(trap: Path) -> str:
    return b64encode(pickle.dumps(Trap(trap))).decode()


def test_the_trap_touches_its_file_when_unpickled(trap: Path) -> None:
    entry = Entry(trapped(trap), form="pickle")
    ValueCodec(PickleSerializer()).decode(entry)
    assert trap.exists()


@pytest.mark.parametrize(
    "serializer",
    [
        JSONSerializer(),
        CustomSerializer(json),
    ],
    ids=lambda each: each.form,
)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", ["", "bytes:", "text:"])
def test_foreign_pickles_are_never_loaded(
    serializer: Serializer, form: str | None, before: str, trap: Path
) -> None:
    text = before + trapped(trap)
    codec = ValueCodec(serializer)
    for tail in ["", ".", ".AAAA", f".{'A' * 27}"]:
        entry = read_entry(encode(Entry(text + tail, form=form)))
        assert entry is not None
        try:
            read = codec.decode(entry)
        except UnreadableError:
            read = MISSING
        assert read is MISSING or (read == text + tail and form in {None, "markup"})
        assert not trap.exists()


@pytest.mark.parametrize("reader", ALL, ids=lambda each: each.form)
@pytest.mark.parametrize("writer", ALL, ids=lambda each: each.form)
def test_a_serializer_does_not_read_another_form(
    writer: Serializer, reader: Serializer
) -> None:
    entry = read_entry(ValueCodec(writer).encode([1]))
    assert entry is not None
    read = ValueCodec(reader).decode(entry)
    assert read == ([1] if reader is writer else MISSING)


# Serializers of users.


class Bytes(BaseSerializer):
    """A serializer like those of cachelib: a class with more methods than needed."""

    def dumps(self, value: Any) -> bytes:  # type: ignore[override]
        return b"\x00\xff" + json.dumps(value).encode()

    def loads(self, bvalue: bytes) -> Any:
        assert type(bvalue) is bytes
        return json.loads(bvalue[2:])


class Gives:
    """A serializer whose `dumps` always returns the same."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def dumps(self, value: Any) -> Any:
        return self.made

    def loads(self, made: Any) -> Any:
        return ("read", made)


@pytest.mark.parametrize(
    "named",
    [
        pytest.param("pickle", id="the name pickle"),
        pytest.param("json", id="the name json"),
        pytest.param(pickle, id="the module pickle"),
        pytest.param(json, id="the module json"),
        pytest.param(Bytes, id="a class"),
        pytest.param(Bytes(), id="an object"),
        pytest.param(RedisSerializer, id="a class of cachelib"),
        pytest.param(RedisSerializer(), id="an object of cachelib"),
        pytest.param(URLSafeSerializer(SECRET), id="an object of itsdangerous"),
    ],
)
@pytest.mark.parametrize("value", [[1, "a", None], {"a": [True, 1.5]}, False])
def test_cache_serializer_takes_names_modules_classes_and_objects(
    named: Any, value: Any
) -> None:
    serializer = make_serializer(named)
    assert shown(through(serializer, value)) == shown(value)
    # Another process makes its own serializer from the same settings.
    stored = serializer.dumps(value)
    assert shown(make_serializer(named).loads(stored)) == shown(value)


@pytest.mark.parametrize(
    ("named", "form"),
    [
        ("pickle", "pickle"),
        (pickle, "pickle"),
        ("json", "json"),
        (json, "json"),
        (Bytes, "own"),
    ],
)
def test_each_serializer_has_its_own_form(named: Any, form: str) -> None:
    assert make_serializer(named).form == form


@pytest.mark.parametrize("text", ["", "text", "text:", ":", "bytes:AAAA", "\udc80"])
def test_a_custom_serializer_gets_back_the_string_or_bytes_it_made(text: str) -> None:
    serializer = CustomSerializer(Gives(text))
    assert serializer.loads(serializer.dumps(1)) == ("read", text)
    made = text.encode("utf-8", "surrogatepass")
    serializer = CustomSerializer(Gives(made))
    assert serializer.loads(serializer.dumps(1)) == ("read", made)


@pytest.mark.parametrize("made", [None, 5, ["text"], bytearray(b"a")])
def test_a_custom_serializer_must_return_a_string_or_bytes(made: Any) -> None:
    with pytest.raises(SerializationError, match=r"made it .* and not"):
        CustomSerializer(Gives(made)).dumps([1])


def test_the_error_of_a_custom_serializer_is_shown() -> None:
    message = r"\{1\} \(set\) can't be kept: serializer said TypeError: .* JSON"
    with pytest.raises(SerializationError, match=message):
        CustomSerializer(json).dumps({1})


@pytest.mark.parametrize("named", ["Pickle", "", None, 5, object, object(), json.dumps])
def test_a_wrong_serializer_is_an_error(named: Any) -> None:
    with pytest.raises(SettingError, match=r"CACHE_SERIALIZER can't be .* 'pickle', "):
        make_serializer(named)


# A store may contain anything.


@pytest.mark.parametrize("text", ["", "text", "AAAA", "byte:AAAA", "bytes:A$A$AA="])
def test_a_custom_serializer_gets_only_what_one_has_made(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither text nor|base64"):
        CustomSerializer(Gives(None)).loads(text)


@pytest.mark.parametrize("text", ["", "$", "AAA", "gASV", " gAROLg==", "gAROLg==\n"])
def test_text_that_is_no_pickle_is_an_error(text: str) -> None:
    assert PickleSerializer().loads("gAROLg==") is None
    with pytest.raises((ValueError, EOFError, pickle.UnpicklingError)):
        PickleSerializer().loads(text)


@given(values, st.integers(0, 100))
def test_a_truncated_value_is_not_read(value: Any, length: int) -> None:
    for serializer in (PickleSerializer(), JSONSerializer()):
        try:
            text = serializer.dumps(value)
        except SerializationError:
            continue
        if length >= len(text):
            continue
        # A truncated number is still a number.
        if type(value) in {int, float} and serializer.form == "json":
            continue
        with pytest.raises(Exception):  # noqa: B017, PT011 - unpickling raises anything
            serializer.loads(text[:length])


def test_json_is_readable() -> None:
    value = [date(2026, 1, 2), Decimal("1.50"), UUID(int=1)]
    assert JSONSerializer().dumps(value) == (
        '[{" date":"2026-01-02"},{" dec":"1.50"},'
        '{" u":"00000000000000000000000000000001"}]'
    )


def test_a_serializer_class_that_needs_arguments_is_refused() -> None:
    class Needy:
        def __init__(self, protocol: int) -> None: ...

    with pytest.raises(
        SettingError, match=r"Needy.* missing 1 required .* object of it"
    ):
        make_serializer(Needy)
