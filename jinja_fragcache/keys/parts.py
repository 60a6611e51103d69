"""The values that an object consists of, for objects whose parts are known.

Each function returns None for an object of another kind.
"""

import dataclasses
import sys
from array import array
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta, timezone, tzinfo
from fractions import Fraction
from functools import partial
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePath
from re import Pattern
from types import (
    BuiltinFunctionType,
    EllipsisType,
    GenericAlias,
    MappingProxyType,
    MethodType,
    ModuleType,
    NotImplementedType,
)
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import class_name, describe

from .attributes import attributes_of, hides_state
from .object_ids import is_found_by_name

# Types of the standard library whose repr or str says everything that they are.
_BY_REPR = (complex, range, EllipsisType, NotImplementedType, timedelta, timezone)
_BY_STR = (
    Fraction,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
# Types of which each value is read as a list of others.
_READERS: dict[type, Callable[[Any], list[Any]]] = {
    slice: lambda value: [value.start, value.stop, value.step],
    # Its repr shows no more than 200 characters of the pattern.
    Pattern: lambda value: [value.pattern, value.flags],
    bytearray: lambda value: [bytes(value)],
    array: lambda value: [value.typecode, value.tobytes()],
    MappingProxyType: lambda value: [dict(value)],
    type({}.keys()): list,
    type({}.values()): list,
    type({}.items()): list,
    GenericAlias: lambda value: [value.__origin__, *value.__args__],
    MethodType: lambda value: [value.__func__, value.__self__],
    partial: lambda value: [value.func, value.args, value.keywords, vars(value)],
    **dict.fromkeys(_BY_REPR, lambda value: [repr(value)]),
    **dict.fromkeys(_BY_STR, lambda value: [str(value)]),
}
# Texts that are translated when they are printed: the package and the class.
_TRANSLATED = {
    ("django", "Promise"),
    ("babel", "LazyProxy"),
    ("flask_babel", "LazyString"),
}
_COLLECTIONS = frozenset({list, tuple, dict, set, frozenset})
# Users that are nobody: the package and the class.
_NOBODIES = {
    ("django", "AnonymousUser"),
    ("flask_login", "AnonymousUserMixin"),
    ("starlette", "UnauthenticatedUser"),
}
# Packages whose durations and time zones say what they are made from, when they are
# pickled. Subclasses outside of them may hold more.
_OWN_TIMES = {"pandas", "pytz"}
# Why an object is refused, and what to do.
_UNSAVED = ("A key value has no primary key yet", "Save it first.")
_OF_ONE_NAME = (
    "A key value is known only by its name, which another one may have",
    "Write a text that identifies it.",
)


class Parts(NamedTuple):
    """What an object consists of.

    Attributes:
        values: Its content, fields or items, in an order that its class determines.
        attributes: What else it holds, by name.
    """

    values: list[Any]
    attributes: dict[str, Any]


def database_identity(value: Any) -> Any:
    """Return what identifies an object's row in its table, None if it has no row.

    This is the primary key of a Django model (and of other classes with `_meta` and
    `pk`, such as those of mongoengine) or of one of peewee, and the identity of an
    object that SQLAlchemy maps. Their reprs are often no more than a name.

    Raises:
        KeyValueError: If the object was not saved yet.
    """
    # Of the class that it claims, because Django's request.user is a proxy of a model.
    cls = value.__class__
    if hasattr(cls, "__mapper__") and hasattr(value, "_sa_instance_state"):
        key = value._sa_instance_state.key  # noqa: SLF001 - as sqlalchemy.inspect(value).key
        if key is None:
            raise _refusal(*_UNSAVED, value)
        _, identity, token = key
        return list(identity) if token is None else [list(identity), token]
    if not hasattr(cls, "_meta"):
        return None
    is_peewees = _is_one_of(cls, {("peewee", "Model")})
    if is_peewees and not cls._meta.primary_key:
        return None
    try:
        primary_key = value._pk if is_peewees else value.pk  # noqa: SLF001 - its own way
    except AttributeError:
        if hasattr(cls, "pk"):
            raise  # from inside of the property
        return None
    # A composite key of Django is a tuple.
    if primary_key is None or (isinstance(primary_key, tuple) and None in primary_key):
        raise _refusal(*_UNSAVED, value)
    return primary_key


def _refusal(start: str, end: str, value: Any) -> KeyValueError:
    """Return an error that shows the value between two sentences."""
    return KeyValueError(
        f"{start}: {describe(value)}. {end}",
        for_log=f"{start} ({class_name(value)}). {end}",
    )


def parts_of(value: Any) -> Parts | None:
    """Return what an object consists of, None if that is not known.

    Raises:
        KeyValueError: If nothing identifies it: a class or function that others share
            their name with.
    """
    cls = type(value)
    if cls in _READERS:
        return Parts(_READERS[cls](value), {})
    values = _name_of(value)
    if values is None:
        values = _of_package(value)
    if values is not None:
        return Parts(values, {})
    fields, content = _fields_of(value), _content_of(value)
    if fields is None or content is None:
        return fields or content
    # For example a dataclass that is a list, too.
    return Parts([fields.values, content.values], fields.attributes)


def _name_of(value: Any) -> list[Any] | None:
    """Return the name under which a class, module or builtin function is found."""
    if isinstance(value, ModuleType):
        if sys.modules.get(value.__name__) is value:
            return [value.__name__]
    elif isinstance(value, BuiltinFunctionType):
        owner = value.__self__
        if owner is not None and not isinstance(owner, ModuleType):
            return [value.__name__, owner]
        if is_found_by_name(value):
            return [value.__module__, value.__qualname__]
    elif not isinstance(value, type):
        if type(value) is not ZoneInfo:
            return None
        if value.key is not None:
            return [value.key]
    elif is_found_by_name(value):
        return [value.__module__, value.__qualname__]
    raise _refusal(*_OF_ONE_NAME, value)


def _of_package(value: Any) -> list[Any] | None:
    """Return what a value of a package consists of that is not imported here.

    It is the type and the bytes of a number of numpy, the names and values of a row of
    SQLAlchemy, the identifier of a locale of Babel, and what a duration of pandas or a
    time zone of pytz is made from.
    """
    cls = type(value)
    package, name = _package(cls), cls.__name__
    if package == "sqlalchemy" and name == "Row":
        return [list(value._fields), list(value)]
    if package == "sqlalchemy" and name == "RowMapping":
        return [list(value.keys()), list(value.values())]
    if package == "babel" and name == "Locale":
        return [str(value)]
    if package in _OWN_TIMES and isinstance(value, timedelta | tzinfo):
        made: Any = value.__reduce__()
        _, arguments = made
        return list(arguments)
    if any(
        _package(each) == "numpy" and each.__name__ == "generic" for each in cls.__mro__
    ):
        # The bytes of objects are addresses.
        return None if value.dtype.hasobject else [value.dtype.str, value.tobytes()]
    return None


def is_translated(value: object) -> bool:
    """Return whether an object is a text that is translated when it is printed."""
    return _is_one_of(type(value), _TRANSLATED)


def is_nobody(value: Any) -> bool:
    """Return whether an object is an anonymous user, and holds nothing else.

    That of Flask-Security holds an empty list of roles.
    """
    # Of the class that it claims, because Django's request.user is a proxy.
    if not _is_one_of(value.__class__, _NOBODIES):
        return False
    real = value if type(value) is value.__class__ else value._wrapped  # noqa: SLF001 - Django's name
    held = attributes_of(real).values()
    return not any(each or type(each) not in _COLLECTIONS for each in held)


def is_object_id(value: object) -> bool:
    """Return whether an object is an id of MongoDB, whose text is all that it is."""
    cls = type(value)
    return cls.__name__ == "ObjectId" and cls.__module__ == "bson.objectid"


def _is_one_of(cls: type, names: Collection[tuple[str, str]]) -> bool:
    """Return whether a class or one of its bases is among some, by package and name."""
    return any((_package(each), each.__name__) in names for each in cls.__mro__)


def _package(cls: type) -> str:
    return str(cls.__module__).partition(".")[0]


def _fields_of(value: Any) -> Parts | None:
    """Return the fields of a dataclass, or of an object of attrs, Pydantic, msgspec."""
    cls = type(value)
    names: Any = None
    if dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(value)]
    elif hasattr(cls, "__attrs_attrs__"):
        names = [field.name for field in cls.__attrs_attrs__]
    elif hasattr(cls, "__struct_fields__"):
        names = cls.__struct_fields__  # msgspec
    if names is not None:
        fields = [getattr(value, name) for name in names]
        held = attributes_of(value)
        # The names of slots begin with their class.
        more = {
            name: each
            for name, each in held.items()
            if name.rpartition(".")[2] not in names
        }
        return Parts(fields, more)
    if hasattr(cls, "__pydantic_fields__") or hasattr(cls, "__fields_set__"):
        held = attributes_of(value)
        # Which fields were given and which have their default is not part of it.
        return Parts(
            [],
            {
                name: each
                for name, each in held.items()
                if not name.endswith(("__pydantic_fields_set__", ".__fields_set__"))
            },
        )
    return None


def _content_of(value: Any) -> Parts | None:
    """Return the content of an object of a subclass of a builtin type.

    The builtin type's own methods are called, because a subclass may show less:
    Werkzeug's `MultiDict.items()` leaves values out.
    """
    cls = type(value)
    for base, read in _CONTENTS.items():
        if issubclass(cls, base):
            if hasattr(cls, "n_sequence_fields"):
                # A struct sequence, such as time.struct_time, has more fields than
                # items.
                return Parts(read(value), value.__reduce__()[1][1])
            if hides_state(cls, base):
                return None
            return Parts(read(value), attributes_of(value, base))
    return None


def _printed(value: Any) -> list[Any]:
    """Return the texts that a kind of str, int or float prints."""
    base = next(base for base in (str, int, float) if isinstance(value, base))
    html = value.__html__() if hasattr(value, "__html__") else None
    # str() gives an object of a subclass if `__str__` does, as Django's SafeString.
    texts = [None if each is None else str.__str__(each) for each in (str(value), html)]
    return [base.__repr__(value), *texts]


def _pairs(items: Any) -> list[Any]:
    return [list(pair) for pair in items]


# More special types first. The order of a dictionary's pairs counts, because a template
# shows them in that order.
_CONTENTS: Mapping[type, Callable[[Any], list[Any]]] = {
    OrderedDict: lambda value: _pairs(OrderedDict.items(value)),
    defaultdict: lambda value: [value.default_factory, *_pairs(dict.items(value))],
    dict: lambda value: _pairs(dict.items(value)),
    deque: lambda value: [value.maxlen, *deque.__iter__(value)],
    list: lambda value: [*list.__iter__(value)],
    tuple: lambda value: [*tuple.__iter__(value)],
    set: lambda value: [{*set.__iter__(value)}],
    frozenset: lambda value: [{*frozenset.__iter__(value)}],
    bytes: lambda value: [bytes.hex(value)],
    bytearray: lambda value: [bytearray.hex(value)],
    PurePath: lambda value: [PurePath.__str__(value)],
    str: _printed,
    int: _printed,
    float: _printed,
}
