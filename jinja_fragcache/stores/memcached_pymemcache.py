"""pymemcache as a client of the Memcached stores."""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

from jinja_fragcache.errors import StoreError
from jinja_fragcache.forks import PerProcess

from .checksum import with_checksum, without_checksum
from .memcached_base import PLAIN_FLAGS, Load, value_too_large, values_of
from .optional import import_optional

# The flags with which pymemcache marks what it pickled.
_PICKLE_FLAGS = 1


class PymemcacheClient:
    """A client of pymemcache for one server.

    Args:
        make: Returns a `pymemcache.PooledClient` without connections. Each process
            calls it for a client of its own.
        first: A ready client for this process, if there is one.

    Raises:
        StoreError: If pymemcache is not installed.
    """

    def __init__(self, make: Callable[[], Any], first: Any = None) -> None:
        self._module = import_optional("pymemcache", "memcached")
        self._client = PerProcess(make, first=first)
        # Raises now for options that a client does not take, and not on first use.
        self._client.value  # noqa: B018 - made here

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None if it has none."""
        stored = self._client.value.get(key)
        return None if stored is None else without_checksum(key, stored)

    def get_many(self, keys: list[str], load: Load = values_of) -> list[Any]:
        """Like `MemcachedClient.get_many`."""
        return load(keys, self._client.value.get_many(keys))

    def set(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value, and return whether it was stored."""
        return self._write("set", key, data, expiry)

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Store values in one round trip, and return the keys that failed."""
        largest = max(data, key=lambda key: len(data[key]))
        with self._raising_for_size(largest, len(data[largest])):
            set_many = self._client.value.set_many
            checked = {key: with_checksum(key, each) for key, each in data.items()}
            return list(set_many(checked, expire=expiry, noreply=False))

    def states(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the states of entries, in one round trip."""
        found = self._client.value.gets_many(keys)
        return {key: state for key, (_, state) in found.items()}

    def set_if(self, key: str, state: bytes, data: bytes, expiry: int) -> bool:
        """Store a value if the entry has a state, and return whether it was stored."""
        with self._raising_for_size(key, len(data)):
            checked = with_checksum(key, data)
            cas = self._client.value.cas
            return bool(cas(key, checked, state, expire=expiry, noreply=False))

    def add(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        return self._write("add", key, data, expiry)

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        return bool(self._client.value.delete(key, noreply=False))

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete the entries of keys, in one round trip."""
        self._client.value.delete_many(keys, noreply=False)

    def count(self, key: str, delta: int) -> int | None:
        """Add to a number, and return the new one; None if there are no digits."""
        client = self._client.value
        count = client.incr if delta >= 0 else client.decr
        try:
            number: int | None = count(key, abs(delta), noreply=False)
        except self._module.MemcacheClientError:
            return None
        return number

    def flush(self) -> None:
        """Delete all entries of the server."""
        self._client.value.flush_all(noreply=False)

    def stats(self) -> list[Mapping[str, str]]:
        """Return what the server tells of itself."""
        told = self._client.value.stats()
        return [{_text(name): _text(value) for name, value in told.items()}]

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        self._client.value.close()

    def _write(self, command: str, key: str, data: bytes, expiry: int) -> bool:
        write: Callable[..., Any] = getattr(self._client.value, command)
        with self._raising_for_size(key, len(data)):
            checked = with_checksum(key, data)
            return bool(write(key, checked, expire=expiry, noreply=False))

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


def _text(told: Any) -> str:
    return told.decode() if isinstance(told, bytes) else str(told)


def with_own_connections(client: Any) -> Any:
    """Return a copy of a `pymemcache.PooledClient` that shares no connection with it.

    Its maximal number of connections, and how long they may be idle, are kept.
    """
    pool, made = client.client_pool, copy(client)
    made.client_pool = type(pool)(
        made._create_client,  # noqa: SLF001 - what pymemcache's own pool is given
        after_remove=lambda each: each.close(),
        max_size=pool.max_size,
        idle_timeout=pool.idle_timeout,
    )
    return made


class _BytesOnlySerde:
    """Reads and writes bytes without flags."""

    def serialize(self, key: str, value: bytes) -> tuple[bytes, int]:
        return value, PLAIN_FLAGS

    def deserialize(self, key: str, data: bytes, flags: int) -> bytes | None:
        return data if flags == PLAIN_FLAGS else None
