"""The values of settings, also as texts from the environment."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache import SettingError
from jinja_fragcache.flask.setting_values import read_settings
from jinja_fragcache.flask.settings import SETTINGS

FLAGS = [each.name for each in SETTINGS if isinstance(each.default, bool)]
NUMBERS = [
    each.name
    for each in SETTINGS
    if isinstance(each.default, int) and each.name not in FLAGS
]


def read(name: str, value: Any) -> Any:
    return read_settings({name: value})[name]


def default(name: str) -> Any:
    return read_settings({})[name]


def test_settings_that_are_missing_have_their_default() -> None:
    assert read_settings({}) == {each.name: each.default for each in SETTINGS}


def test_other_settings_are_left_alone() -> None:
    assert read_settings({"SECRET_KEY": "", "CACHE_OTHER": "5"}) == {
        **read_settings({}),
        "SECRET_KEY": "",
        "CACHE_OTHER": "5",
    }


@pytest.mark.parametrize("name", [each.name for each in SETTINGS])
def test_an_empty_text_is_no_setting(name: str) -> None:
    kept = {"CACHE_KEY_PREFIX", "CACHE_SIGNING_KEY"}
    assert read(name, "") == ("" if name in kept else default(name))


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_may_be_text(name: str) -> None:
    assert read(name, "60") == 60
    assert type(read(name, " 60 ")) is int
    assert read(name, "0.5") == 0.5


@given(st.integers() | st.floats(allow_nan=False))
def test_the_text_of_a_number_is_the_number(number: float) -> None:
    assert read("CACHE_STALE", str(number)) == number


@pytest.mark.parametrize("name", NUMBERS)
def test_a_text_that_is_no_number_is_an_error(name: str) -> None:
    told = rf"{name} can't be '5 minutes'\. It is a number .* {name}={default(name)}\."
    with pytest.raises(SettingError, match=told):
        read(name, "5 minutes")


def test_the_error_of_a_timeout_says_what_to_write() -> None:
    with pytest.raises(SettingError) as raised:
        read("CACHE_DEFAULT_TIMEOUT", "5 minutes")
    assert str(raised.value) == (
        "CACHE_DEFAULT_TIMEOUT can't be '5 minutes'. It is a number (timeout in seconds"
        " where none is given; `0` for never expiring). Write, for example,"
        " CACHE_DEFAULT_TIMEOUT=300."
    )


def test_the_error_of_a_number_hides_a_login() -> None:
    with pytest.raises(SettingError) as raised:
        read("CACHE_REDIS_PORT", "redis://ann:hidden@host")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("value", [timedelta(minutes=5), -1, 2.5, True])
def test_a_number_that_is_no_text_is_left_as_it_is(value: Any) -> None:
    assert read("CACHE_DEFAULT_TIMEOUT", value) is value


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(each, True) for each in (True, 1, "1", "true", "True", "YES", " on ")],
        *[(each, False) for each in (False, 0, "0", "false", "no", "Off", "", None)],
    ],
)
def test_a_flag_may_be_text(name: str, value: Any, expected: bool) -> None:
    if value in ("", None):
        expected = default(name)
    assert read(name, value) is expected


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("bad", ["maybe", "2", 2, 0.5, [], {}])
def test_a_flag_that_is_neither_true_nor_false_is_an_error(name: str, bad: Any) -> None:
    with pytest.raises(SettingError, match=f"{name} can't be .* Write True or False"):
        read(name, bad)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CACHE_OPTIONS", {}),
        ("CACHE_REDIS_DB", 0),
        ("CACHE_SERIALIZER", "pickle"),
        ("CACHE_THRESHOLD", 500),
        ("CACHE_KEY_PREFIX", None),
        ("CACHE_DEFAULT_TIMEOUT", None),
        ("CACHE_REDIS_HOST", None),
    ],
)
def test_none_is_the_default_where_flask_caching_has_it(
    name: str, expected: Any
) -> None:
    assert read(name, None) == expected


def test_the_source_check_may_be_unsaid() -> None:
    name = "CACHE_SOURCE_CHECK"
    values = (None, "", "true", "0", False)
    assert [read(name, each) for each in values] == [None, None, True, False, False]
    with pytest.raises(SettingError, match="CACHE_SOURCE_CHECK can't be 'maybe'"):
        read(name, "maybe")


def test_a_hash_method_is_a_function() -> None:
    read_settings({"CACHE_HASH_METHOD": hashlib.md5})
    with pytest.raises(SettingError, match="CACHE_HASH_METHOD can't be 'sha256'"):
        read_settings({"CACHE_HASH_METHOD": "sha256"})


def test_the_meaning_of_a_setting_is_shown_without_markdown() -> None:
    told = r"the value is made again and compared with what is served\)"
    with pytest.raises(SettingError, match=told):
        read_settings({"CACHE_VERIFY": "x"})
