"""Which class a client has that a store makes, and when it is imported."""

import sys
from subprocess import run
from typing import Any

import pytest
import redis

from jinja_fragcache.stores import (
    AsyncRedisSentinelStore,
    AsyncRedisStore,
    RedisSentinelStore,
    RedisStore,
)
from tests.faulty_proxy import Cut, faulty_proxy, redis_reply
from tests.stores.once import KINDS, Kind, calling

STORES: dict[str, tuple[Any, Any]] = {
    "redis": (RedisStore, RedisSentinelStore),
    "redis.asyncio": (AsyncRedisStore, AsyncRedisSentinelStore),
}
each_kind = pytest.mark.parametrize("kind", KINDS, ids=["plain", "async"])


def classes(kind: Kind, options: dict[str, Any]) -> set[type]:
    """Return the classes of the clients that stores make with options."""
    of_server, of_sentinels = STORES[kind.library.root]
    stores = [
        of_server("127.0.0.1", **options),
        of_server(url="redis://127.0.0.1", **options),
        of_sentinels([("127.0.0.1", 1)], **options),
    ]
    return {type(store._sample) for store in stores}


def retry(kind: Kind) -> Any:
    return kind.library.part("retry").Retry(redis.backoff.NoBackoff(), 1)


@each_kind
@pytest.mark.parametrize(
    "options", [{}, {"max_connections": 3}, {"protocol": 2}, {"protocol": "2"}]
)
def test_the_clients_that_stores_make_try_once(kind: Kind, options: Any) -> None:
    assert classes(kind, options) == {kind.once}


@each_kind
def test_those_that_have_to_do_more_are_of_redis_py(kind: Kind) -> None:
    for options in ({"retry": retry(kind)}, {"protocol": 3}):
        assert classes(kind, options) == {kind.plain}
    for name in ("connection_pool", "single_connection_client"):
        assert kind.library.client_class({name: True}) is kind.plain


@each_kind
@pytest.mark.parametrize(("version", "is_once"), [(2, True), (3, False)])
def test_the_query_of_a_url_counts_as_well(
    kind: Kind, version: int, is_once: bool
) -> None:
    of_server, _ = STORES[kind.library.root]
    store = of_server(url=f"redis://127.0.0.1?protocol={version}")
    assert type(store._sample) is (kind.once if is_once else kind.plain)


@each_kind
def test_a_class_that_a_program_has_put_in_place_of_redis_py_s_is_used(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = type("Other", (kind.plain,), {})
    monkeypatch.setattr(kind.library.part(), "Redis", other)
    assert kind.loaded_anew().__base__ is kind.plain
    assert classes(kind, {}) == {other}


@each_kind
def test_a_client_that_is_given_retries_tries_again(
    kind: Kind, redis_port: int
) -> None:
    # Version 5.0.0 tries again only after these errors.
    options = {"retry": retry(kind), "retry_on_error": [redis.ConnectionError]}
    made_of = kind.library.client_class(options)
    with (
        faulty_proxy(redis_port, redis_reply) as proxy,
        calling(kind, proxy.port, made_of, **options) as caller,
    ):
        caller.call("set", "a", "1")
        proxy.start([Cut(0)])
        assert caller.call("get", "a") == b"1"
        assert len(proxy.happened) == 1


def test_version_3_of_the_protocol_can_be_asked_for(redis_port: int) -> None:
    store = RedisStore("127.0.0.1", redis_port, key_prefix="three:", protocol=3)
    store.set_many({"a": "x", "b": "y"})
    for _ in range(4):
        assert store.get_many("a", "b") == ["x", "y"]
    store._client.close()


def test_redis_py_is_not_imported_before_a_store_needs_it() -> None:
    script = """
import sys
from jinja_fragcache.stores import AsyncRedisStore, RedisStore
assert "redis" not in sys.modules
RedisStore()
assert "jinja_fragcache.stores.redis_once" in sys.modules
assert "jinja_fragcache.stores.redis_once_async" not in sys.modules
"""
    run([sys.executable, "-c", script], check=True)
