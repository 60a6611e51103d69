"""Encodes a key value as a string that no other value has.

The encoding is injective: every part carries its length, so a string can be decoded
from left to right, and no two lists of values are encoded alike. Nothing here depends
on the process: no `hash()`, no address and no set order.

The first character of an encoding is its kind:

| kind | value |
|---|---|
| `n`, `t`, `f` | None, True, False |
| `s` | a string, or a value that counts as its text |
| `b` | bytes |
| `l`, `d`, `e` | a list, a dict, a set; outside of `exact`, a tuple, a frozenset too |
| `u`, `z` | with `exact`: a tuple, a frozenset |
| `x` | with `exact`: the class of the plain value that follows |
| `o` | an object's class, and its own key, primary key or fields |
| `r` | an object's class and its repr |
| `i` | with `exact`: an object's class and its random id |
"""

import dataclasses
import inspect
import re
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from jinja2 import Undefined
from markupsafe import Markup, escape

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import describe, why_undefined

from .object_ids import object_id

_ADDRESS = re.compile("0x[0-9a-fA-F]{5,}")
_SHORTENED = re.compile(r"\.\.\.|\u2026")
_OWN_KEY_METHODS = ("__cache_key__", "__caching_id__")


class Encoder:
    """Encodes values as strings.

    Args:
        exact: Whether values of different types differ. In a template, `1` and `"1"`
            name the same row, and so do a list and a tuple. To a function, they are
            different arguments.
    """

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact

    def encode(self, value: Any) -> str:
        """Return a string that no other value is encoded as.

        Raises:
            KeyValueError: If nothing identifies the value, such as an undefined
                variable or an object that is known only by its address.
        """
        if type(value) is str:
            return encode_text(value)
        if value is None:
            return "n"
        if value is True or value is False:
            return "t" if value else "f"
        if isinstance(value, Undefined):
            raise KeyValueError(
                f"A key value is undefined: {why_undefined(value)}. Pass it to the"
                " template, or give it a default: name|default(none)."
            )
        if hasattr(type(value), "_get_current_object"):
            # Werkzeug's LocalProxy, such as current_user. It counts as the object
            # behind it.
            return self.encode(value._get_current_object())  # noqa: SLF001 - its documented way
        try:
            return self._own_key(value) or self._plain(value) or self._object(value)
        except RecursionError:
            if not isinstance(value, (list, tuple, dict)):
                raise
            raise KeyValueError(
                "A key value contains itself, or is nested too deeply:"
                f" {describe(value)}. Write its identifying values instead, as in"
                " item.id."
            ) from None

    def _own_key(self, value: Any) -> str | None:
        """Encode an object by its `__cache_key__()` or `__caching_id__()`.

        The class is part of it, or the user 5 and the group 5 would share an entry.

        Returns:
            None if the object has neither method.
        """
        if isinstance(value, type):
            return None
        for name in _OWN_KEY_METHODS:
            method = getattr(value, name, None)
            if not callable(method):
                continue
            own_key = method()
            if inspect.iscoroutine(own_key):
                own_key.close()
                raise KeyValueError(
                    f"{name}() of {describe(value)} is a coroutine function. Make it a"
                    " plain function."
                )
            return f"o{_class_of(value)}{self.encode(own_key)}"
        return None

    def _plain(self, value: Any) -> str | None:
        """Encode a value that counts as its text, an enum member or a container.

        Returns:
            None for any other object.
        """
        kind = f"x{_class_of(value)}" if self._exact else ""
        if isinstance(value, Enum):
            return kind + self.encode(value.value)
        if self._exact and isinstance(value, (datetime, time)):
            # isoformat() shows neither `fold` nor the name of the time zone, and a
            # function may print them.
            return kind + _encode_repr(value)
        text = _text_of(value)
        return self._container(value) if text is None else kind + encode_text(text)

    def _container(self, value: Any) -> str | None:
        """Encode a list, tuple, dict, set, frozenset or bytes.

        Only the builtin types: a subclass may keep its content elsewhere (Werkzeug's
        CombinedMultiDict is a dict that is always empty) and is encoded by its repr.

        Returns:
            None for any other object.
        """
        kind = type(value)
        if kind is list or kind is tuple:
            mark = "u" if self._exact and kind is tuple else "l"
            return mark + self._sequence(value)
        if kind is dict:
            pairs = sorted(
                self.encode(key) + self.encode(item) for key, item in value.items()
            )
            return f"d{len(pairs)}:" + "".join(pairs)
        if kind is set or kind is frozenset:
            mark = "z" if self._exact and kind is frozenset else "e"
            return f"{mark}{len(value)}:" + "".join(sorted(map(self.encode, value)))
        if kind is bytes:
            return f"b{len(value)}:{value.hex()}"
        return None

    def _sequence(self, values: Any) -> str:
        return f"{len(values)}:" + "".join(map(self.encode, values))

    def _object(self, value: Any) -> str:
        """Encode an object by its fields or primary key, else by its id or repr."""
        cls = _class_of(value)
        if isinstance(value, tuple):
            # A named tuple.
            return f"o{cls}l{self._sequence(value)}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
            return f"o{cls}l{self._sequence(fields)}"
        if hasattr(getattr(type(value), "_meta", None), "label") and hasattr(
            value, "pk"
        ):
            # A Django model, whose repr is often no more than a name.
            if value.pk is None:
                raise KeyValueError(
                    f"A key value has no primary key yet: {describe(value)}. Save it"
                    " first."
                )
            return f"o{cls}{self.encode(value.pk)}"
        if self._exact and (known := object_id(value)) is not None:
            return f"i{cls}{encode_text(known)}"
        return f"r{cls}{_encode_repr(value)}"


#: Encodes key values in templates.
encode_value = Encoder(exact=False).encode
#: Encodes arguments of functions.
encode_argument = Encoder(exact=True).encode


def encode_text(text: str) -> str:
    """Encode a string with its length in front, which marks its end."""
    return f"s{len(text)}:{text}"


def _text_of(value: Any) -> str | None:
    """Return the text of a value that counts as its text, else None.

    `isinstance` sees the class that a proxy claims to be, so proxies of such values
    count as their text as well.
    """
    text: str | None = None
    match value:
        case bool():
            # A proxy, because `encode` has dealt with True and False themselves.
            pass
        case str() | int() | float() if _prints_differently(value):
            pass
        case str():
            # A proxy of a string claims to be a str without being one.
            text = str.__str__(value) if issubclass(type(value), str) else str(value)
        case int():
            text = _int_text(int(value))
        case float():
            text = repr(float(value))
        case UUID() | Decimal():
            text = str(value)
        case date() | time():
            text = value.isoformat()
    return text


def _prints_differently(value: object) -> bool:
    """Return whether a str, int or float prints something else than its base class."""
    kind = type(value)
    if kind is Markup:
        # Where autoescape is on, the same text as a plain str would be escaped.
        return bool(escape(str(value)) != value)
    base = next((base for base in (str, int, float) if issubclass(kind, base)), None)
    if base is None:
        return False
    return kind.__str__ is not base.__str__ or hasattr(kind, "__html__")


def _int_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        raise KeyValueError(
            f"A key value is a number of {value.bit_length()} bits, more than Python"
            " converts to text. Write a shorter value."
        ) from None


def _encode_repr(value: Any) -> str:
    """Encode an object by its repr.

    Raises:
        KeyValueError: If the repr shows an address or is shortened.
    """
    text = repr(value)
    if _ADDRESS.search(text) or str(id(value)) in text:
        raise KeyValueError(
            f"A key value is known only by its address in memory: {text[:200]}. Another"
            " object may get the same address. Write a value that identifies it, as in"
            " user.id, or give its class a method __cache_key__()."
        )
    if _SHORTENED.search(text):
        raise KeyValueError(
            f"A key value is known only by a shortened text: {text[-200:]}. Write the"
            " values that identify it, as in items|map(attribute='id')|list."
        )
    parts = [text]
    if isinstance(value, (str, int, float)):
        # A subclass may print something that its repr does not show.
        parts += [str(value), str(getattr(value, "__html__", str)())]
    return "".join(map(encode_text, parts))


def _class_of(value: Any) -> str:
    """Encode the name of the class that a value, such as a proxy, claims to have."""
    cls = value.__class__
    return f"{encode_text(str(cls.__module__))}{encode_text(cls.__qualname__)}"
