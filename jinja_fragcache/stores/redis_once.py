"""A client of Redis that tries each command once.

redis-py runs a command in a loop of retries, with closures and measurements around it,
and packs it anew each time. Right after a wait for the server, that takes a third of
the time of a read. The clients that the stores make don't try again. They need of
redis-py its connections, their pool, and how commands and answers are written.
"""

from inspect import Parameter, signature
from types import FunctionType, ModuleType
from typing import Any

import redis.client
import redis.commands.core
from redis.client import Redis
from redis.exceptions import ResponseError

try:
    from redis.observability.recorder import is_enabled as _is_measured
except ImportError:

    def _is_measured() -> bool:
        """Return whether redis-py measures its commands. Old versions never do."""
        return False


_NAME = signature(redis.ConnectionPool.get_connection).parameters.get("command_name")
#: What a pool is asked for a connection with. Old versions of redis-py demand the name
#: of a command, and new ones warn of it.
ASKED_WITH = ("",) if _NAME and _NAME.default is Parameter.empty else ()


def own_function(function: Any, module: ModuleType) -> Any:
    """Return a function of a module; None if it is another that wraps it."""
    # Anything that can be called may stand in its place.
    is_own = type(function) is FunctionType and function.__globals__ is vars(module)
    return function if is_own else None


def is_watched(kind: Any, execute: Any) -> bool:
    """Return whether redis-py has to execute the commands, because somebody watches.

    Args:
        kind: redis-py's class of the client.
        execute: Its own `execute_command`, which tracers wrap; None if one had done so
            before this module was imported.
    """
    return kind.execute_command is not execute or _is_measured()


_EXECUTE = own_function(Redis.execute_command, redis.client)
_MGET = own_function(Redis.mget, redis.commands.core)


class RedisOnce(Redis):
    """A `redis.Redis` that tries each command once.

    It is a plain one where its commands are watched. It has to have a pool, and speak
    version 2 of the protocol: with one connection, or notifications between the
    answers, redis-py does more for each command.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, and return the answer.

        Raises:
            redis.RedisError: As for `redis.Redis`.
        """
        if is_watched(Redis, _EXECUTE):
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        return self._answer(args, options)

    def mget_again(self, keys: list[str], packed: list[bytes]) -> Any:
        """Like `mget`, for keys that are read again and again.

        Args:
            keys: The keys.
            packed: The command as it is sent. If it is empty, it is filled in.
        """
        if Redis.mget is not _MGET or is_watched(Redis, _EXECUTE):
            return self.mget(keys)
        return self._answer(("MGET", *keys), {}, packed)

    def _answer(
        self,
        command: tuple[Any, ...],
        options: dict[str, Any],
        packed: list[bytes] | None = None,
    ) -> Any:
        """Send a command on a connection of the pool, and return the answer."""
        pool: Any = self.connection_pool
        connection = pool.get_connection(*ASKED_WITH)
        try:
            if packed is None:
                connection.send_command(*command, **options)
            else:
                if not packed:
                    # In one step, because another thread may do the same.
                    packed[:] = connection.pack_command(*command)
                connection.send_packed_command(packed)
            return self.parse_response(connection, command[0], **options)  # type: ignore[no-untyped-call]
        except ResponseError:
            # An answer as well, and nothing of it is left.
            raise
        except BaseException:
            # What is left of the answer must not be taken for the next one.
            connection.disconnect()
            raise
        finally:
            pool.release(connection)
