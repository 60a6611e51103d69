"""What to look at after an error of redis-py, which says little of where it comes from.

Errors are recognized by the names of their classes, so that redis need not be imported.
"""

from collections.abc import Mapping
from typing import Any

#: The port of a server whose URL has none.
DEFAULT_PORT = 6379
_LOGIN = (
    "the user and password (CACHE_REDIS_PASSWORD, CACHE_REDIS_URL,"
    " CACHE_REDIS_SENTINEL_PASSWORD)"
)
_SENTINELS = (
    "the sentinels and the name of the master (CACHE_REDIS_SENTINELS,"
    " CACHE_REDIS_SENTINEL_MASTER)"
)
# The first that is a part of the error's text, or the name of one of its classes. A
# cluster has one class for all reasons, and names them in the text.
_CAUSES = (
    ("HELLO must be called with the client already authenticated", _LOGIN),
    ("Authentication required", _LOGIN),
    ("invalid username-password pair", _LOGIN),
    ("AuthenticationError", _LOGIN),
    ("NoPermissionError", "the rights of the user (CACHE_REDIS_URL)"),
    ("DB index", "the number of the database (CACHE_REDIS_DB, CACHE_REDIS_URL)"),
    ("Cluster mode is not enabled", "the type, 'redis' or 'rediscluster' (CACHE_TYPE)"),
    ("MasterNotFoundError", _SENTINELS),
    (
        "RedisClusterException",
        "the nodes of the cluster (CACHE_REDIS_CLUSTER, CACHE_REDIS_URL)",
    ),
    (
        "ConnectionError",
        "the host and port (CACHE_REDIS_HOST, CACHE_REDIS_PORT, CACHE_REDIS_URL)",
    ),
)


def what_to_check(error: Exception, connection: Mapping[str, Any]) -> str:
    """Return what to look at after an error, as a sentence.

    Args:
        error: The error.
        connection: The arguments of the client's connections. Of these, only the
            address of the server is shown.

    Returns:
        An empty text for an error that no setting can be the cause of.
    """
    classes = {each.__name__ for each in type(error).__mro__}
    text = str(error)
    for mark, what in _CAUSES:
        if mark in classes or mark in text:
            host, port = connection.get("host"), connection.get("port", DEFAULT_PORT)
            address = connection.get("path") or (f"{host}:{port}" if host else "")
            server = f" of the server at {address}" if address else ""
            return f"Check {what}{server}."
    return ""
