"""The clients of Memcached that the store works with, in one shape: bytes and flags.

Clients of Memcached mark in an entry's flags what they made of its value, and some
unpickle what is marked so: whoever can write to the server can run code then. Here a
value is written as bytes with no flag, and what has one is not there.
"""

import pickle
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from queue import LifoQueue
from typing import Any, Protocol

from jinja_fragcache.errors import StoreError
from jinja_fragcache.messages import without_logins

from .optional import need

# How long a page waits for a server that does not answer.
_SECONDS = 0.25
_LOGIN_TRIES = 3
# Bytes.
_UNUSED_STACK = 64 * 2**20
_stack_size = threading.Lock()
# What pylibmc says where the SASL library failed, and not the server.
_NOT_SENT = "error 40 "
_PLAIN = 0
_PICKLED = 1


class Client(Protocol):
    """What the store asks of a client.

    Expiries are as in Memcached's protocol. Any method raises what the client does when
    a server fails, and StoreError when it refuses a value for its size.
    """

    def get(self, place: str) -> bytes | None:
        """Give what is there."""
        ...

    def get_many(self, places: Sequence[str]) -> Mapping[str, bytes | None]:
        """Give what is there, in one round trip to each server."""
        ...

    def set(self, place: str, data: bytes, expiry: int) -> bool:
        """Write."""
        ...

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Write many, and give those that failed.

        pymemcache does it in one round trip to each server. pylibmc waits for the
        answer to each, as it does where it deletes.
        """
        ...

    def add(self, place: str, data: bytes, expiry: int) -> bool:
        """Write if there is nothing."""
        ...

    def delete(self, place: str) -> bool:
        """Delete, and tell whether there was something."""
        ...

    def delete_many(self, places: Sequence[str]) -> None:
        """Delete many."""
        ...

    def count(self, place: str, delta: int) -> int | None:
        """Add to the digits that are there; None where there are none.

        A count downwards ends at 0.
        """
        ...

    def flush(self) -> None:
        """Delete all that the servers have."""
        ...

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        ...


def make_client(
    servers: Any,
    account: tuple[str, str] | None,
    pool_size: int,
    options: Mapping[str, Any],
) -> Client:
    """Make a client with pylibmc if it is installed, or else with pymemcache.

    Args:
        servers: a list of `"host:port"`, or a ready client of one of the two packages.
        account: user and password, for SASL.
        pool_size: the most connections that pylibmc has to each server.
        options: more arguments for the client.

    Raises:
        StoreError: neither package is installed, or the ready client is of no use.
    """
    if isinstance(servers, list | tuple):
        if not servers:
            raise StoreError(
                "There is no Memcached server in the list. Write"
                " CACHE_MEMCACHED_SERVERS=['127.0.0.1:11211']."
            )
        addresses = [_checked_address(address) for address in servers]
        if account or find_spec("pylibmc"):
            return _Pylibmc(addresses, account, pool_size, options)
        return _Pymemcache([_connected(each, options) for each in addresses])
    if isinstance(servers, _class_of("pymemcache", "PooledClient")):
        _check_unpickles_nothing(servers.serde)
        return _Pymemcache([servers])
    if isinstance(servers, _class_of("pylibmc", "Client")) and not servers.binary:
        behaviors = dict(servers.behaviors)
        given = {"behaviors": behaviors, **options}
        return _Pylibmc(servers.addresses, None, pool_size, given)
    raise StoreError(
        f"The client {type(servers).__qualname__} can't be used for Memcached. Give the"
        " servers as a list, as in CACHE_MEMCACHED_SERVERS=['127.0.0.1:11211'], or a"
        " PooledClient of pymemcache."
    )


def _checked_address(address: Any) -> str:
    if not isinstance(address, str) or not address:
        raise StoreError(
            f"The Memcached server {without_logins(repr(address))} can't be read."
            " Servers have the form ['host:port', 'host:port']."
        )
    return address


def _too_large(place: str, size: int) -> StoreError:
    return StoreError(
        f"Memcached refused a value of {size} bytes for {place!r}: it takes 1 MB if it"
        " is not told otherwise (memcached -I). Cache smaller parts, or set CACHE_TYPE"
        " to 'spreadsaslmemcached'."
    )


def _class_of(package: str, name: str) -> Any:
    # There is no instance of what is not installed.
    return getattr(need(package, "memcached"), name) if find_spec(package) else ()


class _Pylibmc:
    """pylibmc. Its clients serve one thread at a time, so there is a pool of them."""

    def __init__(
        self,
        servers: Sequence[str],
        account: tuple[str, str] | None,
        pool_size: int,
        options: Mapping[str, Any],
    ) -> None:
        self._pylibmc = need("pylibmc", "memcached")
        milliseconds = int(_SECONDS * 1000)
        behaviors = {
            "tcp_nodelay": True,
            "connect_timeout": milliseconds,
            "send_timeout": milliseconds * 1000,
            "receive_timeout": milliseconds * 1000,
            "_poll_timeout": milliseconds,
            "retry_timeout": 1,
            **options.get("behaviors", {}),
        }
        given = {**options, "behaviors": behaviors}
        if account:
            user, password = account
            given.update(binary=True, username=user, password=password)
        self._make = partial(_bytes_only(self._pylibmc.Client), list(servers), **given)
        # The last one used comes first: it is connected, and knows who is down.
        self._pool: LifoQueue[Any] = LifoQueue()
        self._size = pool_size
        self._has_account = account is not None
        self._logged_in: set[int] = set()
        for _ in range(pool_size):
            self._pool.put(self._make())

    def get(self, place: str) -> bytes | None:
        with self._reserve() as client:
            stored: bytes | None = client.get(place)
            return stored

    def get_many(self, places: Sequence[str]) -> Mapping[str, bytes | None]:
        with self._reserve() as client:
            found: Mapping[str, bytes | None] = client.get_multi(places)
            return found

    def set(self, place: str, data: bytes, expiry: int) -> bool:
        with self._reserve(place, len(data)) as client:
            return bool(client.set(place, data, time=expiry))

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        largest = max(data, key=lambda place: len(data[place]))
        with self._reserve(largest, len(data[largest])) as client:
            return list(client.set_multi(data, time=expiry))

    def add(self, place: str, data: bytes, expiry: int) -> bool:
        with self._reserve(place, len(data)) as client:
            return bool(client.add(place, data, time=expiry))

    def delete(self, place: str) -> bool:
        with self._reserve() as client:
            return bool(client.delete(place))

    def delete_many(self, places: Sequence[str]) -> None:
        with self._reserve() as client:
            client.delete_multi(places)

    def count(self, place: str, delta: int) -> int | None:
        with self._reserve() as client:
            count = client.incr if delta >= 0 else client.decr
            try:
                return int(count(place, abs(delta)))
            except (self._pylibmc.NotFound, self._pylibmc.ClientError):
                return None

    def flush(self) -> None:
        with self._reserve() as client:
            client.flush_all()

    def close(self) -> None:
        clients = [self._pool.get() for _ in range(self._size)]
        for client in clients:
            client.disconnect_all()
            self._pool.put(client)
        self._logged_in.clear()

    def _log_in(self, client: Any) -> Any:
        """Make the first call of a connection. Give one that is logged in.

        libmemcached reads the server's list of mechanisms into memory on the stack,
        and takes what was left there for a part of it. So a login may fail for nothing,
        unless it is made on a stack that nobody has used. A client that could not log
        in tries no more for a while, so another one does.
        """
        for tries_left in reversed(range(_LOGIN_TRIES)):
            try:
                _on_unused_stack(partial(client.get_multi, ["login"]))
                break
            except self._pylibmc.Error as error:
                if not tries_left or not str(error).startswith(_NOT_SENT):
                    raise
                client = self._make()
        self._logged_in.add(id(client))
        return client

    @contextmanager
    def _reserve(self, place: str = "", size: int = 0) -> Iterator[Any]:
        client = self._pool.get()
        try:
            if self._has_account and id(client) not in self._logged_in:
                client = self._log_in(client)
            yield client
        except self._pylibmc.TooBig:
            raise _too_large(place, size) from None
        except self._pylibmc.Error as error:
            _check_not_refused(str(error))
            raise
        finally:
            self._pool.put(client)


def _on_unused_stack(call: Callable[[], Any]) -> None:
    """Make a call in a thread whose stack was never used before.

    The C library keeps the stacks of threads that ended for others, up to 40 MB (glibc,
    nptl/nptl-stack.c). A larger one it has to make, so it is all zeros.
    """
    with _stack_size, ThreadPoolExecutor(1) as executor:
        # Other threads that begin now get a large one, too. Only what is used of it
        # takes memory.
        before = threading.stack_size(_UNUSED_STACK)
        try:
            answer = executor.submit(call)
        finally:
            threading.stack_size(before)
        answer.result()


def _bytes_only(client_class: Any) -> Any:
    class BytesOnlyClient(client_class):  # type: ignore[misc]  # known when installed
        def serialize(self, value: bytes) -> tuple[bytes, int]:
            return value, _PLAIN

        def deserialize(self, data: bytes, flags: int) -> bytes | None:
            return data if flags == _PLAIN else None

    return BytesOnlyClient


def _check_not_refused(message: str) -> None:
    """Tell clearly what libmemcached tells by number.

    Source: libmemcached, memcached_return_t: 40 is MEMCACHED_AUTH_PROBLEM, 41 is
    MEMCACHED_AUTH_FAILURE.
    """
    if message.startswith("error 41 "):
        raise StoreError(
            "Memcached refused CACHE_MEMCACHED_USERNAME and CACHE_MEMCACHED_PASSWORD."
        ) from None
    if message.startswith(_NOT_SENT):
        raise StoreError(
            "The SASL library could not log in to Memcached. If it does not find its"
            " plugins, set the environment variable SASL_PATH to their folder, such as"
            " /usr/lib/x86_64-linux-gnu/sasl2."
        ) from None


class _PlainSerde:
    """Reads and writes bytes with no flag, for pymemcache."""

    def serialize(self, place: str, value: bytes) -> tuple[bytes, int]:  # noqa: ARG002 - pymemcache's signature
        return value, _PLAIN

    def deserialize(self, place: str, data: bytes, flags: int) -> bytes | None:  # noqa: ARG002 - the same
        return data if flags == _PLAIN else None


def _check_unpickles_nothing(serde: Any) -> None:
    probe = ("unpickled",)
    if serde.deserialize("probe", pickle.dumps(probe), _PICKLED) == probe:
        raise StoreError(
            "This client of pymemcache unpickles what it finds, so whoever can write to"
            " the server could run code here. Make it without a serde."
        )


def _connected(address: str, options: Mapping[str, Any]) -> Any:
    given = {
        "timeout": _SECONDS,
        "connect_timeout": _SECONDS,
        "no_delay": True,
        **options,
        "serde": _PlainSerde(),
        "default_noreply": False,
    }
    return need("pymemcache", "memcached").PooledClient(address, **given)


class _Pymemcache:
    """Clients of pymemcache, one for each server.

    Its own client of several servers moves keys to others while one is down, and gives
    misses without a word. What was deleted meanwhile would be back with the server.
    """

    def __init__(self, clients: Sequence[Any]) -> None:
        self._module = need("pymemcache", "memcached")
        self._clients = dict(enumerate(clients))
        hasher = need("pymemcache.client.rendezvous", "memcached").RendezvousHash
        # It may not take 0 for a node.
        self._hasher = hasher([str(number) for number in self._clients])

    def get(self, place: str) -> bytes | None:
        stored: bytes | None = self._at(place).get(place)
        return stored

    def get_many(self, places: Sequence[str]) -> Mapping[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for client, part in self._by_server(places):
            found.update(client.get_many(part))
        return found

    def set(self, place: str, data: bytes, expiry: int) -> bool:
        return self._write("set", place, data, expiry)

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        failed: list[str] = []
        for client, part in self._by_server(list(data)):
            values = {place: data[place] for place in part}
            largest = max(part, key=lambda place: len(data[place]))
            with self._telling_size(largest, len(data[largest])):
                failed += client.set_many(values, expire=expiry, noreply=False)
        return failed

    def add(self, place: str, data: bytes, expiry: int) -> bool:
        return self._write("add", place, data, expiry)

    def delete(self, place: str) -> bool:
        return bool(self._at(place).delete(place, noreply=False))

    def delete_many(self, places: Sequence[str]) -> None:
        for client, part in self._by_server(places):
            client.delete_many(part, noreply=False)

    def count(self, place: str, delta: int) -> int | None:
        client = self._at(place)
        count = client.incr if delta >= 0 else client.decr
        try:
            number: int | None = count(place, abs(delta), noreply=False)
        except self._module.MemcacheClientError:
            return None
        return number

    def flush(self) -> None:
        for client in self._clients.values():
            client.flush_all(noreply=False)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _at(self, place: str) -> Any:
        return self._clients[int(self._hasher.get_node(place))]

    def _by_server(self, places: Sequence[str]) -> Iterator[tuple[Any, list[str]]]:
        parts: dict[int, list[str]] = {}
        for place in places:
            parts.setdefault(int(self._hasher.get_node(place)), []).append(place)
        for number, part in parts.items():
            yield self._clients[number], part

    def _write(self, how: str, place: str, data: bytes, expiry: int) -> bool:
        write: Callable[..., Any] = getattr(self._at(place), how)
        with self._telling_size(place, len(data)):
            return bool(write(place, data, expire=expiry, noreply=False))

    @contextmanager
    def _telling_size(self, place: str, size: int) -> Iterator[None]:
        try:
            yield
        except self._module.MemcacheServerError as error:
            if "too large" not in str(error):
                raise
            raise _too_large(place, size) from None
