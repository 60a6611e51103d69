"""redis-py's two libraries of clients: plain ones, and those of `redis.asyncio`."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from copy import copy
from importlib import import_module
from typing import Any

from jinja_fragcache.errors import StoreError
from jinja_fragcache.forks import PerProcess
from jinja_fragcache.messages import describe_class

from .base import has_coroutines
from .optional import import_optional
from .per_loop import PerLoop

_LOCKS = (type(threading.Lock()), type(threading.RLock()))
# What all clients have, and no pool of connections, dictionary or store.
_METHODS = ("get", "set", "scan", "register_script")
# The options with which a command takes more than one try on a connection of our pool.
_NEEDS_PLAIN = ("retry", "connection_pool", "single_connection_client")


class Library:
    """The plain clients.

    Attributes:
        root: The package of the clients.
    """

    root = "redis"
    # The module of the client without retries, and its class. It imports redis-py.
    _once = ".redis_once", "RedisOnce"

    def part(self, name: str = "") -> Any:
        """Import the package, or one of its modules.

        Raises:
            StoreError: If the package redis is not installed.
        """
        return import_optional(f"{self.root}.{name}" if name else self.root, "redis")

    def client_class(self, options: Mapping[str, Any]) -> Any:
        """Return the class of a client.

        Args:
            options: What the user has said of the client. Retries, one connection,
                another pool and version 3 of the protocol need redis-py's own.

        Raises:
            StoreError: If the package redis is not installed.
        """
        plain = self.part().Redis
        is_of_pool = not any(name in options for name in _NEEDS_PLAIN)
        if is_of_pool and str(options.get("protocol", 2)) == "2":
            module, name = self._once
            once = getattr(import_module(module, __package__), name)
            # A program may have put another class in its place, as with fakeredis.
            if once.__base__ is plain:
                return once
        return plain

    def checked(self, client: Any) -> Any:
        """Return a client, if it is one of this library that does not decode.

        Raises:
            StoreError: If it is no client, of the other library, or decodes what it
                reads.
        """
        if isinstance(client, type) or not (
            has_coroutines(client) or all(hasattr(client, name) for name in _METHODS)
        ):
            raise StoreError(
                f"A client of Redis can't be {describe_class(client)}. Give the store"
                f" the host name of a server, or {self.root}.Redis(...)."
            )
        self._check_kind(client)
        encoder = getattr(client, "get_encoder", lambda: None)()
        if getattr(encoder, "decode_responses", False):
            raise StoreError(
                "A Redis client with decode_responses=True can't tell numbers from"
                " texts. Make it without."
            )
        return client

    def _check_kind(self, client: Any) -> None:
        if has_coroutines(client):
            raise StoreError(
                f"The calls of {_name(client)} have to be awaited, and this store"
                f" awaits nothing. Write {_store_of(client, 'Async')}. Or give it"
                " redis.Redis(...): asynchronous environments call it in threads, so"
                " that the event loop is not blocked."
            )

    def drop_idle(self, pool: Any) -> Any:
        """Close those connections of a pool that nobody uses."""
        return pool.disconnect(inuse_connections=False)

    def clients(self, make: Callable[[], Any], first: Any = None) -> PerProcess[Any]:
        """Return the clients of processes.

        Args:
            make: Makes a client.
            first: One that it has made.
        """
        return PerProcess(make, first=first)

    def clients_of_ready(self, client: Any) -> PerProcess[Any]:
        """Return a ready client for this process, and what its children use instead.

        redis-py's pools themselves make new connections in a child process. But a
        client that has one connection of its own keeps it, so a child's copy takes
        connections from the pool. And the locks of a client may have been held when its
        process forked.

        Raises:
            StoreError: As for `checked`.
        """
        self.checked(client)

        def make() -> Any:
            made = _with_own_locks(client)
            if getattr(made, "connection", None) is not None:
                made.connection = None
            if hasattr(made, "nodes_manager"):
                made.nodes_manager = _with_own_locks(made.nodes_manager)
            return made

        return PerProcess(make, first=client)


class AsyncLibrary(Library):
    """The clients whose calls have to be awaited. Each event loop has its own."""

    root = "redis.asyncio"
    _once = ".redis_once_async", "AsyncRedisOnce"

    def _check_kind(self, client: Any) -> None:
        if not has_coroutines(client):
            raise StoreError(
                f"The calls of {_name(client)} can't be awaited, and this store awaits"
                f" them. Write {_store_of(client)}, which asynchronous environments"
                " call in threads. Or give it redis.asyncio.Redis(...)."
            )

    async def drop_idle(self, pool: Any) -> None:
        """Like `Library.drop_idle`."""
        try:
            await super().drop_idle(pool)
        except asyncio.CancelledError:
            # Tasks that close the same connection wait for one future, and one that is
            # cancelled cancels it for all. The connection is closed all the same.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise

    def clients(self, make: Callable[[], Any], first: Any = None) -> PerProcess[Any]:
        """Like `Library.clients`, for the event loops of each process."""
        return PerProcess(lambda: PerLoop(make, _close, sample=first))

    def clients_of_ready(self, client: Any) -> PerProcess[Any]:
        """Like `Library.clients_of_ready`, for the first event loop that uses it.

        Others use copies.
        """
        self.checked(client)

        def clients(first: Any = None) -> PerLoop:
            return PerLoop(lambda: self._copy(client), _close, first, sample=client)

        return PerProcess(clients, first=clients(client))

    def _copy(self, client: Any) -> Any:
        """Return a client of the same server with connections of its own.

        Raises:
            StoreError: If it is not known how to make one.
        """
        pool: Any = getattr(client, "connection_pool", None)
        known = self.part("connection")
        if type(pool) not in (known.ConnectionPool, known.BlockingConnectionPool):
            raise StoreError(
                f"{_name(client)} was made for another event loop, and can't be copied."
                " Give the store what the client is made of, and it makes one for each"
                " loop: AsyncRedisStore(url=...), AsyncRedisSentinelStore(sentinels) or"
                " AsyncRedisClusterStore(nodes)."
            )
        more = {} if not hasattr(pool, "timeout") else {"timeout": pool.timeout}
        return type(client)(
            connection_pool=type(pool)(
                connection_class=pool.connection_class,
                max_connections=pool.max_connections,
                **more,
                **pool.connection_kwargs,
            )
        )


PLAIN = Library()
ASYNC = AsyncLibrary()


def address_of(client: Any) -> str:
    """Return the address of a client's server, without any login."""
    pool = getattr(client, "connection_pool", None)
    given = getattr(pool, "connection_kwargs", {})
    service = getattr(pool, "service_name", None)
    if service is not None:
        place = f"Redis master {service!r} of sentinels"
    elif "path" in given:
        place = f"Redis at {given['path']}"
    elif "host" in given:
        place = f"Redis at {given['host']}:{given.get('port', 6379)}"
    else:
        return "Redis cluster"
    return f"{place}, database {given.get('db') or 0}"


async def _close(client: Any) -> None:
    """Close an asynchronous client and its connections."""
    # redis-py 5.0.0 has no `aclose`.
    await getattr(client, "aclose", client.close)()
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        await pool.disconnect()
    manager = getattr(pool, "sentinel_manager", None)
    for each in getattr(manager, "sentinels", ()):
        await _close(each)


def _name(client: object) -> str:
    return f"{type(client).__module__}.{type(client).__qualname__}"


def _store_of(client: object, kind: str = "") -> str:
    of = "Cluster" if "Cluster" in type(client).__qualname__ else ""
    return f"{kind}Redis{of}Store(client)"


def _with_own_locks(value: Any) -> Any:
    """Return a copy of an object that shares no lock with it."""
    made = copy(value)
    for name, each in vars(made).items():
        if isinstance(each, _LOCKS):
            setattr(made, name, threading.RLock())
    return made
