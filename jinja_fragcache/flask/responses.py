"""Responses: what is stored of them, and how their streams are read."""

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
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.wrappers import Response

from jinja_fragcache.messages import describe
from jinja_fragcache.timeouts import normalize_timeout

#: Bytes. A longer stream is sent to the client without being stored.
LONGEST_STREAM = 16 * 1024 * 1024


class ResponseFields(NamedTuple):
    """The parts of a response that are stored.

    Attributes:
        status: The status line, such as `200 OK`.
        headers: Names and values, in order.
        body: The whole body.
    """

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class RaisedAnswer(NamedTuple):
    """An answer that a view raised, as by `abort(404)`, in the form that is stored.

    Attributes:
        code: The status, None if the exception only carries a response.
        description: What the exception says; None for what its class says.
        response: The response that the exception carries, if any.
    """

    code: int | None
    description: str | None
    response: Any

    def error(self) -> HTTPException:
        """Return an exception like the one that was raised."""
        kind = HTTPException if self.code is None else default_exceptions[self.code]
        return kind(self.description, self.response)


def raised_answer(error: HTTPException) -> RaisedAnswer | None:
    """Return what is stored for an exception, None if one like it can't be made again.

    One of a class of the application can't, nor one with more than a description and a
    response, such as the challenge of a 401.
    """
    kind, fields = type(error), vars(error)
    if kind not in {HTTPException, default_exceptions.get(error.code or 0)}:
        return None
    if not fields.keys() <= {"description", "response", "__notes__"}:
        return None
    description, response = fields.get("description"), error.response
    if type(description) not in {str, type(None)}:
        return None
    if not isinstance(response, Response | None):
        return None
    return RaisedAnswer(error.code, description, response)


class CachedResponse(FlaskResponse):
    """A response with a timeout of its own.

    If a view returns `CachedResponse(make_response(page), timeout=10)`, its timeout is
    used in place of the one given to `cached`.

    Args:
        response: The response.
        timeout: Seconds (int or float), a timedelta, 0 for never expiring, None for the
            timeout of `cached`.

    Attributes:
        timeout: Whole seconds, or None.

    Raises:
        TypeError: If `response` is not a response.
        TimeoutValueError: If `timeout` is not a timeout.
    """

    def __init__(self, response: Response, timeout: float | timedelta | None) -> None:
        if not isinstance(response, Response):
            raise TypeError(
                f"CachedResponse takes a response and got {describe(response)}. Write"
                " CachedResponse(make_response(page), timeout=10)."
            )
        # Both objects share their state, so each is the same response.
        self.__dict__ = response.__dict__
        self.timeout = normalize_timeout(timeout)


def response_fields(response: Response) -> ResponseFields:
    """Return the parts of a response that are stored.

    A stream is read to its end and replaced by what was read, so that the response can
    still be sent.
    """
    # send_file sets this to let the server send the file.
    response.direct_passthrough = False
    body = response.get_data()
    return ResponseFields(response.status, tuple(response.headers), body)


def comparable(value: Any) -> Any:
    """Return a value with the parts of responses in place of the responses.

    The header `Date` is left out.

    Args:
        value: What a view or another function returned, or what stands for it.

    Raises:
        ValueError: If a response has a stream that was not read.
    """
    if isinstance(value, Response):
        if not value.is_sequence:
            raise ValueError("A stream can't be compared.")
        status, headers, body = response_fields(value)
        kept = tuple(each for each in headers if each[0].lower() != "date")
        return ResponseFields(status, kept, body)
    return tuple(map(comparable, value)) if isinstance(value, tuple) else value


def text_of(value: Any) -> str:
    """Return a text that shows what `comparable` returned."""
    if isinstance(value, ResponseFields):
        head = "".join(f"{name}: {each}\n" for name, each in value.headers)
        return f"{value.status}\n{head}\n{value.body.decode(errors='replace')}"
    if type(value) is tuple:
        return "\n".join(map(text_of, value))
    return value if isinstance(value, str) else repr(value)


def close_responses(value: Any) -> None:
    """Close the responses in a value that are not sent."""
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, Response):
            each.close()


def restore_response(status: str, headers: Any, body: bytes) -> Response:
    """Return a response of the application's class with the stored parts."""
    kind = current_app.response_class if has_app_context() else FlaskResponse
    response = kind(body, status=status)
    response.headers.clear()
    response.headers.extend(headers)
    return response


def read_stream(value: Any) -> bool:
    """Read the stream of a response to its end, so that the response can be stored.

    An error in the stream is raised here, as if the view had raised it.

    Args:
        value: What a view returned: a response, a tuple that begins with one, or
            anything else, which has no stream.

    Returns:
        False if the stream is longer than `LONGEST_STREAM`, else True. The response can
        be sent in both cases.
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
            # The stream, for example a file, still has to be closed in the end.
            value.call_on_close(getattr(value.response, "close", _do_nothing))
            value.response = chain(chunks, stream)
            return False
    value.call_on_close(getattr(value.response, "close", _do_nothing))
    value.response = chunks
    # send_file sets this to let the server send the file.
    value.direct_passthrough = False
    return True


def _do_nothing() -> None: ...


def join_chunks(value: Any) -> Any:
    """Join what a generator yields into one string, one bytes object or a list.

    Args:
        value: What a function returned.

    Returns:
        For a generator: a string if it yields only strings, bytes if it yields strings
        and bytes, else a list. For a tuple that begins with a generator: the tuple with
        that one joined. Anything else is returned unchanged.
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
    """Add the header `hit_cache: True` to the answer to the current request, if any."""
    if not has_request_context():
        return

    @after_this_request
    def mark(response: FlaskResponse) -> FlaskResponse:
        response.headers["hit_cache"] = "True"
        return response
