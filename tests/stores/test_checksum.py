from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.errors import DamagedValueError
from jinja_fragcache.stores.checksum import (
    plain_texts,
    with_checksum,
    without_checksum,
    without_checksums,
)
from jinja_fragcache.stores.text import NUMBER, TextSerializer

TEXTS = st.text(max_size=20).map(TextSerializer().dumps)


@given(st.text(max_size=9), TEXTS)
def test_what_is_stored_is_read_again(key: str, data: bytes) -> None:
    assert without_checksum(key, with_checksum(key, data)) == data


@pytest.mark.parametrize("number", [b"0", b"-7", b"12 ", b"9" * 19])
def test_numbers_stay_numbers(number: bytes) -> None:
    assert with_checksum("k", number) == number
    assert without_checksum("k", number) == number


@given(st.dictionaries(st.text(max_size=9), TEXTS | st.sampled_from([b"7", None])))
def test_values_are_read_together_as_one_by_one(
    values: dict[str, bytes | None],
) -> None:
    stored = [
        None if each is None else with_checksum(key, each)
        for key, each in values.items()
    ]
    assert without_checksums(values, stored) == list(values.values())


@given(st.dictionaries(st.text(max_size=9), st.text("0aä<\x1e", max_size=9)))
def test_a_list_of_plain_texts_is_read_in_fewer_steps(values: dict[str, str]) -> None:
    dumped = {key: TextSerializer().dumps(text) for key, text in values.items()}
    stored = [with_checksum(key, each) for key, each in dumped.items()]
    is_plain = all(values[key].encode() == each for key, each in dumped.items())
    is_plain = is_plain and not any(each == b"0" for each in dumped.values())
    wanted = list(values.values()) if is_plain else None
    assert plain_texts(list(values), stored) == wanted


@pytest.mark.parametrize(
    "other", [None, b"7", b"text", with_checksum("a", b"text"), "text", 7, b""]
)
@pytest.mark.parametrize("at", [0, 1])
def test_a_list_with_anything_else_is_not_read_in_fewer_steps(
    other: object, at: int
) -> None:
    stored: list[object] = [with_checksum("k", b"text")]
    stored.insert(at, other)
    keys = ["k"]
    keys.insert(at, "other")
    assert plain_texts(keys, stored) is None


def test_a_list_that_is_too_short_or_too_long_is_not_read_in_fewer_steps() -> None:
    stored = [with_checksum("k", b"text")]
    assert plain_texts(["k", "k"], stored) is None
    assert plain_texts([], stored) is None


@given(TEXTS, st.text(min_size=1, max_size=9))
def test_one_text_of_another_key_is_damaged_among_others(
    data: bytes, other: str
) -> None:
    stored = [with_checksum("k", data), None, with_checksum("", data)]
    with pytest.raises(DamagedValueError, match="of another key"):
        without_checksums(["k", "none", other], stored)


@given(TEXTS, st.text(min_size=1, max_size=9))
def test_the_text_of_another_key_is_damaged(data: bytes, other: str) -> None:
    with pytest.raises(DamagedValueError, match="of another key"):
        without_checksum("", with_checksum(other, data))


@given(TEXTS, st.data())
def test_a_text_that_was_changed_is_damaged(data: bytes, draw: st.DataObject) -> None:
    stored = with_checksum("k", data)
    at = draw.draw(st.integers(0, len(stored) - 1))
    cut, put = draw.draw(st.integers(0, 4)), draw.draw(st.binary(max_size=4))
    changed = stored[:at] + put + stored[at + cut :]
    if changed != stored:
        with pytest.raises(DamagedValueError):
            without_checksum("k", changed)


@given(st.text(max_size=9), TEXTS)
def test_a_checksum_in_digits_as_it_was_before_is_damaged(
    key: str, data: bytes
) -> None:
    before = b"%b\x1e%08x" % (data, crc32(data, crc32(key.encode())))
    with pytest.raises(DamagedValueError):
        without_checksum(key, before)


@pytest.mark.parametrize("data", [b"", b"-"])
def test_no_checksum_makes_a_number_of_a_text(data: bytes) -> None:
    # Servers count with what looks like a number.
    stored = with_checksum("k", data)
    assert NUMBER.fullmatch(stored[:-4] + b"1234") is None


def test_nothing_is_not_the_text_of_an_empty_key() -> None:
    with pytest.raises(DamagedValueError):
        without_checksum("", b"")


@pytest.mark.parametrize(
    "stored", [b"", b"OK", b"text", b"\x1e", b"7f3a9c21", "text", 7, True, [b"text"]]
)
def test_anything_else_is_damaged(stored: Any) -> None:
    with pytest.raises(DamagedValueError, match="'k'"):
        without_checksum("k", stored)
