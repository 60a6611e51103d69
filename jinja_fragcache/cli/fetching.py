"""Asks an application, or a server, for pages.

A fetcher takes a URL and headers, and returns the answer without following redirects.
"""

import asyncio
import inspect
import io
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from wsgiref.util import setup_testing_defaults


class Answer(NamedTuple):
    """An answer to a request.

    Attributes:
        status: Its status, such as 200.
        location: Where it redirects to, "" if it does not.
        size: The bytes of its body.
    """

    status: int
    location: str
    size: int


Fetch = Callable[[str, Mapping[str, str]], Answer]


class NoAnswerError(Exception):
    """There was no answer, and no traceback of ours tells more."""


@contextmanager
def fetching(app: Any, timeout: float) -> Iterator[Fetch]:
    """Provide a fetcher in the `with` block.

    Args:
        app: A WSGI or ASGI application; None for servers.
        timeout: How many seconds to wait for a server.
    """
    if app is None:
        yield _FromServer(timeout)
    elif _is_asgi(app):
        with asyncio.Runner() as runner:
            yield from _started(app, runner)
    else:
        yield _FromWSGI(app)


def _is_asgi(app: Any) -> bool:
    call = app if inspect.isroutine(app) else type(app).__call__
    return inspect.iscoroutinefunction(call)


class _FromServer:
    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirects)

    def __call__(self, url: str, headers: Mapping[str, str]) -> Answer:
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - the command takes http and https only
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return Answer(answer.status, "", len(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                location = error.headers.get("Location", "")
                return Answer(error.code, location, len(error.read()))
        except urllib.error.URLError as error:
            raise NoAnswerError(str(error.reason)) from error
        except (OSError, ValueError) as error:
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class _FromWSGI:
    """Calls a WSGI application (PEP 3333)."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, url: str, headers: Mapping[str, str]) -> Answer:
        given: list[Any] = []
        body_start: list[bytes] = []

        def start_response(*told: Any) -> Callable[[bytes], None]:
            given[:] = told
            return body_start.append

        try:
            body = self._app(_environ(url, headers), start_response)
            try:
                size = sum(map(len, [*body, *body_start]))
            finally:
                getattr(body, "close", lambda: None)()
        except Exception as error:  # noqa: BLE001 - raised again
            _fail(error)
        status, answered, *_ = given
        return Answer(int(status.split()[0]), _location(answered), size)


def _environ(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        # As PEP 3333 has it: each character is a byte.
        "PATH_INFO": unquote_to_bytes(parts.path or "/").decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "",
        "SERVER_PORT": str(parts.port or (443 if secure else 80)),
        "HTTP_HOST": parts.netloc,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(),
        # Applications write there why they answer by an error.
        "wsgi.errors": sys.stderr,
    }
    for name, value in headers.items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    setup_testing_defaults(environ)
    return environ


def _location(headers: Any) -> str:
    found = [value for name, value in headers if name.lower() == "location"]
    return found[0] if found else ""


def _started(app: Any, runner: asyncio.Runner) -> Iterator[Fetch]:
    """Yield a fetcher of an ASGI application, which runs between start and shutdown."""
    lifespan = _Lifespan(app)
    runner.run(lifespan.start())
    try:
        yield lambda url, headers: runner.run(_fetch_asgi(app, url, headers))
    finally:
        runner.run(lifespan.stop())


class _Lifespan:
    """Starts an ASGI application and shuts it down (ASGI, "Lifespan Protocol")."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._asked: asyncio.Queue[Any] = asyncio.Queue()
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        call: Awaitable[None] = self._app(scope, self._asked.get, self._told.put)
        self._task = asyncio.ensure_future(call)
        told = await self._send("lifespan.startup")
        if told.get("type") == "lifespan.startup.failed":
            raise NoAnswerError(f"It did not start: {told.get('message', '')}")

    async def stop(self) -> None:
        await self._send("lifespan.shutdown")

    async def _send(self, message: str) -> Any:
        """Send a message, and return the answer; none if the application has none."""
        task = self._task
        if task is None or task.done():
            return {}
        await self._asked.put({"type": message})
        answer = asyncio.ensure_future(self._told.get())
        await asyncio.wait({answer, task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        # An application without this protocol raises, and is to be called all the same.
        task.exception()
        return {}


async def _fetch_asgi(app: Any, url: str, headers: Mapping[str, str]) -> Answer:
    parts = urlsplit(url)
    sent = [
        ("host", parts.netloc),
        *((name.lower(), headers[name]) for name in headers),
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": parts.scheme,
        "path": unquote(parts.path or "/"),
        "raw_path": (parts.path or "/").encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent],
        "client": ("127.0.0.1", 0),
        "server": (
            parts.hostname,
            parts.port or (443 if parts.scheme == "https" else 80),
        ),
        "state": {},
    }
    answered: dict[str, Any] = {"status": 0, "headers": []}
    size = 0
    is_asked, is_over = False, asyncio.Event()

    async def receive() -> dict[str, Any]:
        nonlocal is_asked
        if is_asked:
            await is_over.wait()
            return {"type": "http.disconnect"}
        is_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            answered.update(message)
        elif message["type"] == "http.response.body":
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                is_over.set()

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - raised again
        _fail(error)
    told = [(name.decode(), value.decode()) for name, value in answered["headers"]]
    return Answer(answered["status"], _location(told), size)


def _fail(error: Exception) -> NoReturn:
    raise NoAnswerError(f"{type(error).__name__}: {error}") from error
