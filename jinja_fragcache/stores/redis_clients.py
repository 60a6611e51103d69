"""Makes the clients of Redis that the stores use, which wait only a short time.

Each process makes its own: see `forks`.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from jinja_fragcache.errors import StoreError
from jinja_fragcache.forks import PerProcess
from jinja_fragcache.messages import (
    did_you_mean,
    unknown_argument,
    without_logins,
    without_secret_causes,
)

from .redis_errors import DEFAULT_PORT
from .redis_library import PLAIN, Library

# How long a page waits for a server that does not answer.
_SECONDS = 0.25
# How much is read of a socket at once. The default of redis-py is 64 KiB, but half of
# that stays in the processor's caches, which saves more than the calls cost.
_READ_BYTES = 32 * 1024
_NOT_IN_HOSTS = re.compile("[@/?#]|://")
# An address of IPv6 has more colons.
_WITH_PORT = re.compile(r"([^:]*):(\d+)")
_DATABASE = re.compile(r"/?|/\d+/?")
_SENTINEL_OPTION = "sentinel_"
_OF_WATCH = ("min_other_sentinels", "force_master_ip")


def clients_of_server(
    library: Library,
    host: str,
    port: int,
    password: str | None,
    db: int,
    options: Mapping[str, Any],
) -> PerProcess[Any]:
    """Return clients of one server.

    Args:
        library: The library of the clients.
        host: The host name of the server.
        port: The port of the server.
        password: The password, if the server has one.
        db: The number of the database.
        options: More keyword arguments for `redis.Redis`.

    Raises:
        StoreError: If the package redis is not installed, the host is a URL, or the
            port is no number.
    """
    _check_host(host)
    _check_port(port)
    address = {"host": host, "port": port, "password": password, "db": db}
    kind = library.client_class(options)
    given = {**address, **_known(kind, _short_waits(library)), **options}
    return _made_now(library, lambda: kind(**given))


def clients_of_url(
    library: Library,
    url: str,
    password: str | None,
    db: int | None,
    options: Mapping[str, Any],
) -> PerProcess[Any]:
    """Return clients of the server at a URL.

    Args:
        library: The library of the clients.
        url: `redis://user:password@host:port/db`.
        password: The password, in place of the URL's; None for that.
        db: The number of the database, in place of the URL's; None for that.
        options: More keyword arguments for `redis.Redis`, in place of the URL's.

    Raises:
        StoreError: If the package redis is not installed, the URL is not valid, or an
            option is unknown.
    """
    account = {"password": password, "db": db}
    said = read_url(url, library)
    given = {
        **_short_waits(library),
        # Not by redis-py's own `from_url`, in which the URL takes precedence.
        **said,
        **{name: value for name, value in account.items() if value is not None},
        **options,
    }
    kind = library.client_class({**said, **options})
    pool_kind = library.part().ConnectionPool
    single = given.pop("single_connection_client", False)

    def make() -> Any:
        pool = pool_kind(**given)
        client = kind(connection_pool=pool, single_connection_client=single)
        client.auto_close_connection_pool = True
        return client

    return _made_now(library, make)


def read_url(url: str, library: Library = PLAIN) -> dict[str, Any]:
    """Return what the URL of a Redis server says, as arguments for a client.

    Args:
        url: `redis://user:password@host:port/db`.
        library: The library of the client.

    Raises:
        StoreError: If the package redis is not installed, or the URL is not valid.
    """
    parse = library.part("connection").parse_url
    why = ""
    try:
        said: dict[str, Any] = parse(url)
    except ValueError as error:
        # Not the error itself, which may show a part of the password.
        if str(error).startswith("Port"):
            why = (
                " Its port is not a number up to 65535, or its password has a"
                " character such as / # ? that has to be written as %2F %23 %3F."
            )
    except (AttributeError, TypeError):
        pass
    else:
        # redis-py takes /1/2 for 12, and /shop for 0.
        if "path" in said or _DATABASE.fullmatch(urlsplit(url).path):
            return said
        why = " Its database is not a number."
    # Not in the `except` block, because redis-py's error may show the password.
    raise StoreError(
        f"The URL of the Redis server (CACHE_REDIS_URL) can't be read.{why} It has the"
        " form redis://user:password@host:port/db."
    )


def clients_of_sentinels(
    library: Library,
    sentinels: Sequence[tuple[str, int]],
    master: str,
    password: str | None,
    db: int,
    options: Mapping[str, Any],
) -> PerProcess[Any]:
    """Return clients of the master that Redis sentinels watch.

    Args:
        library: The library of the clients.
        sentinels: Pairs of host and port.
        master: The name of the master in the sentinels' configuration.
        password: The password of the master, if it has one.
        db: The number of the database.
        options: More keyword arguments for `redis.Redis`. Those that begin with
            `sentinel_` are, without that, for the clients of the sentinels, and so are
            those in `sentinel_kwargs`. `min_other_sentinels` and `force_master_ip` are
            for `redis.Sentinel`.

    Raises:
        StoreError: If the package redis is not installed, the sentinels are no list of
            pairs, or an option is unknown.
    """
    of_master = dict(options)
    in_one = of_master.pop("sentinel_kwargs", None) or {}
    of_watch = {name: of_master.pop(name) for name in _OF_WATCH if name in of_master}
    of_sentinels = {
        name.removeprefix(_SENTINEL_OPTION): of_master.pop(name)
        for name in options
        if name.startswith(_SENTINEL_OPTION) and name in of_master
    }
    watch_kind = library.part("sentinel").Sentinel
    kind = library.client_class(of_master)
    addresses = _pairs(sentinels)
    waits = _short_waits(library)
    to_sentinels = {**_known(kind, waits), **of_sentinels, **in_one}
    given = {"password": password, "db": db, **waits, **of_master}

    def make() -> Any:
        watch = watch_kind(addresses, sentinel_kwargs=to_sentinels, **of_watch)
        return watch.master_for(master, redis_class=kind, **given)

    return _made_now(library, make)


def clients_of_cluster(
    library: Library,
    nodes: str | Sequence[str],
    password: str | None,
    url: str | None,
    options: Mapping[str, Any],
) -> PerProcess[Any]:
    """Return clients of a Redis cluster, which connect when they are first used.

    Args:
        library: The library of the clients.
        nodes: Some of its nodes: `"host:port,host:port"`, or a list of `"host:port"`.
        password: The password of the nodes, if they have one.
        url: `redis://user:password@host:port` of one node, in place of `nodes`. Its
            password is used if there is no other.
        options: More keyword arguments for `redis.RedisCluster`, in place of the URL's.

    Raises:
        StoreError: If the package redis is not installed, an address is not valid, or
            an option is unknown.
    """
    cluster = library.part("cluster")
    said = {} if url is None else read_url(url, library)
    # RedisCluster itself drops silently what it does not know.
    known = {
        *_names(cluster.RedisCluster),
        *getattr(cluster, "REDIS_ALLOWED_KEYS", ()),
    }
    # One more try, because the first may end at a node that has moved.
    waits = _short_waits(library, retries=1)
    given = {
        **{name: value for name, value in waits.items() if name in known},
        **said,
        **options,
    }
    if password is not None:
        given["password"] = password
    if "path" in given or given.pop("db", None):
        raise StoreError(
            "A Redis cluster has only the database 0, and no socket. Give the host and"
            " port of a node."
        )
    # Flask-Caching passes it on, and redis-py does not use it any more.
    given.pop("skip_full_coverage_check", None)
    one = (given.pop("host", "localhost"), given.pop("port", DEFAULT_PORT))
    addresses = _addresses(nodes) if url is None else [one]
    for name in given:
        if name not in known:
            raise _unknown_option(name, known)

    def make() -> Any:
        startup = [cluster.ClusterNode(*address) for address in addresses]
        made = cluster.RedisCluster(startup_nodes=startup, **given)
        return library.checked(made)

    return library.clients(make)


def _made_now(library: Library, make: Callable[[], Any]) -> PerProcess[Any]:
    """Return clients, of which one is made and checked now.

    Raises:
        StoreError: If an option is unknown, or as for `Library.checked`.
    """
    try:
        client = library.checked(make())
        # Raises now for options that a connection does not take, and not on first use.
        client.connection_pool.make_connection()
    except TypeError as error:
        unknown = unknown_argument(error)
        if unknown is None:
            raise
    except library.part().RedisError as error:
        refused = without_logins(error).rstrip(".")
        raise StoreError(
            f"The client of Redis can't be made: {refused}. Look at its options"
            " (CACHE_OPTIONS, or the query of CACHE_REDIS_URL)."
        ) from without_secret_causes(error)
    else:
        return library.clients(make, client)
    of_connections = library.part("connection").AbstractConnection
    known = {*_names(library.part().Redis), *_names(of_connections)}
    raise _unknown_option(unknown, known)


def _names(made: type) -> set[str]:
    """Return the names of the arguments that a class takes."""
    return set(inspect.signature(made).parameters)


def _known(made: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that a class takes. Older ones take fewer."""
    names = _names(made)
    return {name: value for name, value in options.items() if name in names}


def _unknown_option(name: str, known: Iterable[str]) -> StoreError:
    return StoreError(
        f"The client of Redis takes no option {name!r} (CACHE_OPTIONS)."
        f"{did_you_mean(name, known)}"
    )


def _short_waits(library: Library, retries: int = 0) -> dict[str, Any]:
    """Return the options of a client that does not hold up pages.

    By default redis-py waits without a limit, and tries ten times.
    """
    no_pauses = PLAIN.part("backoff").NoBackoff()
    return {
        "socket_timeout": _SECONDS,
        "socket_connect_timeout": _SECONDS,
        "retry": library.part("retry").Retry(no_pauses, retries),
        "socket_read_size": _READ_BYTES,
        # With version 3, redis-py uses a connection again on which something is left to
        # read, because it may be a notification. It would be taken for the next answer.
        "protocol": 2,
    }


def _check_host(host: object) -> None:
    """Raise if a host can't be one, before an error of the system shows it."""
    if isinstance(host, str) and _NOT_IN_HOSTS.search(host):
        raise StoreError(
            "The host of a Redis server can't be a URL or contain a login. Write"
            " url='redis://user:password@host:port/db' (CACHE_REDIS_URL) in its place."
        )
    with_port = _WITH_PORT.fullmatch(host) if isinstance(host, str) else None
    if with_port:
        raise StoreError(
            f"The host of a Redis server can't be {host!r}, with its port. Write"
            f" host={with_port[1]!r} and port={with_port[2]} (CACHE_REDIS_HOST and"
            " CACHE_REDIS_PORT)."
        )


def _check_port(port: object) -> None:
    """Raise if a port can't be one. The error of redis-py does not name it."""
    if not str(port).isdecimal():
        raise StoreError(
            f"The port of a Redis server can't be {port!r}. It is a number, such as"
            f" {DEFAULT_PORT} (CACHE_REDIS_PORT)."
        )


def _pairs(sentinels: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the addresses of sentinels, if there are any and all are pairs."""
    try:
        pairs = [(host, int(port)) for host, port in sentinels]
    except (TypeError, ValueError):
        pairs = []
    for host, _ in pairs:
        _check_host(host)
    if not pairs or not all(isinstance(host, str) for host, _ in pairs):
        raise StoreError(
            "The sentinels can't be read. They are a list of pairs of host and port:"
            " [('127.0.0.1', 26379)]. A client that a Sentinel's master_for() has made"
            " goes into RedisStore(client) or AsyncRedisStore(client)."
        )
    return pairs


def _addresses(nodes: str | Sequence[str]) -> list[tuple[str, int]]:
    addresses = []
    for node in nodes.split(",") if isinstance(nodes, str) else nodes:
        host, _, port = str(node).strip().rpartition(":")
        if not host or not port.isdecimal() or _NOT_IN_HOSTS.search(host):
            raise StoreError(
                "The nodes of a Redis cluster can't be read. They have the form"
                " 'host:port,host:port', without a login."
            )
        addresses.append((host, int(port)))
    if not addresses:
        raise StoreError(
            "There is no node of a Redis cluster in the list. Write"
            " 'host:port,host:port'."
        )
    return addresses
