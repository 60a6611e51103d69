"""`stale_if_error`: which errors of a body its old entry hides, and which pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja_fragcache.errors import FragmentCacheError
from jinja_fragcache.operations import Operation

from .context import Context
from .lookup import Found, look_up
from .spec import Stopped

if TYPE_CHECKING:
    from .entry_spec import EntrySpec

_NOT_FOUND = ("django", "Http404")
# Exceptions that frameworks turn into an HTTP response, by package and class name.
_HTTP_ERRORS = {
    ("werkzeug", "HTTPException"),
    ("starlette", "HTTPException"),
    _NOT_FOUND,
    ("django", "PermissionDenied"),
    ("django", "SuspiciousOperation"),
}
# RFC 9110, 15.6: the server failed. A lower status is no failure of the server.
_FIRST_SERVER_ERROR = 500
_GONE = {404, 410}


def last_good(
    spec: EntrySpec, found: Found, context: Context, error: Exception
) -> Operation[Found | None]:
    """Return what to serve in place of an error; None if the error has to pass.

    Args:
        spec: What is asked for.
        found: What the last look-up found.
        context: The cache.
        error: What the body raised.
    """
    if not found.standing.served_on_error or is_no_failure(error):
        return None
    # Any process may have deleted the entry meanwhile, so it is read again. If the
    # store fails too, that can't be known, and the entry from before is used.
    (there,) = yield from look_up([spec], context, again=True)
    last = there if context.store.answers else found
    if not last.standing.served_on_error:
        return None
    context.recorder.body_failed(
        spec.key,
        error.error if isinstance(error, Stopped) else error,
        expired=last.standing.expired,
    )
    return last


def is_no_failure(error: Exception) -> bool:
    """Return whether an error must be shown, and not be hidden by an old entry.

    Frameworks have errors for "404 Not Found" and the like, which are the right answer
    to the client. Those of Werkzeug, Starlette and Django are recognized by name. A
    PermissionError counts as one of them, unless the operating system raised it. An
    error of this package is a mistake in a template.
    """
    if isinstance(error, FragmentCacheError):
        return True
    if isinstance(error, PermissionError):
        return error.errno is None
    if _class_names(error).isdisjoint(_HTTP_ERRORS):
        return False
    status = _status(error)
    return status is None or status < _FIRST_SERVER_ERROR


def says_gone(error: Exception) -> bool:
    """Return whether an error says that what was asked for does not exist any more."""
    names = _class_names(error)
    if names.isdisjoint(_HTTP_ERRORS):
        return False
    return _NOT_FOUND in names or _status(error) in _GONE


def _class_names(error: Exception) -> set[tuple[str, str]]:
    """Return the names of an error's classes, each with that of its package."""
    return {
        (cls.__module__.partition(".")[0], cls.__name__) for cls in type(error).__mro__
    }


def _status(error: Exception) -> int | None:
    """Return the HTTP status that a framework makes of an error, or None."""
    # The first is Starlette's. The last is Werkzeug's, whose errors may also hold a
    # whole response.
    response = getattr(error, "response", None)
    for owner, name in (
        (error, "status_code"),
        (response, "status_code"),
        (error, "code"),
    ):
        status = getattr(owner, name, None)
        if isinstance(status, int):
            return status
    return None
