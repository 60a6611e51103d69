"""Puts the script of the overlay into HTML answers, of any framework."""

import re
from collections.abc import Callable, Sequence
from html import escape
from http import HTTPStatus
from typing import NamedTuple

from jinja_fragcache.messages import logger

from .content_policy import HEADER, ContentPolicy
from .csrf import Issued
from .exchange import Request
from .hosts import is_local
from .inspector import Inspector

_END = re.compile(rb"</body\s*>", re.IGNORECASE)
# A page may leave the tags of its body out. Comments may stand in front of all.
_PAGE = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*(?:<!doctype\s+html|<html\b)", re.IGNORECASE | re.DOTALL
)
_NONCE = re.compile(
    rb"<script\b[^>]*?\snonce=[\"']?([A-Za-z0-9+/_-]+=*)", re.IGNORECASE
)
# What these say of the body would be wrong with a script in it.
_OF_THE_BODY = {
    "content-disposition",
    "content-digest",
    "content-md5",
    "content-range",
    "digest",
    "repr-digest",
}
_OF_CACHES = {"cache-control", "cdn-cache-control", "expires", "surrogate-control"}
_BODILESS = {
    HTTPStatus.NO_CONTENT,
    HTTPStatus.RESET_CONTENT,
    HTTPStatus.PARTIAL_CONTENT,
}
_ETAG = re.compile(r'(.*)"')


class Answer(NamedTuple):
    """An answer of an application.

    Attributes:
        status: Its status.
        headers: Its headers.
        body: Its body.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def may_have_overlay(status: int, headers: Sequence[tuple[str, str]]) -> bool:
    """Return whether an answer may be an HTML page, as far as its head tells.

    Args:
        status: Its status.
        headers: Its headers.
    """
    found = {name.lower(): value.strip().lower() for name, value in headers}
    is_html = found.get("content-type", "").partition(";")[0].strip() == "text/html"
    is_plain = found.get("content-encoding", "identity") == "identity"
    # Pages about errors have fragments, too.
    is_page = status // 100 in {2, 4, 5} and status not in _BODILESS
    return is_html and is_plain and is_page and not _OF_THE_BODY & found.keys()


def with_overlay(
    answer: Answer, root: str, origin: str, issue: Callable[[], Issued]
) -> Answer | None:
    """Return an answer with the overlay; None if it is to be left as it is.

    Args:
        answer: The answer. `may_have_overlay` has said that it may be a page.
        root: The path of the inspector.
        origin: The scheme and host of the page.
        issue: Issues the token for what the overlay asks the inspector.
    """
    place = _place(answer.body)
    if place is None:
        return None
    policies = [value for name, value in answer.headers if name.lower() == HEADER]
    policy = ContentPolicy(policies, origin)
    if not policy.allows_script:
        logger.info(
            "The overlay is not shown: the page's Content-Security-Policy has no nonce"
            " for scripts, and allows none of this origin."
        )
        return None
    issued = issue()
    tag = _script(root, issued.token, policy, answer.body).encode()
    body = answer.body[:place] + tag + answer.body[place:]
    headers = [
        _changed(name, value, len(body))
        for name, value in answer.headers
        if name.lower() not in _OF_CACHES
    ]
    # Its token is for one browser.
    headers.append(("Cache-Control", "no-store"))
    if issued.cookie is not None:
        headers.append(("Set-Cookie", issued.cookie))
    return Answer(answer.status, headers, body)


def may_see(request: Request, *, is_allowed: bool | None) -> bool:
    """Return whether whoever sends a request may see the inspector, and the overlay.

    Args:
        request: The request.
        is_allowed: As for `Inspector.answer`.
    """
    if is_allowed is None:
        return is_local(request.headers.get("host", ""))
    return is_allowed


def overlaid(
    answer: Answer, inspector: Inspector, request: Request, prefix: str
) -> Answer:
    """Return an answer of an application that the inspector is mounted in.

    Args:
        answer: The answer. `may_have_overlay` has said that it may be a page.
        inspector: The inspector.
        request: The request for the page.
        prefix: The path of the inspector in the application.
    """
    if request.method == "HEAD":
        # With the overlay, they would be others. Its body is not known.
        headers = [
            (name, value)
            for name, value in answer.headers
            if name.lower() not in {"content-length", "etag"}
        ]
        return answer._replace(headers=headers)
    scheme = "https" if request.is_secure else "http"
    made = with_overlay(
        answer,
        f"{request.root}{prefix}",
        f"{scheme}://{request.headers.get('host', '')}",
        lambda: inspector.issue_token(request),
    )
    return answer if made is None else made


def is_whole(headers: Sequence[tuple[str, str]]) -> bool:
    """Return whether the length of an answer is known, so that it is not streamed."""
    return any(name.lower() == "content-length" for name, _ in headers)


def below(prefix: str, path: str) -> str | None:
    """Return what is behind a prefix in a path; None if it is another path."""
    if path == prefix or path.startswith(f"{prefix}/"):
        return path.removeprefix(prefix)
    return None


def _place(body: bytes) -> int | None:
    """Return where the script is to be put; None if the body is no whole page."""
    found = None
    for found in _END.finditer(body):  # noqa: B007 - the last one
        pass
    if found is not None:
        return found.start()
    return len(body) if _PAGE.match(body) else None


def _script(root: str, token: str, policy: ContentPolicy, body: bytes) -> str:
    nonce = policy.nonce
    if nonce is None:
        # The policy may also be in the page itself.
        in_page = _NONCE.search(body)
        nonce = in_page[1].decode() if in_page else None
    data = {"prefix": root, "csrf-token": token}
    if not policy.allows_requests and policy.allows_forms:
        data["post"] = "form"
    told = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    known = f' nonce="{nonce}"' if nonce else ""
    source = escape(f"{root}/overlay.js")
    return f'<script type="module" src="{source}"{told}{known}></script>'


def _changed(name: str, value: str, length: int) -> tuple[str, str]:
    """Return a header as it is with another body."""
    if name.lower() == "content-length":
        return name, str(length)
    if name.lower() == "etag":
        # A browser that has the page with the overlay must not be told that it has the
        # page without it, and the other way round.
        return name, _ETAG.sub(r'\1-overlay"', value, count=1)
    return name, value
