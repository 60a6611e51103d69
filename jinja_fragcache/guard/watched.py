"""Objects of a request whose reads are noted.

An object is watched by giving it a class of its own: a subclass of its class, made once
for each, that notes what is read and is the same in everything else. So all code that
has the object is seen, also what got it long before, and nothing has to be taken back:
where no body is running, nothing is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

from jinja_fragcache.list_names import list_name

#: Called with the dotted name of what was read, and its value, if one value tells it.
Note = Callable[..., None]
#: Stands for the value of a mapping that was read with all its items.
WHOLE = object()
_NOTHING = object()
# Sets an object's class also where its class has a __setattr__ or a __class__ of its
# own, as Flask's `g` and Django's lazy objects do.
_CLASS: Any = vars(object)["__class__"]
# A field of an object while an attribute of it is computed.
_BUSY = "_fragcache_reading"
# The methods of mappings that return an item's value.
_TELLING = ("__getitem__", "get", "getlist", "getone", "pop", "popone", "setdefault")
# Those that read one item.
_OF_ITEM = (*_TELLING, "has_key", "aget", "apop", "asetdefault", "ahas_key")
# Those that read all items.
_OF_ALL = (
    *("__iter__", "__len__", "__eq__", "__ne__", "__or__", "__ror__", "__repr__"),
    *("__str__", "__reversed__", "__copy__", "__deepcopy__", "copy", "mutablecopy"),
    *("keys", "values", "items", "lists", "listvalues", "multi_items", "popitem"),
    *("akeys", "avalues", "aitems", "dict", "to_dict", "to_wsgi_list", "urlencode"),
    # All values of a key: a key can't name them as it can those of `getlist`.
    *("getall", "popall", "poplist", "popitemlist"),
    *("immutable", "mutable_copy", "to_header_list"),
)
# Those that tell which keys there are, or how many, and not what they have.
_OF_KEYS = ("__iter__", "__len__", "keys", "akeys")
# Those that show one of several values of a key, if a class has such.
_OF_FIRST = ("items", "values", "to_dict", "aitems", "avalues", "dict")
# An attribute of the subclasses.
_WATCHED = "_fragcache_is_watched"


def watch(value: Any, make: Callable[..., type], *args: Any) -> bool:
    """Give an object a class that notes reads, and return whether that was possible.

    Args:
        value: The object. One that is watched already is left alone.
        make: Gets the object's class and `args`, and returns the subclass.
        args: See `make`.
    """
    # Each request comes here several times, so nothing is called for what is watched.
    kind = type(value)
    if hasattr(kind, _WATCHED):
        return True
    try:
        _CLASS.__set__(value, make(kind, *args))
    except TypeError:
        return False  # Its memory is laid out otherwise, as that of built-in classes.
    return True


def is_watched(value: Any) -> bool:
    """Return whether an object notes what is read of it."""
    return is_watching(type(value))


def is_watching(kind: type) -> bool:
    """Return whether the objects of a class note what is read of them."""
    return hasattr(kind, _WATCHED)


def subclass(kind: type, own: Mapping[str, Any]) -> type:
    """Return a subclass of a class for `watch`, with some attributes of its own."""
    # Its objects have no more memory than before, so an object can change its class.
    more = {"__slots__": (), "__module__": kind.__module__, _WATCHED: True}
    return type(kind.__name__, (kind,), {**own, **more})


def _has_method(kind: type, name: str) -> bool:
    return callable(getattr(kind, name, None))


def _shows_all(args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
    """Return whether arguments ask for all values of each key, not for one."""
    return not args and (options.get("multi") is True or options.get("flat") is False)


@cache
def mapping_class(kind: type, name: str, note: Note) -> type:
    """Return a subclass of a mapping's class that notes which items are read.

    Args:
        kind: The class of the mapping, such as that of a session.
        name: Its dotted name, such as `session`. An item is `session.user`, and what
            depends on all items is `session`.
        note: Called for each read.
    """

    def reading_item(method: str) -> Callable[..., Any]:
        original = getattr(kind, method)

        def read(self: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                found = original(self, key, *args, **kwargs)
            except KeyError:
                note(f"{name}.{key}", None)
                raise
            shown = list_name(name, key) if method == "getlist" else f"{name}.{key}"
            note(shown, *((found,) if method in _TELLING else ()))
            return found

        return read

    def contains(self: Any, key: Any) -> Any:
        is_there = inherited.__contains__(self, key)
        # What is there is not read, so no value in a key tells it.
        note(f"{name}.{key}", *(() if is_there else (None,)))
        return is_there

    def reading_all(method: str) -> Callable[..., Any]:
        found: Any = getattr(kind, method)
        original: Any = found.fget if isinstance(found, property) else found
        is_first_of_many = has_lists and method in _OF_FIRST

        def read(self: Any, *args: Any, **kwargs: Any) -> Any:
            shows_all = not is_first_of_many or _shows_all(args, kwargs)
            note(name, *((WHOLE,) if shows_all and method not in _OF_KEYS else ()))
            return original(self, *args, **kwargs)

        return read

    inherited: Any = kind
    has_lists = hasattr(kind, "getlist")
    own: dict[str, Any] = {
        each: reading_item(each) for each in _OF_ITEM if hasattr(kind, each)
    }
    # A class without `__reversed__` may say so by None.
    own |= {each: reading_all(each) for each in _OF_ALL if _has_method(kind, each)}
    if isinstance(getattr(kind, "raw", None), property):
        own["raw"] = property(reading_all("raw"))
    own |= {"__contains__": contains, "__hash__": kind.__hash__}
    return subclass(kind, own)


def _always() -> bool:
    return True


def properties_class(
    kind: type,
    reads: Mapping[str, Callable[[Any, Any], Any]],
    *,
    in_bodies: Collection[str] = (),
    body: Callable[[], object] = _always,
) -> type:
    """Return a subclass of a class that notes which attributes are read.

    What an attribute reads of its own object while it is computed is not noted.

    Args:
        kind: The class, such as that of a request.
        reads: For each attribute, a function that gets the object and the value, notes
            the read, and returns the value.
        in_bodies: Those attributes whose functions do nothing outside of a body. There
            they are read as of the class itself, which frameworks do in each request.
        body: Returns the body that is running, None if none is.
    """

    def attribute(name: str) -> property:
        inherited, set_inherited = _inherited(kind, name)
        body_for = body if name in in_bodies else _always

        def read(self: Any) -> Any:
            if body_for() is None:
                return inherited(self)
            fields = vars(self)
            if _BUSY in fields:
                return inherited(self)
            fields[_BUSY] = True
            try:
                value = inherited(self)
            finally:
                fields.pop(_BUSY, None)
            return reads[name](self, value)

        return property(read, set_inherited)

    return subclass(kind, {name: attribute(name) for name in reads})


def _inherited(
    kind: type, name: str
) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    """Return functions that get and set an attribute as the original class does."""
    descriptor: Any = next(
        (vars(base)[name] for base in kind.__mro__ if name in vars(base)), _NOTHING
    )
    bind = getattr(type(descriptor), "__get__", None)
    set_bound = getattr(type(descriptor), "__set__", None)
    compute = descriptor.fget if type(descriptor) is property else None

    def get(self: Any) -> Any:
        if set_bound is None and name in vars(self):
            return vars(self)[name]
        if descriptor is _NOTHING:
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
        return descriptor if bind is None else bind(descriptor, self, kind)

    def set_value(self: Any, value: Any) -> None:
        if set_bound is None:
            vars(self)[name] = value
        else:
            set_bound(descriptor, self, value)

    return compute or get, set_value


def attributes_class(
    kind: type,
    read: Callable[[Any, str, Any], Any],
    read_all: Callable[[], None] | None = None,
) -> type:
    """Return a subclass of a class that notes which of its own attributes are read.

    What an attribute reads of its own object while it is computed is not noted.

    Args:
        kind: The class, such as that of Flask's `g`.
        read: Gets the object, an attribute's name and its value, notes the read, and
            returns the value.
        read_all: Called where the dictionary of all attributes is read.
    """
    inherited: Any = kind.__getattribute__

    def get_attribute(self: Any, name: str) -> Any:
        fields = object.__getattribute__(self, "__dict__")
        if name.startswith("__") or _BUSY in fields:
            if name == "__dict__" and _BUSY not in fields and read_all is not None:
                read_all()
            return inherited(self, name)
        fields[_BUSY] = True
        try:
            value = inherited(self, name)
        except AttributeError:
            fields.pop(_BUSY, None)
            read(self, name, None)  # That it is missing is told, too.
            raise
        finally:
            fields.pop(_BUSY, None)
        return read(self, name, value)

    return subclass(kind, {"__getattribute__": get_attribute})
