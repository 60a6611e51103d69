"""Whether the answer to one request may be served to others."""

import functools
import inspect
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any, NamedTuple, Self

from flask import current_app, has_request_context, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.guard.reads import Cover, Read
from jinja_fragcache.guard.watched import is_watched

from .answer_headers import cache_control, is_private
from .answer_headers import varying as varying_by

# Methods that only read (RFC 9110, 9.2.1).
_READ_METHODS = ("GET", "HEAD")
# Partial Content is a part that one client asked for; Not Modified refers to what one
# client has.
_STATUSES_FOR_ONE_CLIENT = (206, 304)
# Those that may be stored by default (RFC 9110, section 15.1), without those that tell
# a client of its own request (206, 405, 414), and without Not Implemented.
_STATUSES_TO_STORE = (200, 203, 204, 300, 301, 308, 404, 410)
# Unauthorized and Proxy Authentication Required.
_STATUSES_ASKING_WHO = (401, 407)
# What tells users apart, in the names of a key.
_USERS = frozenset({"current_user", "request.user"})
_OF_USERS = _USERS | {"session", "g"}
# A stream of events is sent while it is being made, and may never end.
_EVENT_STREAM = "text/event-stream"


class Verdict(NamedTuple):
    """Whether an answer is stored.

    Attributes:
        kept: Whether it is stored.
        warning: What to log about it, None for nothing.
    """

    kept: bool
    warning: str | None = None


class SessionWatch:
    """Records how the request's session is used inside one or more `with` blocks.

    It reads the session's flags without using the session itself, because Flask would
    add `Vary: Cookie` to the answer.

    Attributes:
        read: Whether the session was read inside a block.
        changed: Whether the session was changed inside a block.
    """

    def __init__(self) -> None:
        context = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
        # From Flask 3.1.3 on, access by the attribute's name counts as reading.
        self._session: Any = context.get("_session", context.get("session"))
        self.read = self.changed = False
        self._before = self._flags()
        self._was_read, _ = self._before

    def __enter__(self) -> Self:
        """Start recording."""
        self._before = self._flags()
        self._set_flags(read=False, changed=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop recording, and set the session's flags as if nobody had recorded."""
        read, changed = self._flags()
        self.read, self.changed = self.read or read, self.changed or changed
        read, changed = self._before
        self._set_flags(read=self.read or read, changed=self.changed or changed)

    def was_read_before(self) -> bool:
        """Return whether the session was read before this object was made."""
        return self._was_read

    def is_empty(self) -> bool:
        """Return whether the session is empty, so that it identifies nobody."""
        with quietly():
            return not self._session

    def note_read(self) -> None:
        """Note that the session was read, if its class can't tell of what."""
        if self.read and not is_watched(self._session):
            note_read("session")

    def _flags(self) -> tuple[bool, bool]:
        session = self._session
        return (
            bool(getattr(session, "accessed", False)),
            bool(getattr(session, "modified", False)),
        )

    def _set_flags(self, *, read: bool, changed: bool) -> None:
        # The session of an extension may lack these attributes, or make them read-only.
        for name, value in (("accessed", read), ("modified", changed)):
            if isinstance(getattr(self._session, name, None), bool):
                try:
                    setattr(self._session, name, value)
                except AttributeError:
                    continue


def is_read_request() -> bool:
    """Return whether the current request is a GET or HEAD, or there is no request."""
    with quietly():
        return not has_request_context() or request.method in _READ_METHODS


def is_current_view(function: Callable[..., Any]) -> bool:
    """Return whether a function is the view of the current request, or its method."""
    if not has_request_context():
        return False
    # Not `request.endpoint`: nobody need note that this package reads it.
    rule = vars(request._get_current_object()).get("url_rule")  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
    if rule is None:
        return False
    view = current_app.view_functions.get(rule.endpoint)
    if view is None:
        return False
    function = _innermost(function)
    return any(_innermost(each) is function for each in _functions_of(view))


def _functions_of(view: Any) -> Iterator[Any]:
    """Yield the functions that make the answer if Flask calls a view.

    These are the view itself and, if it is a class-based view or an object that can be
    called, the methods that Flask calls. A method may call that of a base class, and
    one for POST may call the one for GET.
    """
    yield view
    while isinstance(view, functools.partial):
        view = view.func
    view_class = getattr(view, "view_class", None) or getattr(
        inspect.unwrap(view), "view_class", None
    )
    if view_class is None:
        view_class, names = type(view), {"__call__"}
    else:
        methods = {"get", "head", *map(str.lower, view_class.methods or ())}
        names = {"dispatch_request", *methods}
    for cls in view_class.__mro__:
        yield from (vars(cls)[name] for name in names & vars(cls).keys())


def _innermost(function: Any) -> Any:
    """Return the function that decorators, methods and partial objects lead to."""
    while True:
        if isinstance(function, functools.partial):
            inner = function.func
        elif isinstance(function, (MethodType, classmethod, staticmethod)):
            inner = function.__func__
        else:
            inner = inspect.unwrap(function)
        if inner is function:
            return function
        function = inner


def judge(
    value: Any,
    watch: SessionWatch,
    *,
    is_view: bool,
    cover: Cover,
    any_status: bool = False,
) -> Verdict:
    """Judge whether a value that was made during a request may be served to others.

    Args:
        value: What the function returned.
        watch: How the function used the session.
        is_view: Whether the function is the view, so that any value is an answer.
        cover: What the key names of the request.
        any_status: Whether the user has said that the answer is to be stored, so that
            an error may be, too.
    """
    answer = _answer_of(value)
    if answer is None and not is_view:
        return Verdict(kept=True)
    # A view may answer HEAD with less than it would answer GET.
    if request.method == "HEAD" or (
        answer is not None
        and (
            _is_for_one_client(answer)
            or (not any_status and _is_passing(answer, value, is_view=is_view))
        )
    ):
        return Verdict(kept=False)
    warning = _why_private(answer, watch) or _why_not_under_this_key(
        answer, watch, cover
    )
    return Verdict(kept=warning is None, warning=warning)


def _is_for_one_client(answer: Response) -> bool:
    """Return whether an answer says of itself that it is for one client only."""
    return bool(
        answer.status_code in _STATUSES_FOR_ONE_CLIENT
        or is_private(answer)
        or answer.mimetype == _EVENT_STREAM
    )


def _is_passing(answer: Response, value: Any, *, is_view: bool) -> bool:
    """Return whether an answer's status says that the next one may be another.

    A function that is no view may return a tuple that only looks like an answer.
    """
    is_answer = is_view or isinstance(value, (Response, HTTPException))
    return is_answer and answer.status_code not in _STATUSES_TO_STORE


def _is_header_in(cover: Cover, header: str) -> bool:
    """Return whether a key has a header, or what it tells: who the user is."""
    if header in {"authorization", "cookie"} and _tells_users(cover):
        return True
    told = "request.cookies" if header == "cookie" else f"request.headers.{header}"
    names = cover.names | cover.shown
    return Cover(names).names_it(Read(told)) or any(
        name.startswith(f"{told}.") for name in names
    )


def _tells_users(cover: Cover) -> bool:
    """Return whether a key has something of the session, the user, or `g`."""
    names = cover.names | cover.shown
    roots = {name.partition(".")[0] for name in names}
    return not _OF_USERS.isdisjoint(names | roots)


def told_of_answers(cover: Cover) -> Cover:
    """Return what the key values of a whole cache tell of those who get an answer.

    A value that is kept in the session, in `g` or in a cookie, such as the locale, does
    not tell who the user is.

    Args:
        cover: What the values name.
    """
    names = cover.names | cover.shown
    headers = {name for name in names if name.startswith("request.headers.")}
    return Cover(frozenset(headers | (names & _USERS)))


def _why_private(answer: Response | None, watch: SessionWatch) -> str | None:
    """Return why an answer is for one user under any key, None if it isn't."""
    if answer is not None and "Set-Cookie" in answer.headers:
        return "It sets a cookie, which others would get too"
    if watch.changed:
        return "It changes the session, which a cached answer would not"
    return None


def _why_not_under_this_key(
    answer: Response | None, watch: SessionWatch, cover: Cover
) -> str | None:
    """Return why an answer may differ between requests of one key, None if it doesn't.

    Args:
        answer: The answer, if it can have headers.
        watch: How the function used the session.
        cover: What the key names of the request.
    """
    varying = sorted(
        name
        for name in (varying_by(answer) if answer is not None else ())
        if name != "accept-encoding" and not _is_header_in(cover, name)
    )
    if varying:
        return f"It varies by {', '.join(varying)}, which is not in its key"
    public = answer is not None and "public" in cache_control(answer)
    authorized = "Authorization" in request.headers and not public
    if authorized and not _is_header_in(cover, "authorization"):
        return "The request has an Authorization header (RFC 9111, section 3.5)"
    if answer is not None and answer.status_code in _STATUSES_ASKING_WHO:
        return "It asks for credentials, which other requests may have"
    if watch.was_read_before() and not (watch.is_empty() or _tells_users(cover)):
        # For example by a `before_request` function that puts the user into `g`.
        return "The session was read before it was called, and may be shown"
    return None


def _answer_of(value: Any) -> Response | None:
    """Return the response that Flask makes of a view's value, if it can have headers.

    Returns:
        None for values without headers, such as a string, and for values that Flask
        will refuse.
    """
    if isinstance(value, HTTPException):
        value = value.get_response()
    if isinstance(value, Response):
        return value
    if not isinstance(value, tuple):
        return None
    try:
        return current_app.make_response(value)
    except (TypeError, ValueError):
        return None  # Flask raises a better error when the view returns it.
