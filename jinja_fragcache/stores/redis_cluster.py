"""Stores in a Redis cluster: what they do in another way than those on one server."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja_fragcache.operations import Operation

from .redis import RedisStore
from .redis_clients import clients_of_cluster
from .redis_operations import KEYS_AT_ONCE, RedisOperations
from .text_lists import TextList


class InCluster(RedisOperations):
    """The operations of the stores in a Redis cluster.

    Args: As for `RedisClusterStore`.
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
            cluster = clients_of_cluster(self._library, cluster, password, url, options)
        super().__init__(
            cluster,
            default_timeout=default_timeout,
            key_prefix=key_prefix,
            may_flush=may_flush,
        )

    # Making a client takes long while the nodes are down.
    _sample: Any = None

    # The keys may be on several nodes, and a script can't read all.
    add_and_get_many: Any = None
    set_many_if_equal: Any = None
    get_with_remaining: Any = None
    # Each node tells of its own keys only, and keys move between nodes.
    changes: Any = None

    def _delete_many_if_equal(
        self, keys: Sequence[str], expected: str
    ) -> Operation[list[str]]:
        # Each by a script of its own. A cluster's pipeline does not take scripts.
        deleted: list[str] = []
        for key in keys:
            deleted += yield from super()._delete_many_if_equal([key], expected)
        return deleted

    def _replace_unreadable(
        self, values: Mapping[str, bytes], seconds: int | None
    ) -> Operation[list[str]]:
        replaced: list[str] = []
        for key, each in values.items():
            replaced += yield from super()._replace_unreadable({key: each}, seconds)
        return replaced

    def _read_many(
        self, full_keys: list[str], before: TextList | None
    ) -> Operation[list[Any]]:
        # MGET takes keys of one slot only.
        found: list[Any] = yield self._client.mget_nonatomic(full_keys)
        return found

    def _scan(
        self, pattern: str, each: Callable[[Sequence[bytes]], Operation[bool]]
    ) -> Operation[None]:
        # The first scan is of all nodes, and returns where it has to go on.
        scan = {"match": pattern, "count": KEYS_AT_ONCE}
        cursors, keys = yield self._client.scan(**scan)
        while True:
            if keys and not (yield from each(keys)):
                return
            unfinished = [name for name, cursor in cursors.items() if cursor]
            if not unfinished:
                return
            name = unfinished[0]
            told, keys = yield self._client.scan(
                cursors[name],
                target_nodes=self._client.get_node(node_name=name),
                **scan,
            )
            cursors.update(told)


class RedisClusterStore(InCluster, RedisStore):
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
