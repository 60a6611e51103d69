"""Encodes texts and whole numbers, which nearly all key values are.

`encoding` encodes everything else. It knows many types of the standard library, whose
modules take long to import. So it is imported with the first value that needs it.
"""

from __future__ import annotations

from typing import Any

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import describe, describe_class


def encode_text(text: str) -> str:
    """Encode a string with its length in front, which marks its end."""
    return f"s{len(text)}:{text}"


def int_text(value: int) -> str:
    """Return the digits of a whole number.

    Raises:
        KeyValueError: If it has more than Python writes.
    """
    try:
        return str(value)
    except ValueError:
        raise KeyValueError(
            f"A key value is a number of {value.bit_length()} bits, more than Python"
            " converts to text. Write a shorter value."
        ) from None


def refusal(message: str, value: Any) -> KeyValueError:
    """Return an error about a value.

    Args:
        message: The message, with `{}` where the value stands.
        value: The value. Logs show its class only.
    """
    return KeyValueError(
        message.format(describe(value)), for_log=message.format(describe_class(value))
    )
