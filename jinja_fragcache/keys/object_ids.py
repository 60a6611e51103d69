"""Random ids for objects that have no other identity, never reused."""

import os
import sys
import threading
import weakref
from types import FunctionType
from typing import Any

from jinja_fragcache.forks import free_after_fork

# Reentrant, because a finalizer may run in the middle of object_id and call it again.
_lock = free_after_fork(threading.RLock())
# By address: a reference to the object, and its id.
_ids: dict[int, tuple[weakref.ref[Any], str]] = {}


def object_id(value: Any) -> str | None:
    """Return the id of an object that equals nothing but itself.

    The object's address won't do: Python gives it to another object once this one is
    gone.

    Returns:
        32 random hex digits. Every call for the object returns the same id, and no
        other object has it, not even one in another process. None if the object has a
        repr of its own, which identifies it, or if it can't be weakly referenced.
    """
    if not _lacks_identity(value):
        return None
    address = id(value)
    with _lock:
        reference, known = _ids.get(address, (None, ""))
        if reference is not None and reference() is value:
            return known
        new = os.urandom(16).hex()
        try:
            reference = weakref.ref(value, lambda dead: _forget(address, dead))
        except TypeError:
            return None  # its class has __slots__ without __weakref__
        _ids[address] = (reference, new)
        return new


def is_found_by_name(value: Any) -> bool:
    """Return whether a class or function is what its module has under its name."""
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _lacks_identity(value: Any) -> bool:
    """Return whether nothing identifies an object but being itself."""
    if isinstance(value, FunctionType):
        # Its repr shows an address.
        return True
    if isinstance(value, type):
        # A class in a module is identified by its name. The classes that a function
        # creates all have the same one.
        return not is_found_by_name(value)
    repr_method: Any = type(value).__repr__
    return repr_method is object.__repr__


def _forget(address: int, dead: weakref.ref[Any]) -> None:
    # Another object may have the address by now. No lock: the garbage collector may
    # call this in the middle of object_id, in the same thread.
    known = _ids.get(address)
    if known is not None and known[0] is dead:
        _ids.pop(address, None)
