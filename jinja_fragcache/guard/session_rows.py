"""What belongs to a session of SQLAlchemy, which only one thread may use at a time.

That is a row that the session has, since it loads the rest of the row when that is
read, and a query. Both are known by the names of their classes and attributes, so
SQLAlchemy is not imported.
"""

from itertools import islice
from typing import Any

# Where the classes of sessions and queries are.
_OF_SESSIONS = {
    *("sqlalchemy.orm.query", "sqlalchemy.orm.session"),
    "sqlalchemy.ext.asyncio.session",
}
# Of a list, so many items are looked at.
_MOST_ITEMS = 100
# A list of dictionaries of rows.
_DEPTH = 2


def is_of_session(value: Any, depth: int = _DEPTH) -> bool:
    """Return whether a value, or something in it, belongs to a session.

    Args:
        value: The value. Lists, tuples, sets and dictionaries are looked into.
        depth: How deep.
    """
    # Not `isinstance`, which would look behind proxies.
    kind = type(value)
    if issubclass(kind, dict):
        value = value.values()
    elif not issubclass(kind, list | tuple | set | frozenset):
        return _is_of_session(value)
    return depth > 0 and any(
        is_of_session(each, depth - 1) for each in islice(value, _MOST_ITEMS)
    )


def _is_of_session(value: Any) -> bool:
    kind = type(value)
    if hasattr(kind, "__mapper__"):
        state = getattr(value, "_sa_instance_state", None)
        return getattr(state, "session_id", None) is not None
    return any(each.__module__ in _OF_SESSIONS for each in kind.__mro__)


def is_without_session(error: Exception) -> bool:
    """Return whether an error tells that a row needs the session that it had."""
    return any(each.__name__ == "DetachedInstanceError" for each in type(error).__mro__)
