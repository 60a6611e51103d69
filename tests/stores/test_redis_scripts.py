import pytest
import redis

from jinja_fragcache.stores import RedisStore, Timed, redis_operations
from jinja_fragcache.stores.redis_scripts import MOST_ADDED_AND_READ


def test_many_keys_are_compared_in_one_script(redis_port: int) -> None:
    client = redis.Redis(port=redis_port)
    client.flushall()
    store = RedisStore(client, key_prefix="shop:")
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
    # All of it was done by the scripts, not by other commands of the client.
    assert store.get_many("a", "b", "c", "d") == ["text", None, 5, "7"]
    assert [client.ttl(f"shop:{key}") for key in "acd"] == [30, -1, 300]
    assert store.get_many(*locks.values()) == [None] * 4
    client.close()


def test_values_are_added_and_others_read_in_one_script(redis_port: int) -> None:
    client = redis.Redis(port=redis_port)
    client.flushall()
    store = RedisStore(client, key_prefix="shop:")
    store.set_many({"a": "text", "held": "theirs"}, 30)
    client.rpush("shop:list", "x")
    client.rpush("shop:other list", "x")
    client.config_resetstat()
    values = {"held": "mine", "free": "mine", "list": "mine"}
    wanted = ["a", "missing", "other list", "held"]
    assert store.add_and_get_many(values, wanted, 30) == (
        ["free", "list"],
        ["text", None, None, "theirs"],
    )
    assert store.add_and_get_many({"for ever": 7}, ["for ever"], 0) == (
        ["for ever"],
        [7],
    )
    calls = client.info("commandstats")
    assert calls["cmdstat_eval"]["calls"] == 2
    assert "cmdstat_setnx" not in calls
    assert store.get_many("held", "free", "list") == ["theirs", "mine", "mine"]
    left = [client.ttl(f"shop:{key}") for key in ("free", "list", "for ever")]
    assert left == [30, 30, -1]
    client.close()


def test_values_that_can_not_be_read_with_those_that_are_added_are_not_read(
    redis_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = redis.Redis(port=redis_port)
    client.flushall()
    store = RedisStore(client, key_prefix="shop:")
    client.set("shop:damaged", "no checksum")
    assert store.add_and_get_many({"a": "1"}, ["damaged"], 30) == (["a"], None)
    assert store.add_and_get_many({"b": "1"}, [], 30) == (["b"], None)
    monkeypatch.setattr(redis_operations, "MOST_ADDED_AND_READ", 3)
    assert store.add_and_get_many({"c": "1"}, ["a", "b"], 30) == (["c"], ["1", "1"])
    assert store.add_and_get_many({"d": "1"}, ["a", "b", "c"], 30) == (["d"], None)
    assert store.get_many("a", "b", "c", "d") == ["1"] * 4
    client.close()


def test_as_many_keys_are_added_and_read_as_lua_takes(redis_port: int) -> None:
    client = redis.Redis(port=redis_port)
    client.flushall()
    store = RedisStore(client, key_prefix="shop:")
    wanted = [str(number) for number in range(MOST_ADDED_AND_READ - 1)]
    added, read = store.add_and_get_many({"a": "1"}, wanted, 30)
    assert (added, read) == (["a"], [None] * len(wanted))
    client.close()
