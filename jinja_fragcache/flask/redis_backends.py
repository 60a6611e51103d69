"""Makes the stores on Redis that the settings describe."""

from typing import Any

from jinja_fragcache.errors import SettingError, StoreError
from jinja_fragcache.messages import without_logins
from jinja_fragcache.stores import (
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    Store,
)
from jinja_fragcache.stores.redis_clients import read_url

from .backend_arguments import (
    Settings,
    is_given,
    key_prefix,
    make_with,
    split_text,
    whole_number,
)

_LARGEST_PORT = 65_535
# The server counts them with a C int.
_LARGEST_DB = 2**31 - 1


def make_redis(settings: Settings) -> Store:
    """Make the store of the type `redis`."""
    url, host = settings["CACHE_REDIS_URL"], settings["CACHE_REDIS_HOST"]
    if host is None or isinstance(host, (int, bytes, type)):
        raise SettingError(
            f"CACHE_REDIS_HOST can't be {without_logins(repr(host))}. It is a server's"
            " name, or a client such as redis.Redis()."
        )
    if isinstance(host, str) and "://" in host:
        raise SettingError(
            "CACHE_REDIS_HOST can't be a URL. It is a server's name, or a client. Set"
            " CACHE_REDIS_URL to the URL."
        )
    given: dict[str, Any] = {"host": host}
    if url is not None:
        given = _of_url(settings)
    elif isinstance(host, str):
        given["port"] = whole_number(settings, "CACHE_REDIS_PORT", _LARGEST_PORT)
        given |= _redis_account(settings)
    return make_with(RedisStore, settings, **key_prefix(settings), **given)


def _of_url(settings: Settings) -> dict[str, Any]:
    """Return the arguments that `CACHE_REDIS_URL` and what is beside it give."""
    url: str = settings["CACHE_REDIS_URL"]
    try:
        said = read_url(url)
    except StoreError as error:
        raise SettingError(f"CACHE_TYPE {settings['CACHE_TYPE']!r}: {error}") from None
    account = _redis_account(settings)
    return {"url": url, **{name: said.get(name, account[name]) for name in account}}


def make_redis_sentinel(settings: Settings) -> Store:
    """Make the store of the type `redissentinel`."""
    given = {
        "sentinels": _sentinels(settings["CACHE_REDIS_SENTINELS"]),
        "master": settings["CACHE_REDIS_SENTINEL_MASTER"],
        "sentinel_password": settings["CACHE_REDIS_SENTINEL_PASSWORD"],
    }
    given |= _redis_account(settings)
    return make_with(RedisSentinelStore, settings, **key_prefix(settings), **given)


def _sentinels(given: Any) -> list[tuple[str, int]]:
    """Return the sentinels; a text, as the environment has it, names them with commas.

    Raises:
        SettingError: If there are none, or one is no pair of host and port.
    """
    try:
        texts = split_text(given) if isinstance(given, str) else ()
        listed = [text.rsplit(":", 1) for text in texts] or given
        pairs = [(str(host), int(port)) for host, port in listed]
    except (TypeError, ValueError):
        pairs = []
    if not pairs:
        raise SettingError(
            f"CACHE_REDIS_SENTINELS can't be {without_logins(repr(given))}. It is a"
            " list of pairs of host and port: [('127.0.0.1', 26379)]."
        )
    return pairs


def _redis_account(settings: Settings) -> dict[str, Any]:
    return {
        "password": settings["CACHE_REDIS_PASSWORD"],
        "db": whole_number(settings, "CACHE_REDIS_DB", _LARGEST_DB),
    }


def make_redis_cluster(settings: Settings) -> Store:
    """Make the store of the type `rediscluster`."""
    url, cluster = settings["CACHE_REDIS_URL"], settings["CACHE_REDIS_CLUSTER"]
    is_named = cluster or is_given(RedisClusterStore, settings, "cluster")
    if url is None and not is_named:
        raise SettingError(
            "CACHE_REDIS_CLUSTER is missing. It names some of the cluster's nodes:"
            " '127.0.0.1:7000,127.0.0.1:7001'."
        )
    given = {"cluster": cluster, "password": settings["CACHE_REDIS_PASSWORD"]}
    if url is not None:
        given = _of_url(settings)
        # A cluster has no other database than 0.
        given.pop("db")
    return make_with(RedisClusterStore, settings, **key_prefix(settings), **given)
