"""Tells which keys change on a Redis server, by the server's invalidation messages."""

from collections.abc import Mapping, Sequence
from typing import Any

_CHANNEL = "__redis__:invalidate"
# How long a server may take to answer. Nobody waits for this connection.
_SECONDS = 5.0
# Whether a connection has broken is asked after so many seconds without a message.
_IDLE_SECONDS = 5.0
# What only connections that answer questions of the application need.
_NOT_FOR_MESSAGES = (
    "maint_notifications_config",
    "maint_notifications_pool_handler",
    "oss_cluster_maint_notifications_handler",
)


class RedisChanges:
    """A connection of its own on which a server tells which keys have changed.

    This is what Redis calls client tracking, in its broadcasting mode: the server tells
    of each key with a prefix that is written, deleted, evicted or expires, whoever does
    it, and keeps no list of keys for that. The messages come in the version 2 of the
    protocol, on a Pub/Sub channel. The connection asks for them and gets them itself,
    so if it ends, both end.

    Attributes:
        needs: What the server and the user's rights have to be, as a sentence.

    Args:
        pool: The pool of the client whose server it is. Its arguments are used, and
            none of its connections.
        prefix: The prefix of the keys.
    """

    needs = (
        "That takes Redis 6, and a user with the rights +client|id +client|tracking"
        f" +subscribe and, from Redis 7 on, &{_CHANNEL}."
    )

    def __init__(self, pool: Any, prefix: str) -> None:
        self._make = pool.connection_class
        self._arguments = _arguments(pool.connection_kwargs)
        self._prefix = prefix
        self._connection: Any = None
        self._has_asked = False

    def open(self) -> None:
        """Connect. From the end of this call on, `wait` tells all changes.

        Raises:
            Exception: What redis-py raised: an error of the connection, or the server's
                refusal.
        """
        self._has_asked = False
        self._connection = connection = self._make(**self._arguments)
        connection.connect()
        number = self._ask("CLIENT", "ID")
        prefix = ("PREFIX", self._prefix) if self._prefix else ()
        self._ask("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", *prefix)
        self._ask("SUBSCRIBE", _CHANNEL)

    def wait(self) -> Sequence[str] | None:
        """Wait for some seconds, and return the keys that have changed.

        Returns:
            The keys, without the prefix; None if all may have changed.

        Raises:
            Exception: If the connection has ended, or the server does not answer. Then
                more keys may have changed.
        """
        connection = self._connection
        if not connection.can_read(_IDLE_SECONDS):
            if self._has_asked:
                raise TimeoutError("The server does not answer")
            self._has_asked = True
            connection.send_command("PING", check_health=False)
            return ()
        self._has_asked = False
        kind, *_, told = connection.read_response(disable_decoding=True)
        if kind != b"message":
            return ()
        return None if told is None else self._keys(told)

    def close(self) -> None:
        """End the connection. A thread that waits for a message may be ended so."""
        if self._connection is not None:
            self._connection.disconnect()

    def _ask(self, *command: Any) -> Any:
        self._connection.send_command(*command, check_health=False)
        return self._connection.read_response()

    def _keys(self, full_keys: Sequence[bytes]) -> list[str]:
        keys = []
        for full_key in full_keys:
            try:
                key = self._connection.encoder.decode(full_key, force=True)
            except UnicodeError:
                continue  # a key of somebody else
            keys.append(key.removeprefix(self._prefix))
        return keys


def _arguments(of_pool: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the connection, from those of a pool's connections."""
    arguments = {**of_pool, "protocol": 2, "health_check_interval": 0}
    for name in _NOT_FOR_MESSAGES:
        arguments.pop(name, None)
    return {**arguments, "socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
