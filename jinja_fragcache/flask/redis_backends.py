"""Makes the stores on Redis that the settings describe."""

from typing import Any

from jinja_fragcache.errors import SettingError
from jinja_fragcache.messages import without_logins
from jinja_fragcache.stores import (
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    Store,
)

from .backend_arguments import Settings, key_prefix, make_with, whole_number


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
    given: dict[str, Any] = {"url": url} if url is not None else {"host": host}
    if url is None and isinstance(host, str):
        given["port"] = whole_number(settings, "CACHE_REDIS_PORT")
        given |= _redis_account(settings)
    return make_with(RedisStore, settings, **key_prefix(settings), **given)


def make_redis_sentinel(settings: Settings) -> Store:
    """Make the store of the type `redissentinel`."""
    given = {
        "sentinels": settings["CACHE_REDIS_SENTINELS"],
        "master": settings["CACHE_REDIS_SENTINEL_MASTER"],
        "sentinel_password": settings["CACHE_REDIS_SENTINEL_PASSWORD"],
    }
    _check_sentinels(given["sentinels"])
    given |= _redis_account(settings)
    return make_with(RedisSentinelStore, settings, **key_prefix(settings), **given)


def _check_sentinels(sentinels: Any) -> None:
    try:
        pairs = [(str(host), int(port)) for host, port in sentinels]
    except (TypeError, ValueError):
        pairs = []
    if not pairs:
        raise SettingError(
            f"CACHE_REDIS_SENTINELS can't be {without_logins(repr(sentinels))}. It is a"
            " list of pairs of host and port: [('127.0.0.1', 26379)]."
        )


def _redis_account(settings: Settings) -> dict[str, Any]:
    return {
        "password": settings["CACHE_REDIS_PASSWORD"],
        "db": whole_number(settings, "CACHE_REDIS_DB"),
    }


def make_redis_cluster(settings: Settings) -> Store:
    """Make the store of the type `rediscluster`."""
    url, cluster = settings["CACHE_REDIS_URL"], settings["CACHE_REDIS_CLUSTER"]
    if url is None and not cluster:
        raise SettingError(
            "CACHE_REDIS_CLUSTER is missing. It names some of the cluster's nodes:"
            " '127.0.0.1:7000,127.0.0.1:7001'."
        )
    given = {"cluster": cluster, "password": settings["CACHE_REDIS_PASSWORD"]}
    given = given if url is None else {"url": url}
    return make_with(RedisClusterStore, settings, **key_prefix(settings), **given)
