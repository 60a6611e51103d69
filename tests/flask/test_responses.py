import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, make_response, send_file, stream_with_context
from flask import Response as FlaskResponse
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from jinja_fragcache.entries.values import Serializer
from jinja_fragcache.flask.responses import (
    CachedResponse,
    join_chunks,
    mark_hit,
    read_stream,
    response_fields,
    restore_response,
)
from jinja_fragcache.flask.serializers import (
    JSONSerializer,
    PickleSerializer,
)
from tests.flask.support import Site

SERIALIZERS: list[Serializer] = [
    PickleSerializer(),
    JSONSerializer(),
]


class OwnResponse(FlaskResponse):
    default_mimetype = "text/plain"


class Stream:
    """A body that counts how often it is read and closed."""

    def __init__(self, *chunks: str | bytes) -> None:
        self.chunks = chunks
        self.read = 0
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        self.read += 1
        yield from self.chunks

    def close(self) -> None:
        self.closed += 1


def sent(response: Response) -> tuple[str, list[tuple[str, str]], bytes]:
    """Send a response as a server does, and return what the client gets."""
    chunks, status, headers = run_wsgi_app(
        response, {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}, buffered=True
    )
    return status, list(headers), b"".join(chunks)


def kept(serializer: Serializer, response: Response) -> Response:
    read = serializer.loads(serializer.dumps(response))
    assert isinstance(read, Response)
    return read


@pytest.fixture(params=SERIALIZERS, ids=lambda serializer: serializer.form)
def serializer(request: pytest.FixtureRequest) -> Serializer:
    chosen: Serializer = request.param
    return chosen


token = st.text("abcdefgXYZ-", min_size=1, max_size=5)
header_values = st.text(st.characters(codec="latin-1", categories=["L", "N", "P"]))
bodies = st.binary() | st.text().map(str.encode)


@given(
    st.sampled_from(SERIALIZERS),
    st.integers(200, 599) | st.sampled_from(["200 Fine", "299 Our own", "404"]),
    st.lists(st.tuples(token, header_values)),
    bodies,
)
def test_a_response_is_read_back_unchanged(
    serializer: Serializer,
    status: Any,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    response = FlaskResponse(body, status=status, headers=headers)
    read = kept(serializer, response)
    assert read.status == response.status
    assert list(read.headers) == list(response.headers)
    assert read.get_data() == body
    assert sent(read) == sent(response)


def test_repeated_headers_are_kept(serializer: Serializer) -> None:
    response = FlaskResponse("text")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    response.headers.add("Link", "</a.css>")
    response.headers.add("Link", "</b.css>")
    read = kept(serializer, response)
    assert list(read.headers) == list(response.headers)
    assert len(read.headers.getlist("Set-Cookie")) == 2
    assert read.headers.getlist("Link") == ["</a.css>", "</b.css>"]


def test_removed_headers_are_not_added_again(serializer: Serializer) -> None:
    response = FlaskResponse("text", status=204)
    response.headers.clear()
    assert list(kept(serializer, response).headers) == []


def test_a_stream_is_read_once_and_can_still_be_sent(serializer: Serializer) -> None:
    stream = Stream("one ", b"two ", "three \u20ac")
    response = FlaskResponse(stream)
    read = kept(serializer, response)
    whole = "one two three \u20ac".encode()
    assert read.get_data() == whole
    assert sent(response)[2] == whole
    assert sent(response)[2] == whole
    assert stream.read == 1


def test_a_stream_is_closed_with_its_response() -> None:
    stream = Stream("text")
    response = FlaskResponse(stream)
    response_fields(response)
    response.close()
    assert stream.closed == 1


def test_a_stream_is_read_during_its_request() -> None:
    app = Flask(__name__)
    with app.test_request_context("/here"):
        from flask import request  # noqa: PLC0415 - the name of a fixture here

        def generate() -> Iterator[str]:
            yield request.path

        response = FlaskResponse(stream_with_context(generate()))
        fields = response_fields(response)
    assert fields.body == b"/here"


def test_a_file_is_read_back(serializer: Serializer, tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(b"in a file")
    app = Flask(__name__)
    with app.test_request_context():
        response = send_file(path)
        assert response.direct_passthrough
        read = kept(serializer, response)
        assert read.get_data() == b"in a file"
        assert read.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert read.headers["ETag"] == response.headers["ETag"]
        assert sent(response)[2] == b"in a file"
        response.close()


def test_an_open_file_is_read_back(serializer: Serializer) -> None:
    app = Flask(__name__)
    with app.test_request_context():
        response = send_file(io.BytesIO(b"bytes"), mimetype="image/png")
        read = kept(serializer, response)
        assert (read.get_data(), read.mimetype) == (b"bytes", "image/png")
        assert sent(response)[2] == b"bytes"


@pytest.mark.parametrize("body", ["", b"", [], [b""]])
def test_a_response_may_be_empty(serializer: Serializer, body: Any) -> None:
    assert kept(serializer, FlaskResponse(body, status=204)).get_data() == b""


@pytest.mark.parametrize("kind", [Response, FlaskResponse, OwnResponse, CachedResponse])
def test_a_response_is_read_back_as_the_applications_class(
    serializer: Serializer, kind: Any
) -> None:
    response = FlaskResponse("text", mimetype="text/css")
    if kind is CachedResponse:
        response = CachedResponse(response, timeout=5)
    elif kind is not FlaskResponse:
        response = kind("text", mimetype="text/css")
    stored = serializer.dumps(response)
    assert type(serializer.loads(stored)) is FlaskResponse
    app = Flask(__name__)
    app.response_class = OwnResponse
    with app.app_context():
        read = serializer.loads(stored)
    assert type(read) is OwnResponse
    assert read.mimetype == "text/css"
    assert list(read.headers) == list(response.headers)


def test_responses_inside_other_values_are_read_back(serializer: Serializer) -> None:
    stream = Stream("text")
    value = [FlaskResponse("a", status=404), {"b": (FlaskResponse(stream), 5)}]
    first, rest = serializer.loads(serializer.dumps(value))
    assert (first.status_code, first.get_data()) == (404, b"a")
    assert (rest["b"][0].get_data(), rest["b"][1]) == (b"text", 5)
    assert stream.read == 1


def test_response_fields_are_status_headers_and_body() -> None:
    response = FlaskResponse("text", status=201, headers={"X-A": "1"})
    status, headers, body = response_fields(response)
    assert (status, body) == ("201 CREATED", b"text")
    assert dict(headers) == {
        "X-A": "1",
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": "4",
    }


def test_restore_response_adds_no_headers() -> None:
    assert list(restore_response("200 OK", [], b"text").headers) == []


def test_a_cached_response_shares_the_state_of_its_response() -> None:
    response = FlaskResponse("text", status=201)
    response.set_cookie("a", "1")
    cached = CachedResponse(response, timeout=10)
    assert isinstance(cached, FlaskResponse)
    assert cached.timeout == 10
    assert sent(cached) == sent(response)
    cached.headers["X-A"] = "1"
    cached.status_code = 404
    assert response.headers["X-A"] == "1"
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(0, 0), (1.5, 2), (timedelta(minutes=1), 60), (None, None)]
)
def test_a_cached_response_takes_any_timeout(timeout: Any, seconds: int | None) -> None:
    app = Flask(__name__)
    with app.test_request_context():
        first = CachedResponse(make_response("text"), timeout=5)
        assert CachedResponse(first, timeout=timeout).timeout == seconds


def test_a_cached_response_may_be_a_stream() -> None:
    stream = Stream("text")
    cached = CachedResponse(FlaskResponse(stream), timeout=5)
    assert response_fields(cached).body == b"text"
    assert sent(cached)[2] == b"text"
    assert stream.read == 1


@pytest.mark.parametrize("around", [lambda x: x, lambda x: (x, 201), lambda x: (x,)])
def test_read_stream_reads_the_response_in_a_views_value(around: Any) -> None:
    stream = Stream("text")
    response = FlaskResponse(stream)
    read_stream(around(response))
    assert stream.read == 1
    assert sent(response)[2] == b"text"
    assert stream.read == 1


def test_read_stream_raises_the_error_of_the_stream() -> None:
    def generate() -> Iterator[str]:
        yield "text"
        raise LookupError

    with pytest.raises(LookupError):
        read_stream(FlaskResponse(generate()))


@pytest.mark.parametrize("value", [None, "text", (), ("text", 200), [], 5])
def test_read_stream_ignores_other_values(value: Any) -> None:
    read_stream(value)


@pytest.mark.parametrize(
    ("chunks", "joined"),
    [
        ([], ""),
        (["a", "b"], "ab"),
        ([b"a", b"b"], b"ab"),
        (["\u20ac", b"b"], "\u20acb".encode()),
        ([b""], b""),
        ([1, "a"], [1, "a"]),
        ([None], [None]),
        ([bytearray(b"a")], [bytearray(b"a")]),
    ],
)
def test_join_chunks_joins_by_type(chunks: list[Any], joined: Any) -> None:
    made = join_chunks(chunk for chunk in chunks)
    assert (type(made), made) == (type(joined), joined)


def test_mark_hit_adds_a_header_to_the_answer() -> None:
    app = Flask(__name__)

    @app.route("/<what>")
    def page(what: str) -> str:
        if what == "hit":
            mark_hit()
        return "text"

    client = app.test_client()
    assert client.get("/hit").headers["hit_cache"] == "True"
    assert "hit_cache" not in client.get("/miss").headers


def test_mark_hit_does_nothing_outside_of_a_request() -> None:
    mark_hit()
    with Flask(__name__).app_context():
        mark_hit()


def test_a_long_stream_is_sent_and_not_stored(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jinja_fragcache.flask.responses.LONGEST_STREAM", 10)

    @site.app.route("/<int:length>")
    @site.cache.cached()
    def numbers(length: int) -> Response:
        return Response(str(number) for number in range(length))

    assert site.get("/10", "/12") == ["0123456789", "01234567891011"]
    assert [site.cache.has(f"view//{each}") for each in (10, 12)] == [True, False]


def test_a_generator_in_a_tuple_is_stored(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def index() -> Any:
        return (str(site.calls()) for _ in range(3)), 203

    client = site.app.test_client()
    answers = [client.get("/") for _ in range(2)]
    assert [(each.text, each.status_code) for each in answers] == [("123", 203)] * 2


def test_a_cached_response_needs_a_response() -> None:
    wrong: Any = "text"
    with pytest.raises(TypeError, match=r"CachedResponse takes a response"):
        CachedResponse(wrong, timeout=5)
