"""Contexts of Flask for what is made behind a request, and apart from it.

There, `g` is new, the session is empty, and the request is one for "/" that nobody has
sent. The application, the host and the script root are those of the request that
needs what is made: `url_for` works.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from io import BytesIO
from typing import Any

from flask import Flask

# What tells where the application is.
_OF_SERVER = (
    *("HTTP_HOST", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"),
    *("wsgi.errors", "wsgi.multiprocess", "wsgi.multithread", "wsgi.run_once"),
    *("wsgi.url_scheme", "wsgi.version"),
)


def apart(
    app: Flask, request_context: Any, *, blocking: bool
) -> Callable[[], AbstractContextManager[None]] | None:
    """Return what enters the contexts, for `Framework.apart`.

    Args:
        app: The application.
        request_context: The context of the current request, or None.
        blocking: As for `Framework.apart`. The loop of an asynchronous view ends with
            the view, so a task can't go on.

    Returns:
        None if nothing can be made apart: in a task, and where `url_for` calls
        functions of the application, which may need the request.
    """
    if not blocking or any(app.url_default_functions.values()):
        return None
    environ = None
    if request_context is not None:
        given = request_context.request.environ
        environ = {name: given[name] for name in _OF_SERVER if name in given}
        environ |= {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": ""}
    return partial(_contexts, app, environ)


@contextmanager
def _contexts(app: Flask, environ: dict[str, Any] | None) -> Iterator[None]:
    with app.app_context():
        if environ is None:
            yield
            return
        with app.request_context({**environ, "wsgi.input": BytesIO()}):
            yield
