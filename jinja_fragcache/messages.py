"""Values, secrets and places, as they are written in messages and logs."""

import logging
import re
from typing import Any

from jinja2 import Undefined

logger = logging.getLogger("jinja_fragcache")

_LOGIN = re.compile(r"[^\s'\"(\[,/]+@")


def without_logins(text: object) -> str:
    """Write an error or a value without what stands before an @, such as a password."""
    return _LOGIN.sub("...@", str(text))


def describe(value: Any) -> str:
    """Write a value and its class in a message, whatever its class does."""
    if isinstance(value, Undefined):
        return f"undefined ({why_undefined(value)})"
    if value is None or isinstance(value, bool):
        return repr(value)
    try:
        return f"{repr(value)[:100]} ({value.__class__.__name__})"
    except Exception:  # noqa: BLE001 - describing for an error may not raise another
        return f"an object of {type(value).__name__}"


def why_undefined(value: Undefined) -> str:
    """Return what Jinja says of an undefined value."""
    return value._undefined_message  # noqa: SLF001 - what Jinja's own errors say
