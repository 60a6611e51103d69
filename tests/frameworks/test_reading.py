from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest

from jinja_fragcache.engine.dependencies import Dependencies, quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.frameworks.reading import (
    is_noting,
    note_item,
    noting,
    read_field,
    watched_mapping,
)
from jinja_fragcache.guard.views import MappingView


class Session(UserDict[str, Any]):
    pass


def test_only_while_a_body_runs_something_is_noted() -> None:
    assert not is_noting()
    with Dependencies():
        assert is_noting()
        with quietly():
            assert not is_noting()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("request.headers.X-User", "request.headers.x-user"),
        ("request.session.cart", "request.session.cart"),
        ("request.session._messages", "flashed messages"),
        ("request.session._auth_user_id", "request.user"),
        ("request.META.CSRF_COOKIE", "csrf_token"),
    ],
)
def test_the_names_of_items(name: str, shown: str) -> None:
    with Dependencies() as body:
        note_item(name, 1)
    assert body.reads.keys() == {shown}


@pytest.mark.parametrize("made", [Session, dict, MappingProxyType])
def test_mappings_are_watched_or_viewed(made: Any) -> None:
    value = made({"theme": "dark"})
    assert watched_mapping("request.cookies", value) is value
    with Dependencies() as body:
        watched = watched_mapping("request.cookies", value)
        assert watched["theme"] == "dark"
    assert body.reads.keys() == {"request.cookies.theme"}
    assert isinstance(watched, MappingView) is (made is not Session)


def test_what_is_no_mapping_is_read_as_a_whole() -> None:
    with Dependencies() as body:
        assert watched_mapping("request.session", (1, 2)) == (1, 2)
    assert body.reads.keys() == {"request.session"}


def test_what_an_application_keeps_in_a_request() -> None:
    connection, session = object(), {"cart": 5}
    with Dependencies() as body:
        assert read_field("request.ctx.db", connection) is connection
        assert read_field("request.ctx.theme", "dark") == "dark"
        assert read_field("request.ctx.session", session)["cart"] == 5
    assert body.reads.keys() == {"request.ctx.theme", "request.ctx.session.cart"}
    assert read_field("request.ctx.session", session) is session


def test_a_method_notes_what_it_reads_by_one_name() -> None:
    class Request:
        def host(self) -> str:
            note_read("request.META")
            return "a.com"

    host = noting(Request.host, lambda _: note_read("request.host"))
    assert host(Request()) == "a.com"
    with Dependencies() as body:
        assert host(Request()) == "a.com"
    assert body.reads.keys() == {"request.host"}
