"""Encodes a key value as a string that no other value has.

The encoding is injective: every part carries its length, so a string can be decoded
from left to right, and no two lists of values are encoded alike. Nothing here depends
on the process: no `hash()`, no address and no set order.

The first character of an encoding is its kind:

| kind | value |
|---|---|
| `n`, `t`, `f` | None (or an anonymous user), True, False |
| `s` | a string, or a value that counts as its text |
| `b` | bytes |
| `l`, `d`, `e` | a list, a dict, a set; outside of `exact`, a tuple, a frozenset too |
| `u`, `z` | with `exact`: a tuple, a frozenset |
| `x` | with `exact`: the class of the plain value that follows |
| `o` | an object's class, and its own key, its database identity or its parts |
| `a` | the same with the object's other attributes |
| `r` | an object's class and its repr, which shows all its attributes, and these |
| `i` | with `exact`: an object's class and its random id |

Code of the user runs here: `__cache_key__()`, `__repr__()`, properties. Whatever
exception it raises becomes a `KeyValueError`. A `StopIteration` that ended an iteration
would make a key without the values that follow.
"""

import inspect
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Undefined
from markupsafe import Markup, escape

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import (
    class_name,
    describe_class,
    describe_error,
    what_is_undefined,
    why_undefined,
)

from .attributes import attributes_of
from .object_ids import object_id
from .parts import (
    database_identity,
    is_nobody,
    is_object_id,
    is_translated,
    parts_of,
)
from .plain import encode_text, int_text, refusal
from .reprs import full_repr

# A value nested deeper than this contains itself, or its key would cost too much.
_DEEPEST = 100
# If less of the stack than this many frames was free in the first place, it is not the
# value that used it up.
_FREE_FRAMES = 200
# How large a value and all that is in it may be. A list that contains another one
# twice, which contains a third one twice, and so on, has more values than could ever be
# encoded. Each character counts, again in each value that it is inside of, and this
# much for an object or a container, and for each item of that.
_LARGEST = 64 * 2**20
_VALUE_SIZE = 256
_ITEM_SIZE = 16
# Shorter texts count as a part of what they are inside of.
_LONG = 1000
_OWN_KEY_METHODS = ("__cache_key__", "__caching_id__")
# Types whose content is all that they hold. A subclass may hold more.
_CONTAINERS = frozenset({list, tuple, dict, set, frozenset, bytes})
# Types that count as their text, with what prints it, whatever a subclass prints. (The
# `__str__` of int and float would call the repr of the subclass.) A subclass may hold
# more.
_TEXTUAL: dict[type[Any], Callable[[Any], str]] = {
    str: str.__str__,
    int: int.__repr__,
    float: float.__repr__,
    UUID: UUID.__str__,
    Decimal: Decimal.__str__,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
}
_TIME_ZONES = (timezone, ZoneInfo)


class _Encoding:
    """Encodes one value, for templates."""

    # Whether values of different types differ. In a template, `1` and `"1"` name the
    # same row, and so do a list and a tuple. To a function, they differ.
    _exact = False
    # How many values the present one is inside of.
    _depth = 0
    _room = _LARGEST

    def of(self, value: Any) -> str:
        """Return the encoding of the value. See `encode_value`."""
        try:
            return self._nested(value)
        except KeyValueError as error:
            if self._depth <= 1 or hasattr(type(value), "_get_current_object"):
                raise
            # The depth is that of the refused value, which its user has not written.
            raise error.inside(describe_class(value)) from error.__cause__
        except RecursionError as error:
            if _is_stack_full():
                raise
            raise _too_deep(value) from error

    def _nested(self, value: Any) -> str:
        """Encode the value, or a value inside of it."""
        kind = type(value)
        if kind is str:
            if len(value) > _LONG:
                self._take_room(len(value), value)
            return encode_text(value)
        if kind is int and not self._exact:
            return encode_text(int_text(value))
        if value is None:
            return "n"
        if value is True or value is False:
            return "t" if value else "f"
        return self._guarded(value)

    def _take_room(self, size: int, value: Any) -> None:
        """Count something that is encoded, and refuse it if there is no room for it."""
        self._room -= size
        if self._room < 0:
            raise refusal(
                "A key value is too large: {}. What a key is made from takes"
                f" {_LARGEST // 2**20} MiB at most. Write the values that identify it,"
                " as in item.id.",
                value,
            )

    def _guarded(self, value: Any) -> str:
        """Encode a value whose own code may run, or that may have values inside."""
        if self._depth > _DEEPEST:
            raise _too_deep(value)
        self._depth += 1
        try:
            if type(value) in _CONTAINERS:
                self._take_room(_ITEM_SIZE * len(value), value)
                encoded = self._container(value)
            else:
                encoded = self._any(value)
        except (KeyValueError, RecursionError):
            raise
        except Exception as error:
            start = "A key value does not say what it is. It raised"
            end = (
                f"Its class is {class_name(value)}. Write the values that identify it,"
                " as in user.id."
            )
            raise KeyValueError(
                f"{start} {describe_error(error)}. {end}",
                for_log=f"{start} {class_name(error)}. {end}",
            ) from error
        self._depth -= 1
        self._take_room(_VALUE_SIZE + len(encoded), value)
        return encoded

    def _any(self, value: Any) -> str:
        if isinstance(value, Undefined):
            remedy = (
                "Check its spelling, or pass it to the template. With a default, as in"
                " name|default(none), all who have none share one text."
            )
            start = "A key value is undefined"
            raise KeyValueError(
                f"{start}: {why_undefined(value)}. {remedy}",
                for_log=f"{start}: {what_is_undefined(value)}. {remedy}",
            )
        if hasattr(type(value), "_get_current_object"):
            # Werkzeug's LocalProxy, such as current_user. It counts as the object
            # behind it.
            return self._nested(value._get_current_object())  # noqa: SLF001 - its documented way
        return self._own_key(value) or self._plain(value) or self._object(value)

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
            if method is None and hasattr(type(value), name):
                method = getattr(value, name)  # a property that raises AttributeError
            if not callable(method):
                continue
            own_key = method()
            if inspect.iscoroutine(own_key):
                own_key.close()
                raise refusal(
                    f"{name}() of {{}} is a coroutine function. Make it a plain"
                    " function.",
                    value,
                )
            return f"o{_class_of(value)}{self._nested(own_key)}"
        return None

    def _plain(self, value: Any) -> str | None:
        """Encode a value that counts as its text, or an enum member.

        Returns:
            None for any other object.
        """
        if isinstance(value, Enum):
            return self._class_if_exact(value) + self._nested(value.value)
        text = _text_of(value)
        if text is None:
            return None
        encoded = encode_text(text)
        more = {} if type(value) in _TEXTUAL else _beside_text(value, text)
        if self._exact and isinstance(value, (datetime, time)):
            # isoformat() shows neither `fold` nor the name of the time zone, and a
            # function may print them.
            encoded = encode_text(full_repr(value))
            if value.tzinfo is not None and type(value.tzinfo) not in _TIME_ZONES:
                # The repr of another time zone may leave its offset out.
                more = {**more, "": [text, value.tzname()]}
        if more:
            return f"a{_class_of(value)}{encoded}{self._nested(more)}"
        return self._class_if_exact(value) + encoded

    def _class_if_exact(self, value: Any) -> str:
        return f"x{_class_of(value)}" if self._exact else ""

    def _container(self, value: Any) -> str:
        """Encode a list, tuple, dict, set, frozenset or bytes.

        Only the builtin types: a subclass may hold more (Werkzeug's CombinedMultiDict
        is a dict that is always empty). `_object` encodes it.
        """
        kind = type(value)
        if kind is bytes:
            return f"b{len(value)}:{value.hex()}"
        if kind is dict:
            pairs = [
                self._nested(key) + self._nested(item) for key, item in value.items()
            ]
            return f"d{len(pairs)}:" + "".join(sorted(pairs))
        if kind is set or kind is frozenset:
            mark = "z" if self._exact and kind is frozenset else "e"
            items = sorted([self._nested(item) for item in value])
            return f"{mark}{len(items)}:" + "".join(items)
        mark = "u" if self._exact and kind is tuple else "l"
        return mark + self._sequence(value)

    def _sequence(self, values: Any) -> str:
        # Not by map(): a StopIteration would end it.
        encoded = [self._nested(value) for value in values]
        return f"{len(encoded)}:" + "".join(encoded)

    def _object(self, value: Any) -> str:
        """Encode an object by its database identity, its text or its id."""
        if is_nobody(value):
            return f"{self._class_if_exact(value)}n"
        cls = _class_of(value)
        identity = database_identity(value)
        if identity is not None:
            return f"o{cls}{self._nested(identity)}"
        if is_translated(value):
            return f"o{cls}{encode_text(str.__str__(str(value)))}"
        known = object_id(value) if self._exact else None
        if known is None:
            return self._by_parts(value, cls) or self._by_repr(value, cls)
        # An object without a repr may have fields.
        is_class = isinstance(value, type)
        by_parts = None if is_class else self._by_parts(value, cls)
        return by_parts or f"i{cls}{encode_text(known)}"

    def _by_parts(self, value: Any, cls: str) -> str | None:
        """Encode an object by what it consists of, if that is known."""
        parts = parts_of(value)
        if parts is None:
            return None
        encoded = f"{cls}l{self._sequence(parts.values)}"
        if not parts.attributes:
            return f"o{encoded}"
        return f"a{encoded}{self._nested(parts.attributes)}"

    def _by_repr(self, value: Any, cls: str) -> str:
        """Encode an object by its repr and its attributes, which the repr has to show.

        The attributes are part of the key, because those that differ may have one repr:
        `P(1, 11)` and `P(11, 1)` may both be printed as `P111`.
        """
        attributes = attributes_of(value)
        # First, because the repr of a value that is too large might take for ever.
        encoded = self._nested(attributes)
        text = encode_text(full_repr(value, attributes))
        return f"r{cls}{text}{encoded}"


class _ExactEncoding(_Encoding):
    """Encodes one value, for calls of functions."""

    _exact = True


def encode_value(value: Any) -> str:
    """Return a string that no other key value in a template is encoded as.

    Raises:
        KeyValueError: If nothing identifies the value, such as an undefined variable or
            an object that is known only by its address, if it is too large, or if the
            value's own code raises.
        RecursionError: If the stack was nearly full already.
    """
    return encode_text(value) if type(value) is str else _Encoding().of(value)


def encode_argument(value: Any) -> str:
    """Like `encode_value`, for an argument of a function: types differ, too."""
    return encode_text(value) if type(value) is str else _ExactEncoding().of(value)


def _text_of(value: Any) -> str | None:
    """Return the text of a value that counts as its text, else None.

    `isinstance` sees the class that a proxy claims to be, so proxies of such values
    count as their text as well.
    """
    text: str | None = None
    match value:
        case bool():
            # A proxy, because `_nested` has dealt with True and False themselves.
            pass
        case str() | int() | float() if _prints_differently(value):
            pass
        case str():
            # A proxy of a string claims to be a str without being one.
            text = value if issubclass(type(value), str) else str(value)
        case int():
            text = int_text(int(value))
        case float():
            text = repr(float(value))
        case UUID() | Decimal():
            text = str(value)
        case date() | time():
            text = value.isoformat()
        case _ if is_object_id(value):
            text = str(value)
    # Of a subclass of str, the length and the format may be its own.
    return text if text is None else str.__str__(text)


def _beside_text(value: Any, text: str) -> dict[str, Any]:
    """Return what an object of a subclass holds or prints beside its text.

    What it prints in its own way may be less than it is, such as the start of a UUID.
    So it counts together with what its base class prints.
    """
    base = next((each for each in _TEXTUAL if issubclass(type(value), each)), None)
    if base is None:
        return {}  # a proxy
    attributes = attributes_of(value, base)
    plain = _TEXTUAL[base](value)
    own = [text, str(value), format(value)]
    if hasattr(value, "__html__"):
        own.append(value.__html__())
    own = [str.__str__(each) for each in own]
    # str() of a datetime has a space where isoformat() has a T.
    plains = {plain} if base is str else {plain, plain.replace("T", " ")}
    return attributes if {*own} <= plains else {**attributes, "()": [plain, *own]}


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


def _class_of(value: Any) -> str:
    """Encode the name of the class that a value, such as a proxy, claims to have."""
    cls = value.__class__
    return f"{encode_text(str(cls.__module__))}{encode_text(cls.__qualname__)}"


def _is_stack_full() -> bool:
    """Return whether the caller was called with nearly no room on the stack."""
    frame: Any = sys._getframe(1)  # noqa: SLF001 - the documented way
    depth = 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth > sys.getrecursionlimit() - _FREE_FRAMES


def _too_deep(value: Any) -> KeyValueError:
    return refusal(
        "A key value contains itself, or is nested too deeply: {}. Write its"
        " identifying values instead, as in item.id.",
        value,
    )
