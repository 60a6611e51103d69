import pytest

from jinja_fragcache.inspector.content_policy import ContentPolicy

ORIGIN = "http://localhost:5000"


def policy(*headers: str) -> ContentPolicy:
    return ContentPolicy(headers, ORIGIN)


@pytest.mark.parametrize(
    ("headers", "nonce"),
    [
        ([], None),
        (["default-src 'self'"], None),
        (["script-src 'nonce-a+/_-1=='"], "a+/_-1=="),
        (["default-src 'nonce-abc'"], "abc"),
        # What is more specific is what browsers look at.
        (["default-src 'nonce-abc'; script-src 'self'"], None),
        (["SCRIPT-SRC-ELEM 'NONCE-Abc'; script-src 'nonce-no'"], "Abc"),
        (["style-src 'nonce-no'"], None),
        (["img-src *, script-src 'nonce-abc'"], "abc"),
        (["img-src *", "script-src 'nonce-abc'"], "abc"),
        # Nothing that could end the attribute it is put into.
        (["script-src 'nonce-a\"b'"], None),
    ],
)
def test_the_nonce_is_that_of_scripts(headers: list[str], nonce: str | None) -> None:
    assert policy(*headers).nonce == nonce


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([], True),
        (["img-src 'none'"], True),
        (["default-src 'none'"], False),
        (["default-src 'none'; script-src 'self'"], True),
        (["script-src 'none'; default-src 'self'"], False),
        (["script-src https://cdn.example"], False),
        (["script-src http:"], True),
        (["script-src https:"], False),
        (["script-src localhost:5000"], True),
        (["script-src HTTP://LOCALHOST:5000"], True),
        (["script-src 'nonce-abc'"], True),
        (["script-src 'strict-dynamic' 'nonce-abc'"], True),
        (["script-src 'strict-dynamic' 'self' 'sha256-abc'"], False),
        # All policies have to allow it, and a script has one nonce.
        (["script-src 'nonce-abc'", "script-src 'nonce-abc'"], True),
        (["script-src 'nonce-abc'", "script-src 'nonce-xyz'"], False),
        (["script-src 'nonce-abc'", "script-src 'self'"], True),
        (["script-src 'nonce-abc', default-src 'none'"], False),
        (["sandbox"], False),
        (["sandbox allow-scripts"], False),
        (["sandbox allow-scripts allow-same-origin"], True),
        (["script-src 'self'; script-src 'none'"], True),
    ],
)
def test_scripts(headers: list[str], allowed: bool) -> None:
    assert policy(*headers).allows_script is allowed


@pytest.mark.parametrize(
    ("header", "requests", "forms"),
    [
        ("", True, True),
        ("default-src 'none'; script-src 'nonce-abc'", False, True),
        ("default-src 'none'; connect-src 'self'", True, True),
        ("default-src 'self'; connect-src 'none'; form-action 'none'", False, False),
        ("default-src 'self'; form-action 'self'", True, True),
    ],
)
def test_requests_and_forms(header: str, requests: bool, forms: bool) -> None:
    assert policy(header).allows_requests is requests
    assert policy(header).allows_forms is forms
