"""The clients of Redis that try each command once, and how tests call both kinds."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from inspect import isawaitable
from types import ModuleType
from typing import Any, NamedTuple

import redis
import redis.asyncio

from jinja_fragcache.stores import redis_once, redis_once_async
from jinja_fragcache.stores.redis_clients import _known as known
from jinja_fragcache.stores.redis_clients import _short_waits as short_waits
from jinja_fragcache.stores.redis_library import ASYNC, PLAIN, Library


class Kind(NamedTuple):
    """One of the two clients.

    Attributes:
        library: Its library.
        plain: redis-py's class.
        module: The module of the client.
        name: The name of its class there.
    """

    library: Library
    plain: Any
    module: ModuleType
    name: str

    @property
    def once(self) -> Any:
        """The class of the client."""
        return getattr(self.module, self.name)

    def loaded_anew(self) -> Any:
        """Return the class as a process has it that imports its module only now."""
        spec: Any = find_spec(self.module.__name__)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, self.name)


KINDS = [
    Kind(PLAIN, redis.Redis, redis_once, "RedisOnce"),
    Kind(ASYNC, redis.asyncio.Redis, redis_once_async, "AsyncRedisOnce"),
]


class Caller:
    """Calls a client of either kind, and waits for what it returns.

    Attributes:
        client: The client.
    """

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    @property
    def pool(self) -> Any:
        """The pool of the client."""
        return self.client.connection_pool

    def wait(self, returned: Any) -> Any:
        """Return what a method returns in the end, of which `returned` has come."""

        async def awaited() -> Any:
            return await returned

        return self._runner.run(awaited()) if isawaitable(returned) else returned

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client."""
        return self.wait(getattr(self.client, method)(*arguments, **options))

    def mget(self, *keys: str, times: int = 1) -> Any:
        """Read a list again and again, and return what came in the end."""
        packed: list[bytes] = []
        for _ in range(times):
            found = self.call("mget_again", list(keys), packed)
        return found

    def is_connected(self) -> bool:
        """Return whether the connection that was used last is open."""
        connection = self.pool._available_connections[-1]
        is_open = getattr(connection, "is_connected", None)
        return connection._sock is not None if is_open is None else bool(is_open)


@contextmanager
def calling(
    kind: Kind, port: int, made_of: Any = None, **options: Any
) -> Iterator[Caller]:
    """Provide a client of a server, as the stores make it, and close it in the end.

    Args:
        kind: The kind of the client.
        port: The port of the server.
        made_of: The class of the client; None for that of the kind.
        options: Options of the client.
    """
    waits = known(kind.plain, short_waits(kind.library))
    given = {**waits, "port": port, **options}
    with asyncio.Runner() as runner:
        caller = Caller((made_of or kind.once)(**given), runner)
        yield caller
        caller.wait(caller.pool.disconnect())
