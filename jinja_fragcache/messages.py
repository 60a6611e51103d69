"""The package's logger, and values as messages and logs show them."""

import logging
import re
from typing import Any

from jinja2 import Undefined

logger = logging.getLogger("jinja_fragcache")

_LOGIN = re.compile(r"[^\s'\"(\[,/]+@")


def without_logins(text: object) -> str:
    """Return the text of an error or a value, with `...` for logins in URLs.

    A login is everything in front of an `@`, such as a user's name and password.
    """
    return _LOGIN.sub("...@", str(text))


def describe(value: Any) -> str:
    """Return a value's repr (at most 100 characters) and class, to show in a message.

    It never fails, even if the value's own methods do.
    """
    if isinstance(value, Undefined):
        return f"undefined ({why_undefined(value)})"
    if value is None or isinstance(value, bool):
        return repr(value)
    try:
        return f"{repr(value)[:100]} ({value.__class__.__name__})"
    except Exception:  # noqa: BLE001 - describing for an error may not raise another
        return f"an object of {type(value).__name__}"


def why_undefined(value: Undefined) -> str:
    """Return Jinja's message for an undefined value, such as "'user' is undefined"."""
    return value._undefined_message  # noqa: SLF001 - the text of Jinja's own errors
