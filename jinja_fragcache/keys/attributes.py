"""What an object holds beside the content of the builtin type that it derives from."""

from types import MemberDescriptorType
from typing import Any

_POINTER = object.__basicsize__ // 2
# `typing` sets the first on instances of generic classes. Werkzeug stores a hash of the
# content in the second.
_NOT_STATE = {"__orig_class__", "_hash_cache"}


def hides_state(cls: type, base: type) -> bool:
    """Return whether the instances of a class hold something that Python can't read.

    Such a class is written in C, or derives from one: its instances are larger than
    their attributes need. `copyreg` finds classes that it can't pickle in the same way.

    Args:
        cls: The class.
        base: The type among its bases whose content is read in another way, such as
            `dict`; `object` for none.
    """
    size = base.__basicsize__ + _POINTER * len(_slots(cls, base))
    if cls.__weakrefoffset__ > 0 and not base.__weakrefoffset__:
        size += _POINTER
    # A negative offset without items is that of a dictionary outside of the object.
    if not base.__dictoffset__ and (
        cls.__dictoffset__ > 0 or (cls.__dictoffset__ and cls.__itemsize__)
    ):
        size += _POINTER
    return cls.__basicsize__ > size


def attributes_of(value: object, base: type = object) -> dict[str, Any]:
    """Return the attributes that an object holds itself, in its `__dict__` and slots.

    What a cached property has stored is left out: it is computed from the others, and
    may or may not be there yet.

    Args:
        value: The object.
        base: The type among its bases whose slots are left out.
    """
    cls = type(value)
    held: dict[str, Any] = (
        object.__getattribute__(value, "__dict__") if cls.__dictoffset__ else {}
    )
    found = {
        name: each
        for name, each in list(held.items())
        if name not in _NOT_STATE and not _is_cached_property(cls, name)
    }
    for name, slot in _slots(cls, base).items():
        try:
            found[name] = slot.__get__(value, cls)
        except AttributeError:
            continue  # not set
    return found


def _slots(cls: type, base: type) -> dict[str, MemberDescriptorType]:
    """Return the slots that classes below a base declare, by class and name."""
    slots: dict[str, MemberDescriptorType] = {}
    for each in cls.__mro__[: cls.__mro__.index(base)]:
        if "__slots__" in vars(each):
            slots |= {
                f"{each.__qualname__}.{name}": slot
                for name, slot in vars(each).items()
                if isinstance(slot, MemberDescriptorType)
            }
    return slots


def _is_cached_property(cls: type, name: str) -> bool:
    """Return whether the class has a descriptor under the name of an attribute."""
    found = next((vars(each)[name] for each in cls.__mro__ if name in vars(each)), None)
    return hasattr(type(found), "__get__")
