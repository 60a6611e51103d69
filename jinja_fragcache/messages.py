"""The package's logger, and values as messages and logs show them."""

from __future__ import annotations

import inspect
import math
import re
import reprlib
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jinja2 import Undefined
from jinja2.utils import missing

if TYPE_CHECKING:
    import logging

# Few processes need these patterns, so they are compiled when they are first used.
# In a URL, a password may have any character but a space or a quote.
_LOGIN = r"(?i)(?:([a-z][\w+.-]*://)[^\s'\"]+|[^\s'\"(\[,]+)@"
# The query of a URL may contain a password too.
_QUERY = r"(://[^\s'\"?]*\?)[^\s'\"]+"
# redis-py 5.1 to 7 shows clients with all their arguments, among them passwords.
_CLIENT = r"(?s)(<redis\.[\w.]+)\(.*\)>"
_UNKNOWN_ARGUMENT = r"unexpected keyword argument '(\w+)'"
# From 0 to 1; as for difflib.
_SIMILAR = 0.75
_DESCRIBED_CHARACTERS = 100
_DESCRIBED_ITEMS = 40
_CONTAINERS = {list, tuple, dict, set, frozenset}
_LOGGED_CHARACTERS = 2000
# How many of many names a message shows.
_NAMED = 3
# As `logging.DEBUG`.
_DEBUG = 10
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class _LateLogger:
    """The package's logger, which imports `logging` when it is first used."""

    def __getattr__(self, name: str) -> Any:
        # The next call finds it at once.
        value = self.__dict__[name] = getattr(_make_logger(), name)
        return value


def _make_logger() -> logging.Logger:
    from logging import getLogger  # noqa: PLC0415 - see `_LateLogger`

    made = getLogger("jinja_fragcache")
    made.addFilter(_keep_to_one_line)
    return made


def _keep_to_one_line(record: logging.LogRecord) -> bool:
    """Make the message of a record one line of bounded length.

    A key, a name or a store's error may contain a line break, with which somebody could
    forge a line of the log. A lone surrogate makes the log's own stream fail.
    """
    message = record.getMessage()
    shown = one_line(message)
    if shown != message:
        record.msg, record.args = shown, ()
    return True


# Where others have imported `logging`, there is nothing to wait for. Later, a program
# may set another class of loggers, which some do for their own.
_HAS_LOGGING = "logging" in sys.modules
logger = _make_logger() if _HAS_LOGGING else cast("logging.Logger", _LateLogger())


def _logs_all_late() -> bool:
    return "logging" in sys.modules and logger.isEnabledFor(_DEBUG)


#: Returns whether the logger's level is DEBUG. Where nobody logs, it is not. Each miss
#: asks it, so it is one call if it can be.
logs_all: Callable[[], bool] = (
    partial(logger.isEnabledFor, _DEBUG) if _HAS_LOGGING else _logs_all_late
)


def one_line(text: str, most: int = _LOGGED_CHARACTERS) -> str:
    r"""Return a text as one printable line: a line break becomes `\n`.

    Args:
        text: The text.
        most: How many characters to show. Of a longer text, the end is replaced by
            `...`.
    """
    if len(text) > most:
        text = f"{text[:most]}..."
    if text.isprintable():
        return text
    return "".join(
        [
            each
            if each.isprintable()
            else each.encode("unicode_escape", "surrogatepass").decode("ascii")
            for each in text
        ]
    )


def some_of(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are, for a message.

    What follows them, such as the reason of a failure, must not be cut off.
    """
    shown = ", ".join(map(repr, names[:_NAMED]))
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def sentence(text: str) -> str:
    """Return a text that ends as a sentence does, for another one behind it."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def without_logins(text: object) -> str:
    """Return the text of an error or a value, with `...` for logins.

    In a URL, a login is everything in front of an `@`, such as a user's name and
    password. The queries of URLs are left out as well, and so are the arguments of
    clients of Redis.
    """
    shown = re.sub(_CLIENT, r"\1(...)>", str(text))
    return re.sub(_QUERY, r"\1...", re.sub(_LOGIN, r"\1...@", shown))


def without_secret_causes(error: BaseException) -> BaseException | None:
    """Return an error that another one may have as its cause, for a traceback.

    Returns:
        None if the error, or one of those that led to it, shows a login.
    """
    seen: list[BaseException] = []
    rest: list[BaseException | None] = [error]
    while rest:
        each = rest.pop()
        if each is None or each in seen:
            continue
        if without_logins(each) != str(each):
            return None
        seen.append(each)
        rest += [each.__cause__, each.__context__]
    return error


class _ShortRepr(reprlib.Repr):
    """Shows builtin containers up to a depth and a length, and all else by its repr.

    A list that contains another one twice, which contains a third one twice, and so on,
    has a repr that takes for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxdict = _DESCRIBED_ITEMS
        self.maxset = self.maxfrozenset = _DESCRIBED_ITEMS

    def repr1(self, x: Any, level: int) -> str:
        """Return the repr of a value that is inside of others."""
        return super().repr1(x, level) if type(x) in _CONTAINERS else repr(x)


_short_repr = _ShortRepr().repr


def describe(value: Any) -> str:
    """Return a value's repr (at most 100 characters) and class, to show in a message.

    It never fails, even if the value's own methods do. It is one line. Logs show
    `describe_class` instead, because a value may be personal.
    """
    # Not isinstance(), which asks the value for its `__class__`.
    kind = type(value)
    if issubclass(kind, Undefined):
        return f"undefined ({why_undefined(value)})"
    if value is None or kind is bool:
        return repr(value)
    try:
        shown = one_line(_short_repr(value)[:_DESCRIBED_CHARACTERS])
        return f"{shown} ({one_line(str(value.__class__.__name__))})"
    except Exception:  # noqa: BLE001 - describing for an error may not raise another
        return f"an object of {class_name(value)}"


def shown_value(value: object) -> str:
    """Return a key value as logs and pages show it: texts and numbers without a class.

    It is short and never fails, as `describe`.
    """
    if type(value) is str:
        return repr(value[:_DESCRIBED_CHARACTERS])
    return repr(value) if type(value) is int else describe(value)


def describe_class(value: Any) -> str:
    """Return what a value is without showing it, as logs may say it."""
    if issubclass(type(value), Undefined):
        return f"undefined ({what_is_undefined(value)})"
    if value is None or type(value) is bool:
        return repr(value)
    return f"an object of {class_name(value)}"


def describe_error(error: BaseException) -> str:
    """Return an exception's class and message, on one line. It never fails."""
    name = class_name(error)
    try:
        text = one_line(str(error), _DESCRIBED_CHARACTERS)
    except Exception:  # noqa: BLE001 - describing for an error may not raise another
        return name
    return f"{name}: {text}" if text else name


def class_name(value: object) -> str:
    """Return the name of a value's class, on one line."""
    return one_line(str(type(value).__name__), _DESCRIBED_CHARACTERS)


def why_undefined(value: Undefined) -> str:
    """Return Jinja's message for an undefined value, such as "'user' is undefined"."""
    return one_line(value._undefined_message)  # noqa: SLF001 - the text of Jinja's own errors


def what_is_undefined(value: Undefined) -> str:
    """Return what logs may say of `why_undefined`.

    The name of a variable was written by the author of the template. That of an item
    may be what a visitor has typed, as in `users[email]`, so it is left out, and so is
    the message of an environment's own, which may show it, too.
    """
    if value._undefined_hint is not None:  # noqa: SLF001 - as Jinja's own messages
        return "its message may be personal"
    if value._undefined_obj is missing:  # noqa: SLF001
        return why_undefined(value)
    return f"an attribute or item of {class_name(value._undefined_obj)}"  # noqa: SLF001


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question with the names that an unknown one is similar to.

    The most similar one need not be the one that was meant: CACHE_TIMEOUT is nearer to
    CACHE_LOCK_TIMEOUT than to CACHE_DEFAULT_TIMEOUT. Names that differ in case only,
    and those of which it is the first or last words, come before any others.

    Returns:
        The question with a space in front, or an empty text if there are none.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    known = list(known)
    same = [each for each in known if each.lower() == name.lower()]
    longer = [
        each
        for each in known
        if each.startswith(f"{name}_") or each.endswith(f"_{name}")
    ]
    nearest = same or longer[:3] or get_close_matches(name, known, cutoff=_SIMILAR)
    return f" Did you mean {' or '.join(nearest)}?" if nearest else ""


def needs(what: str, package: str, extra: str) -> str:
    """Say that something needs a package, and which extra installs it."""
    install = f"pip install 'jinja-fragcache[{extra}]'"
    return f"{what} needs {package}. Install it with {install}."


def unknown_argument(error: TypeError) -> str | None:
    """Return the name of the argument that a function did not know.

    Returns:
        None if the error is about something else.
    """
    found = re.search(_UNKNOWN_ARGUMENT, str(error))
    return found[1] if found else None


def warn_caller(message: str) -> None:
    """Warn, and name the line outside of this package that led here."""
    frame, level = inspect.currentframe(), 1
    while frame and frame.f_globals.get("__name__", "").startswith("jinja_fragcache."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def quoted(text: str) -> str:
    """Return a text in double quotes, as it is written in templates and in Python."""
    written = repr(text)
    inner = written[1:-1]
    if written[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    return f'"{inner}"'


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(fraction: float) -> str:
    """Return a fraction as per cent, rounded to a tenth.

    Only all of them are 100%, and only none of them are 0%.
    """
    tenths = round(fraction * 1000)
    if 0 < fraction < 1:
        tenths = min(max(tenths, 1), 999)
    return f"{tenths / 10:g}%"


def duration(seconds: float) -> str:
    """Return a time in its two largest units, such as `4 min 48 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    left, parts = math.floor(seconds), []
    for size, unit in _UNITS:
        whole, left = divmod(left, size)
        if whole:
            parts.append(f"{whole:,} {unit}")
    return " ".join(parts[:2])
