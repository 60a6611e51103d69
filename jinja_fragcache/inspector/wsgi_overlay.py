"""A WSGI application whose pages have the overlay."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jinja_fragcache.cache import FragmentCache

from .mounting import check_app, check_prefix, make_inspector
from .overlay import Answer, below, is_whole, may_have_overlay, may_see, overlaid
from .wsgi import pages_of, read_request, verdict_of

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def wsgi_overlay(
    app: "WSGIApplication",
    cache: FragmentCache,
    *,
    prefix: str = "/_fragcache",
    allow: Callable[[Any], bool] | None = None,
    secret_key: str | bytes | None = None,
    debug: bool = False,
) -> "WSGIApplication":
    """Return an application with the overlay in its pages, and with the inspector.

    Args:
        app: The application.
        cache: The cache of its templates, with `debug_comments=True`.
        prefix: The path of the inspector.
        allow: As for `wsgi_app`. Pages have the overlay for whom it admits.
        secret_key: As for `wsgi_app`.
        debug: As for `wsgi_app`.

    Raises:
        SettingError: If an argument has a value that is not allowed.
    """
    check_app(app)
    inspector = make_inspector(cache, allow, secret_key, debug=debug)
    pages, root = pages_of(inspector), check_prefix(prefix)

    def wrapped(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        rest = below(root, environ.get("PATH_INFO", ""))
        if rest is not None:
            script = f"{environ.get('SCRIPT_NAME', '')}{root}"
            mounted = {**environ, "SCRIPT_NAME": script, "PATH_INFO": rest}
            return pages(mounted, start_response)
        held = _Held(start_response)
        body = app(environ, held)
        if held.is_page:
            request = read_request(environ, {})
            is_allowed = verdict_of(inspector, environ)
            if may_see(request, is_allowed=is_allowed):
                answer = Answer(held.code, held.headers, _joined(body))
                answer = overlaid(answer, inspector, request, root)
                start_response(held.status, [*answer.headers])
                return [answer.body]
        held.release()
        return body

    return wrapped


class _Held:
    """A `start_response` that waits until it is known what becomes of the answer."""

    def __init__(self, start_response: "StartResponse") -> None:
        self._start: Any = start_response
        self._write: Any = None
        self._error: Any = None
        self._is_released = False
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        if self._is_released:
            write: Callable[[bytes], object] = self._start(status, headers, exc_info)
            return write
        self.status, self.headers, self._error = status, headers, exc_info
        return self._written

    @property
    def code(self) -> int:
        """The status as a number."""
        return int(self.status.partition(" ")[0])

    @property
    def is_page(self) -> bool:
        """Whether the answer may have the overlay."""
        return (
            bool(self.status)
            and not self._is_released
            and is_whole(self.headers)
            and may_have_overlay(self.code, self.headers)
        )

    def release(self) -> None:
        """Pass on what waits, and everything that comes after it."""
        if self.status and not self._is_released:
            self._write = self._start(self.status, self.headers, self._error)
        self._is_released = True

    def _written(self, data: bytes) -> object:
        """Write, as applications may that are older than WSGI."""
        self.release()
        return self._write(data)


def _joined(body: Iterable[bytes]) -> bytes:
    try:
        return b"".join(body)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
