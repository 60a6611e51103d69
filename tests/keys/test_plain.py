import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.encoding import encode_value
from jinja_fragcache.keys.fragment import encoded_value
from jinja_fragcache.keys.plain import int_text, refusal


@given(st.text() | st.integers())
def test_texts_and_numbers_count_as_what_the_whole_encoding_says(
    value: str | int,
) -> None:
    assert encoded_value(value) == encode_value(value)


@pytest.mark.parametrize("value", [None, True, 1.0, ["a"], {"a": 1}])
def test_all_other_values_are_left_to_the_encoding(value: object) -> None:
    assert encoded_value(value) == encode_value(value)


def test_a_number_too_long_to_write_is_refused() -> None:
    with pytest.raises(KeyValueError, match="bits"):
        int_text(10**5000)


def test_a_refusal_shows_the_value_and_its_log_only_the_class() -> None:
    error = refusal("Not {}.", "secret")
    assert "secret" in str(error)
    assert "secret" not in error.for_log
