"""Stores on the master of a group of Redis servers that sentinels watch."""

from collections.abc import Callable, Sequence
from typing import Any

from .redis import RedisStore
from .redis_clients import clients_of_sentinels
from .redis_operations import RedisOperations


class OnMaster(RedisOperations):
    """The operations of the stores on a master.

    Args: As for `RedisSentinelStore`.
    """

    def __init__(
        self,
        sentinels: Sequence[tuple[str, int]] = (("127.0.0.1", 26379),),
        master: str = "mymaster",
        password: str | None = None,
        db: int = 0,
        default_timeout: int = 300,
        key_prefix: str | Callable[[], str] | None = None,
        *,
        may_flush: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            clients_of_sentinels(
                self._library, sentinels, master, password, db, options
            ),
            default_timeout=default_timeout,
            key_prefix=key_prefix,
            may_flush=may_flush,
        )


class RedisSentinelStore(OnMaster, RedisStore):
    """A `RedisStore` on the master that Redis sentinels name.

    Replicas are not read, because they may still have what was deleted.

    Args:
        sentinels: Pairs of host and port.
        master: The name of the master in the sentinels' configuration.
        password: The password of the master, if it has one.
        db: As for `RedisStore`.
        default_timeout: As for `RedisStore`.
        key_prefix: As for `RedisStore`.
        may_flush: As for `RedisStore`.
        options: More keyword arguments for `redis.Redis`. Those that begin with
            `sentinel_` are, without that, for the clients of the sentinels, and so are
            those in `sentinel_kwargs`. `min_other_sentinels` and `force_master_ip` are
            for `redis.Sentinel`.

    Raises:
        StoreError: If the package redis is not installed, the sentinels are no list of
            pairs, or an option is unknown.
        TimeoutValueError: If the default timeout is not valid.
    """
