"""Makes the clients of Redis that the stores use, which wait only a short time."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from jinja_fragcache.errors import StoreError

from .optional import import_optional

# How long a page waits for a server that does not answer.
_SECONDS = 0.25
# Large enough to read all rows of a list at once. The default of redis-py is 64 KiB.
_READ_BYTES = 128 * 1024
_SENTINEL_OPTION = "sentinel_"


def make_client(
    host: str,
    port: int,
    password: str | None,
    db: int,
    options: Mapping[str, Any],
) -> Any:
    """Return a client of one server.

    Args:
        host: The host name of the server.
        port: The port of the server.
        password: The password, if the server has one.
        db: The number of the database.
        options: More keyword arguments for `redis.Redis`.

    Raises:
        StoreError: If the package redis is not installed.
    """
    address = {"host": host, "port": port, "password": password, "db": db}
    redis = import_optional("redis", "redis")
    return redis.Redis(**{**address, **_short_waits(), **options})


def make_client_of_url(url: str, options: Mapping[str, Any]) -> Any:
    """Return a client of the server at a URL.

    Args:
        url: `redis://user:password@host:port/db`.
        options: More keyword arguments for `redis.Redis`.

    Raises:
        StoreError: If the package redis is not installed, or the URL is not valid.
    """
    redis = import_optional("redis", "redis")
    client = redis.Redis.from_url(_checked_url(url), **{**_short_waits(), **options})
    # Raises now for options that a connection does not take, and not on first use.
    client.connection_pool.make_connection()
    return client


def make_sentinel_client(
    sentinels: Sequence[tuple[str, int]],
    master: str,
    password: str | None,
    db: int,
    options: Mapping[str, Any],
) -> Any:
    """Return a client of the master that Redis sentinels watch.

    Args:
        sentinels: Pairs of host and port.
        master: The name of the master in the sentinels' configuration.
        password: The password of the master, if it has one.
        db: The number of the database.
        options: More keyword arguments for `redis.Redis`. Those that begin with
            `sentinel_` are, without that, for the clients of the sentinels.

    Raises:
        StoreError: If the package redis is not installed.
    """
    of_sentinels = {
        name.removeprefix(_SENTINEL_OPTION): value
        for name, value in options.items()
        if name.startswith(_SENTINEL_OPTION)
    }
    of_master = {
        name: value
        for name, value in options.items()
        if not name.startswith(_SENTINEL_OPTION)
    }
    sentinel = import_optional("redis.sentinel", "redis").Sentinel(
        sentinels, sentinel_kwargs={**_short_waits(), **of_sentinels}
    )
    given = {"password": password, "db": db, **_short_waits(), **of_master}
    return sentinel.master_for(master, **given)


def make_cluster_client(
    nodes: str | Sequence[str],
    password: str | None,
    url: str | None,
    options: Mapping[str, Any],
) -> Any:
    """Return a client of a Redis cluster that connects when it is first used.

    Args:
        nodes: Some of its nodes: `"host:port,host:port"`, or a list of `"host:port"`.
        password: The password of the nodes, if they have one.
        url: `redis://user:password@host:port` of one node, in place of `nodes` and
            `password`. It is checked when the client is first used.
        options: More keyword arguments for `redis.RedisCluster`.

    Raises:
        StoreError: If the package redis is not installed, or an address is not valid.
    """
    cluster = import_optional("redis.cluster", "redis")
    # One more try, because the first may end at a node that has moved.
    waits = _short_waits(retries=1)
    if url is not None:
        given = {**waits, **options}
        return _LazyClient(
            lambda: cluster.RedisCluster.from_url(_checked_url(url), **given)
        )
    given = {"password": password, **waits, **options}
    startup = [cluster.ClusterNode(*address) for address in _addresses(nodes)]
    return _LazyClient(lambda: cluster.RedisCluster(startup_nodes=startup, **given))


def check_returns_bytes(client: Any) -> None:
    """Check that a client does not decode what it reads.

    Raises:
        StoreError: If it does.
    """
    if isinstance(client, _LazyClient):
        return
    encoder = getattr(client, "get_encoder", lambda: None)()
    if getattr(encoder, "decode_responses", False):
        raise StoreError(
            "A Redis client with decode_responses=True can't tell numbers from texts."
            " Make it without."
        )


class _LazyClient:
    """Stands for a client that connects to its servers as soon as it is made."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _client(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _short_waits(retries: int = 0) -> dict[str, Any]:
    """Return the options of a client that does not hold up pages.

    By default redis-py waits without a limit, and tries ten times.
    """
    no_pauses = import_optional("redis.backoff", "redis").NoBackoff()
    return {
        "socket_timeout": _SECONDS,
        "socket_connect_timeout": _SECONDS,
        "retry": import_optional("redis.retry", "redis").Retry(no_pauses, retries),
        "socket_read_size": _READ_BYTES,
    }


def _checked_url(url: str) -> str:
    try:
        import_optional("redis.connection", "redis").parse_url(url)
    except (ValueError, AttributeError, TypeError):
        # redis-py's own message may quote the URL, which may contain a password.
        raise StoreError(
            "The URL of the Redis server (CACHE_REDIS_URL) can't be read. It has the"
            " form redis://user:password@host:port/db."
        ) from None
    return url


def _addresses(nodes: str | Sequence[str]) -> list[tuple[str, int]]:
    addresses = []
    for node in nodes.split(",") if isinstance(nodes, str) else nodes:
        host, _, port = str(node).strip().rpartition(":")
        if not host or not port.isdecimal():
            raise StoreError(
                "The nodes of a Redis cluster can't be read. They have the form"
                " 'host:port,host:port'."
            )
        addresses.append((host, int(port)))
    return addresses
