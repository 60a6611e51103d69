import pytest
from jinja2 import Undefined

from jinja_fragcache.messages import describe, why_undefined, without_logins


def test_a_value_is_described_even_if_its_repr_fails() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert describe(Broken()) == "an object of Broken"
    assert describe("a") == "'a' (str)"
    assert describe(None) == "None"


def test_a_long_value_is_described_by_its_first_100_characters() -> None:
    assert describe("a" * 200) == "'" + "a" * 99 + " (str)"


def test_an_undefined_value_is_described_by_the_message_of_jinja() -> None:
    assert why_undefined(Undefined(name="user")) == "'user' is undefined"
    assert describe(Undefined(name="user")) == "undefined ('user' is undefined)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://ann:secret@host:1/0 is down", "redis://...@host:1/0 is down"),
        ("['ann:secret@a', 'b']", "['...@a', 'b']"),
        ("host:1", "host:1"),
    ],
)
def test_a_text_is_shown_without_logins(text: str, shown: str) -> None:
    assert without_logins(text) == shown
