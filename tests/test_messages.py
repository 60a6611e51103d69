import logging
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Undefined

from jinja_fragcache.messages import (
    describe,
    describe_class,
    describe_error,
    did_you_mean,
    logger,
    one_line,
    percent,
    sentence,
    some_of,
    unknown_argument,
    why_undefined,
    without_logins,
    without_secret_causes,
)


def test_a_value_is_described_even_if_its_repr_fails() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert describe(Broken()) == "an object of Broken"
    assert describe("a") == "'a' (str)"
    assert describe(None) == "None"


def test_a_value_is_described_even_if_it_has_no_class() -> None:
    class Gone:
        pass

    # It raises a ReferenceError for whatever it is asked.
    dead = weakref.proxy(Gone())
    assert describe(dead) == describe_class(dead) == "an object of ProxyType"


def test_a_long_value_is_described_by_its_first_100_characters() -> None:
    assert describe("a" * 200) == "'" + "a" * 99 + " (str)"


def test_a_value_whose_repr_takes_for_ever_is_described() -> None:
    value: Any = []
    for _ in range(60):
        value = [value, {"a": value, 1: (value,)}, {1.5}]
    assert describe(value).startswith("[[[[...], {...}, {...}], {'a': [...], ")
    assert describe({(1, "a"): None}) == "{(1, 'a'): None} (dict)"
    assert describe(frozenset({1})) == "frozenset({1}) (frozenset)"
    # A class with a repr of its own, and the name of another one.
    named = type("list", (list,), {"__repr__": lambda _: "mine"})
    assert describe([named()]) == "[mine] (list)"


def test_an_undefined_value_is_described_by_the_message_of_jinja() -> None:
    assert why_undefined(Undefined(name="user")) == "'user' is undefined"
    assert describe(Undefined(name="user")) == "undefined ('user' is undefined)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://ann:secret@host:1/0 is down", "redis://...@host:1/0 is down"),
        ("['ann:secret@a', 'b']", "['...@a', 'b']"),
        ("host:1", "host:1"),
        ("u:with/slash@host", "...@host"),
        ("redis://u:with,(@[@host:1", "redis://...@host:1"),
        ("at redis://h:1?password=secret now", "at redis://h:1?... now"),
        ("HTTPS://u:p@a and b", "HTTPS://...@a and b"),
        (
            "none: <redis.asyncio.client.Redis(<x(password=a)>,host=h)>)> is down",
            "none: <redis.asyncio.client.Redis(...)> is down",
        ),
    ],
)
def test_a_text_is_shown_without_logins(text: str, shown: str) -> None:
    assert without_logins(text) == shown


def test_an_error_may_be_a_cause_if_no_error_before_it_shows_a_login() -> None:
    plain, secret = ValueError("plain"), ValueError("u:secret@host")
    assert without_secret_causes(plain) is plain
    assert without_secret_causes(secret) is None
    for name in ("__cause__", "__context__"):
        outer, middle = KeyError("outer"), KeyError("middle")
        setattr(outer, name, middle)
        assert without_secret_causes(outer) is outer
        setattr(middle, name, secret)
        assert without_secret_causes(outer) is None
    # A circle does not end otherwise.
    plain.__context__ = KeyError("other")
    plain.__context__.__context__ = plain
    assert without_secret_causes(plain) is plain


HOSTILE = "x\nroot logged in\r\x1b[2J\u2028\u202e\udc80"
SHOWN = r"x\nroot logged in\r\x1b[2J\u2028\u202e\udc80"


def test_a_text_is_shown_on_one_line() -> None:
    assert one_line(HOSTILE) == SHOWN
    assert one_line("plain \u00e9") == "plain \u00e9"
    assert one_line("abc", most=2) == "ab..."


@given(st.text(st.characters(codec=None)), st.integers(0, 50))
def test_any_text_is_shown_on_one_printable_line(text: str, most: int) -> None:
    shown = one_line(text, most)
    assert shown.isprintable()
    assert len(shown) <= 10 * most + 3


def test_logs_name_undefined_variables_and_not_what_visitors_look_up() -> None:
    users = {"ann@example.org": 1}
    missing_user = Undefined(obj=users, name="bob@example.org")
    with_hint = Undefined(hint="there is no bob@example.org")
    assert describe_class(Undefined(name="user")) == "undefined ('user' is undefined)"
    assert describe_class(missing_user) == "undefined (an attribute or item of dict)"
    assert describe_class(with_hint) == "undefined (its message may be personal)"
    assert "bob" in describe(missing_user)
    assert "bob" in describe(with_hint)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["a"], "'a'"),
        ([*"abc"], "'a', 'b', 'c'"),
        ([*"abcde"], "'a', 'b', 'c' and 2 more"),
    ],
)
def test_some_of_many_names_are_shown(names: list[str], shown: str) -> None:
    assert some_of(names) == shown


@pytest.mark.parametrize("end", ["", ".", "..."])
def test_a_sentence_ends_once(end: str) -> None:
    assert sentence(f"no password{end}") == "no password."
    assert sentence("Are you sure?") == "Are you sure?"


def test_a_value_is_described_on_one_line() -> None:
    class Hostile:
        def __repr__(self) -> str:
            return HOSTILE

    assert describe(Hostile()) == f"{SHOWN} (Hostile)"
    named = type("a\nb", (), {"__repr__": lambda _: "r"})()
    assert describe(named) == r"r (a\nb)"
    assert describe_class(named) == r"an object of a\nb"
    assert describe(Undefined(name="a\nb")) == r"undefined ('a\nb' is undefined)"
    shown = describe_class(Undefined(name="a\nb"))
    assert shown == r"undefined ('a\nb' is undefined)"
    assert describe_class(None) == "None"


def test_an_exception_is_described_on_one_line_even_if_its_text_raises() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe_error(ValueError("a\nb")) == r"ValueError: a\nb"
    assert describe_error(StopIteration()) == "StopIteration"
    assert describe_error(BrokenError()) == "BrokenError"


def test_each_message_of_the_log_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("plain %s", "text")
    logger.warning("key %s", HOSTILE)
    logger.warning("long %s", "x" * 10_000)
    plain, hostile, long = caplog.records
    assert (plain.msg, plain.args) == ("plain %s", ("text",))
    assert hostile.getMessage() == f"key {SHOWN}"
    assert len(long.getMessage()) < 2100
    assert logging.Formatter().format(hostile) == f"key {SHOWN}"


def test_similar_names_are_asked_for() -> None:
    known = ["timeout", "lock_timeout", "threshold"]
    assert did_you_mean("timout", known) == " Did you mean timeout?"
    assert did_you_mean("lok_timeout", known) == (
        " Did you mean lock_timeout or timeout?"
    )
    assert did_you_mean("colour", known) == ""


def test_names_that_begin_with_an_unknown_one_are_meant() -> None:
    known = ["NEAT", "NEAR_TIMEOUT", "NEAR_THRESHOLD"]
    assert (
        did_you_mean("NEAR", known) == " Did you mean NEAR_TIMEOUT or NEAR_THRESHOLD?"
    )


def test_names_that_end_with_an_unknown_one_are_meant() -> None:
    known = ["time_out", "default_timeout", "lock_timeout"]
    told = " Did you mean default_timeout or lock_timeout?"
    assert did_you_mean("timeout", known) == told


def test_a_name_in_other_case_is_meant() -> None:
    known = ["CACHE_TYPE", "CACHE_TYPES"]
    assert did_you_mean("cache_type", known) == " Did you mean CACHE_TYPE?"


def test_an_unknown_argument_is_found_in_the_error() -> None:
    with pytest.raises(TypeError) as raised:
        Undefined(colour=1)  # type: ignore[call-arg]
    assert unknown_argument(raised.value) == "colour"
    assert unknown_argument(TypeError("something else")) is None


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0, "0%"),
        (0.00001, "0.1%"),
        (1 / 3, "33.3%"),
        (0.5, "50%"),
        (2 / 3, "66.7%"),
        (8190 / 8214, "99.7%"),
        (0.99999, "99.9%"),
        (1, "100%"),
    ],
)
def test_only_all_are_100_per_cent_and_only_none_are_0(
    fraction: float, shown: str
) -> None:
    assert percent(fraction) == shown
