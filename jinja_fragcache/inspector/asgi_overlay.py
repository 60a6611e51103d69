"""An ASGI application whose pages have the overlay."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jinja_fragcache.cache import FragmentCache

from .asgi import (
    AsgiApplication,
    Receive,
    Scope,
    Send,
    pages_of,
    read_request,
    verdict_of,
)
from .inspector import Inspector
from .mounting import check_app, check_prefix, make_inspector
from .overlay import Answer, below, is_whole, may_have_overlay, may_see, overlaid


def asgi_overlay(
    app: Callable[..., Awaitable[None]],
    cache: FragmentCache,
    *,
    prefix: str = "/_fragcache",
    allow: Callable[[Any], bool | Awaitable[bool]] | None = None,
    secret_key: str | bytes | None = None,
    debug: bool = False,
) -> AsgiApplication:
    """Return an application with the overlay in its pages, and with the inspector.

    Args:
        app: The application.
        cache: The cache of its templates, with `debug_comments=True`.
        prefix: The path of the inspector.
        allow: As for `asgi_app`. Pages have the overlay for whom it admits.
        secret_key: As for `wsgi_app`.
        debug: As for `wsgi_app`.

    Raises:
        SettingError: If an argument has a value that is not allowed.
    """
    check_app(app)
    inspector = make_inspector(cache, allow, secret_key, debug=debug)
    pages, root = pages_of(inspector), check_prefix(prefix)

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        outer = scope.get("root_path", "").rstrip("/")
        if below(root, scope["path"].removeprefix(outer)) is not None:
            await pages({**scope, "root_path": f"{outer}{root}"}, receive, send)
            return
        await app(scope, receive, _Sender(inspector, root, scope, send))

    return wrapped


class _Sender:
    """A `send` that keeps pages until they are whole, and sends them on."""

    def __init__(
        self, inspector: Inspector, root: str, scope: Scope, send: Send
    ) -> None:
        self._inspector = inspector
        self._root = root
        self._scope = scope
        self._send = send
        self._start: MutableMapping[str, Any] | None = None
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Send a message of the application, or keep it."""
        if message["type"] == "http.response.start" and await self._is_page(message):
            self._start = message
        elif self._start is None or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _is_page(self, start: MutableMapping[str, Any]) -> bool:
        self._headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in start.get("headers", ())
        ]
        if not is_whole(self._headers):
            return False
        if not may_have_overlay(start["status"], self._headers):
            return False
        is_allowed = await verdict_of(self._inspector, self._scope)
        return may_see(read_request(self._scope, {}), is_allowed=is_allowed)

    async def _finish(self, start: MutableMapping[str, Any]) -> None:
        request = read_request(self._scope, {})
        answer = Answer(start["status"], self._headers, self._body)
        answer = overlaid(answer, self._inspector, request, self._root)
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
        ]
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body})
