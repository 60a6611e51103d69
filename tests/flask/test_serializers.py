import enum
import json
import math
import pickle
import re
import traceback
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Iterable
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
from jinja_fragcache.entries.values import (
    MISSING,
    Serializer,
    UnreadableError,
    ValueCodec,
    read_entry,
)
from jinja_fragcache.errors import SerializationError, SettingError
from jinja_fragcache.flask.serializers import (
    CustomSerializer,
    JSONSerializer,
    PickleSerializer,
    make_serializer,
)
from jinja_fragcache.flask.signing import SignedSerializer
from tests.support import NAMES, short_repr

SECRET = "correct horse battery staple"


def signed(inner: Serializer, *keys: str | bytes) -> SignedSerializer:
    return SignedSerializer(inner, list(keys or [SECRET]))


PICKLES: list[Serializer] = [PickleSerializer(), signed(PickleSerializer())]
JSONS: list[Serializer] = [JSONSerializer(), signed(JSONSerializer())]
ALL = PICKLES + JSONS


def shown(value: Any) -> Any:
    """Return what shows every difference between two values, even in type and order."""
    kind = type(value)
    if kind in {list, tuple}:
        return (kind, *map(shown, value))
    if kind is dict:
        return (kind, *((shown(key), shown(item)) for key, item in value.items()))
    return (kind, repr(value))


def through(serializer: Serializer, value: Any, key: str = "k") -> Any:
    """Encode a value and decode it, as the cache does."""
    codec = ValueCodec(serializer)
    entry = read_entry(codec.encode(key, value))
    assert entry is not None
    return codec.decode(key, entry)


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
@example(JSONS[0], {" t": [1]})
@example(JSONS[0], {" di": {" t__": [1]}})
@example(JSONS[0], {" t__": {" t": (1,)}})
@example(JSONS[0], [{" response": ["200 OK", [], ""]}, {" date": "2026-01-01"}])
@example(JSONS[0], {"b": 1, "a": 2})
@example(JSONS[0], datetime(2026, 1, 2, 3, 4, 5, 678901))  # noqa: DTZ001 - one without a time zone
@example(JSONS[0], math.nan)
@example(JSONS[0], [-0.0, math.inf, 10**400])
@example(JSONS[0], Decimal("1.10"))
@example(JSONS[0], Decimal("sNaN"))
@example(PICKLES[1], "lone surrogate \udc80")
@example(JSONS[1], ["lone surrogate \udc80"])
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


@pytest.mark.parametrize("serializer", JSONS, ids=lambda each: each.form)
@pytest.mark.parametrize("value", REFUSED, ids=short_repr)
def test_json_refuses_values_that_would_change(
    serializer: Serializer, value: Any
) -> None:
    for each in [value, [value], {"a": value}, (value,)]:
        with pytest.raises(SerializationError, match="set CACHE_SERIALIZER to 'pick"):
            serializer.dumps("k", each)


@pytest.mark.parametrize("serializer", JSONS, ids=lambda each: each.form)
def test_json_refuses_values_nested_too_deep(serializer: Serializer) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    itself: list[Any] = []
    itself.append(itself)
    for value in [deep, itself]:
        with pytest.raises(SerializationError, match="can't be kept as JSON"):
            serializer.dumps("k", value)


@pytest.mark.parametrize("serializer", PICKLES, ids=lambda each: each.form)
@pytest.mark.parametrize(
    "value",
    [each for each in REFUSED if type(each) is not object],
    ids=short_repr,
)
def test_pickle_keeps_nearly_any_object(serializer: Serializer, value: Any) -> None:
    read = through(serializer, value)
    assert (type(read), repr(read)) == (type(value), repr(value)) or read == value


class Unwilling:
    def __reduce__(self) -> str:
        raise LookupError("not me")


@pytest.mark.parametrize("serializer", PICKLES, ids=lambda each: each.form)
@pytest.mark.parametrize("value", [lambda: 1, [Unwilling()], (each for each in "a")])
def test_values_that_can_not_be_pickled_are_refused(
    serializer: Serializer, value: Any
) -> None:
    with pytest.raises(SerializationError, match="Cache what it is made of instead"):
        serializer.dumps("k", value)


class Changed(DefaultJSONProvider):
    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, **kwargs).replace("a", "b")

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return "changed"


@pytest.mark.parametrize("serializer", JSONS, ids=lambda each: each.form)
def test_json_does_not_depend_on_the_applications_json_provider(
    serializer: Serializer,
) -> None:
    value = {"z": "a", "b": ["a"], "a": Decimal(1)}
    app = Flask(__name__)
    outside = serializer.dumps("k", value)
    with app.app_context():
        assert serializer.dumps("k", value) == outside
        app.json = Changed(app)
        assert serializer.dumps("k", value) == outside
        assert shown(serializer.loads("k", outside)) == shown(value)


# Entries of another form are never read.


FORMS = ["pickle", "json", "own", "number", "markup", None]
FORMS += [f"signed-{form}" for form in FORMS[:3]]


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
    ValueCodec(PickleSerializer()).decode("k", entry)
    assert trap.exists()


@pytest.mark.parametrize(
    "serializer",
    [
        JSONSerializer(),
        signed(JSONSerializer()),
        signed(PickleSerializer()),
        CustomSerializer(json),
        signed(CustomSerializer(pickle)),
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
            read = codec.decode("k", entry)
        except UnreadableError:
            read = MISSING
        assert read is MISSING or (read == text + tail and form in {None, "markup"})
        assert not trap.exists()


@pytest.mark.parametrize("reader", ALL, ids=lambda each: each.form)
@pytest.mark.parametrize("writer", ALL, ids=lambda each: each.form)
def test_a_serializer_does_not_read_another_form(
    writer: Serializer, reader: Serializer
) -> None:
    entry = read_entry(ValueCodec(writer).encode("k", [1]))
    assert entry is not None
    read = ValueCodec(reader).decode("k", entry)
    assert read == ([1] if reader is writer else MISSING)


# Signatures.


@pytest.fixture(
    params=[PickleSerializer, JSONSerializer, lambda: CustomSerializer(json)]
)
def inner(request: pytest.FixtureRequest) -> Serializer:
    made: Serializer = request.param()
    return made


def test_a_signature_is_valid_for_one_key_only(
    inner: Serializer,
) -> None:
    serializer = signed(inner)
    text = serializer.dumps("user:1", ["ann"])
    assert serializer.loads("user:1", text) == ["ann"]
    for key in ["user:2", "user:", "", "user:1 ", "user:1\udc80"]:
        with pytest.raises(ValueError, match="not signed"):
            serializer.loads(key, text)


@given(NAMES, values)
def test_any_key_can_be_signed_for(key: str, value: Any) -> None:
    serializer = signed(PickleSerializer())
    read = serializer.loads(key, serializer.dumps(key, value))
    assert shown(read) == shown(value)


def test_a_changed_character_breaks_the_signature(
    inner: Serializer,
) -> None:
    serializer = signed(inner)
    text = serializer.dumps("k", ["ann", 5])
    for at, character in enumerate(text):
        for other in "A.b" if character not in "A.b" else "cde":
            if at == len(text) - 1 and _ends_alike(character, other):
                continue
            with pytest.raises(ValueError, match="not signed"):
                serializer.loads("k", text[:at] + other + text[at + 1 :])
    for changed in [text[:-1], text + "A", "", ".", text[1:], "\udc80" + text]:
        with pytest.raises(ValueError, match="not signed"):
            serializer.loads("k", changed)


def _ends_alike(character: str, other: str) -> bool:
    """Return whether two last characters of a signature stand for the same bytes.

    20 bytes are 27 characters of Base64, and the last 2 bits of these are unused.
    """
    try:
        ends = [b64decode(f"AA{each}=", altchars=b"-_") for each in (character, other)]
    except ValueError:
        return False
    return ends[0] == ends[1]


def test_a_signature_of_another_secret_or_serializer_is_not_valid() -> None:
    text = signed(JSONSerializer(), "other").dumps("k", [1])
    with pytest.raises(ValueError, match="not signed"):
        signed(JSONSerializer()).loads("k", text)
    text = signed(CustomSerializer(json)).dumps("k", [1])
    with pytest.raises(ValueError, match="not signed"):
        signed(JSONSerializer()).loads("k", text)
    text = URLSafeSerializer(SECRET).dumps([1])
    with pytest.raises(ValueError, match="not signed"):
        signed(JSONSerializer()).loads("k", str(text))


def test_the_newest_secret_signs_and_older_ones_are_read(inner: Serializer) -> None:
    old, new = signed(inner, "old"), signed(inner, b"new")
    both = signed(inner, "old", b"new")
    assert both.loads("k", old.dumps("k", [1])) == [1]
    assert both.loads("k", new.dumps("k", [2])) == [2]
    assert both.dumps("k", [3]) == new.dumps("k", [3])
    with pytest.raises(ValueError, match="not signed"):
        old.loads("k", both.dumps("k", [4]))


def _chain(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("change", ["xx{}", "{}xx", "{}.", "no dot"])
def test_no_error_shows_the_secret_or_the_signature(
    inner: Serializer, change: str
) -> None:
    serializer = signed(inner)
    text = serializer.dumps("k", ["ann"])
    signature = text.rpartition(".")[2]
    with pytest.raises(ValueError, match="not signed") as raised:
        serializer.loads("k", change.format(text))
    for error in _chain(raised.value):
        shown_text = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert SECRET not in shown_text
        assert signature not in shown_text


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
@pytest.mark.parametrize(
    "secret",
    [None, SECRET, SECRET.encode(), ["old", b"new"]],
    ids=["unsigned", "str key", "bytes key", "two keys"],
)
@pytest.mark.parametrize("value", [[1, "a", None], {"a": [True, 1.5]}, False])
def test_cache_serializer_takes_names_modules_classes_and_objects(
    named: Any, secret: Any, value: Any
) -> None:
    settings = {"CACHE_SERIALIZER": named, "CACHE_SIGNING_KEY": secret}
    serializer = make_serializer(settings)
    assert shown(through(serializer, value)) == shown(value)
    # Another process makes its own serializer from the same settings.
    stored = serializer.dumps("k", value)
    assert shown(make_serializer(settings).loads("k", stored)) == shown(value)


@pytest.mark.parametrize(
    ("named", "secret", "form"),
    [
        ("pickle", None, "pickle"),
        (pickle, None, "pickle"),
        ("json", None, "json"),
        (json, None, "json"),
        (Bytes, None, "own"),
        ("pickle", "s", "signed-pickle"),
        (json, ("s",), "signed-json"),
        (Bytes, ["s"], "signed-own"),
    ],
)
def test_each_serializer_has_its_own_form(named: Any, secret: Any, form: str) -> None:
    settings = {"CACHE_SERIALIZER": named, "CACHE_SIGNING_KEY": secret}
    assert make_serializer(settings).form == form


def test_one_secret_is_the_same_as_a_list_of_one() -> None:
    settings: dict[str, Any] = {"CACHE_SERIALIZER": "json"}
    one = make_serializer(settings | {"CACHE_SIGNING_KEY": "secret"})
    listed = make_serializer(settings | {"CACHE_SIGNING_KEY": [b"secret"]})
    assert one.dumps("k", [1]) == listed.dumps("k", [1])


@pytest.mark.parametrize("text", ["", "text", "text:", ":", "bytes:AAAA", "\udc80"])
def test_a_custom_serializer_gets_back_the_string_or_bytes_it_made(text: str) -> None:
    serializer = CustomSerializer(Gives(text))
    assert serializer.loads("k", serializer.dumps("k", 1)) == ("read", text)
    made = text.encode("utf-8", "surrogatepass")
    serializer = CustomSerializer(Gives(made))
    assert serializer.loads("k", serializer.dumps("k", 1)) == ("read", made)


@pytest.mark.parametrize("made", [None, 5, ["text"], bytearray(b"a")])
def test_a_custom_serializer_must_return_a_string_or_bytes(made: Any) -> None:
    with pytest.raises(SerializationError, match=r"made it .* and not"):
        CustomSerializer(Gives(made)).dumps("k", [1])


def test_the_error_of_a_custom_serializer_is_shown() -> None:
    message = r"\{1\} \(set\) can't be kept: CACHE_SERIALIZER said TypeError: .* JSON"
    with pytest.raises(SerializationError, match=message):
        CustomSerializer(json).dumps("k", {1})


@pytest.mark.parametrize("named", ["Pickle", "", None, 5, object, object(), json.dumps])
def test_a_wrong_serializer_is_an_error(named: Any) -> None:
    with pytest.raises(SettingError, match=r"CACHE_SERIALIZER can't be .* 'pickle', "):
        make_serializer({"CACHE_SERIALIZER": named, "CACHE_SIGNING_KEY": None})


@pytest.mark.parametrize("secret", ["", b"", [], [""], ["hush", None], 5, {"hush"}])
def test_the_error_of_a_wrong_secret_hides_it(secret: Any) -> None:
    with pytest.raises(SettingError, match="CACHE_SIGNING_KEY is a") as raised:
        make_serializer({"CACHE_SERIALIZER": "json", "CACHE_SIGNING_KEY": secret})
    assert "hush" not in str(raised.value)


# A store may contain anything.

UNSIGNED: list[Serializer] = [
    PickleSerializer(),
    JSONSerializer(),
    CustomSerializer(Bytes()),
]


@given(st.sampled_from([signed(each) for each in UNSIGNED]), NAMES)
def test_garbage_is_never_read_as_a_signed_value(
    serializer: Serializer, text: str
) -> None:
    with pytest.raises(ValueError, match="not signed"):
        serializer.loads("k", text)


@pytest.mark.parametrize("text", ["", "text", "AAAA", "byte:AAAA", "bytes:A$A$AA="])
def test_a_custom_serializer_gets_only_what_one_has_made(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither text nor|base64"):
        CustomSerializer(Gives(None)).loads("k", text)


@pytest.mark.parametrize("text", ["", "$", "AAA", "gASV", " gAROLg==", "gAROLg==\n"])
def test_text_that_is_no_pickle_is_an_error(text: str) -> None:
    assert PickleSerializer().loads("k", "gAROLg==") is None
    with pytest.raises((ValueError, EOFError, pickle.UnpicklingError)):
        PickleSerializer().loads("k", text)


@given(values, st.integers(0, 100))
def test_a_truncated_value_is_not_read(value: Any, length: int) -> None:
    for serializer in (PickleSerializer(), JSONSerializer()):
        try:
            text = serializer.dumps("k", value)
        except SerializationError:
            continue
        if length >= len(text):
            continue
        # A truncated number is still a number.
        if type(value) in {int, float} and serializer.form == "json":
            continue
        with pytest.raises(Exception):  # noqa: B017, PT011 - unpickling raises anything
            serializer.loads("k", text[:length])


def test_json_is_readable() -> None:
    value = [date(2026, 1, 2), Decimal("1.50"), UUID(int=1)]
    assert JSONSerializer().dumps("k", value) == (
        '[{" date":"2026-01-02"},{" dec":"1.50"},'
        '{" u":"00000000000000000000000000000001"}]'
    )


def test_a_serializer_class_that_needs_arguments_is_refused() -> None:
    class Needy:
        def __init__(self, protocol: int) -> None: ...

    with pytest.raises(
        SettingError, match=r"Needy.* missing 1 required .* object of it"
    ):
        make_serializer({"CACHE_SERIALIZER": Needy, "CACHE_SIGNING_KEY": None})
