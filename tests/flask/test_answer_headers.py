from collections.abc import Sequence

import pytest
from werkzeug.wrappers import Response

from jinja_fragcache.flask.answer_headers import cache_control, is_private, varying

PAST, LATER = "Thu, 01 Dec 1994 16:00:00 GMT", "Fri, 31 Dec 2399 16:00:00 GMT"


def answer(*headers: tuple[str, str]) -> Response:
    response = Response()
    for name, value in headers:
        response.headers.add(name, value)
    return response


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["private"], True),
        (["PRIVATE"], True),
        (["max-age=60", "private"], True),
        (['private="Set-Cookie"'], True),
        (["public, No-Store"], True),
        (["no-cache"], True),
        (["max-age=0"], True),
        (["max-age=0, s-maxage=60"], False),
        (["max-age=60, s-maxage=0"], True),
        (["max-age=soon"], True),
        (["max-age=60"], False),
        (["public"], False),
        ([], False),
    ],
)
def test_what_cache_control_says(lines: Sequence[str], expected: bool) -> None:
    headers = [("Cache-Control", line) for line in lines]
    assert is_private(answer(*headers)) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Expires", PAST)], True),
        ([("Expires", "0")], True),
        ([("Expires", LATER)], False),
        ([("Expires", PAST), ("Cache-Control", "max-age=60")], False),
        ([("Expires", LATER), ("Cache-Control", "max-age=0")], True),
    ],
)
def test_what_expires_says(headers: list[tuple[str, str]], expected: bool) -> None:
    assert is_private(answer(*headers)) is expected


def test_all_lines_are_read() -> None:
    response = answer(
        ("Vary", "Accept-Encoding"),
        ("vary", "COOKIE, Accept"),
        ("Cache-Control", "max-age=60"),
        ("cache-control", "Public"),
    )
    assert varying(response) == {"accept-encoding", "cookie", "accept"}
    assert {"public", "max-age"} <= set(cache_control(response))
