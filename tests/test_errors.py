import http.client
import urllib.error
from email.message import Message

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from starlette.exceptions import HTTPException
from werkzeug.exceptions import BadGateway, Forbidden, InternalServerError, NotFound

from jinja_fragcache.errors import (
    FragmentTagError,
    PolicyError,
    is_no_failure,
)
from tests.support import configure_django


class Gone(NotFound):
    code = 410


@pytest.mark.parametrize(
    "error",
    [
        NotFound(),
        Gone(),
        Forbidden(),
        HTTPException(404),
        Http404(),
        PermissionDenied(),
        SuspiciousOperation(),
        PermissionError("not for you"),
        FragmentTagError("a mistake in a template"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_client_or_the_developer_is_to_be_told_is_no_failure(
    error: Exception,
) -> None:
    configure_django()
    assert is_no_failure(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        InternalServerError(),
        BadGateway(),
        HTTPException(503),
        # These have the same name, or a code that is somebody else's.
        http.client.HTTPException(),
        http.client.IncompleteRead(b""),
        urllib.error.HTTPError("http://shop.test/", 404, "", Message(), None),
        PermissionError(13, "Permission denied"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_went_wrong_is_a_failure(error: Exception) -> None:
    assert not is_no_failure(error)


def test_a_rule_with_a_wrong_value_is_named() -> None:
    error = PolicyError("jitter", 7, "a number from 0 to 1")
    assert error.name == "jitter"
    assert str(error) == "jitter can't be 7. It is a number from 0 to 1."
