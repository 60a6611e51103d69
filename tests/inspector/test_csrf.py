import re
from dataclasses import replace
from typing import Any

import pytest

from jinja_fragcache.inspector.csrf import issue, why_refused
from jinja_fragcache.inspector.exchange import Request

SECRET = b"of all workers"
HOST = "shop.example:8000"


def page(**more: Any) -> Request:
    return Request("GET", "/_fragcache", "", headers={"host": HOST}, **more)


def form(
    secret: bytes | None = SECRET, *, headers: dict[str, str] | None = None, **more: Any
) -> Request:
    """Return what the form of a page sends, from the browser that has loaded it."""
    issued = issue(page(), secret)
    assert issued.cookie is not None
    cookie = issued.cookie.partition(";")[0]
    return Request(
        "POST",
        "/_fragcache",
        "clear",
        form={"csrf_token": issued.token, **more},
        headers={"host": HOST, "cookie": f"theme=dark; {cookie}", **(headers or {})},
    )


@pytest.mark.parametrize("secret", [SECRET, None])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{HOST}"},
        {"origin": f"https://{HOST.upper()}"},
        {"sec-fetch-site": "same-origin"},
        # A proxy may change the host. The browser knows better.
        {"sec-fetch-site": "same-origin", "origin": "https://shop.example"},
    ],
)
def test_the_form_of_a_page_is_accepted(
    secret: bytes | None, headers: dict[str, str]
) -> None:
    assert why_refused(form(secret, headers=headers), secret) == ""


def test_the_token_may_be_in_a_header() -> None:
    sent = form()
    token = sent.form["csrf_token"]
    moved = replace(sent, form={}, headers={**sent.headers, "x-csrf-token": token})
    assert why_refused(moved, SECRET) == ""


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"origin": "http://evil.example"}, "another site"),
        ({"origin": "null"}, "another site"),
        ({"origin": "http://shop.example:3000"}, "another site"),
        ({"origin": f"http://{HOST}.evil.example"}, "another site"),
        ({"sec-fetch-site": "cross-site"}, "another site"),
        ({"sec-fetch-site": "same-site"}, "another site"),
        ({"sec-fetch-site": "none"}, "another site"),
        (
            {"sec-fetch-site": "cross-site", "origin": f"http://{HOST}"},
            "another site",
        ),
        ({"cookie": ""}, "sent no cookie"),
        ({"cookie": "fragcache_csrf=short"}, "sent no cookie"),
        ({"cookie": f"fragcache_csrf={'a' * 32}"}, "another browser"),
    ],
)
def test_other_origins_and_browsers_are_refused(
    headers: dict[str, str], told: str
) -> None:
    assert told in why_refused(form(headers=headers), SECRET)


@pytest.mark.parametrize(
    ("token", "told"),
    [("", "has no token"), ("0" * 64, "Its token"), ("caf\xe9", "Its token")],
)
def test_a_missing_and_a_wrong_token_are_refused(token: str, told: str) -> None:
    assert told in why_refused(form(csrf_token=token), SECRET)


@pytest.mark.parametrize("other", [b"another secret", None])
def test_a_token_of_another_secret_is_refused(other: bytes | None) -> None:
    assert "another secret key" in why_refused(form(SECRET), other)


def test_the_cookie_is_for_this_browser_and_no_script() -> None:
    cookie = issue(page(), SECRET).cookie
    assert cookie is not None
    assert re.fullmatch(
        r"fragcache_csrf=[\w-]{32}; Path=/; HttpOnly; SameSite=Strict", cookie
    )
    secure = issue(page(is_secure=True), SECRET).cookie
    assert secure is not None
    assert secure.endswith("; Secure")


def test_a_browser_keeps_its_cookie_and_token() -> None:
    sent = form()
    again = issue(sent, SECRET)
    assert again.cookie is None
    assert again.token == sent.form["csrf_token"]


def test_two_browsers_have_two_tokens() -> None:
    assert issue(page(), None).token != issue(page(), None).token
