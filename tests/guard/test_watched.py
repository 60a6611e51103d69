from collections import UserDict
from collections.abc import Callable
from typing import Any

import litestar.datastructures as litestar
import pytest
import sanic.compat
import sanic.request
import starlette.datastructures as starlette
import werkzeug.datastructures as werkzeug
from django.http import QueryDict
from multidict import CIMultiDict

from jinja_fragcache.guard.watched import (
    WHOLE,
    attributes_class,
    is_watched,
    mapping_class,
    properties_class,
    watch,
)


class Notes(list[tuple[Any, ...]]):
    """Keeps what is noted. (A class whose objects are hashable, as functions are.)"""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __call__(self, name: str, *value: Any) -> None:
        self.append((name, *value))


class Session(dict[str, Any]):
    pass


def watched_session(notes: Notes) -> Session:
    session = Session(user="Ann")
    assert watch(session, mapping_class, "session", notes)
    return session


COUNTED = ("session",)
ALL = ("session", WHOLE)


@pytest.mark.parametrize(
    ("read", "noted"),
    [
        (lambda session: session["user"], ("session.user", "Ann")),
        (lambda session: session.get("user"), ("session.user", "Ann")),
        (lambda session: session.get("cart"), ("session.cart", None)),
        (lambda session: session.pop("user"), ("session.user", "Ann")),
        (lambda session: session.setdefault("cart", 1), ("session.cart", 1)),
        (lambda session: "cart" in session, ("session.cart", None)),
        (len, COUNTED),
        (bool, COUNTED),
        (list, COUNTED),
        (repr, ALL),
        (lambda session: session.keys(), COUNTED),
        (lambda session: list(session.values()), ALL),
        (lambda session: session.items(), ALL),
        (lambda session: session == {}, ALL),
        (lambda session: session.copy(), ALL),
        (lambda session: {**session}, COUNTED),
    ],
)
def test_each_way_to_read_a_mapping_is_noted(
    read: Callable[[Session], object], noted: tuple[Any, ...]
) -> None:
    notes = Notes()
    session = watched_session(notes)
    assert read(session) == read(Session(user="Ann")) or read is repr
    assert notes[0] == noted


# What changes a mapping, or has nothing to do with its items.
WRITING = {
    *("add", "append", "appendlist", "clear", "extend", "merge", "setlist", "update"),
    *("close", "encoding", "from_form_data", "from_scope", "fromkeys"),
    "setlistdefault",
}
# They call another method.
CALLING = {"deepcopy", "get_all"}


@pytest.mark.parametrize(
    "kind",
    [
        *(werkzeug.MultiDict, werkzeug.ImmutableMultiDict, QueryDict, CIMultiDict),
        *(starlette.QueryParams, starlette.Headers, starlette.FormData),
        *(litestar.MultiDict, litestar.FormMultiDict, litestar.Headers),
        *(sanic.compat.Header, sanic.request.RequestParameters),
    ],
)
def test_each_method_of_mappings_that_reads_is_noted(kind: type) -> None:
    made = mapping_class(type("Kind", (kind,), {}), "session", Notes())
    methods = {name for name in dir(kind) if not name.startswith("_")}
    assert methods - vars(made).keys() <= WRITING | CALLING


def test_all_values_of_a_key_of_a_multidict_are_all_of_it() -> None:
    notes = Notes()
    headers = litestar.Headers({"Accept": "a"})
    assert watch(headers, mapping_class, "headers", notes)
    assert headers.getall("Accept") == ["a"]
    assert headers.getone("Accept") == "a"
    assert notes == [("headers", WHOLE), ("headers.Accept", "a")]


def test_an_item_that_is_missing_was_read() -> None:
    notes = Notes()
    with pytest.raises(KeyError):
        watched_session(notes)["cart"]
    assert notes == [("session.cart", None)]


def test_that_an_item_is_there_is_no_text_for_a_key() -> None:
    notes = Notes()
    assert "user" in watched_session(notes)
    assert notes == [("session.user",)]


def test_writing_is_not_reading() -> None:
    notes = Notes()
    watched_session(notes)["user"] = "Bob"
    assert notes == []


def test_a_watched_object_has_its_class_and_stays_watched_once() -> None:
    session = watched_session(Notes())
    assert isinstance(session, Session)
    assert type(session).__name__ == "Session"
    first = type(session)
    assert watch(session, mapping_class, "session", Notes())
    assert type(session) is first
    assert is_watched(session)


def test_an_object_of_a_built_in_class_can_not_be_watched() -> None:
    plain = {"user": "Ann"}
    assert not watch(plain, mapping_class, "session", Notes())
    assert not is_watched(plain)


class Request:
    def __init__(self) -> None:
        self.plain = "plain"

    @property
    def host(self) -> str:
        return "host"

    @property
    def url(self) -> str:
        return self.host + "/path"


def watched_request(notes: Notes) -> Any:
    def note(name: str) -> Callable[[Any, Any], Any]:
        def read(_: Any, value: Any) -> Any:
            notes(name, value)
            return value

        return read

    request = Request()
    reads = {name: note(name) for name in ("host", "url", "plain", "missing")}
    assert watch(request, properties_class, reads)
    return request


def test_some_attributes_are_noted_in_bodies_only() -> None:
    notes, body = Notes(), [None, object()]

    def note(_: Any, value: Any) -> Any:
        notes(value)
        return value

    def make(kind: type) -> type:
        reads = {"host": note, "url": note, "plain": note}
        return properties_class(
            kind, reads, in_bodies={"host", "plain"}, body=lambda: body[0]
        )

    request = Request()
    assert watch(request, make)
    assert (request.host, request.plain, request.url) == ("host", "plain", "host/path")
    assert notes == [("host/path",)]
    body.reverse()
    assert (request.host, request.plain) == ("host", "plain")
    assert notes == [("host/path",), ("host",), ("plain",)]


def test_an_attribute_is_noted_but_not_what_it_reads_itself() -> None:
    notes = Notes()
    request = watched_request(notes)
    assert (request.url, request.host) == ("host/path", "host")
    assert notes == [("url", "host/path"), ("host", "host")]


def test_a_plain_attribute_can_be_read_and_set() -> None:
    notes = Notes()
    request = watched_request(notes)
    request.plain = "new"
    assert request.plain == "new"
    assert notes == [("plain", "new")]


def test_attributes_that_are_missing_stay_missing() -> None:
    with pytest.raises(AttributeError, match="'Request' object has no attribute"):
        _ = watched_request(Notes()).missing
    with pytest.raises(AttributeError):
        watched_request(Notes()).host = "other"


def test_own_attributes_are_noted_also_missing_ones() -> None:
    notes = Notes()

    def read(_: Any, name: str, value: Any) -> Any:
        notes(name, value)
        return value

    values: Any = UserDict()
    values.theme = "dark"
    assert watch(values, attributes_class, read)
    assert values.theme == "dark"
    assert not hasattr(values, "user")
    assert values.__class__.__name__ == "UserDict"
    assert notes == [("theme", "dark"), ("user", None)]
