from pathlib import Path

import pytest
import redis

from jinja_fragcache.stores import RedisSentinelStore, RedisStore
from jinja_fragcache.stores.checksum import with_checksum
from tests import servers

PASSWORD = "correct-horse"


@pytest.mark.slow
def test_the_store_follows_the_sentinels_to_a_new_master(tmp_path: Path) -> None:
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
            assert client.get("shop:new") == with_checksum("shop:new", b"text")
        assert store.get("k") == "text"
        store._client.close()


def is_kept(store: RedisStore, key: str) -> bool:
    try:
        return bool(store.set(key, "text"))
    except (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError):
        return False


def test_the_replica_is_not_read(watched: servers.Watched) -> None:
    store = RedisSentinelStore(
        [("127.0.0.1", watched.sentinel)], "shop", PASSWORD, db=0
    )
    with redis.Redis(port=watched.replica.port, password=PASSWORD) as replica:
        replica.config_resetstat()
        store.set("k", "text")
        assert store.get("k") == "text"
        assert "cmdstat_get" not in replica.info("commandstats")
    store._client.close()
