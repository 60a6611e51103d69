import http.client
import urllib.error
from email.message import Message
from http import HTTPStatus

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from flask import Response, abort
from starlette.exceptions import HTTPException as StarletteError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import (
    Aborter,
    BadGateway,
    BadRequestKeyError,
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
)
from werkzeug.routing import RequestRedirect

from jinja_fragcache import FragmentTagError
from jinja_fragcache.engine.stale_if_error import is_no_failure, says_gone


class OwnStatus(HTTPException):
    code = 499


class OwnFailure(HTTPException):
    code = HTTPStatus.INSUFFICIENT_STORAGE


class CodedError(StarletteError):
    """An error with a code of its own that is not the status."""

    def __init__(self, status: int, code: object) -> None:
        super().__init__(status)
        self.code = code


def aborted(status: int) -> Exception:
    """Return what Flask's `abort` raises for a response."""
    with pytest.raises(HTTPException) as raised:
        abort(Response("text", status))
    return raised.value


def missing_argument() -> Exception:
    with pytest.raises(BadRequestKeyError) as raised:
        MultiDict[str, str]()["name"]
    return raised.value


def of_urllib(status: int) -> Exception:
    # Without a file of its own, it opens one.
    error = urllib.error.HTTPError("http://localhost/", status, "", Message(), None)
    error.close()
    return error


class OtherError(Exception):
    """A class with the same name that belongs to no framework."""

    code = 404


OtherError.__name__ = "HTTPException"


@pytest.mark.parametrize(
    "error",
    [
        NotFound(),
        Forbidden("with a text"),
        RequestRedirect("/elsewhere"),
        missing_argument(),
        OwnStatus(),
        HTTPException(),
        InternalServerError(response=Response("text", 404)),
        aborted(200),
        aborted(302),
        aborted(499),
        Aborter().mapping[418](),
        StarletteError(404),
        StarletteError(HTTPStatus.FORBIDDEN),
        CodedError(404, "not-there"),
        CodedError(404, 1001),
        Http404(),
        PermissionDenied("no"),
        SuspiciousOperation(),
        PermissionError("no"),
        FragmentTagError("a mistake in a template"),
    ],
    ids=repr,
)
def test_an_error_that_is_meant_for_the_client_is_no_failure(error: Exception) -> None:
    assert is_no_failure(error)


@pytest.mark.parametrize(
    "error",
    [
        InternalServerError(),
        BadGateway(),
        OwnFailure(),
        NotFound(response=Response("text", 500)),
        aborted(500),
        aborted(503),
        StarletteError(500),
        StarletteError(HTTPStatus.SERVICE_UNAVAILABLE),
        CodedError(503, "database-down"),
        CodedError(503, 404),
        OtherError(),
        http.client.HTTPException(),
        http.client.RemoteDisconnected("no"),
        of_urllib(404),
        urllib.error.URLError("no"),
        FileNotFoundError(),
        PermissionError(13, "Permission denied"),
        ConnectionError(),
        LookupError(404),
    ],
    ids=repr,
)
def test_an_error_of_the_server_is_a_failure(error: Exception) -> None:
    assert not is_no_failure(error)


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (NotFound(), True),
        (aborted(410), True),
        (StarletteError(404), True),
        (Http404(), True),
        (Forbidden(), False),
        (aborted(302), False),
        (PermissionDenied(), False),
        (OtherError(), False),
        (of_urllib(404), False),
    ],
    ids=repr,
)
def test_a_status_of_404_or_410_says_gone(
    error: Exception,
    gone: bool,
) -> None:
    assert says_gone(error) is gone
