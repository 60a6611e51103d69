"""Which reprs identify an object: those that show all that it holds."""

import re
from typing import Any

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import class_name, one_line

from .attributes import hides_state

_ADDRESS = re.compile("0x[0-9a-fA-F]{5,}")
# Ellipses in any form, and the size that pandas and polars print below a part of a
# frame.
_SHORTENED = re.compile(
    r"\.\.|\u2026|\d rows? [x\u00d7] \d+ col|\d+ (?:more|others)\b|truncated",
    re.IGNORECASE,
)
_SHOWN_CHARACTERS = 200
_REMEDY = (
    "Write values that identify it, as in user.id or items|map(attribute='id')|list, or"
    " give its class a method __cache_key__()."
)


def full_repr(value: Any, attributes: dict[str, Any] | None = None) -> str:
    """Return an object's repr, if it shows all that the object is.

    Args:
        value: The object.
        attributes: What it holds. None if its class is known to show everything.

    Raises:
        KeyValueError: If the repr shows an address, is shortened, or leaves out an
            attribute, or if the object may hold something that can't be read.
    """
    text = str.__str__(repr(value))
    rest = text
    unshown = []
    for name, each in (attributes or {}).items():
        shown = _shown_texts(each, text)
        if shown is None:
            unshown.append(str(name).rpartition(".")[2])
        else:
            for part in sorted(shown, key=len, reverse=True):
                # What it shows of its attributes may look like an address, or end with
                # an ellipsis.
                rest = rest.replace(part, " ") if len(part) > 1 else rest
    if _ADDRESS.search(rest) or _shows_own_address(value, text):
        raise _refusal(
            value,
            text,
            "is known only by its address in memory",
            " Another object may get the same address.",
        )
    if _SHORTENED.search(rest):
        raise _refusal(
            value, text[-_SHOWN_CHARACTERS:], "is known only by a shortened text"
        )
    if attributes is not None and hides_state(type(value), object):
        raise _refusal(
            value,
            text,
            "is known only by its repr, and what else it holds can't be read",
        )
    if unshown:
        names = one_line(", ".join(unshown), _SHOWN_CHARACTERS)
        raise _refusal(
            value, text, f"is known only by its repr, which does not show {names}"
        )
    return text


def _shown_texts(value: Any, text: str) -> list[str] | None:
    """Return the texts by which a repr shows an attribute, None if it does not."""
    for shown in (repr(value), str(value)):
        if shown in text:
            return [shown]
    # A class may show its list in other brackets.
    items: list[Any] = []
    if type(value) is dict:
        items = [*value, *value.values()]
    elif type(value) in {list, tuple, set, frozenset}:
        items = list(value)
    if not items:
        return None
    texts: list[str] = []
    for item in items:
        shown_texts = _shown_texts(item, text)
        if shown_texts is None:
            return None
        texts += shown_texts
    return texts


def _shows_own_address(value: Any, text: str) -> bool:
    """Return whether a text contains an object's address, written in any way."""
    text = text.lower()
    address = id(value)
    # As a signed number of 64 bits, and the hash that is made of an address, too.
    numbers = (address, (1 << 64) - address, object.__hash__(value))
    return any(
        written in text
        for number in numbers
        for written in (str(number), f"{number:x}", f"{number:o}", f"{number:b}")
    )


def _refusal(value: Any, text: str, reason: str, why: str = "") -> KeyValueError:
    shown = one_line(text, _SHOWN_CHARACTERS)
    return KeyValueError(
        f"A key value {reason}: {shown}.{why} {_REMEDY}",
        for_log=f"A key value {reason} ({class_name(value)}).{why} {_REMEDY}",
    )
