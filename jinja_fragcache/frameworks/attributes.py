"""Requests, and objects in them, that note which of their attributes are read.

For frameworks whose requests have memory for their own attributes only (`__slots__`),
or compute them in C. An attribute that the framework's module says nothing of counts.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, NamedTuple

from jinja_fragcache.engine.dependencies import quietly
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.guard.watched import WHOLE, is_watched, subclass, watch

from .reading import is_noting, noting, read_field, watched_mapping

#: Gets an object, an attribute's name and its value, notes the read, and returns the
#: value, or a view of it.
Noting = Callable[[Any, str, Any], Any]
_SHOWING = ("__str__", "__repr__", "__eq__")


class Attributes(NamedTuple):
    """What the attributes of an object show.

    Attributes:
        name: The object's dotted name, such as `request`.
        mappings: Those whose items are read one by one.
        shared: Those that are the same for all users.
        shown: The dotted names of what others show, where it is not their own. Calls
            of methods have one here, too.
        special: What notes the rest.
        has_items: Whether the object is a mapping of what the application puts there.
        is_text: Whether the object is shown as a text, such as a URL.
    """

    name: str
    mappings: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    shown: Mapping[str, str] = {}
    special: Mapping[str, Noting] = {}
    has_items: bool = False
    is_text: bool = False

    def note(self, owner: Any, name: str, value: Any) -> Any:
        """Note that an attribute was read, and return its value, or a view of it."""
        shown = f"{self.name}.{name}"
        if name in self.shared:
            return value
        if name in self.special:
            return self.special[name](owner, name, value)
        if name in self.mappings:
            return value if value is None else watched_mapping(shown, value)
        if name in self.shown:
            note_read(self.shown[name])
        elif not is_watched(value):
            return read_field(shown, value)
        return value


def watching(attributes: Attributes) -> Callable[[Any], bool]:
    """Return a function that lets the reads of an object's attributes be noted.

    Args:
        attributes: What they show.

    Returns:
        A function that gets the object, and returns whether that was possible.
    """
    classes: dict[type, type] = {}

    def make(kind: type) -> type:
        if kind not in classes:
            classes[kind] = _noting_class(kind, attributes)
        return classes[kind]

    return lambda value: watch(value, make)


def _noting_class(kind: type, attributes: Attributes) -> type:
    inherited: Any = kind.__getattribute__

    def get_attribute(self: Any, name: str) -> Any:
        if name.startswith("_") or not is_noting():
            return inherited(self, name)
        try:
            # What it is computed of is not read by itself.
            with quietly():
                value = inherited(self, name)
        except AttributeError:
            if not attributes.has_items:  # Else Jinja asks for the item.
                attributes.note(self, name, None)
            raise
        return attributes.note(self, name, value)

    own: dict[str, Any] = {"__getattribute__": get_attribute}
    if attributes.has_items:
        own |= _items_of(kind, attributes)
    if attributes.is_text:
        own |= {
            name: noting(getattr(kind, name), lambda *_: _note_whole(attributes.name))
            for name in _SHOWING
        }
        own["__hash__"] = kind.__hash__
    return subclass(kind, own)


def _note_whole(name: str) -> None:
    note_read(name, WHOLE)


def _items_of(kind: Any, attributes: Attributes) -> dict[str, Any]:
    """Return the methods of a mapping that note what is read of it."""

    def getitem(self: Any, key: Any) -> Any:
        try:
            value = kind.__getitem__(self, key)
        except KeyError:
            read_field(f"{attributes.name}.{key}", None)
            raise
        return read_field(f"{attributes.name}.{key}", value)

    own: dict[str, Any] = {
        name: noting(getattr(kind, name), lambda *_: note_read(attributes.name))
        for name in ("__iter__", "__len__")
    }
    return {**own, "__getitem__": getitem}


def noting_calls(note: Callable[..., None]) -> Noting:
    """Return what lets the calls of a method be noted, by one read.

    Args:
        note: Gets the object and the arguments of a call, and notes the read.
    """

    def read(owner: Any, _: str, value: Any) -> Any:
        @wraps(value)
        def method(*args: Any, **kwargs: Any) -> Any:
            note(owner, *args, **kwargs)
            with quietly():
                return value(*args, **kwargs)

        return method

    return read


def named(name: str, attributes: Iterable[str]) -> dict[str, str]:
    """Return `Attributes.shown` of attributes that all show the same."""
    return dict.fromkeys(attributes, name)
