"""The stores that the contract's tests run with, and what they run on."""

import asyncio
import http.client
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cachelib
import flask_caching
import pymemcache
import pytest
import redis
import redis.asyncio
from django.core.cache import cache
from flask import Flask
from pymemcache.client.base import PooledClient
from pymemcache.serde import pickle_serde

from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.near_adapter import NearAdapter
from jinja_fragcache.stores import (
    AsyncRedisClusterStore,
    AsyncRedisSentinelStore,
    AsyncRedisStore,
    FileStore,
    MemcachedStore,
    MemoryStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    SpreadMemcachedStore,
)
from jinja_fragcache.stores.near import NearMemory
from tests import servers
from tests.flask.custom_caches import SqliteCache
from tests.stores.contract import (
    FACES,
    FOR_EVER,
    Coroutines,
    Near,
    Subject,
    left,
    memcached_remaining,
)
from tests.support import Calls, Clock, CoroutineStore, configure_django

USER = "ann@shop.test"
PASSWORD = "correct-horse"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=FACES, ids="-".join)
def both(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[Subject, Calls]:
    """Provide a store and one of the faces of its adapter."""
    name, face = request.param
    subject: Subject = request.getfixturevalue(name)
    if face == "near":
        # A message of a change that was made here may come at any time.
        monkeypatch.setattr(NearAdapter, "_listen", lambda _: None)
        near = adapt(subject.store, NearMemory(600, timer=time.monotonic))
        return subject, Near(near, near.run)
    adapter = adapt(subject.store)
    if face == "sync":
        return subject, Calls(adapter, adapter.run)
    return subject, Coroutines(adapter, adapter.run_async)


@pytest.fixture
def subject(both: tuple[Subject, Calls]) -> Subject:
    return both[0]


@pytest.fixture
def face(both: tuple[Subject, Calls]) -> Calls:
    return both[1]


# In this process.


@pytest.fixture
def memory() -> Subject:
    store = MemoryStore()

    def remaining(key: str) -> float | str:
        expires_at = float(store._entries[key])
        return FOR_EVER if expires_at == float("inf") else expires_at - time.time()

    return Subject(store, remaining)


@pytest.fixture
def cachelib_simple() -> Subject:
    store = cachelib.SimpleCache()
    return Subject(store, lambda key: left(store._cache[key][0], time.time()))


@pytest.fixture
def flask_caching_cache() -> Iterator[Subject]:
    app = Flask(__name__)
    store = flask_caching.Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    with app.app_context():
        kept = store.cache._cache
        yield Subject(store, lambda key: left(kept[key][0], time.time()))


@pytest.fixture
def django_cache() -> Subject:
    configure_django()
    cache.clear()

    def remaining(key: str) -> float | str:
        return left(cache._expire_info[cache.make_key(key)], time.time())

    return Subject(cache, remaining)


@pytest.fixture
def coroutine() -> Subject:
    store = CoroutineStore()

    def remaining(key: str) -> float | str:
        timeout = store.inner.timeouts[key]
        return 300 if timeout is None else timeout or FOR_EVER

    return Subject(store, remaining)


@pytest.fixture
def custom_sqlite() -> Iterator[Subject]:
    """Provide the cache that docs/custom-caches.md shows."""
    store = SqliteCache(default_timeout=300)

    def remaining(key: str) -> float | str:
        select = "SELECT until FROM cache WHERE key = ?"
        ((until,),) = store._run(select, key)
        return FOR_EVER if until == float("inf") else until - time.time()

    yield Subject(store, remaining)
    store.close()


# In files.


@pytest.fixture
def cachelib_filesystem(tmp_path: Path) -> Subject:
    store = cachelib.FileSystemCache(str(tmp_path))

    def remaining(key: str) -> float | str:
        head = Path(store._get_filename(key)).read_bytes()[:4]
        return left(int.from_bytes(head, "little"), time.time())

    return Subject(store, remaining)


@pytest.fixture
def files(tmp_path: Path) -> Subject:
    store = FileStore(str(tmp_path))

    def remaining(key: str) -> float | str:
        head = store._path(key).read_bytes()[:8]
        return left(int.from_bytes(head, "little"), time.time())

    return Subject(store, remaining)


# On Redis.


def redis_subject(client: Any, store: Any) -> Subject:
    """Return the subject for a store whose keys begin with `store.key_prefix`."""

    def remaining(key: str) -> float | str:
        seconds: int = client.ttl(store.key_prefix + key)
        return FOR_EVER if seconds == -1 else seconds

    return Subject(store, remaining)


@pytest.fixture
def cachelib_redis(redis_port: int) -> Iterator[Subject]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        yield redis_subject(client, cachelib.RedisCache(client))


@pytest.fixture
def redis_texts(redis_port: int) -> Iterator[Subject]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        yield redis_subject(client, RedisStore(client, key_prefix="shop:"))


@pytest.fixture
def redis_sentinel(watched: servers.Watched) -> Iterator[Subject]:
    store = RedisSentinelStore(
        [("127.0.0.1", watched.sentinel)],
        master="shop",
        password=PASSWORD,
        key_prefix="shop:",
    )
    with redis.Redis(port=watched.master.port, password=PASSWORD) as client:
        client.flushall()
        yield redis_subject(client, store)
    store._client.close()


@pytest.fixture
def redis_cluster(cluster_ports: list[int]) -> Iterator[Subject]:
    nodes = ",".join(f"127.0.0.1:{port}" for port in cluster_ports)
    store = RedisClusterStore(nodes, key_prefix="shop:")
    with redis.RedisCluster(port=cluster_ports[0], host="127.0.0.1") as client:
        client.flushall()
        yield redis_subject(client, store)
    store._client.close()


# The same, awaited. Each call of these tests has an event loop of its own.


@pytest.fixture
def async_redis(redis_texts: Subject, redis_port: int) -> Subject:
    url = f"redis://127.0.0.1:{redis_port}"
    return Subject(AsyncRedisStore(url=url, key_prefix="shop:"), redis_texts.remaining)


@pytest.fixture
def async_redis_ready(redis_texts: Subject, redis_port: int) -> Subject:
    store = AsyncRedisStore(redis.asyncio.Redis(port=redis_port), key_prefix="shop:")
    # The first event loop leaves the client open, because it is not the store's.
    asyncio.run(close_ready(store))
    return Subject(store, redis_texts.remaining)


async def close_ready(store: AsyncRedisStore) -> None:
    assert await store.get("k") is None
    await store._client.connection_pool.disconnect()


@pytest.fixture
def async_redis_sentinel(redis_sentinel: Subject, watched: servers.Watched) -> Subject:
    store = AsyncRedisSentinelStore(
        [("127.0.0.1", watched.sentinel)],
        master="shop",
        password=PASSWORD,
        key_prefix="shop:",
    )
    return Subject(store, redis_sentinel.remaining)


@pytest.fixture
def async_redis_cluster(redis_cluster: Subject, cluster_ports: list[int]) -> Subject:
    nodes = ",".join(f"127.0.0.1:{port}" for port in cluster_ports)
    store = AsyncRedisClusterStore(nodes, key_prefix="shop:")
    return Subject(store, redis_cluster.remaining)


# On Memcached.


@pytest.fixture
def cachelib_memcached(memcached_port: int) -> Iterator[Subject]:
    address = ("127.0.0.1", memcached_port)
    client = PooledClient(address, serde=pickle_serde, default_noreply=False)
    store = cachelib.MemcachedCache(client)
    store.clear()
    yield Subject(store, lambda key: memcached_remaining(memcached_port, key))
    client.close()


@pytest.fixture
def memcached_pylibmc(memcached_port: int) -> Iterator[Subject]:
    pytest.importorskip("pylibmc")
    yield from memcached_subject(memcached_port)


@pytest.fixture
def memcached_pymemcache(
    monkeypatch: pytest.MonkeyPatch, memcached_port: int
) -> Iterator[Subject]:
    monkeypatch.setitem(sys.modules, "pylibmc", None)
    yield from memcached_subject(memcached_port)


@pytest.fixture
def memcached_spread(memcached_port: int) -> Iterator[Subject]:
    store = SpreadMemcachedStore(
        [f"127.0.0.1:{memcached_port}"], key_prefix="shop:", chunksize=10, maxchunk=9999
    )
    yield from memcached_subject(memcached_port, store)


@pytest.fixture(params=["memcached_pylibmc", "memcached_pymemcache"])
def memcached_store(request: pytest.FixtureRequest) -> MemcachedStore:
    """Run a test with each client. Other stores made in it have the same one."""
    store: MemcachedStore = request.getfixturevalue(request.param).store
    return store


def memcached_subject(
    port: int, store: MemcachedStore | None = None
) -> Iterator[Subject]:
    store = store or MemcachedStore([f"127.0.0.1:{port}"], key_prefix="shop:")
    store.clear()
    yield Subject(store, lambda key: memcached_remaining(port, store._full_key(key)))
    store.close()


@pytest.fixture
def memcached_sasl(
    sasl_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subject]:
    store = MemcachedStore([f"127.0.0.1:{sasl_port}"], 300, "shop:", USER, PASSWORD)
    store.clear()
    # The binary protocol can't tell how long an entry lives, so writes are recorded.
    written: dict[str, int] = {}
    client = store._client

    def record(name: str) -> None:
        write = getattr(client, name)

        def recording(what: Any, *arguments: Any) -> Any:
            for full_key in [what] if isinstance(what, str) else what:
                written[full_key] = arguments[-1]
            return write(what, *arguments)

        monkeypatch.setattr(client, name, recording)

    for name in ("set", "set_many", "set_if", "add"):
        record(name)
    yield Subject(store, lambda key: written[store._full_key(key)] or FOR_EVER)
    store.close()


@pytest.fixture
def pickler(memcached_port: int) -> Iterator[Any]:
    """Provide another client of the Memcached server, one that pickles."""
    client = pymemcache.Client(
        ("127.0.0.1", memcached_port), serde=pickle_serde, default_noreply=False
    )
    yield client
    client.close()


# In a uWSGI server.


@pytest.fixture(scope="session")
def uwsgi_port() -> Iterator[int]:
    """Provide the port of a uWSGI server that calls a store for the tests."""
    yield from servers.uwsgi(Path(__file__).with_name("uwsgi_app.py"))


class RemoteStore:
    """Stands for a store that lives in a uWSGI server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", "/", json.dumps([method, args, kwargs]))
        response = connection.getresponse()
        assert response.status == http.client.OK
        answer = json.loads(response.read())
        connection.close()
        return answer

    def get(self, key: str) -> Any:
        return self.call("get", key)

    def get_many(self, *keys: str) -> Any:
        return self.call("get_many", *keys)

    def set(self, key: str, value: Any, timeout: int | None = None) -> Any:
        return self.call("set", key, value, timeout=timeout)

    def set_many(self, mapping: dict[str, Any], timeout: int | None = None) -> Any:
        return self.call("set_many", mapping, timeout=timeout)

    def add(self, key: str, value: Any, timeout: int | None = None) -> Any:
        return self.call("add", key, value, timeout=timeout)

    def delete(self, key: str) -> Any:
        return self.call("delete", key)

    def delete_many(self, *keys: str) -> Any:
        return self.call("delete_many", *keys)

    def inc(self, key: str, delta: int = 1) -> Any:
        return self.call("inc", key, delta)

    def dec(self, key: str, delta: int = 1) -> Any:
        return self.call("dec", key, delta)

    def clear(self) -> Any:
        return self.call("clear")


@pytest.fixture
def uwsgi_store(uwsgi_port: int) -> RemoteStore:
    store = RemoteStore(uwsgi_port)
    store.clear()
    return store


@pytest.fixture
def uwsgi(uwsgi_store: RemoteStore) -> Subject:
    def remaining(key: str) -> float | str:
        seconds: int = uwsgi_store.call("remaining", key)
        return seconds or FOR_EVER

    return Subject(uwsgi_store, remaining)
