"""The inspector as a WSGI application."""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.operations import perform

from .exchange import FORM, MOST_BYTES, TOO_LARGE, Request, Response, read_pairs
from .inspector import Inspector
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
    return pages_of(make_inspector(cache, allow, secret_key, debug=debug))


def pages_of(inspector: Inspector) -> "WSGIApplication":
    """Return a WSGI application with the pages of an inspector."""

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        is_allowed = verdict_of(inspector, environ)
        form = _read_form(environ)
        response = TOO_LARGE
        if form is not None:
            request = read_request(environ, form)
            response = perform(inspector.answer(request, is_allowed=is_allowed))
        return _send(response, environ, start_response)

    return app


def verdict_of(inspector: Inspector, environ: "WSGIEnvironment") -> bool | None:
    """Return what `allow` tells of a request; None if there is no `allow`.

    Raises:
        SettingError: If it tells neither True nor False.
    """
    return None if inspector.allow is None else read_verdict(inspector.allow(environ))


def _read_form(environ: "WSGIEnvironment") -> dict[str, str] | None:
    """Return the form that a request sends, None if its body is too long."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() == FORM:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return None
        return read_pairs(environ["wsgi.input"].read(int(length)))
    return {}


def read_request(environ: "WSGIEnvironment", form: Mapping[str, str]) -> Request:
    """Return a request, with the form that it sends."""
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
