"""What belongs to a session of SQLAlchemy, which only one thread may use at a time.

That is a row that the session has, since it loads the rest of the row when that is
read, and a query. Both are known by the names of their classes and attributes, so
SQLAlchemy is not imported.
"""

from typing import Any

# Where the classes of sessions and queries are, and of lists that add to a session.
_OF_SESSIONS = {
    *("sqlalchemy.orm.collections", "sqlalchemy.orm.query", "sqlalchemy.orm.session"),
    "sqlalchemy.ext.asyncio.session",
}
# That of what `select` gives, which has objects of a session or plain values.
_OF_RESULTS = "sqlalchemy.engine.row"


def is_of_session(value: Any) -> bool:
    """Return whether a value belongs to a session."""
    kind = type(value)
    if hasattr(kind, "__mapper__"):
        state = getattr(value, "_sa_instance_state", None)
        return getattr(state, "session_id", None) is not None
    if kind.__module__ == _OF_RESULTS:
        return any(map(is_of_session, value))
    return any(each.__module__ in _OF_SESSIONS for each in kind.__mro__)


def is_without_session(error: Exception) -> bool:
    """Return whether an error tells that a row needs the session that it had."""
    return any(each.__name__ == "DetachedInstanceError" for each in type(error).__mro__)
