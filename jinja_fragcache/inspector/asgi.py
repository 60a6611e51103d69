"""The inspector as an ASGI application."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import SettingError
from jinja_fragcache.operations import perform_async

from .exchange import (
    FORM,
    MOST_BYTES,
    TOO_LARGE,
    Request,
    read_headers,
    read_pairs,
)
from .inspector import Inspector
from .mounting import make_inspector, read_verdict

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]


def asgi_app(
    cache: FragmentCache,
    *,
    allow: Callable[[Any], bool | Awaitable[bool]] | None = None,
    secret_key: str | bytes | None = None,
    debug: bool = False,
) -> AsgiApplication:
    """Return an ASGI application with the pages of a cache.

    Args:
        cache: The cache.
        allow: Gets the ASGI scope of a request, and returns whether that may see the
            pages. It may be a coroutine function.
        secret_key: As for `wsgi_app`.
        debug: As for `wsgi_app`.

    Raises:
        SettingError: If an argument has a value that is not allowed.
    """
    return pages_of(make_inspector(cache, allow, secret_key, debug=debug))


def pages_of(inspector: Inspector) -> AsgiApplication:
    """Return an ASGI application with the pages of an inspector."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise SettingError(
                f"The inspector answers HTTP only, and got {scope['type']!r}. Mount it"
                " in an application."
            )
        is_allowed = await verdict_of(inspector, scope)
        form = await _read_form(scope, receive)
        response = TOO_LARGE
        if form is not None:
            request = read_request(scope, form)
            response = await perform_async(
                inspector.answer(request, is_allowed=is_allowed, blocking=False)
            )
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in response.all_headers
        ]
        start = {"status": response.status.value, "headers": headers}
        await send({"type": "http.response.start", **start})
        body = b"" if scope["method"] == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body})

    return app


async def verdict_of(inspector: Inspector, scope: Scope) -> bool | None:
    """Return what `allow` tells of a request; None if there is no `allow`.

    Raises:
        SettingError: If it tells neither True nor False.
    """
    if inspector.allow is None:
        return None
    verdict = inspector.allow(scope)
    return read_verdict(await verdict if inspect.isawaitable(verdict) else verdict)


async def _read_form(scope: Scope, receive: Receive) -> dict[str, str] | None:
    """Return the form that a request sends, None if its body is too long."""
    kind = _headers_of(scope).get("content-type", "")
    if kind.partition(";")[0].strip() != FORM:
        return {}
    body = await _read_body(receive)
    return None if body is None else read_pairs(body)


def read_request(scope: Scope, form: Mapping[str, str]) -> Request:
    """Return a request, with the form that it sends."""
    root = scope.get("root_path", "").rstrip("/")
    return Request(
        scope["method"],
        quote(root),
        # What mounts the inspector may have left the root in front.
        scope["path"].removeprefix(root).strip("/"),
        read_pairs(scope.get("query_string", b"")),
        form,
        _headers_of(scope),
        scope.get("scheme") == "https",
    )


def _headers_of(scope: Scope) -> dict[str, str]:
    return read_headers(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
    )


async def _read_body(receive: Receive) -> bytes | None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BYTES:
            return None
    return body
