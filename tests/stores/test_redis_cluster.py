import time

import pytest
import redis

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import RedisClusterStore


def test_keys_are_stored_on_all_nodes_and_cleared_on_all(
    cluster_ports: list[int],
) -> None:
    nodes = [f"127.0.0.1:{port}" for port in cluster_ports]
    store = RedisClusterStore(nodes[:1], key_prefix="shop:")
    other = RedisClusterStore(",".join(nodes), key_prefix="other:")
    keys = [str(number) for number in range(100)]
    other.set("k", "kept")
    assert store.set_many(dict.fromkeys(keys, "text")) == keys
    for port in cluster_ports:
        with redis.Redis(port=port) as node:
            assert len(list(node.scan_iter("shop:*"))) > 10
    assert store.get_many(*keys, "missing") == ["text"] * 100 + [None]
    assert store.delete_many(*keys[:50]) == keys[:50]
    assert store.get_many(*keys) == [None] * 50 + ["text"] * 50
    store.clear()
    assert store.get_many(*keys) == [None] * 100
    assert other.get("k") == "kept"
    RedisClusterStore(nodes, may_flush=True).clear()
    assert other.get("k") is None
    for each in (store, other):
        each._client.close()


def test_a_cluster_that_is_down_is_an_error_on_first_use() -> None:
    store = RedisClusterStore("127.0.0.1:1", key_prefix="shop:")
    started = time.monotonic()
    with pytest.raises(redis.exceptions.RedisClusterException):
        store.get("k")
    assert time.monotonic() - started < 2


def test_a_url_or_a_ready_client_may_be_given(cluster_ports: list[int]) -> None:
    url = f"redis://127.0.0.1:{cluster_ports[0]}"
    by_url = RedisClusterStore(url=url)
    client = redis.RedisCluster.from_url(url)
    by_url.set("k", "text")
    assert RedisClusterStore(client).get("k") == "text"
    client.close()
    by_url._client.close()
    with pytest.raises(StoreError, match="The URL of the Redis server"):
        RedisClusterStore(url="secret@host")
