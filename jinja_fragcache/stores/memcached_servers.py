"""Several Memcached servers as one client, which decides where each key is."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from .memcached_base import Load, MemcachedClient, values_of

_DEFAULT_PORT = 11211
# Of the keys that were placed last. A key has at most 250 bytes.
_PLACES_REMEMBERED = 4096


class MemcachedServers:
    """A client of each of several servers.

    The clients' own ways to place keys are not used: pylibmc's and pymemcache's differ,
    so a process with one would not find, and not delete, what a process with the other
    has stored. And while a server is down, pymemcache moves its keys to others and
    returns misses without an error. What was deleted meanwhile would be back with the
    server.

    Args:
        clients: A client of one server for each address, `"host:port"`.
    """

    def __init__(self, clients: Mapping[str, MemcachedClient]) -> None:
        self._clients = list(clients.values())
        self._place: Callable[[str], int] = lru_cache(_PLACES_REMEMBERED)(
            Placement(list(clients))
        )

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None if it has none."""
        return self._clients[self._place(key)].get(key)

    def get_many(self, keys: list[str], load: Load = values_of) -> list[Any]:
        """Like `MemcachedClient.get_many`. The keys of each server are one list."""
        found: dict[str, Any] = {}
        for client, part in self._by_server(keys):
            found.update(zip(part, client.get_many(part, load), strict=True))
        return [found[key] for key in keys]

    def set(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value, and return whether it was stored."""
        return self._clients[self._place(key)].set(key, data, expiry)

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Store values, and return the keys that failed."""
        failed: list[str] = []
        for client, part in self._by_server(data):
            failed += client.set_many({key: data[key] for key in part}, expiry)
        return failed

    def states(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Return the states of entries."""
        states: dict[str, Any] = {}
        for client, part in self._by_server(keys):
            states.update(client.states(part))
        return states

    def set_if(self, key: str, state: Any, data: bytes, expiry: int) -> bool:
        """Store a value if the entry has a state, and return whether it was stored."""
        return self._clients[self._place(key)].set_if(key, state, data, expiry)

    def add(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        return self._clients[self._place(key)].add(key, data, expiry)

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        return self._clients[self._place(key)].delete(key)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete the entries of keys, on all servers that answer.

        Raises:
            Exception: What a client raised, after the others have done their part.
        """
        _for_all((client.delete_many, [part]) for client, part in self._by_server(keys))

    def count(self, key: str, delta: int) -> int | None:
        """Add to a number, and return the new one; None if there are no digits."""
        return self._clients[self._place(key)].count(key, delta)

    def flush(self) -> None:
        """Delete all entries of all servers that answer.

        Raises:
            Exception: What a client raised, after the others have done their part.
        """
        _for_all((client.flush, []) for client in self._clients)

    def stats(self) -> list[Mapping[str, str]]:
        """Return what each server tells of itself."""
        return [each for client in self._clients for each in client.stats()]

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        for client in self._clients:
            client.close()

    def _by_server(
        self, keys: Collection[str]
    ) -> Iterator[tuple[MemcachedClient, list[str]]]:
        parts: dict[int, list[str]] = {}
        for key in keys:
            parts.setdefault(self._place(key), []).append(key)
        for number, part in parts.items():
            yield self._clients[number], part


class Placement:
    """Decides on which server a key is, alike in all processes with the same list.

    Of all servers, the one for which a digest of its address and the key is the largest
    (rendezvous hashing: Thaler and Ravishankar, "A Name-Based Mapping Scheme for
    Rendezvous", 1996). So if one of n servers is added or removed, only about every
    n-th key moves. The order of the servers does not matter.

    Args:
        addresses: The servers, as `"host:port"`.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._digests = [
            blake2b(
                f"{full_address(each)} ".encode(), digest_size=8, usedforsecurity=False
            )
            for each in addresses
        ]

    def __call__(self, key: str) -> int:
        """Return the index of the server of a key."""
        return max(range(len(self._digests)), key=self._scores(key).__getitem__)

    def _scores(self, key: str) -> list[bytes]:
        encoded = key.encode()
        scores: list[bytes] = []
        for each in self._digests:
            digest = each.copy()
            digest.update(encoded)
            scores.append(digest.digest())
        return scores


def full_address(address: str) -> str:
    """Return an address as all processes write it, with its port and in small letters.

    The path of a Unix socket is returned as it is.
    """
    if "/" in address:
        return address
    address = address.strip().lower()
    host, _, port = address.rpartition(":")
    has_port = host and port.isdecimal() and (":" not in host or host.endswith("]"))
    return address if has_port else f"{address}:{_DEFAULT_PORT}"


def _for_all(calls: Iterator[tuple[Callable[..., Any], list[Any]]]) -> None:
    """Make all calls, and then raise the first error of them."""
    errors: list[Exception] = []
    for call, arguments in calls:
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        raise errors[0]
