"""The client of `redis_once`, for `redis.asyncio`."""

from typing import Any

import redis.asyncio.client
import redis.commands.core
from redis.asyncio.client import Redis
from redis.exceptions import ResponseError

from .redis_once import ASKED_WITH, is_watched, own_function

_EXECUTE = own_function(Redis.execute_command, redis.asyncio.client)
_MGET = own_function(Redis.mget, redis.commands.core)


class AsyncRedisOnce(Redis):
    """A `redis.asyncio.Redis` that tries each command once, like `RedisOnce`."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Like `RedisOnce.execute_command`."""
        if is_watched(Redis, _EXECUTE):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        return await self._answer(args, options)

    async def mget_again(self, keys: list[str], packed: list[bytes]) -> Any:
        """Like `RedisOnce.mget_again`."""
        if Redis.mget is not _MGET or is_watched(Redis, _EXECUTE):
            return await self.mget(keys)
        return await self._answer(("MGET", *keys), {}, packed)

    async def _answer(
        self,
        command: tuple[Any, ...],
        options: dict[str, Any],
        packed: list[bytes] | None = None,
    ) -> Any:
        """Like `RedisOnce._answer`."""
        pool: Any = self.connection_pool
        connection = await pool.get_connection(*ASKED_WITH)
        try:
            if packed is None:
                await connection.send_command(*command, **options)
            else:
                if not packed:
                    packed[:] = connection.pack_command(*command)
                await connection.send_packed_command(packed)
            return await self.parse_response(connection, command[0], **options)
        except ResponseError:
            raise
        except BaseException:
            # Without waiting, because a task that is cancelled has to end.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)
