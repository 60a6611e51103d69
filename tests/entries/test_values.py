"""What every codec keeps by itself: texts, numbers and Markup."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from jinja_fragcache.entries.entry import HEADER_MARK, Entry, encode
from jinja_fragcache.entries.values import (
    MISSING,
    UnreadableError,
    ValueCodec,
    read_entry,
)
from jinja_fragcache.errors import SerializationError
from tests.support import NAMES


class Reprs:
    """A serializer for what has no text, that notes what it is asked for."""

    form = "repr"

    def __init__(self) -> None:
        self.dumped: list[Any] = []
        self.loaded: list[tuple[str, str]] = []

    def dumps(self, key: str, value: Any) -> str:
        self.dumped.append(value)
        if isinstance(value, set):
            raise SerializationError("a set")
        return f"{key}={value!r}"

    def loads(self, key: str, text: str) -> Any:
        self.loaded.append((key, text))
        return ["loaded", text]


def read_back(stored: object, codec: ValueCodec | None = None) -> Any:
    entry = read_entry(stored)
    assert entry is not None
    return (codec or ValueCodec(Reprs())).decode("k", entry)


texts = NAMES | NAMES.map(lambda text: HEADER_MARK + text) | st.integers().map(str)
versions = st.none() | st.text()
tags = st.dictionaries(st.text(), st.text(), max_size=2)


# The examples are what the codec itself would store for other values.
@given(texts, versions, tags)
@example(HEADER_MARK + '{"form":"repr","format":1}\nk=1', None, {})
@example(HEADER_MARK + '{"form":"number","format":1}\n5', None, {})
@example(HEADER_MARK + '{"form":"markup","format":1}\n<b>', None, {})
@example("5", None, {})
def test_a_text_comes_back_as_it_is(
    text: str, version: str | None, tags: dict[str, str]
) -> None:
    serializer = Reprs()
    codec = ValueCodec(serializer)
    stored = codec.encode("k", text, version, tags)
    assert type(stored) is str
    read = read_back(stored, codec)
    assert (type(read), read) == (str, text)
    assert (serializer.dumped, serializer.loaded) == ([], [])


@given(texts)
def test_markup_comes_back_as_markup(text: str) -> None:
    codec = ValueCodec(Reprs())
    read = read_back(codec.encode("k", Markup(text)))  # noqa: S704 - it is only compared
    assert (type(read), str(read)) == (Markup, text)


@pytest.mark.parametrize("text", ["", "text", "5", "-1", "<b>"])
def test_a_text_alone_is_stored_as_itself(text: str) -> None:
    assert ValueCodec(Reprs()).encode("k", text) == text


@given(st.integers(-(2**63), 2**63 - 1))
@example(2**63 - 1)
@example(-(2**63))
def test_a_number_that_servers_can_count_is_stored_as_itself(number: int) -> None:
    serializer = Reprs()
    stored = ValueCodec(serializer).encode("k", number)
    assert (type(stored), stored) == (int, number)
    read = read_back(stored)
    assert (type(read), read) == (int, number)
    assert serializer.dumped == []


@pytest.mark.parametrize(
    "value", [2**63, -(2**63) - 1, True, False, None, 1.0, [1], {"a": 1}]
)
def test_other_values_are_the_serializers(value: Any) -> None:
    serializer = Reprs()
    codec = ValueCodec(serializer)
    stored = codec.encode("k", value)
    assert type(stored) is str
    assert read_back(stored, codec) == ["loaded", f"k={value!r}"]
    assert (serializer.dumped, serializer.loaded) == ([value], [("k", f"k={value!r}")])


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Safe(Markup):
    __slots__ = ()


@pytest.mark.parametrize("value", [Text("a"), Number(1), Safe("a")])
def test_kinds_of_texts_and_numbers_are_the_serializers(value: Any) -> None:
    serializer = Reprs()
    ValueCodec(serializer).encode("k", value)
    (dumped,) = serializer.dumped
    assert dumped is value


@pytest.mark.parametrize(("version", "tags"), [("v", {}), (None, {"t": "1"})])
def test_a_number_that_has_to_match_is_no_bare_number(
    version: str | None, tags: dict[str, str]
) -> None:
    codec = ValueCodec(Reprs())
    stored = codec.encode("k", 5, version, tags)
    entry = read_entry(stored)
    assert entry == Entry("k=5", True, version, "repr", tuple(tags.items()))  # noqa: FBT003 - Entry's field


def test_what_has_to_match_stands_in_the_entry() -> None:
    stored = ValueCodec(Reprs()).encode("k", "text", "v", {"b": "2", "a": "1"})
    tags = (("a", "1"), ("b", "2"))
    assert read_entry(stored) == Entry("text", version="v", tags=tags)


def test_what_the_serializer_refuses_is_refused() -> None:
    with pytest.raises(SerializationError, match="a set"):
        ValueCodec(Reprs()).encode("k", {1})


@given(st.text().filter(lambda form: form not in {"repr", "number", "markup"}), texts)
@example("signed-repr", "")
@example("pickle", "")
def test_another_form_is_not_read(form: str, text: str) -> None:
    serializer = Reprs()
    stored = encode(Entry(text, form=form))
    assert read_back(stored, ValueCodec(serializer)) is MISSING
    assert serializer.loaded == []


@given(NAMES)
def test_a_text_that_is_said_to_be_a_number_is_one_or_an_error(text: str) -> None:
    stored = encode(Entry(text, form="number"))
    try:
        read = read_back(stored)
    except UnreadableError:
        return
    assert type(read) is int


@pytest.mark.parametrize("number", [2**63, -(10**5000)], ids=["64 bits", "many"])
def test_a_number_that_was_counted_too_far_is_read_all_the_same(number: int) -> None:
    assert read_back(number) == number


def test_what_a_serializer_raises_is_told_as_its_reason() -> None:
    class Raising(Reprs):
        def loads(self, key: str, text: str) -> Any:
            raise KeyError(key)

    codec = ValueCodec(Raising())
    with pytest.raises(UnreadableError) as raised:
        read_back(codec.encode("k", [1]), codec)
    assert repr(raised.value.reason) == "KeyError('k')"
    with pytest.raises(UnreadableError) as raised:
        read_back(encode(Entry("text", form="number")))
    assert type(raised.value.reason) is ValueError


@pytest.mark.parametrize("stored", [None, True, 1.0, b"text", ["text"], HEADER_MARK])
def test_what_is_no_entry_is_none(stored: object) -> None:
    assert read_entry(stored) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "format": st.just(1) | json_values,
        "escaped": st.booleans() | json_values,
        "form": st.sampled_from(["number", "markup", "repr"]) | json_values,
        "version": json_values,
        "tags": json_values,
    },
)


@given(fields | json_values, st.text())
def test_a_forged_header_is_read_as_it_says_or_not_at_all(
    header: Any, text: str
) -> None:
    entry = read_entry(f"{HEADER_MARK}{json.dumps(header)}\n{text}")
    if entry is not None:
        assert header.get("form") == entry.form
        assert header.get("version") == entry.version
        assert dict(entry.tags) == header.get("tags", {})
        assert entry.text == text
