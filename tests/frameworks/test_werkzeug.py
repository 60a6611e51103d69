"""What is read of a request of Werkzeug's kind is noted by one name for each thing."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.frameworks.werkzeug import g_class, watch_early, watch_request
from jinja_fragcache.guard import watched
from jinja_fragcache.guard.watched import watch

KNOWN = frozenset(vars(Request({}))) | {"view_args"}


class Fields:
    """An object like Flask's `g`."""

    def __init__(self) -> None:
        self.theme = "dark"

    def get(self, name: str, default: Any = None) -> Any:
        return vars(self).get(name, default)


def watched_request() -> Any:
    builder = EnvironBuilder("/shop/a?page=2", headers=[("User-Agent", "agent")])
    request: Any = Request(builder.get_environ())
    request.view_args = {"name": "a"}
    request.tenant = "ann"
    request.get_json = None
    watch_request(request, KNOWN)
    watch_request(request, KNOWN)
    return request


@pytest.mark.parametrize("is_set_late", [False, True])
def test_an_early_watched_request_notes_its_own_attributes_when_bodies_begin(
    *, is_set_late: bool
) -> None:
    request: Any = Request(EnvironBuilder("/?page=2").get_environ())
    request.view_args = {}
    if not is_set_late:
        request.tenant = "ann"
    watch_early(request, KNOWN)
    if is_set_late:
        request.tenant = "ann"
    with Dependencies() as body:
        assert request.args["page"] == "2"
    assert body.reads.keys() == {"request.args.page"}
    watch_request(request, KNOWN)
    with Dependencies() as body:
        assert request.tenant == "ann"
    assert body.reads.keys() == {"request.tenant"}


def test_a_second_request_of_a_kind_makes_no_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched_request()
    made: list[type] = []
    subclass = watched.subclass

    def counted(kind: type, own: Mapping[str, Any]) -> type:
        made.append(kind)
        return subclass(kind, own)

    monkeypatch.setattr(watched, "subclass", counted)
    request = watched_request()
    assert request.get_data() == b""
    assert made == []


@pytest.mark.parametrize(
    ("read", "noted"),
    [
        (lambda request: request.args["page"], {"request.args.page": {"2"}}),
        (lambda request: request.view_args["name"], {"request.view_args.name": {"a"}}),
        (lambda request: request.user_agent, {"request.headers.user-agent": {"agent"}}),
        (lambda request: request.path, {"request.path": {"/shop/a"}}),
        (lambda request: request.tenant, {"request.tenant": {"ann"}}),
        (lambda request: request.files.get("a"), {"request.files.a": {"None"}}),
    ],
)
def test_the_names_of_reads(
    read: Callable[[Any], object], noted: dict[str, set[str]]
) -> None:
    request = watched_request()
    read(request)
    with Dependencies() as body:
        read(request)
    assert {each.name: set(each.values) for each in body.reads.values()} == noted


def test_a_url_consists_of_parts() -> None:
    request = watched_request()
    with Dependencies() as body:
        assert request.url == "http://localhost/shop/a?page=2"
    (url,) = body.reads.values()
    names = ["request.host", "request.scheme", "request.path", "request.args"]
    assert [part.name for part in url.parts] == names


def test_each_way_to_read_a_field_is_noted() -> None:
    def note(_: Any, name: str, value: Any) -> Any:
        note_read(f"g.{name}", value)
        return value

    fields: Any = Fields()
    assert watch(fields, g_class, note)
    with Dependencies() as body:
        assert fields.theme == "dark"
    assert body.reads.keys() == {"g.theme"}
    with Dependencies() as body:
        assert fields.get("theme") == "dark"
    assert "g.theme" in body.reads
    with Dependencies() as body:
        assert ("theme" in fields, "cart" in fields) == (True, False)
    assert body.reads.keys() == {"g.theme", "g.cart"}
    with Dependencies() as body:
        assert list(fields) == ["theme"]
    assert body.reads.keys() == {"g"}
