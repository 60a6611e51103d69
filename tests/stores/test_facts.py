from itertools import count
from pathlib import Path

import pymemcache
import pytest
import redis

from jinja_fragcache.stores import (
    FileStore,
    MemcachedStore,
    MemoryStore,
    RedisClusterStore,
    RedisStore,
    facts,
)
from jinja_fragcache.stores.facts import Amounts, amounts_of


def test_amounts_are_those_of_what_stands_before_the_last_colon() -> None:
    amounts = amounts_of([("a:b:1", 3), ("a:b:2", 4), ("a:c:1", 5), ("plain", 6)])
    assert amounts == Amounts({"a:b": (2, 7), "a:c": (1, 5), "": (1, 6)})
    assert (amounts.entries, amounts.bytes) == (4, 18)


def test_counting_ends_so_that_others_are_not_disturbed() -> None:
    endless = ((f"a:{number}", 1) for number in count())
    amounts = amounts_of(endless)
    assert amounts == Amounts(
        {"a": (facts.MOST_COUNTED, facts.MOST_COUNTED)}, is_partial=True
    )
    # One more was looked for, to know whether there are more.
    assert next(endless) == (f"a:{facts.MOST_COUNTED + 1}", 1)


def test_files_and_memory_are_counted(tmp_path: Path) -> None:
    for store in (FileStore(str(tmp_path)), MemoryStore()):
        store.set_many({"a": "text", "b": "text"})
        told = store.facts()
        assert told.entries == 2
        assert told.bytes is not None
        assert told.bytes >= 8
    assert FileStore(str(tmp_path)).where == f"the folder {tmp_path}"


@pytest.mark.parametrize("prefix", ["facts[a]*_", ""])
def test_redis_counts_the_keys_with_its_prefix(redis_port: int, prefix: str) -> None:
    client = redis.Redis(port=redis_port, db=9)
    client.flushdb()
    store = RedisStore("localhost", redis_port, db=9, key_prefix=prefix)
    store.set_many({f"fragment:{name}:{name}": "text" for name in "abc"})
    client.set("facts[a] of others", "text")
    told, amounts = store.facts(), store.amounts()
    assert told.entries == (3 if prefix else 4)
    assert bool(told.note) == (not prefix)
    assert amounts.by_start["fragment:a"][0] == 1
    assert "database 9" in store.where
    assert repr(prefix) in store.where or store.where.endswith("all keys")
    client.flushdb()
    client.close()
    store._client.close()


def test_a_redis_cluster_counts_the_keys_of_all_nodes(cluster_ports: list[int]) -> None:
    store = RedisClusterStore(f"127.0.0.1:{cluster_ports[0]}", key_prefix="facts_")
    store.set_many({f"fragment:a:{number}": "text" for number in range(50)})
    assert store.facts().entries == 50
    assert store.amounts().by_start["fragment:a"][0] == 50
    store.clear()
    assert store.facts().entries == 0
    store._client.close()


@pytest.mark.parametrize("is_pylibmc", [True, False])
def test_memcached_tells_how_much_is_on_its_servers(
    memcached_port: int, is_pylibmc: bool
) -> None:
    address = f"127.0.0.1:{memcached_port}"
    client = (
        pytest.importorskip("pylibmc").Client([address])
        if is_pylibmc
        else pymemcache.PooledClient(address)
    )
    store = MemcachedStore(client, key_prefix="facts_")
    before = store.facts()
    store.set(f"a{is_pylibmc}", "text")
    after = store.facts()
    store.close()
    assert (before.entries, before.bytes) != (None, None)
    # With the first entry, the store writes down which entries are its own.
    assert after.entries is not None
    assert before.entries is not None
    assert 1 <= after.entries - before.entries <= 2
    assert after.note
    assert MemcachedStore([address], key_prefix="p").where == (
        f"Memcached at {address}, keys that begin with 'p'"
    )
