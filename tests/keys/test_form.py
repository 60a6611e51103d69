import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.keys import form
from jinja_fragcache.keys.form import digest_key, readable_name, sha256


@given(st.binary())
def test_digests_are_those_of_hashlib(data: bytes) -> None:
    assert sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()


def test_pythons_own_is_there() -> None:
    assert sha256.__module__ == form._OWN


@pytest.mark.parametrize("module", ["no_module", "math"])
def test_without_pythons_own_it_is_that_of_hashlib(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setattr(form, "_OWN", module)
    assert form._fastest_sha256() is hashlib.sha256


@given(st.text())
def test_a_readable_name_is_short_and_printable(name: str) -> None:
    readable = readable_name(name)
    assert len(readable) <= 80
    assert all("!" <= character <= "~" for character in readable)
    if all("!" <= character <= "~" for character in name):
        assert readable == name[:80]


@pytest.mark.parametrize(
    ("name", "readable"),
    [("a b", "a_b"), ("a\tb", "a_b"), ("\xe9t\xe9", "_t_"), ("a \n b", "a_b")],
)
def test_what_is_not_printable_is_replaced(name: str, readable: str) -> None:
    assert readable_name(name) == readable


def test_a_key_ends_with_a_digest_of_all_that_tells_it_from_others() -> None:
    digest = hashlib.sha256(b"s1:a").hexdigest()
    assert digest_key("fragment", "a", "s1:a") == f"fragment:a:{digest}"
