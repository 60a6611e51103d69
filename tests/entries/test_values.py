"""What a codec stores without its serializer: strings, ints and Markup."""

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
    """A serializer that records its calls."""

    form = "repr"

    def __init__(self) -> None:
        self.dumped: list[Any] = []
        self.loaded: list[str] = []

    def dumps(self, value: Any) -> str:
        self.dumped.append(value)
        if isinstance(value, set):
            raise SerializationError("a set")
        return f"k={value!r}"

    def loads(self, text: str) -> Any:
        self.loaded.append(text)
        return ["loaded", text]


def read_back(stored: object, codec: ValueCodec | None = None) -> Any:
    entry = read_entry(stored)
    assert entry is not None
    return (codec or ValueCodec(Reprs())).decode(entry)


texts = NAMES | NAMES.map(lambda text: HEADER_MARK + text) | st.integers().map(str)
tags = st.dictionaries(st.text(), st.text(), max_size=2)


# The examples are what the codec stores for values that are not strings.
@given(texts, tags)
@example(HEADER_MARK + '{"form":"repr","format":1}\nk=1', {})
@example(HEADER_MARK + '{"form":"number","format":1}\n5', {})
@example(HEADER_MARK + '{"form":"markup","format":1}\n<b>', {})
@example("5", {})
def test_a_string_comes_back_unchanged(text: str, tags: dict[str, str]) -> None:
    serializer = Reprs()
    codec = ValueCodec(serializer)
    stored = codec.encode(text, tags)
    assert type(stored) is str
    read = read_back(stored, codec)
    assert (type(read), read) == (str, text)
    assert (serializer.dumped, serializer.loaded) == ([], [])


@given(texts)
def test_markup_comes_back_as_markup(text: str) -> None:
    codec = ValueCodec(Reprs())
    read = read_back(codec.encode(Markup(text)))
    assert (type(read), str(read)) == (Markup, text)


@pytest.mark.parametrize("text", ["", "text", "5", "-1", "<b>"])
def test_a_string_without_version_and_tags_is_stored_as_itself(text: str) -> None:
    assert ValueCodec(Reprs()).encode(text) == text


@given(st.integers(-(2**63), 2**63 - 1))
@example(2**63 - 1)
@example(-(2**63))
def test_an_int_of_64_bits_is_stored_as_itself(number: int) -> None:
    serializer = Reprs()
    stored = ValueCodec(serializer).encode(number)
    assert (type(stored), stored) == (int, number)
    read = read_back(stored)
    assert (type(read), read) == (int, number)
    assert serializer.dumped == []


@pytest.mark.parametrize(
    "value", [2**63, -(2**63) - 1, True, False, None, 1.0, [1], {"a": 1}]
)
def test_other_values_are_left_to_the_serializer(value: Any) -> None:
    serializer = Reprs()
    codec = ValueCodec(serializer)
    stored = codec.encode(value)
    assert type(stored) is str
    assert read_back(stored, codec) == ["loaded", f"k={value!r}"]
    assert (serializer.dumped, serializer.loaded) == ([value], [f"k={value!r}"])


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Safe(Markup):
    __slots__ = ()


@pytest.mark.parametrize("value", [Text("a"), Number(1), Safe("a")])
def test_subclasses_of_str_int_and_markup_are_left_to_the_serializer(
    value: Any,
) -> None:
    serializer = Reprs()
    ValueCodec(serializer).encode(value)
    (dumped,) = serializer.dumped
    assert dumped is value


def test_an_int_with_tags_is_left_to_the_serializer() -> None:
    stored = ValueCodec(Reprs()).encode(5, {"t": "1"})
    assert read_entry(stored) == Entry("k=5", form="repr", tags=(("t", "1"),))


def test_in_a_signed_store_only_a_number_to_count_with_is_stored_as_a_number() -> None:
    codec = ValueCodec(Reprs(), is_signed=True)
    assert codec.encode(5, is_counter=True) == 5
    assert read_entry(codec.encode(5)) == Entry("k=5", form="repr")


def test_tags_are_stored_in_the_entry() -> None:
    stored = ValueCodec(Reprs()).encode("text", {"b": "2", "a": "1"})
    tags = (("a", "1"), ("b", "2"))
    assert read_entry(stored) == Entry("text", tags=tags)


def test_an_error_of_the_serializer_is_passed_on() -> None:
    with pytest.raises(SerializationError, match="a set"):
        ValueCodec(Reprs()).encode({1})


@given(st.text().filter(lambda form: form not in {"repr", "number", "markup"}), texts)
@example("signed-repr", "")
@example("pickle", "")
def test_an_entry_of_another_form_is_not_read(form: str, text: str) -> None:
    serializer = Reprs()
    stored = encode(Entry(text, form=form))
    assert read_back(stored, ValueCodec(serializer)) is MISSING
    assert serializer.loaded == []


@given(NAMES)
def test_a_text_with_the_form_of_a_number_is_an_int_or_an_error(text: str) -> None:
    stored = encode(Entry(text, form="number"))
    try:
        read = read_back(stored)
    except UnreadableError:
        return
    assert type(read) is int


@pytest.mark.parametrize("number", [2**63, -(10**5000)], ids=["64 bits", "many"])
def test_an_int_that_was_counted_past_64_bits_can_be_read(number: int) -> None:
    assert read_back(number) == number


def test_an_unreadable_error_carries_what_the_serializer_raised() -> None:
    class Raising(Reprs):
        def loads(self, text: str) -> Any:
            raise KeyError("k")

    codec = ValueCodec(Raising())
    with pytest.raises(UnreadableError) as raised:
        read_back(codec.encode([1]), codec)
    assert repr(raised.value.reason) == "KeyError('k')"
    with pytest.raises(UnreadableError) as raised:
        read_back(encode(Entry("text", form="number")))
    assert type(raised.value.reason) is ValueError


@pytest.mark.parametrize("stored", [None, True, 1.0, b"text", ["text"], HEADER_MARK])
def test_a_stored_value_that_is_not_an_entry_is_none(stored: object) -> None:
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
