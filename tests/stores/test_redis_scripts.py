import redis

from jinja_fragcache.stores import RedisStore, Timed


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
