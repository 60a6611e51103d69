"""The inspector as a WSGI application."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.operations import perform

from .exchange import FORM, MOST_BYTES, TOO_LARGE, Request, Response, read_pairs
from .mounting import make_inspector, read_verdict

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def wsgi_app(
    cache: FragmentCache,
    *,
    allow: Callable[[Any], bool] | None = None,
    secret_key: str | bytes | None = None,
    debug: bool = False,
) -> "WSGIApplication":
    """Return a WSGI application with the pages of a cache.

    Args:
        cache: The cache.
        allow: Gets the WSGI environ of a request, and returns whether that may see the
            pages.
        secret_key: A secret that all workers share. Without it, nothing can be deleted
            on the pages, unless there is no `allow`.
        debug: Whether `allow` may be left out. Then the pages are shown to requests for
            localhost and 127.0.0.1 only.

    Raises:
        SettingError: If an argument has a value that is not allowed.
    """
    inspector = make_inspector(cache, allow, secret_key, debug=debug)

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        is_allowed = None
        if inspector.allow is not None:
            is_allowed = read_verdict(inspector.allow(environ))
        request = _read(environ)
        response = TOO_LARGE
        if request is not None:
            response = perform(inspector.answer(request, is_allowed=is_allowed))
        return _send(response, environ, start_response)

    return app


def _read(environ: "WSGIEnvironment") -> Request | None:
    """Return a request, None if its body is too long."""
    form: dict[str, str] = {}
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() == FORM:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return None
        form = read_pairs(environ["wsgi.input"].read(int(length)))
    headers = {
        name.removeprefix("HTTP_").lower().replace("_", "-"): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    # Without the header, as HTTP/1.0 allows it.
    headers.setdefault("host", environ["SERVER_NAME"])
    return Request(
        environ["REQUEST_METHOD"],
        # WSGI decodes bytes so.
        quote(environ.get("SCRIPT_NAME", "").encode("latin-1")).rstrip("/"),
        environ.get("PATH_INFO", "").strip("/"),
        read_pairs(environ.get("QUERY_STRING", "").encode("latin-1")),
        form,
        headers,
        environ["wsgi.url_scheme"] == "https",
    )


def _send(
    response: Response, environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    status = HTTPStatus(response.status)
    start_response(f"{status.value} {status.phrase}", response.all_headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]
