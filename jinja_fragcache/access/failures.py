"""What an error of a store tells: that one value can't be read, or that all is down."""

from __future__ import annotations

import re
from pickle import UnpicklingError

from jinja_fragcache.errors import DamagedValueError

# The errors of Redis for a key with a list, a hash or the like, and for one that the
# user may not use (Redis 6 and 7.0, and Redis 7.2).
_OF_ONE_KEY = (
    "WRONGTYPE|this user has no permissions to access one of the keys"
    "|No permissions to access a key"
)
# Names of errors of redis-py and pylibmc.
_DOWN = {"ConnectionError", "TimeoutError", "ServerDown", "ServerDead"}


def is_about_one_value(error: Exception) -> bool:
    """Return whether a read failed because of its key, or of what is stored there.

    That is a value of another type in Redis, a key that the user may not use, the value
    of another key, or bytes that can't be decoded. While the store was left alone for
    it, no other value would be read, and this one not be overwritten.
    """
    unreadable = isinstance(error, UnicodeError | UnpicklingError | DamagedValueError)
    return unreadable or bool(re.match(_OF_ONE_KEY, str(error)))


def is_down(error: Exception) -> bool:
    """Return whether an error means that the whole store failed, and not one value.

    Clients have errors of their own for that. They are recognized by name, so that no
    client has to be imported.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, OSError) or not names.isdisjoint(_DOWN)
