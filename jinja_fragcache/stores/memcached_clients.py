"""Chooses the client of a Memcached store: pylibmc if installed, or pymemcache."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from jinja_fragcache.errors import StoreError
from jinja_fragcache.messages import describe_class

from .memcached_base import MemcachedClient
from .memcached_pylibmc import PylibmcClient
from .memcached_pymemcache import (
    PymemcacheClient,
    check_unpickles_nothing,
    make_pooled_client,
    with_own_connections,
)
from .memcached_servers import MemcachedServers
from .optional import import_optional

# A host name or an IP address, for pylibmc with a protocol in front, and the port.
_ADDRESS = re.compile(r"((tcp|udp):)?([\w.-]+|\[[\w:.%]+\])(:\d+)?")
# How long a page waits for a server that does not answer.
_SECONDS = 0.25


def make_client(
    servers: Any,
    account: tuple[str, str] | None,
    pool_size: int,
    options: Mapping[str, Any],
) -> MemcachedClient:
    """Return a client for servers, or one that uses a ready client.

    Args:
        servers: A list of `"host:port"`, or a ready client of pylibmc or pymemcache.
        account: User and password, for servers with SASL. This needs pylibmc.
        pool_size: The largest number of connections that pylibmc opens to each server.
        options: More keyword arguments for the client.

    Raises:
        StoreError: If neither package is installed, an address is not valid, or the
            ready client can't be used.
    """
    if isinstance(servers, list | tuple):
        return _client_of_servers(servers, account, pool_size, options)
    if isinstance(servers, _class_of("pymemcache", "PooledClient")):
        check_unpickles_nothing(servers)
        return PymemcacheClient(lambda: with_own_connections(servers), servers)
    if isinstance(servers, _class_of("pylibmc", "Client")) and not servers.binary:
        given = {"behaviors": dict(servers.behaviors), **options}
        return _client_of_servers(servers.addresses, None, pool_size, given)
    if isinstance(servers, str):
        # It may contain a password, so it is not shown.
        raise StoreError(
            "One string can't be used for Memcached's servers. Write a list, as in"
            " CACHE_MEMCACHED_SERVERS=['127.0.0.1:11211']."
        )
    raise StoreError(
        f"The client {type(servers).__qualname__} can't be used for Memcached. Give the"
        " servers as a list, as in CACHE_MEMCACHED_SERVERS=['127.0.0.1:11211'], or a"
        " PooledClient of pymemcache. Asynchronous environments call it in threads."
    )


def _client_of_servers(
    servers: list[Any] | tuple[Any, ...],
    account: tuple[str, str] | None,
    pool_size: int,
    options: Mapping[str, Any],
) -> MemcachedClient:
    if not servers:
        raise StoreError(
            "There is no Memcached server in the list. Write"
            " CACHE_MEMCACHED_SERVERS=['127.0.0.1:11211']."
        )
    addresses = [_checked_address(address) for address in servers]
    clients: dict[str, MemcachedClient] = {}
    has_pylibmc = account or find_spec("pylibmc")
    for each in addresses:
        if has_pylibmc:
            client: MemcachedClient = PylibmcClient(
                each, account, pool_size, _SECONDS, options
            )
        else:
            client = _new_pymemcache_client(each, options)
        clients[each] = client
    return client if len(clients) == 1 else MemcachedServers(clients)


def _new_pymemcache_client(
    address: str, options: Mapping[str, Any]
) -> PymemcacheClient:
    return PymemcacheClient(lambda: make_pooled_client(address, _SECONDS, options))


def _checked_address(address: Any) -> str:
    if not isinstance(address, str) or not address:
        # Not shown either: a tuple may have a password in it.
        kind = "an empty text" if address == "" else describe_class(address)
        raise StoreError(
            f"The address of a Memcached server can't be read, it is {kind}. Servers"
            " have the form ['host:port', 'host:port']."
        )
    if not address.startswith("/") and not _ADDRESS.fullmatch(address):
        # Not shown, because it may contain a password.
        raise StoreError(
            "The address of a Memcached server can't be read. Servers have the form"
            " ['host:port', 'host:port'], without a login. For servers with SASL, set"
            " CACHE_MEMCACHED_USERNAME and CACHE_MEMCACHED_PASSWORD."
        )
    return address


def _class_of(package: str, name: str) -> Any:
    """Return a class for `isinstance`, or an empty tuple if it is not installed."""
    return (
        getattr(import_optional(package, "memcached"), name)
        if find_spec(package)
        else ()
    )
