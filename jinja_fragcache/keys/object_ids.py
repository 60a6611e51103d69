"""Names for objects that have none: random, and never given to another object."""

import threading
import weakref
from secrets import token_hex
from types import FunctionType
from typing import Any

# Reentrant, since a finalizer may run in the midst of object_id and call it again.
_lock = threading.RLock()
_known: dict[int, tuple[weakref.ref[Any], str]] = {}


def object_id(value: Any) -> str | None:
    """Name an object that is known only by being itself, as long as it lives.

    Its address would not do, because it is given to another object afterwards.

    Returns:
        The object's name, the same for each call and not for any other object, in no
        other process either. None for an object that tells what it is by a repr of its
        own, or that can't be referred to weakly.
    """
    if not _is_nameless(value):
        return None
    address = id(value)
    with _lock:
        reference, name = _known.get(address, (None, ""))
        if reference is not None and reference() is value:
            return name
        name = token_hex(16)
        try:
            reference = weakref.ref(value, lambda dead: _forget(address, dead))
        except TypeError:
            return None  # its class has __slots__ and no __weakref__
        _known[address] = (reference, name)
        return name


def _is_nameless(value: Any) -> bool:
    if isinstance(value, (type, FunctionType)):
        # A name of the module's is one. What a function makes has the same each time.
        return isinstance(value, FunctionType) or "<locals>" in value.__qualname__
    shown_by: Any = type(value).__repr__
    return shown_by is object.__repr__


def _forget(address: int, dead: weakref.ref[Any]) -> None:
    # Another object may have the address by now. No lock: this may be called by the
    # garbage collector in the midst of object_id, in the same thread.
    known = _known.get(address)
    if known is not None and known[0] is dead:
        _known.pop(address, None)
