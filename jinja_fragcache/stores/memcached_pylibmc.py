"""pylibmc as a client of the Memcached stores."""

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any

from jinja_fragcache.errors import DamagedValueError, StoreError
from jinja_fragcache.forks import PerProcess, free_after_fork, keep_unused

from .checksum import with_checksum, without_checksum
from .memcached_base import PLAIN_FLAGS, Load, value_too_large, values_of
from .optional import import_optional

_LOGIN_TRIES = 3
# Bytes.
_UNUSED_STACK = 64 * 2**20
_stack_size = free_after_fork(threading.Lock())
# pylibmc's messages, with libmemcached's numbers of errors (memcached_return_t): 40 is
# MEMCACHED_AUTH_PROBLEM, where the SASL library failed and not the server; 41 is
# MEMCACHED_AUTH_FAILURE.
_LOGIN_NOT_SENT = "error 40 "
_LOGIN_REFUSED = "error 41 "


class PylibmcClient:
    """Clients of pylibmc for one server, each of which serves one thread at a time.

    Args:
        server: The server, as `"host:port"`.
        account: User and password, for a server with SASL.
        pool_size: The largest number of connections to the server.
        seconds: How long a call waits for a server that does not answer.
        options: More keyword arguments for `pylibmc.Client`.

    Attributes:
        pools: The pool of this process.
        pylibmc: The package.
        has_account: Whether clients have to log in.

    Raises:
        StoreError: If pylibmc is not installed.
    """

    def __init__(
        self,
        server: str,
        account: tuple[str, str] | None,
        pool_size: int,
        seconds: float,
        options: Mapping[str, Any],
    ) -> None:
        self.pylibmc = import_optional("pylibmc", "memcached")
        milliseconds = int(seconds * 1000)
        behaviors = {
            "tcp_nodelay": True,
            "connect_timeout": milliseconds,
            "send_timeout": milliseconds * 1000,
            "receive_timeout": milliseconds * 1000,
            "_poll_timeout": milliseconds,
            "retry_timeout": 1,
            **options.get("behaviors", {}),
            "cas": True,
        }
        given = {**options, "behaviors": behaviors}
        if account:
            user, password = account
            given.update(binary=True, username=user, password=password)
        client_class = _bytes_only(self.pylibmc.Client)
        # No partial, whose repr would show the password.
        self._make: Callable[[], Any] = lambda: client_class([server], **given)
        self._size = pool_size
        self.has_account = account is not None
        self.pools = PerProcess(self._make_pool, _keep_pool)
        # Raises now for options that a client does not take, and not on first use.
        self.pools.value  # noqa: B018 - made here

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None if it has none."""
        with self._reserved() as client:
            stored = client.get(key)
            return None if stored is None else without_checksum(key, stored)

    def get_many(self, keys: list[str], load: Load = values_of) -> list[Any]:
        """Like `MemcachedClient.get_many`."""
        with self._reserved() as client:
            return load(keys, client.get_multi(keys))

    def set(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value, and return whether it was stored."""
        with self._reserved(key, len(data)) as client:
            return bool(client.set(key, with_checksum(key, data), time=expiry))

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Store values one by one, and return the keys that failed."""
        largest = max(data, key=lambda key: len(data[key]))
        with self._reserved(largest, len(data[largest])) as client:
            checked = {key: with_checksum(key, each) for key, each in data.items()}
            return list(client.set_multi(checked, time=expiry))

    def states(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return the states of entries, one by one."""
        with self._reserved() as client:
            found = {key: client.gets(key)[1] for key in keys}
            return {key: state for key, state in found.items() if state is not None}

    def set_if(self, key: str, state: int, data: bytes, expiry: int) -> bool:
        """Store a value if the entry has a state, and return whether it was stored."""
        with self._reserved(key, len(data)) as client:
            try:
                return bool(
                    client.cas(key, with_checksum(key, data), state, time=expiry)
                )
            except self.pylibmc.NotFound:
                return False

    def add(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        with self._reserved(key, len(data)) as client:
            return bool(client.add(key, with_checksum(key, data), time=expiry))

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        with self._reserved() as client:
            return bool(client.delete(key))

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete the entries of keys one by one."""
        with self._reserved() as client:
            client.delete_multi(keys)

    def count(self, key: str, delta: int) -> int | None:
        """Add to a number, and return the new one; None if there are no digits."""
        with self._reserved() as client:
            count = client.incr if delta >= 0 else client.decr
            try:
                return int(count(key, abs(delta)))
            except (self.pylibmc.NotFound, self.pylibmc.ClientError):
                return None

    def flush(self) -> None:
        """Delete all entries of the server."""
        with self._reserved() as client:
            client.flush_all()

    def stats(self) -> list[Mapping[str, str]]:
        """Return what the server tells of itself."""
        with self._reserved() as client:
            return [
                {name: value.decode() for name, value in told.items()}
                for _, told in client.get_stats()
            ]

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        pool = self.pools.value
        clients = [pool.free.get() for _ in range(self._size)]
        for client in clients:
            pool.disconnect(client)
            pool.free.put(client)

    def _make_pool(self) -> "_Pool":
        pool = _Pool()
        for _ in range(self._size):
            client = self._make()
            pool.all.append(client)
            pool.free.put(client)
        return pool

    def log_in(self, client: Any, pool: "_Pool") -> Any:
        """Make the first call of a client, which logs it in.

        libmemcached reads the server's list of mechanisms into memory on the stack, and
        takes what was left there for a part of the list. So a login may fail without a
        reason, unless it is made on a stack that has not been used before. A client
        whose login failed does not try again for a while, so another client does.

        Returns:
            A client that is logged in: this one, or the one that took its place.
        """
        for tries_left in reversed(range(_LOGIN_TRIES)):
            try:
                _call_on_unused_stack(partial(client.get_multi, ["login"]))
                break
            except self.pylibmc.Error as error:
                if not tries_left or not str(error).startswith(_LOGIN_NOT_SENT):
                    raise
                client = self._make()
                pool.all.append(client)
        pool.logged_in.add(id(client))
        return client

    def _reserved(self, key: str = "", size: int = 0) -> "_Reserved":
        return _Reserved(self, key, size)


class _Reserved:
    """Takes a client from the pool for a `with` block.

    It is a class, because a generator would take as long as a seventh of a hit.

    Args:
        owner: Has the pool.
        key: The key that is written, for the error of a value that is too large.
        size: The bytes that are written to it.
    """

    __slots__ = ("_client", "_key", "_owner", "_pool", "_size")

    def __init__(self, owner: PylibmcClient, key: str, size: int) -> None:
        self._owner = owner
        self._key = key
        self._size = size

    def __enter__(self) -> Any:
        owner = self._owner
        pool = self._pool = owner.pools.value
        client = self._client = pool.free.get()
        if owner.has_account and id(client) not in pool.logged_in:
            try:
                client = self._client = owner.log_in(client, pool)
            except BaseException as error:
                self.__exit__(type(error), error)
                raise
        return client

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, *__: object
    ) -> None:
        try:
            if error is not None:
                self._examine(error)
        finally:
            self._pool.free.put(self._client)

    def _examine(self, error: BaseException) -> None:
        """Raise a clear error in place of some of pylibmc's.

        Raises:
            StoreError: If the value is too large, or the login failed.
        """
        known = self._owner.pylibmc
        if isinstance(error, DamagedValueError):
            # It may have been the answer to an earlier question. The next answers on
            # this connection would be, too, and libmemcached does not look at keys.
            self._pool.disconnect(self._client)
        elif isinstance(error, known.TooBig):
            raise value_too_large(self._key, self._size) from None
        elif isinstance(error, known.Error):
            _raise_for_login(str(error))


class _Free:
    """Clients that nobody uses now.

    The one that was used last is taken first: it is connected, and knows whether the
    server is down. A `LifoQueue` does the same, in Python, and takes 15 times as long.
    """

    def __init__(self) -> None:
        self._clients: list[Any] = []
        # As many as there are clients, because threads can wait for these.
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def get(self) -> Any:
        """Take a client, and wait for one if there is none."""
        self._tokens.get()
        return self._clients.pop()

    def put(self, client: Any) -> None:
        """Give a client back."""
        self._clients.append(client)
        self._tokens.put(None)


class _Pool:
    """The clients of one process.

    Attributes:
        free: Those that nobody uses now.
        all: All of them.
        logged_in: The ids of those that have logged in.
    """

    def __init__(self) -> None:
        self.free = _Free()
        self.all: list[Any] = []
        self.logged_in: set[int] = set()

    def disconnect(self, client: Any) -> None:
        """Close the connection of a client, which opens a new one on its next call."""
        client.disconnect_all()
        self.logged_in.discard(id(client))


def _keep_pool(pool: _Pool) -> None:
    """Keep the clients of the parent process, even when this process ends.

    libmemcached sends `quit` when a client is deleted, on the socket of the parent,
    whose next call would fail then.
    """
    keep_unused(pool)
    for client in pool.all:
        _keep_for_ever(client)


def _keep_for_ever(client: object) -> None:
    # pylibmc is an extension of CPython, which has this function.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))


def _call_on_unused_stack(call: Callable[[], Any]) -> None:
    """Make a call in a thread whose stack has never been used before.

    The C library keeps the stacks of threads that have ended for new threads, up to
    40 MB (glibc, nptl/nptl-stack.c). A larger stack is newly allocated, so it is all
    zeros.
    """
    with _stack_size, ThreadPoolExecutor(1) as executor:
        # Other threads that start meanwhile get a large stack as well. Only the part of
        # it that they use takes memory.
        before = threading.stack_size(_UNUSED_STACK)
        try:
            answer = executor.submit(call)
        finally:
            threading.stack_size(before)
        answer.result()


def _bytes_only(client_class: Any) -> Any:
    """Return a subclass of pylibmc's client that reads and writes bytes only."""

    class BytesOnlyClient(client_class):  # type: ignore[misc]  # known when installed
        def serialize(self, value: bytes) -> tuple[bytes, int]:
            return value, PLAIN_FLAGS

        def deserialize(self, data: bytes, flags: int) -> bytes | None:
            return data if flags == PLAIN_FLAGS else None

    return BytesOnlyClient


def _raise_for_login(message: str) -> None:
    """Raise a clear error for a login that failed, which pylibmc reports by number.

    Raises:
        StoreError: If the message is about a login.
    """
    if message.startswith(_LOGIN_REFUSED):
        raise StoreError(
            "Memcached refused CACHE_MEMCACHED_USERNAME and CACHE_MEMCACHED_PASSWORD."
        ) from None
    if message.startswith(_LOGIN_NOT_SENT):
        raise StoreError(
            "The SASL library could not log in to Memcached. If it does not find its"
            " plugins, set the environment variable SASL_PATH to their folder, such as"
            " /usr/lib/x86_64-linux-gnu/sasl2."
        ) from None
