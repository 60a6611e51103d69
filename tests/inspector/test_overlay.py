import logging

import pytest

from jinja_fragcache.inspector.csrf import Issued
from jinja_fragcache.inspector.overlay import Answer, may_have_overlay, with_overlay

HTML = ("Content-Type", "text/html; charset=utf-8")
ORIGIN = "http://localhost"
TAG = (
    '<script type="module" src="/_fragcache/overlay.js" data-prefix="/_fragcache"'
    ' data-csrf-token="token"></script>'
)


def overlaid(
    body: str, *headers: tuple[str, str], cookie: str | None = None
) -> Answer | None:
    return with_overlay(
        Answer(200, [HTML, *headers], body.encode()),
        "/_fragcache",
        ORIGIN,
        lambda: Issued("token", cookie),
    )


def text(body: str, *headers: tuple[str, str]) -> str:
    made = overlaid(body, *headers)
    return body if made is None else made.body.decode()


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (200, HTML, True),
        (201, ("content-type", "TEXT/HTML"), True),
        (404, HTML, True),
        (500, HTML, True),
        (204, HTML, False),
        (206, HTML, False),
        (302, HTML, False),
        (304, HTML, False),
        (200, ("Content-Type", "application/json"), False),
        (200, ("Content-Type", "application/xhtml+xml"), False),
        (200, ("X-Other", "1"), False),
    ],
)
def test_only_html_pages_may_have_it(
    status: int, header: tuple[str, str], expected: bool
) -> None:
    assert may_have_overlay(status, [header]) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (("Content-Encoding", "gzip"), False),
        (("Content-Encoding", "identity"), True),
        (("Content-Range", "bytes 0-1/2"), False),
        (("Content-Disposition", "attachment"), False),
        (("Repr-Digest", "sha-256=:abc:"), False),
        (("Cache-Control", "no-store"), True),
    ],
)
def test_what_is_encoded_or_partial_has_none(
    header: tuple[str, str], expected: bool
) -> None:
    assert may_have_overlay(200, [HTML, header]) is expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<body>x", "</body></html>"),
        ("<body><script>'</body>'</script>", "</BODY >"),
        ("<!-- cache hit --><!DOCTYPE html>\n<p>no end tags, ä", ""),
        ("\n<html lang=en><p>x", ""),
    ],
)
def test_the_script_stands_at_the_end_of_the_body(before: str, after: str) -> None:
    assert text(before + after) == f"{before}{TAG}{after}"


@pytest.mark.parametrize("part", ["<tr><td>1</td></tr>", "", "<p>x</p><!doctype html>"])
def test_a_part_of_a_page_has_none(part: str) -> None:
    assert overlaid(part) is None


def test_the_headers_fit_the_longer_body() -> None:
    body = "<body>ä</body>"
    made = overlaid(
        body,
        ("Content-Length", "15"),
        ("ETag", 'W/"abc"'),
        ("Last-Modified", "then"),
        ("Cache-Control", "public, max-age=60"),
        ("CDN-Cache-Control", "max-age=60"),
        cookie="fragcache_csrf=x",
    )
    assert made is not None
    assert list(made.headers) == [
        HTML,
        ("Content-Length", str(len(made.body))),
        ("ETag", 'W/"abc-overlay"'),
        ("Last-Modified", "then"),
        # The token is for one browser, so no proxy may give it to others.
        ("Cache-Control", "no-store"),
        ("Set-Cookie", "fragcache_csrf=x"),
    ]


@pytest.mark.parametrize(
    ("head", "policy", "attribute"),
    [
        ("", "script-src 'nonce-abc='; connect-src 'self'", ' nonce="abc="'),
        ("", "script-src 'self'", ""),
        # The policy is in the page, or a proxy adds it.
        ("<script async nonce='x-1'></script>", "img-src *", ' nonce="x-1"'),
        ('<script nonce="a&quot;b">', "img-src *", ' nonce="a"'),
        ("<script data-nonce=x>", "img-src *", ""),
    ],
)
def test_the_script_has_the_nonce_of_the_page(
    head: str, policy: str, attribute: str
) -> None:
    page = text(f"{head}<body></body>", ("Content-Security-Policy", policy))
    assert TAG.replace("></script>", f"{attribute}></script>") in page


def test_where_scripts_may_send_nothing_it_is_told_to_use_forms() -> None:
    policy = "default-src 'none'; script-src 'nonce-abc'"
    page = text("<body></body>", ("Content-Security-Policy", policy))
    assert ' data-post="form" nonce="abc"></script>' in page


def test_where_the_policy_forbids_it_there_is_none_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "jinja_fragcache")
    policy = ("Content-Security-Policy", "script-src 'sha256-abc'")
    assert overlaid("<body></body>", policy) is None
    assert "The overlay is not shown" in caplog.text


def test_nothing_in_a_path_ends_an_attribute() -> None:
    made = with_overlay(
        Answer(200, [HTML], b"</body>"),
        '/a"><b>',
        ORIGIN,
        lambda: Issued("token", None),
    )
    assert made is not None
    assert b'data-prefix="/a&quot;&gt;&lt;b&gt;"' in made.body
