from typing import Any

import pytest

from jinja_fragcache.stores import UWSGIStore


def test_uwsgi_holds_utf_8_and_digits(uwsgi_store: Any) -> None:
    uwsgi_store.set("text", "<p>Grüße</p>")
    uwsgi_store.set("number", 12)
    assert bytes(uwsgi_store.call("stored", "text")) == "<p>Grüße</p>".encode()
    assert bytes(uwsgi_store.call("stored", "number")) == b"12"


def test_a_value_that_is_too_large_is_not_stored(uwsgi_store: Any) -> None:
    assert uwsgi_store.set("k", "x" * 100_000) is False
    assert uwsgi_store.get("k") is None


def test_has_is_true_for_an_empty_value(uwsgi_store: Any) -> None:
    assert uwsgi_store.call("has", "k") is False
    uwsgi_store.set("k", "")
    assert uwsgi_store.call("has", "k") is True


def test_outside_of_uwsgi_it_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="are you running under uWSGI"):
        UWSGIStore()
