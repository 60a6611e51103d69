"""Whether what a view answers to one request may be the answer to others."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import current_app, has_request_context, request
from flask.globals import request_ctx
from werkzeug.wrappers import Response

# The methods that only ask for what is there (RFC 9110, 9.2.1).
_READING = ("GET", "HEAD")
# A piece that one client asked for; "not modified" for what one client has.
_FOR_ONE_REQUEST = (206, 304)


class SessionState(NamedTuple):
    """What was done with the request's session so far."""

    read: bool
    changed: bool


class Verdict(NamedTuple):
    """Whether an answer is kept, and what is to be told of it, if anything."""

    kept: bool
    warning: str | None = None


def is_reading() -> bool:
    """Tell whether the current request, if there is one, only asks for something."""
    return not has_request_context() or request.method in _READING


def is_view(function: Callable[..., Any]) -> bool:
    """Tell whether a function is the view of the current request."""
    if not has_request_context() or request.endpoint is None:
        return False
    view = current_app.view_functions.get(request.endpoint)
    return view is not None and inspect.unwrap(view) is inspect.unwrap(function)


def session_state() -> SessionState:
    """Look at the session without using it, for that would be seen in the answer."""
    context = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
    # From Flask 3.1.3 on, to ask for it by its name is to read it.
    session = context.get("_session", context.get("session"))
    return SessionState(
        bool(getattr(session, "accessed", False)),
        bool(getattr(session, "modified", False)),
    )


def judge(value: Any, before: SessionState) -> Verdict:
    """Judge what a view gave.

    Args:
        value: what it gave.
        before: the session's state before it was called.
    """
    answer = _answer_of(value)
    # A view may give HEAD less than it would give GET.
    if request.method != "GET" or (answer is not None and _is_for_one(answer)):
        return Verdict(kept=False)
    after = session_state()
    warning = None
    if answer is not None and "Set-Cookie" in answer.headers:
        warning = "It sets a cookie, which others would get, too"
    elif after.changed and not before.changed:
        warning = "It changes the session, which a cached answer would not"
    elif after.read and not before.read:
        return Verdict(
            kept=True, warning="It reads the session, and others get the same answer"
        )
    return Verdict(kept=warning is None, warning=warning)


def _is_for_one(answer: Response) -> bool:
    control = answer.cache_control
    return bool(
        answer.status_code in _FOR_ONE_REQUEST or control.no_store or control.private
    )


def _answer_of(value: Any) -> Response | None:
    """Give the response that Flask makes of a view's value, where it has headers."""
    if isinstance(value, Response):
        return value
    if not isinstance(value, tuple):
        return None
    try:
        return current_app.make_response(value)
    except (TypeError, ValueError):
        return None  # Flask says what is wrong with it when it gets it
