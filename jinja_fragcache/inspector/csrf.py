"""Whether a form was sent by a page of the inspector, in the same browser.

Each browser has a random cookie. The token in a form is a digest of it, made with the
secret key, so only pages of this application can have it. In front of that, the headers
`Sec-Fetch-Site` and `Origin` tell that a page of another origin sends the form.
"""

import hmac
import re
import secrets
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlsplit

from .exchange import Request

COOKIE = "fragcache_csrf"
FIELD = "csrf_token"
HEADER = "x-csrf-token"
_BROWSER = re.compile(r"[A-Za-z0-9_-]{32}")
_BYTES = 24
# Without a secret key, as in debug, the token is a digest of the cookie alone. All
# workers have to make the same one, so none can have a secret of its own.
_NO_SECRET = b"jinja_fragcache.inspector"
_PURPOSE = b"jinja_fragcache.inspector.csrf:"


class Issued(NamedTuple):
    """A token for the forms of a page.

    Attributes:
        token: The token.
        cookie: The `Set-Cookie` header that the page has to send; None if the browser
            has its cookie already.
    """

    token: str
    cookie: str | None


def issue(request: Request, secret: bytes | None) -> Issued:
    """Return the token for the browser that sent a request.

    Args:
        request: The request.
        secret: The secret key; None in debug mode without one.
    """
    known = _browser(request)
    browser = known or secrets.token_urlsafe(_BYTES)
    secure = "; Secure" if request.is_secure else ""
    cookie = f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Strict{secure}"
    return Issued(_token(browser, secret), None if known else cookie)


def why_refused(request: Request, secret: bytes | None) -> str:
    """Return why a form is not to be acted upon, "" if it is.

    Args:
        request: The request that sends the form.
        secret: As for `issue`.
    """
    if not _is_same_origin(request):
        return "It comes from a page of another site."
    token = request.form.get(FIELD) or request.headers.get(HEADER, "")
    if not token:
        return f"It has no token: send {FIELD} as a field, or X-CSRF-Token as a header."
    browser = _browser(request)
    if browser is None:
        return "The browser sent no cookie. Allow cookies, and load the page again."
    # As bytes, because a text that is not ASCII can't be compared so.
    if not hmac.compare_digest(token.encode(), _token(browser, secret).encode()):
        return "Its token is of another browser, or of another secret key."
    return ""


def _is_same_origin(request: Request) -> bool:
    """Return whether nothing says that a page of another origin sends the request."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        # Browsers send it to https and to this machine. It is right behind proxies that
        # change the host, too.
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        # Not a browser, or one from before 2020.
        return True
    return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()


def _browser(request: Request) -> str | None:
    cookie = request.cookie(COOKIE)
    return cookie if cookie is not None and _BROWSER.fullmatch(cookie) else None


def _token(browser: str, secret: bytes | None) -> str:
    key = _NO_SECRET if secret is None else secret
    return hmac.new(key, _PURPOSE + browser.encode(), sha256).hexdigest()
