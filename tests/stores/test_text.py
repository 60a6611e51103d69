import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jinja_fragcache.stores import TextSerializer
from jinja_fragcache.stores.text import NeverEmptySerializer
from tests.support import NAMES

serializer = TextSerializer()


NUMBERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(NAMES | NUMBERS | NUMBERS.map(str))
@example("lone surrogate \udc80")
@example("-0")
@example("007")
@example("9 ")
def test_texts_and_numbers_come_back(value: str | int) -> None:
    assert serializer.loads(serializer.dumps(value)) == value
    file = io.BytesIO()
    serializer.dump(value, file)
    file.seek(0)
    assert serializer.load(file) == value


@given(st.binary())
def test_any_bytes_are_read_without_an_error(stored: bytes) -> None:
    assert isinstance(serializer.loads(stored), str | int | None)


@pytest.mark.parametrize("one", [serializer, NeverEmptySerializer()])
@given(st.lists(st.binary() | NAMES | st.none()))
@example([b"text", b"", b"\xff", b"\xc3", None, b"7"])
def test_values_are_read_together_as_one_by_one(
    one: TextSerializer, stored: list[Any]
) -> None:
    assert one.loads_all(stored) == [one.loads(each) for each in stored]


@pytest.mark.parametrize("value", [None, True, b"bytes", ["x"], 1.5, 10**19])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="This store keeps texts"):
        serializer.dumps(value)


@pytest.mark.parametrize("stored", [None, 5, b"\xffx", b"\xff", b"\xc3"])
def test_bytes_that_are_no_text_are_none(stored: Any) -> None:
    assert serializer.loads(stored) is None


def test_a_number_is_stored_as_digits_and_a_text_of_digits_is_marked() -> None:
    assert serializer.dumps(-12) == b"-12"
    assert serializer.dumps("-12") == b"\xff-12"
    assert serializer.dumps("12 pages") == b"12 pages"
    assert serializer.loads(b"9  ") == 9


def test_text_from_a_client_that_decodes_is_returned() -> None:
    assert serializer.loads("text") == "text"


@given(NAMES | NUMBERS | NUMBERS.map(str))
@example("")
def test_the_never_empty_serializer_returns_at_least_one_byte(value: str | int) -> None:
    never_empty = NeverEmptySerializer()
    made = never_empty.dumps(value)
    assert made
    assert never_empty.loads(made) == value
    assert never_empty.loads(b"\xffx") is None
