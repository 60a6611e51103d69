"""What an application keeps in its requests that is the same for all users."""

from types import ModuleType
from typing import Any

# By the names that connections usually have.
_NAMES = frozenset(
    {
        "conn",
        "connection",
        "cursor",
        "database",
        "db",
        "engine",
        "redis",
        "sqlite_db",
    }
)
# By the package of their class.
_PACKAGES = frozenset(
    {
        "MySQLdb",
        "aiohttp",
        "asyncpg",
        "elasticsearch",
        "httpx",
        "motor",
        "mysql",
        "psycopg",
        "psycopg2",
        "pymongo",
        "pymysql",
        "redis",
        "sqlalchemy",
        "sqlite3",
    }
)


def is_shared(name: str, value: Any) -> bool:
    """Return whether a value is the same for all users, such as a connection.

    Args:
        name: The name that it has in the request, or in Flask's `g`.
        value: The value.
    """
    return (
        name in _NAMES
        or callable(value)
        or isinstance(value, ModuleType)
        or type(value).__module__.partition(".")[0] in _PACKAGES
    )
