"""A store in a Redis cluster."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .redis import RedisStore
from .redis_clients import clients_of_cluster
from .redis_errors import what_to_check


class RedisClusterStore(RedisStore):
    """A `RedisStore` in a Redis cluster.

    The client that it makes connects when the store is first used, so an application
    starts while the nodes are down.

    Args:
        cluster: Some of the nodes, as `"host:port,host:port"` or a list of
            `"host:port"`; or a ready client.
        password: The password of the nodes, if they have one.
        default_timeout: As for `RedisStore`.
        key_prefix: As for `RedisStore`.
        url: `redis://user:password@host:port` of one node, in place of `cluster`. Its
            password is used if there is no other.
        may_flush: As for `RedisStore`.
        options: More keyword arguments for `redis.RedisCluster`.

    Raises:
        StoreError: If the package redis is not installed, an address is not valid, or
            an option is unknown.
        TimeoutValueError: If the default timeout is not valid.
    """

    def __init__(
        self,
        cluster: Any = "127.0.0.1:6379",
        password: str | None = None,
        default_timeout: int = 300,
        key_prefix: str | Callable[[], str] | None = None,
        *,
        url: str | None = None,
        may_flush: bool = False,
        **options: Any,
    ) -> None:
        if url is not None or isinstance(cluster, str | list | tuple):
            cluster = clients_of_cluster(cluster, password, url, options)
        super().__init__(
            cluster,
            default_timeout=default_timeout,
            key_prefix=key_prefix,
            may_flush=may_flush,
        )

    def what_to_check(self, error: Exception) -> str:
        """Return which settings to look at after an error, as a sentence, or ""."""
        # Without the client, because making one takes long while the nodes are down.
        return what_to_check(error, {})

    # The two keys may be on two nodes, and a script can't read both.
    set_many_if_equal = None  # type: ignore[assignment]
    get_with_remaining = None  # type: ignore[assignment]
    # Each node tells of its own keys only, and keys move between nodes.
    changes = None  # type: ignore[assignment]

    def delete_many_if_equal(self, keys: Sequence[str], expected: str) -> list[str]:
        """Delete those keys that have an expected value, and return them."""
        # Each by a script of its own. A cluster's pipeline does not take scripts.
        delete = super().delete_many_if_equal
        return [key for key in keys if delete([key], expected)]

    def _replace_other_types(
        self, values: Mapping[str, bytes], seconds: int | None
    ) -> list[str]:
        replace = super()._replace_other_types
        return [key for key, each in values.items() if replace({key: each}, seconds)]

    def _read_many(self, full_keys: Sequence[str]) -> Iterable[bytes | None]:
        # MGET takes keys of one slot only.
        found: Iterable[bytes | None] = self._client.mget_nonatomic(full_keys)
        return found
