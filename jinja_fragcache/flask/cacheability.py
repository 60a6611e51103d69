"""Whether what a view answers to one request may be the answer to others."""

import inspect
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from flask import current_app, has_request_context, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

# The methods that only ask for what is there (RFC 9110, 9.2.1).
_READING = ("GET", "HEAD")
# A piece that one client asked for; "not modified" for what one client has.
_FOR_ONE_REQUEST = (206, 304)
# Unauthorized, and the same of a proxy.
_ASKING_WHO = (401, 407)
# It is sent while it is made, and may have no end.
_ENDLESS = "text/event-stream"


class Verdict(NamedTuple):
    """Whether an answer is kept, and what is to be told of it, if anything."""

    kept: bool
    warning: str | None = None


class SessionWatch:
    """What is done with the request's session inside of a block, or of several.

    It looks at the session without using it, for that would be seen in the answer.

    Attributes:
        read: whether it was read.
        changed: whether it was changed.
    """

    def __init__(self) -> None:
        context = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
        # From Flask 3.1.3 on, to ask for it by its name is to read it.
        self._session: Any = context.get("_session", context.get("session"))
        self.read = self.changed = False
        self._before = (False, False)
        self._was_read: bool | None = None

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._before = self._state()
        if self._was_read is None:
            self._was_read = self._before[0]
        self._set(read=False, changed=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Note what was done, and leave the session as if nobody had watched."""
        read, changed = self._state()
        self.read, self.changed = self.read or read, self.changed or changed
        read, changed = self._before
        self._set(read=self.read or read, changed=self.changed or changed)

    def was_read_before(self) -> bool:
        """Tell whether it was read before the first block, in the same request."""
        return bool(self._was_read)

    def is_empty(self) -> bool:
        """Tell whether nothing is known of whoever sent the request."""
        return not self._session

    def _state(self) -> tuple[bool, bool]:
        session = self._session
        return (
            bool(getattr(session, "accessed", False)),
            bool(getattr(session, "modified", False)),
        )

    def _set(self, *, read: bool, changed: bool) -> None:
        # A session that an extension made may not tell of these, or in another way.
        for name, value in (("accessed", read), ("modified", changed)):
            if isinstance(getattr(self._session, name, None), bool):
                try:
                    setattr(self._session, name, value)
                except AttributeError:
                    continue


def is_reading() -> bool:
    """Tell whether the current request, if there is one, only asks for something."""
    return not has_request_context() or request.method in _READING


def is_view(function: Callable[..., Any]) -> bool:
    """Tell whether a function is the view of the current request, or its method."""
    if not has_request_context() or request.endpoint is None:
        return False
    view = current_app.view_functions.get(request.endpoint)
    if view is None:
        return False
    method = getattr(getattr(view, "view_class", None), request.method.lower(), None)
    function = inspect.unwrap(function)
    return function in (inspect.unwrap(view), method and inspect.unwrap(method))


def judge(value: Any, watch: SessionWatch, *, of_view: bool, own_key: bool) -> Verdict:
    """Judge what a function gave while a request was answered.

    Args:
        value: what it gave.
        watch: what it did with the session.
        of_view: whether it is a view, so that any value is an answer.
        own_key: whether the developer makes the key of each call, and so can tell
            apart what this package knows nothing of.
    """
    answer = _answer_of(value)
    if answer is None and not of_view:
        return Verdict(kept=True)
    # A view may give HEAD less than it would give GET.
    if request.method == "HEAD" or (answer is not None and _is_for_one(answer)):
        return Verdict(kept=False)
    warning = _why_private(answer, watch)
    if warning is None and not own_key:
        warning = _why_not_by_this_key(answer, watch)
    if warning is not None:
        return Verdict(kept=False, warning=warning)
    if watch.read and not own_key:
        told = "It reads the session, and others would get the same answer"
        return Verdict(kept=watch.is_empty() and _is_page(answer), warning=told)
    return Verdict(kept=True)


def _is_for_one(answer: Response) -> bool:
    control = answer.cache_control
    return bool(
        answer.status_code in _FOR_ONE_REQUEST
        or control.no_store
        or control.private
        or answer.mimetype == _ENDLESS
    )


def _is_page(answer: Response | None) -> bool:
    """Tell whether an answer is what was asked for, and not the way to a login."""
    return answer is None or answer.status_code == HTTPStatus.OK


def _why_private(answer: Response | None, watch: SessionWatch) -> str | None:
    if answer is not None and "Set-Cookie" in answer.headers:
        return "It sets a cookie, which others would get, too"
    if watch.changed:
        return "It changes the session, which a cached answer would not"
    return None


def _why_not_by_this_key(answer: Response | None, watch: SessionWatch) -> str | None:
    varying = answer.vary.as_set() - {"accept-encoding"} if answer is not None else ()
    if varying:
        return f"It varies by {', '.join(sorted(varying))}, which is not in its key"
    public = answer is not None and answer.cache_control.public
    if "Authorization" in request.headers and not public:
        return "The request came with an Authorization (RFC 9111, section 3.5)"
    if answer is not None and answer.status_code in _ASKING_WHO:
        return "It asks who sent the request, which others may tell"
    if watch.was_read_before() and not watch.is_empty():
        # As by a function that puts the user into `g` before each request.
        return "The session was read before it was called, and may be shown"
    return None


def _answer_of(value: Any) -> Response | None:
    """Give the response that Flask makes of a view's value, where it has headers."""
    if isinstance(value, HTTPException):
        value = value.get_response()
    if isinstance(value, Response):
        return value
    if not isinstance(value, tuple):
        return None
    try:
        return current_app.make_response(value)
    except (TypeError, ValueError):
        return None  # Flask says what is wrong with it when it gets it
