from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.flask.serializers import JSONSerializer
from jinja_fragcache.flask.signing import SignedSerializer

OLD, NEW = "an old secret", b"a new secret"
TEXTS = st.text(st.characters(codec=None), max_size=20)


def signed(*keys: str | bytes) -> SignedSerializer:
    return SignedSerializer(JSONSerializer(), list(keys))


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_a_signed_value_is_read_under_its_key(key: str, value: list[str]) -> None:
    text = signed(NEW).dumps(key, value)
    assert signed(NEW).loads(key, text) == value
    assert signed(OLD, NEW).loads(key, text) == value


@given(TEXTS, TEXTS)
def test_a_signature_is_valid_for_one_key(key: str, other: str) -> None:
    text = signed(NEW).dumps(key, [1])
    if key != other:
        with pytest.raises(ValueError, match="not signed with CACHE_SIGNING_KEY"):
            signed(NEW).loads(other, text)


def test_the_last_secret_signs_and_all_verify() -> None:
    old = signed(OLD).dumps("k", [1])
    assert signed(OLD, NEW).loads("k", old) == [1]
    new = signed(OLD, NEW).dumps("k", [1])
    assert signed(NEW).loads("k", new) == [1]
    with pytest.raises(ValueError, match="not signed"):
        signed(OLD).loads("k", new)


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: "[2]" + text])
def test_a_changed_value_is_not_read_and_no_error_shows_the_right_signature(
    change: Any,
) -> None:
    text = signed(NEW).dumps("k", [1])
    with pytest.raises(ValueError, match="not signed") as raised:
        signed(NEW).loads("k", change(text))
    assert raised.value.__context__ is None
