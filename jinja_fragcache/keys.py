"""From a fragment's name and key values to its key in the store.

The way from values to text is injective: every part carries its length, so no two
different lists of values give one text, and the key is that text's digest. Nothing here
depends on the process: no `hash()`, no address, no order of a set.
"""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

from jinja2 import Undefined

from .errors import KeyValueError

_READABLE_CHARACTERS = 80
_REMEMBERED_CHARACTERS = 200
_NOT_READABLE = re.compile(r"[^!-~]+")
_NO_VALUES = (Undefined, str, bytes, AbstractSet, Mapping)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def make_template_fragment_key(
    fragment_name: str, vary_on: Iterable[Any] | None = None
) -> str:
    """Give the key that the cache tag uses for a fragment.

    `{% cache 300, "row", item.id, lang %}` stores its text under
    `make_template_fragment_key("row", [item.id, lang])`.

    Args:
        fragment_name: the fragment's name. For a fragment without a name of its own,
            what `default_fragment_name` gives.
        vary_on: the key values in the tag's order (list, tuple or other iterable, but
            no text), or None for a fragment that has none. A fragment with a block
            inside takes the name of the page's template as one more, the last.

    Returns:
        At most 200 characters of printable ASCII without spaces, which is what
        Memcached takes (protocol.txt: up to 250 bytes, no control characters and no
        white space). The start is readable, the end is a SHA-256 digest.

    Raises:
        KeyValueError: a value can't stand in a key, or `vary_on` is no iterable of
            values.
    """
    if type(fragment_name) is not str:
        fragment_name = _name_text(fragment_name)
    parts = (fragment_name, *key_values(vary_on))
    for part in parts:
        kind = type(part)
        if kind is not int and (kind is not str or len(part) > _REMEMBERED_CHARACTERS):
            return _make_key(*parts)
    return _remembered_key(*parts)


def _make_key(name: str, *values: Any) -> str:
    readable = _NOT_READABLE.sub("_", name)[:_READABLE_CHARACTERS]
    encoded = _encode_text(name) + "".join(map(_encode, values))
    # A text may hold lone surrogates, which plain UTF-8 has no bytes for.
    digest = sha256(encoded.encode("utf-8", "surrogatepass")).hexdigest()
    return f"fragment:{readable}:{digest}"


# On the path of every hit with key values, which are nearly always short texts and
# numbers. Other values are never looked up here: True equals 1, and 1.0 does, but
# their keys differ.
_remembered_key = lru_cache(maxsize=4096)(_make_key)


def key_values(vary_on: Any) -> list[Any] | tuple[Any, ...]:
    """Give the key values of a `vary_on`, none for None.

    Raises:
        KeyValueError: it is no iterable of values. A text is none, since its characters
            are never what was meant; nor is a set or dictionary, which has no order to
            tell the first value from the second.
    """
    if vary_on is None:
        return ()
    if isinstance(vary_on, (list, tuple)):
        return vary_on
    if not isinstance(vary_on, Iterable) or isinstance(vary_on, _NO_VALUES):
        raise KeyValueError(
            f"vary_on takes a list or tuple of key values and got {_describe(vary_on)}."
            " Write vary_on=[value]."
        )
    return list(vary_on)


def default_fragment_name(template: str, line: int, position: int = 1) -> str:
    """Give the name of a fragment that has none in its tag.

    Args:
        template: the template's name, as its loader knows it.
        line: the line of `{% cache %}`, from 1.
        position: 1 for the first cache tag that starts on the line, 2 for the next.
    """
    return f"{template}:{line}" if position == 1 else f"{template}:{line}#{position}"


def _name_text(name: Any) -> str:
    text = _text_of(name)
    if text is None:
        raise KeyValueError(
            f"A fragment's name is text and this one is {_describe(name)}."
            ' Write a name in quotes: {% cache 300, "sidebar" %}.'
        )
    return text


def _encode(value: Any) -> str:
    """Turn a key value into text that no other value, and no list of others, gives."""
    if value is None:
        return "n"
    if value is True or value is False:
        return "t" if value else "f"
    text = _text_of(value)
    if text is not None:
        return _encode_text(text)
    try:
        return _encode_structure(value) or _encode_object(value)
    except RecursionError:
        raise KeyValueError(
            f"A key value contains itself, or is nested too deep: {_describe(value)}."
            " Write its identifying values instead, as in item.id."
        ) from None


def _encode_text(text: str) -> str:
    return f"s{len(text)}:{text}"


def _text_of(value: Any) -> str | None:
    """Give the text of a value that is as good as its text, else None."""
    text: str | None = None
    match value:
        case Enum():
            text = _text_of(value.value)
        case str():
            # A proxy of a text is taken for one, and has no text of its own.
            text = str.__str__(value) if issubclass(type(value), str) else str(value)
        case bool():
            pass
        case int():
            text = _int_text(int(value))
        case float():
            text = repr(float(value))
        case UUID() | Decimal():
            text = str(value)
        case date() | time():
            text = value.isoformat()
    return text


def _int_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        raise KeyValueError(
            f"A key value is a number of {value.bit_length()} bits, more than Python"
            " turns into text. Write a shorter value."
        ) from None


def _encode_structure(value: Any) -> str | None:
    """Encode an enum's structured value, list, tuple, set, dict or bytes, else None.

    Only the plain types: a subclass may keep its content elsewhere (Werkzeug's
    CombinedMultiDict is a dict that is always empty) and is taken by its repr.
    """
    kind = type(value)
    if isinstance(value, Enum):
        return _encode(value.value)
    if kind is list or isinstance(value, tuple):
        return f"l{len(value)}:" + "".join(map(_encode, value))
    if kind is dict:
        pairs = sorted(_encode(key) + _encode(item) for key, item in value.items())
        return f"d{len(pairs)}:" + "".join(pairs)
    if kind is set or kind is frozenset:
        return f"e{len(value)}:" + "".join(sorted(map(_encode, value)))
    if kind is bytes:
        return f"b{len(value)}:{value.hex()}"
    return None


def _encode_object(value: Any) -> str:
    """Encode an object by what it says of itself.

    Its class goes with it, or the user 5 and the group 5 would share an entry. The
    class is asked of the object, so that a proxy counts as what it stands for.
    """
    if isinstance(value, Undefined):
        raise KeyValueError(
            f"A key value is undefined: {_undefined_name(value)}. Pass the variable to"
            " the template, or give it a default: name|default('none')."
        )
    cls = value.__class__
    identity = f"{_encode_text(cls.__module__)}{_encode_text(cls.__qualname__)}"
    if not isinstance(value, type):
        for method in ("__cache_key__", "__caching_id__"):
            own = getattr(value, method, None)
            if callable(own):
                return f"o{identity}{_encode(own())}"
    text = repr(value)
    if _ADDRESS.search(text):
        raise KeyValueError(
            f"A key value is known only by its address in memory: {text[:200]}. Another"
            " object may get this address. Write a value that identifies it, as in"
            " user.id, or give its class a method __cache_key__()."
        )
    return f"r{identity}{_encode_text(text)}"


def _describe(value: Any) -> str:
    if isinstance(value, Undefined):
        return f"undefined ({_undefined_name(value)})"
    if value is None or isinstance(value, bool):
        return repr(value)
    try:
        return f"{repr(value)[:100]} ({value.__class__.__name__})"
    except Exception:  # noqa: BLE001 - describing a value for an error may not raise another
        return f"an object of {type(value).__name__}"


def _undefined_name(value: Undefined) -> str:
    return repr(value._undefined_name)  # noqa: SLF001 - jinja2 documents it for subclasses
