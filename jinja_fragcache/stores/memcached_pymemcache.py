"""pymemcache as a client of the Memcached stores."""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jinja_fragcache.errors import StoreError

from .memcached_base import PLAIN_FLAGS, value_too_large
from .optional import import_optional

# The flags with which pymemcache marks what it pickled.
_PICKLE_FLAGS = 1


class PymemcacheClient:
    """Clients of pymemcache, one for each server.

    pymemcache's own client of several servers is not used: while a server is down, it
    moves keys to others and returns misses without an error. What was deleted meanwhile
    would be back with the server.

    Args:
        clients: A `pymemcache.PooledClient` for each server.

    Raises:
        StoreError: If pymemcache is not installed.
    """

    def __init__(self, clients: Sequence[Any]) -> None:
        self._module = import_optional("pymemcache", "memcached")
        self._clients = dict(enumerate(clients))
        rendezvous = import_optional("pymemcache.client.rendezvous", "memcached")
        # Texts, because it takes the number 0 for a missing node.
        self._hasher = rendezvous.RendezvousHash([str(each) for each in self._clients])

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None if it has none."""
        stored: bytes | None = self._client_of(key).get(key)
        return stored

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes | None]:
        """Return the values of keys, in one round trip to each server."""
        found: dict[str, bytes | None] = {}
        for client, part in self._by_server(keys):
            found.update(client.get_many(part))
        return found

    def set(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value, and return whether it was stored."""
        return self._write("set", key, data, expiry)

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Store values, in one round trip to each server.

        Returns:
            The keys that failed.
        """
        failed: list[str] = []
        for client, part in self._by_server(list(data)):
            values = {key: data[key] for key in part}
            largest = max(part, key=lambda key: len(data[key]))
            with self._raising_for_size(largest, len(data[largest])):
                failed += client.set_many(values, expire=expiry, noreply=False)
        return failed

    def add(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        return self._write("add", key, data, expiry)

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        return bool(self._client_of(key).delete(key, noreply=False))

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete the entries of keys, in one round trip to each server."""
        for client, part in self._by_server(keys):
            client.delete_many(part, noreply=False)

    def count(self, key: str, delta: int) -> int | None:
        """Add to a number, and return the new one; None if there are no digits."""
        client = self._client_of(key)
        count = client.incr if delta >= 0 else client.decr
        try:
            number: int | None = count(key, abs(delta), noreply=False)
        except self._module.MemcacheClientError:
            return None
        return number

    def flush(self) -> None:
        """Delete all entries of the servers."""
        for client in self._clients.values():
            client.flush_all(noreply=False)

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        for client in self._clients.values():
            client.close()

    def _client_of(self, key: str) -> Any:
        return self._clients[int(self._hasher.get_node(key))]

    def _by_server(self, keys: Sequence[str]) -> Iterator[tuple[Any, list[str]]]:
        parts: dict[int, list[str]] = {}
        for key in keys:
            parts.setdefault(int(self._hasher.get_node(key)), []).append(key)
        for number, part in parts.items():
            yield self._clients[number], part

    def _write(self, command: str, key: str, data: bytes, expiry: int) -> bool:
        write: Callable[..., Any] = getattr(self._client_of(key), command)
        with self._raising_for_size(key, len(data)):
            return bool(write(key, data, expire=expiry, noreply=False))

    @contextmanager
    def _raising_for_size(self, key: str, size: int) -> Iterator[None]:
        try:
            yield
        except self._module.MemcacheServerError as error:
            if "too large" not in str(error):
                raise
            raise value_too_large(key, size) from None


def make_pooled_client(address: str, seconds: float, options: Mapping[str, Any]) -> Any:
    """Return a `pymemcache.PooledClient` that reads and writes bytes only.

    Args:
        address: The server, as `"host:port"`.
        seconds: How long a call waits for a server that does not answer.
        options: More keyword arguments for the client.

    Raises:
        StoreError: If pymemcache is not installed.
    """
    given = {
        "timeout": seconds,
        "connect_timeout": seconds,
        "no_delay": True,
        **options,
        "serde": _BytesOnlySerde(),
        "default_noreply": False,
    }
    return import_optional("pymemcache", "memcached").PooledClient(address, **given)


def check_unpickles_nothing(client: Any) -> None:
    """Check that a ready client of pymemcache does not unpickle what it reads.

    Raises:
        StoreError: If it does.
    """
    probe = ("unpickled",)
    if client.serde.deserialize("probe", pickle.dumps(probe), _PICKLE_FLAGS) == probe:
        raise StoreError(
            "This client of pymemcache unpickles what it finds, so anyone who can write"
            " to the server could run code here. Make it without a serde."
        )


class _BytesOnlySerde:
    """Reads and writes bytes without flags."""

    def serialize(self, key: str, value: bytes) -> tuple[bytes, int]:
        return value, PLAIN_FLAGS

    def deserialize(self, key: str, data: bytes, flags: int) -> bytes | None:
        return data if flags == PLAIN_FLAGS else None
