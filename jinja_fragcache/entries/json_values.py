"""Writes values as JSON that tells their types, and reads them back.

A type that JSON lacks is written as an object with one name, which begins with a space:
`{" t": [1, 2]}` is a tuple. (The names are those of Flask's sessions, and of what
earlier versions have stored.)
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup

# Around a dictionary that would be taken for one of these objects, and behind the name
# in it.
_ESCAPED, _MARK = " di", "__"
_PLAIN = frozenset({str, int, float, bool, type(None)})


class JSONKind(NamedTuple):
    """A type that JSON lacks.

    Attributes:
        name: The name of the object that stands for a value; it begins with a space.
        type: The type.
        write: Takes a value and returns another one that can be written.
        read: Takes that one and returns the value.
        with_subclasses: Whether values of subclasses are written, too.
    """

    name: str
    type: type
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    with_subclasses: bool = False


_KINDS = (
    JSONKind(" t", tuple, list, tuple),
    JSONKind(" b", bytes, lambda value: b64encode(value).decode("ascii"), b64decode),
    JSONKind(" m", Markup, str, Markup),
    JSONKind(" u", UUID, lambda value: value.hex, UUID),
    JSONKind(" dec", Decimal, str, Decimal),
    JSONKind(" date", date, str, date.fromisoformat),
    JSONKind(" time", datetime, str, datetime.fromisoformat),
)


class TypedJSON:
    """Writes values as JSON, and reads them.

    Args:
        kinds: Further types.
    """

    def __init__(self, kinds: Sequence[JSONKind] = ()) -> None:
        everything = (*_KINDS, *kinds)
        self._by_type = {each.type: each for each in everything}
        self._by_name = {each.name: each for each in everything}
        self._bases = [each for each in everything if each.with_subclasses]

    def dumps(self, value: Any) -> str:
        """Return a value as JSON.

        Raises:
            Exception: If that can't be done. (What `is_same` is for: if it can, the
                value that is read may still be another one.)
        """
        return json.dumps(self._marked(value), separators=(",", ":"))

    def loads(self, text: str) -> Any:
        """Return the value of a JSON text.

        Raises:
            Exception: If it can't be read.
        """
        return json.loads(text, object_hook=self._unmarked)

    def is_same(self, value: Any, read: Any) -> bool:
        """Return whether a value came back unchanged.

        Args:
            value: The value.
            read: What was read back.
        """
        base = next(
            (each for each in self._bases if isinstance(value, each.type)), None
        )
        if base is not None:
            return isinstance(read, base.type)
        if type(value) is not type(read):
            return False
        if isinstance(value, dict):
            # The order counts, since templates loop over dictionaries.
            return self.is_same(list(value.items()), list(read.items()))
        if isinstance(value, (list, tuple)):
            return len(value) == len(read) and all(map(self.is_same, value, read))
        if isinstance(value, (str, bytes)):
            return bool(value == read)
        # Equal times may differ in their time zone or fold, and NaN doesn't equal
        # itself.
        return repr(value) == repr(read)

    def _marked(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is list:
            return list(map(self._marked, value))
        if kind is dict:
            return self._marked_dict(value)
        known = self._by_type.get(kind) or next(
            each for each in self._bases if isinstance(value, each.type)
        )
        return {known.name: self._marked(known.write(value))}

    def _marked_dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        marked = {key: self._marked(each) for key, each in value.items()}
        if len(marked) != 1:
            return marked
        ((name, inner),) = marked.items()
        if not (isinstance(name, str) and name.startswith(" ")):
            return marked
        return {_ESCAPED: {name + _MARK: inner}}

    def _unmarked(self, value: dict[str, Any]) -> Any:
        if len(value) != 1:
            return value
        ((name, inner),) = value.items()
        if name == _ESCAPED:
            ((name, inner),) = inner.items()
            return {name.removesuffix(_MARK): inner}
        kind = self._by_name.get(name)
        return value if kind is None else kind.read(inner)
