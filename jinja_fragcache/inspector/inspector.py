"""`Inspector`: answers requests for the pages that show what a cache does.

It knows no framework. `wsgi.py`, `asgi.py` and the Flask extension hand requests to it.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import StoreError
from jinja_fragcache.operations import Operation

from .actions import ACTIONS, RefusedError
from .assets import asset
from .csrf import Issued, issue, why_refused
from .exchange import Request, Response
from .figure_pages import figures_data, fragment_page, overview_page
from .hosts import is_local
from .html import render
from .masking import ShownSetting
from .rules import shown_rules
from .store_pages import entry_page, settings_page, store_page
from .visits import Data, Page, Visit
from .way_back import message_of, way_back

_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_SAFE = {"GET", "HEAD"}
#: The pages, by the last part of their paths.
PAGES: dict[str, Callable[[Visit], Operation[Page | Data]]] = {
    "": overview_page,
    "figures.json": figures_data,
    "fragment": fragment_page,
    "entry": entry_page,
    "settings": settings_page,
    "store": store_page,
}
#: Sent with all that the inspector answers.
HEADERS = (
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # With "no-referrer", browsers send forms with `Origin: null`.
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-Robots-Tag", "noindex"),
)
_CONTENT_SECURITY = (
    "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; img-src data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_NOT_LOCAL = (
    "In debug mode, the inspector answers only under the names of this machine, such as"
    " localhost and 127.0.0.1. For other names, give a function that returns who may"
    " see it: CACHE_INSPECTOR_ALLOW in Flask, else allow=."
)
_NOT_ALLOWED = "You may not see this."
_READ_ONLY = (
    "Without a secret key, nothing can be deleted here. Set SECRET_KEY in Flask, else"
    " give secret_key=."
)


class Inspector:
    """Answers requests for the pages that show what a cache does.

    Args:
        find: Returns the cache.
        allow: Returns whether a request may see the inspector. Whoever hands requests
            over calls it, because it is about requests of a framework. None in debug
            mode: then only requests to this machine's own names may.
        secret_key: Returns the secret from which the tokens of forms are made; None if
            there is none.
        settings: Returns the settings in force; None for the rules of the cache.
    """

    def __init__(
        self,
        find: Callable[[], FragmentCache],
        *,
        allow: Callable[..., Any] | None = None,
        secret_key: Callable[[], str | bytes | None] = lambda: None,
        settings: Callable[[], Sequence[ShownSetting]] | None = None,
    ) -> None:
        self.allow = allow
        self._find = find
        self._secret_key = secret_key
        self._settings = settings

    def issue_token(self, request: Request) -> Issued:
        """Return a token with which the browser of a request may delete something."""
        return issue(request, self._secret)

    def answer(
        self, request: Request, *, is_allowed: bool | None, blocking: bool = True
    ) -> Operation[Response]:
        """Return the answer to a request.

        Args:
            request: The request.
            is_allowed: What `allow` has returned for it; None if there is no `allow`.
            blocking: Whether the caller blocks while it waits for the store.
        """
        if is_allowed is None and not is_local(request.headers.get("host", "")):
            return _refusal(request, HTTPStatus.FORBIDDEN, _NOT_LOCAL)
        if is_allowed is False:
            return _refusal(request, HTTPStatus.FORBIDDEN, _NOT_ALLOWED)
        cache = self._find()
        engine = cache.engine
        visit = Visit(
            request,
            cache,
            engine.context if blocking else engine.async_context,
            self._settings or (lambda: shown_rules(cache)),
        )
        try:
            if request.method in _SAFE:
                return (yield from self._show(visit))
            return (yield from self._act(visit))
        except StoreError as error:
            return self._error(visit, HTTPStatus.BAD_GATEWAY, str(error))

    def _show(self, visit: Visit) -> Operation[Response]:
        request = visit.request
        found = asset(request.page)
        if found is not None:
            return Response(HTTPStatus.OK, found.kind, found.body, HEADERS)
        make = PAGES.get(request.page)
        if make is None:
            if request.page in ACTIONS:
                status = HTTPStatus.METHOD_NOT_ALLOWED
                return self._error(visit, status, "Send a form here, with POST.")
            return self._error(visit, HTTPStatus.NOT_FOUND, "There is no such page.")
        made = yield from make(visit)
        if isinstance(made, Data):
            return _json(HTTPStatus.OK, made.content)
        return self._page(visit, made)

    def _act(self, visit: Visit) -> Operation[Response]:
        request = visit.request
        act = ACTIONS.get(request.page)
        if act is None or request.method != "POST":
            status = HTTPStatus.METHOD_NOT_ALLOWED
            return self._error(visit, status, "There is nothing to do here.")
        refused = self._why_no_actions or why_refused(request, self._secret)
        if refused:
            told = f"Nothing was changed. {refused}"
            return self._error(visit, HTTPStatus.FORBIDDEN, told)
        try:
            done = yield from act(visit.context, request.form)
        except RefusedError as error:
            return self._error(visit, HTTPStatus.BAD_REQUEST, str(error))
        if request.wants_json:
            return _json(HTTPStatus.OK, done)
        back = way_back(request.form.get("back", ""), request.page)
        place = f"{request.root}/{back}"
        headers = (*HEADERS, ("Location", place))
        return Response(HTTPStatus.SEE_OTHER, _HTML, b"", headers)

    @property
    def _secret(self) -> bytes | None:
        key = self._secret_key()
        return key.encode() if isinstance(key, str) else key

    @property
    def _why_no_actions(self) -> str:
        """Why nothing can be deleted, "" if it can."""
        return _READ_ONLY if self.allow is not None and not self._secret else ""

    def _error(self, visit: Visit, status: HTTPStatus, told: str) -> Response:
        if visit.request.wants_json:
            return _json(status, {"error": told})
        return self._page(
            visit, Page("error.html", status.phrase, {"told": told}, status)
        )

    def _page(self, visit: Visit, page: Page) -> Response:
        request = visit.request
        issued, nonce = self.issue_token(request), secrets.token_urlsafe(16)
        html = render(
            page.template,
            root=request.root,
            page=request.page,
            title=page.title,
            nonce=nonce,
            token=issued.token,
            why_no_actions=self._why_no_actions,
            done=message_of(request.query.get("done", "")),
            **page.values,
        )
        headers = [*HEADERS]
        headers.append(("Content-Security-Policy", _CONTENT_SECURITY.format(nonce)))
        if issued.cookie is not None:
            headers.append(("Set-Cookie", issued.cookie))
        return Response(page.status, _HTML, html.encode(), tuple(headers))


def _json(status: HTTPStatus, content: object) -> Response:
    body = json.dumps(content, ensure_ascii=False).encode(errors="replace")
    return Response(status, _JSON, body, HEADERS)


def _refusal(request: Request, status: HTTPStatus, told: str) -> Response:
    """Return the answer to somebody who may see nothing of the inspector."""
    if request.wants_json:
        return _json(status, {"error": told})
    return Response(status, "text/plain; charset=utf-8", told.encode(), HEADERS)
