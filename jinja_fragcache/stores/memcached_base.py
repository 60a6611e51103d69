"""The interface of the clients of Memcached, and facts of the protocol.

Clients of Memcached write into an entry's flags how they encoded its value, and some
unpickle what has the right flag. Anyone who can write to the server could then run code
in this process. These clients write bytes with no flag, and an entry that has one is
missing to them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

from jinja_fragcache.errors import StoreError

from .checksum import without_checksums
from .facts import Facts

_LONGEST_PREFIX = 100
_PREFIX = re.compile(r"[!-~]*")
# Keys that are sent as they are. One that begins with ~ is a digest.
_PLAIN_KEY = re.compile(r"(?!~)[!-~]+")
_PLAIN = bytes(range(ord("!"), ord("~")))
#: The flags of a value that is nothing but bytes.
PLAIN_FLAGS = 0
# Memcached takes a larger expiry for a time of day (protocol.txt, "Expiration times").
_LONGEST_RELATIVE = 60 * 60 * 24 * 30
# The last time of day that Memcached knows, because it stores times in 32 bits.
_LAST_TIME = 2**31 - 1
# Errors after which the settings may be wrong, those of pylibmc among them. A server
# that is only slow is at the right address.
_NOT_REACHED = {"ServerDown", "ServerDead", "HostLookupError", "UnknownReadFailure"}
_NOT_REACHED |= {"ConnectionError", "gaierror"}
_ADDRESSES = "the addresses (CACHE_MEMCACHED_SERVERS)"
_ADDRESSES_AND_LOGIN = (
    "the addresses, the user and the password (CACHE_MEMCACHED_SERVERS,"
    " CACHE_MEMCACHED_USERNAME, CACHE_MEMCACHED_PASSWORD)"
)
#: Returns the value of each key, of the keys and what the server has returned by keys.
Load = Callable[[list[str], Mapping[str, Any]], list[Any]]


def values_of(keys: list[str], found: Mapping[str, Any]) -> list[Any]:
    """Return the value of each key, None where the server has returned nothing.

    Raises:
        DamagedValueError: As in `without_checksum`.
    """
    return without_checksums(keys, map(found.get, keys))


def protocol_expiry(seconds: int, now: float) -> int:
    """Return a timeout in the form of Memcached's protocol.

    Args:
        seconds: The timeout in seconds, 0 for never expires.
        now: The time of day in seconds since 1970.
    """
    if seconds <= _LONGEST_RELATIVE:
        return seconds
    return min(int(now) + seconds, _LAST_TIME)


class MemcachedClient(Protocol):
    """A client of one or more Memcached servers.

    Keys are those that the servers have, and expiries are as in Memcached's protocol.
    Any method raises what the client raises when a server fails, and StoreError when a
    server refuses a value because of its size.
    """

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None if it has none."""
        ...

    def get_many(self, keys: list[str], load: Load = values_of) -> list[Any]:
        """Return the value of each key, in one round trip to each server.

        Args:
            keys: The keys.
            load: Makes the values of what a server has returned. It may return texts.
        """
        ...

    def set(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value, and return whether it was stored."""
        ...

    def set_many(self, data: Mapping[str, bytes], expiry: int) -> list[str]:
        """Store values, and return the keys that failed.

        pymemcache takes one round trip to each server. pylibmc waits for the answer to
        each write, as it does for each delete.
        """
        ...

    def states(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Return the states of entries, which change whenever the server writes them.

        A key without an entry is left out.
        """
        ...

    def set_if(self, key: str, state: Any, data: bytes, expiry: int) -> bool:
        """Store a value if the entry has a state, and return whether it was stored."""
        ...

    def add(self, key: str, data: bytes, expiry: int) -> bool:
        """Store a value if the key has none, and return whether it was stored."""
        ...

    def delete(self, key: str) -> bool:
        """Delete an entry, and return whether there was one."""
        ...

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete the entries of keys."""
        ...

    def count(self, key: str, delta: int) -> int | None:
        """Add to a number, and return the new one. Counting down ends at 0.

        Returns:
            None if there is no entry, or if it is not digits.
        """
        ...

    def flush(self) -> None:
        """Delete all entries of the servers."""
        ...

    def stats(self) -> list[Mapping[str, str]]:
        """Return what each server tells of itself (protocol.txt, "Statistics")."""
        ...

    def close(self) -> None:
        """Close the connections. Later calls open new ones."""
        ...


def checked_prefix(prefix: str | None) -> str:
    """Return the start of all keys, "" for None.

    Raises:
        ValueError: If it can't be part of a Memcached key.
    """
    prefix = prefix or ""
    if len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix):
        raise ValueError(
            "The key prefix can't be part of a Memcached key. Write up to"
            f" {_LONGEST_PREFIX} printable ASCII characters without spaces."
        )
    return prefix


def server_key(key: str, start: str, longest: int) -> str:
    """Return the key that a server has for a key of a store.

    A key that Memcached does not take is replaced by its digest.

    Args:
        key: The key.
        start: The start of all keys.
        longest: The largest number of characters that are sent.
    """
    if len(start) + len(key) <= longest and _PLAIN_KEY.fullmatch(key):
        # Not by `+`, which classes of texts may define in another way.
        return start.__add__(key)
    return f"{start}~{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def server_keys(keys: Sequence[str], start: str, longest: int) -> list[str]:
    """Like `server_key` for each key."""
    # All characters are looked at together, because each row of a list comes here.
    together = "".join(keys)
    if (
        together.isascii()
        and not together.encode().translate(None, _PLAIN)
        and "" not in keys
        and len(start) + max(map(len, keys), default=0) <= longest
    ):
        return list(map(start.__add__, keys))
    return [server_key(key, start, longest) for key in keys]


class NamesServers:
    """A store that names its servers, for people.

    Attributes:
        where: Where its entries are.
    """

    where: str
    _to_check: str

    def _name_servers(self, servers: Any, prefix: str, *, by_login: bool) -> None:
        """Note how the servers are called.

        Args:
            servers: Their addresses, or a ready client.
            prefix: The start of all keys.
            by_login: Whether the store logs in.
        """
        listed = servers if isinstance(servers, list | tuple) else ["a ready client's"]
        addresses = ", ".join(listed)
        keys = f"keys that begin with {prefix!r}" if prefix else "all keys"
        self.where = f"Memcached at {addresses}, {keys}"
        what = _ADDRESSES_AND_LOGIN if by_login else _ADDRESSES
        self._to_check = f"Check {what} of the servers at {addresses}."

    def what_to_check(self, error: Exception) -> str:
        """Return which settings to look at after an error, as a sentence, or ""."""
        names = {each.__name__ for each in type(error).__mro__}
        return "" if names.isdisjoint(_NOT_REACHED) else self._to_check


def facts_of(told: Sequence[Mapping[str, str]]) -> Facts:
    """Return how much is on servers.

    Args:
        told: What each of them tells of itself.
    """
    return Facts(
        sum(int(each["curr_items"]) for each in told),
        sum(int(each["bytes"]) for each in told),
        note="That counts what others keep on these servers, and what was cleared.",
    )


def value_too_large(key: str, size: int) -> StoreError:
    """Return the error for a value of `size` bytes that a server refused."""
    return StoreError(
        f"Memcached refused a value of {size} bytes for {key!r}: by default it takes up"
        " to 1 MB (memcached -I). Cache smaller parts, or set CACHE_TYPE"
        " to 'spreadsaslmemcached'."
    )


def clear_refused() -> StoreError:
    """Return the error for a store without a prefix that may not flush its servers."""
    return StoreError(
        "Without a key prefix, clearing would delete what others keep in Memcached. Set"
        ' CACHE_KEY_PREFIX (or key_prefix=...), or CACHE_OPTIONS={"may_flush": True} if'
        " the servers are this cache's alone."
    )
