from collections.abc import Iterator
from typing import Any

import pytest
import redis

from jinja_fragcache.stores import RedisStore, redis_changes
from jinja_fragcache.stores.redis_changes import RedisChanges
from tests import servers


@pytest.fixture
def client(redis_port: int) -> Iterator[Any]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        yield client


@pytest.fixture
def changes(redis_port: int, client: Any) -> Iterator[RedisChanges]:
    store = RedisStore("127.0.0.1", redis_port, key_prefix="shop:")
    changes = store.changes()
    changes.open()
    yield changes
    changes.close()
    store._client.close()


def told(changes: RedisChanges) -> Any:
    """Return the next message that names keys, or None for all."""
    while True:
        keys = changes.wait()
        if keys is None or keys:
            return keys


def test_it_tells_the_keys_that_others_change(
    changes: RedisChanges, client: Any
) -> None:
    client.set("shop:a", "text")
    assert told(changes) == ["a"]
    client.set("other:b", "text")
    client.delete("shop:a")
    assert told(changes) == ["a"]
    client.set("shop:shop:ü", "text")
    assert told(changes) == ["shop:ü"]


def test_it_tells_what_a_script_changes(changes: RedisChanges, client: Any) -> None:
    client.eval("redis.call('SET', KEYS[1], 1)", 1, "shop:a")
    assert told(changes) == ["a"]


def test_it_tells_what_expires(changes: RedisChanges, client: Any) -> None:
    client.set("shop:a", "text")
    assert told(changes) == ["a"]
    client.pexpire("shop:a", 1)
    assert told(changes) == ["a"]
    servers.wait_for(lambda: not client.exists("shop:a"))
    assert told(changes) == ["a"]


def test_it_tells_that_all_was_deleted(changes: RedisChanges, client: Any) -> None:
    client.flushall()
    assert told(changes) is None


def test_a_key_that_is_no_text_is_not_told(changes: RedisChanges, client: Any) -> None:
    client.set(b"shop:\xff", "text")
    client.set("shop:a", "text")
    assert told(changes) == ["a"]


def test_a_server_that_says_nothing_is_asked_whether_it_is_there(
    changes: RedisChanges, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_changes, "_IDLE_SECONDS", 0.01)
    pings = client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0)
    # Three times nothing: the first asks, and the second gets the answer.
    assert [changes.wait() for _ in range(3)] == [(), (), ()]
    assert client.info("commandstats")["cmdstat_ping"]["calls"] > pings
    client.set("shop:a", "text")
    assert told(changes) == ["a"]


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_changes, "_IDLE_SECONDS", 0.01)
    with servers.running(*servers.REDIS) as server:
        store = RedisStore("127.0.0.1", server.port, key_prefix="shop:")
        changes = store.changes()
        changes.open()
        with servers.paused(server.process.pid):
            assert changes.wait() == ()
            with pytest.raises(TimeoutError, match="does not answer"):
                changes.wait()
        changes.close()
        store._client.close()


def test_a_connection_that_ended_is_an_error(
    changes: RedisChanges, client: Any
) -> None:
    for each in client.client_list(_type="pubsub"):
        client.client_kill_filter(_id=each["id"])
    with pytest.raises(redis.ConnectionError):
        told(changes)
    # And it can be opened again.
    changes.close()
    changes.open()
    client.set("shop:a", "text")
    assert told(changes) == ["a"]


def test_no_connection_of_the_pool_is_used(redis_port: int) -> None:
    client = redis.Redis(port=redis_port, max_connections=1)
    store = RedisStore(client, key_prefix="shop:")
    changes = store.changes()
    changes.open()
    store.set("a", "text")
    assert told(changes) == ["a"]
    changes.close()
    client.close()
