import pytest
import redis

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import RedisStore


def test_redis_holds_the_text_as_it_is(redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        RedisStore(client, key_prefix="shop:").set("k", "<p>text</p>")
        assert client.get("shop:k") == b"<p>text</p>"


@pytest.mark.parametrize("prefix", ["shop:", "sh*p:", "s[a]h?:", "back\\slash:"])
def test_clear_deletes_only_what_has_the_prefix(redis_port: int, prefix: str) -> None:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        client.set("ship:other", "kept")
        client.set("sah_:other", "kept")
        client.set("other", "kept")
        store = RedisStore(client, key_prefix=prefix)
        for number in range(1200):
            store.set(str(number), "text", timeout=30)
        assert client.dbsize() == 1203
        store.clear()
        assert sorted(client.scan_iter()) == [b"other", b"sah_:other", b"ship:other"]
        store.clear()


def test_clear_without_a_prefix_is_refused(redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.set("other", "kept")
        with pytest.raises(StoreError, match="Set CACHE_KEY_PREFIX"):
            RedisStore(client).clear()
        assert client.get("other") == b"kept"
