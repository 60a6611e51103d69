"""The inspector as an ASGI application."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
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
    inspector = make_inspector(cache, allow, secret_key, debug=debug)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise SettingError(
                f"The inspector answers HTTP only, and got {scope['type']!r}. Mount it"
                " in an application."
            )
        is_allowed = None
        if inspector.allow is not None:
            verdict = inspector.allow(scope)
            if inspect.isawaitable(verdict):
                verdict = await verdict
            is_allowed = read_verdict(verdict)
        request = await _read(scope, receive)
        response = TOO_LARGE
        if request is not None:
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


async def _read(scope: Scope, receive: Receive) -> Request | None:
    """Return a request, None if its body is too long."""
    headers = read_headers(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
    )
    form: dict[str, str] = {}
    if headers.get("content-type", "").partition(";")[0].strip() == FORM:
        body = await _read_body(receive)
        if body is None:
            return None
        form = read_pairs(body)
    root = scope.get("root_path", "").rstrip("/")
    return Request(
        scope["method"],
        quote(root),
        # What mounts the inspector may have left the root in front.
        scope["path"].removeprefix(root).strip("/"),
        read_pairs(scope.get("query_string", b"")),
        form,
        headers,
        scope.get("scheme") == "https",
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
