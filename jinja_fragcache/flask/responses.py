"""Responses, as what is kept of them."""

import inspect
from datetime import timedelta
from itertools import chain
from typing import Any, NamedTuple

from flask import Response as FlaskResponse
from flask import (
    after_this_request,
    current_app,
    has_app_context,
    has_request_context,
)
from werkzeug.wrappers import Response

from jinja_fragcache.messages import describe
from jinja_fragcache.timeouts import normalize_timeout

#: Bytes. What is longer is sent as it comes, and not kept.
LONGEST_STREAM = 16 * 1024 * 1024


class ResponseFields(NamedTuple):
    """What is kept of a response.

    Attributes:
        status: as in `200 OK`.
        headers: names and values, in their order.
        body: the whole body.
    """

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class CachedResponse(FlaskResponse):
    """A response that says itself how long it is to be cached.

    A view may return `CachedResponse(make_response(page), timeout=10)`, and `cached`
    goes by its timeout rather than its own.

    Args:
        response: the response.
        timeout: seconds (int or float), a timedelta, 0 for ever.

    Raises:
        TypeError: it is no response.
        TimeoutValueError: the timeout is none.
    """

    def __init__(self, response: Response, timeout: float | timedelta | None) -> None:
        if not isinstance(response, Response):
            raise TypeError(
                f"CachedResponse takes a response and got {describe(response)}. Write"
                " CachedResponse(make_response(page), timeout=10)."
            )
        # The same response, by another class.
        self.__dict__ = response.__dict__
        self.timeout = normalize_timeout(timeout)


def response_fields(response: Response) -> ResponseFields:
    """Read a response to its end, and give what is kept of it.

    A stream is read here and replaced by what was read, so that the response can still
    be sent.
    """
    # Set by send_file, whose body is a file that is to be sent by the server.
    response.direct_passthrough = False
    body = response.get_data()
    return ResponseFields(response.status, tuple(response.headers), body)


def restore_response(status: str, headers: Any, body: bytes) -> Response:
    """Make a response of what was kept, of the application's class."""
    kind = current_app.response_class if has_app_context() else FlaskResponse
    response = kind(body, status=status)
    response.headers.clear()
    response.headers.extend(headers)
    return response


def read_stream(value: Any) -> bool:
    """Read the response that a value is, or begins with, to its end.

    So what its stream raises is raised here, as the view's own error.

    Returns:
        Whether there is an end: a stream that is longer than `LONGEST_STREAM` is left
        as it is, to be sent and not to be kept.
    """
    if isinstance(value, tuple) and value:
        value = value[0]
    if not isinstance(value, Response) or value.is_sequence:
        return True
    stream = iter(value.iter_encoded())
    chunks = []
    length = 0
    for chunk in stream:
        chunks.append(chunk)
        length += len(chunk)
        if length > LONGEST_STREAM:
            # What closes the stream, such as a file, has to be told of its end still.
            value.call_on_close(getattr(value.response, "close", _nothing))
            value.response = chain(chunks, stream)
            return False
    value.call_on_close(getattr(value.response, "close", _nothing))
    value.response = chunks
    # Set by send_file, whose body is a file that the server sends.
    value.direct_passthrough = False
    return True


def _nothing() -> None: ...


def join_chunks(value: Any) -> Any:
    """Read what a generator yields to its end: as one text, or bytes, or a list.

    Args:
        value: what a function gave. What is no generator, and no tuple that begins
            with one, is given back.
    """
    if isinstance(value, tuple) and value and inspect.isgenerator(value[0]):
        return (join_chunks(value[0]), *value[1:])
    if not inspect.isgenerator(value):
        return value
    chunks: list[Any] = list(value)
    if all(isinstance(chunk, str) for chunk in chunks):
        return "".join(chunks)
    if all(isinstance(chunk, (str, bytes)) for chunk in chunks):
        return b"".join(
            chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks
        )
    return chunks


def mark_hit() -> None:
    """Let the answer to the current request, if there is one, say that it is a hit."""
    if not has_request_context():
        return

    @after_this_request
    def mark(response: FlaskResponse) -> FlaskResponse:
        response.headers["hit_cache"] = "True"
        return response
