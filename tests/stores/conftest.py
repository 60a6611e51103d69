"""Stores on servers, for the contract and for the tests of their modules."""

import http.client
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from jinja_fragcache.stores import (
    MemcachedStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    SpreadMemcachedStore,
    Store,
)
from tests import servers
from tests.flask.custom_caches import SqliteCache

FOR_EVER = "for ever"
PASSWORD = "correct-horse"  # noqa: S105 - of a server that the tests start


@dataclass
class ServerSubject:
    """A store, and how to see how long an entry in it has left, by other means."""

    store: Store
    remaining: Callable[[str], float | str]


def redis_subject(store: RedisStore, client: Any) -> ServerSubject:
    def remaining(key: str) -> float | str:
        seconds: int = client.ttl(store._full_key(key))
        return FOR_EVER if seconds == -1 else seconds

    return ServerSubject(store, remaining)


@pytest.fixture
def redis_sentinel(watched: servers.Watched) -> Iterator[ServerSubject]:
    store = RedisSentinelStore(
        [("127.0.0.1", watched.sentinel)],
        master="shop",
        password=PASSWORD,
        key_prefix="shop:",
    )
    with redis.Redis(port=watched.master.port, password=PASSWORD) as client:
        client.flushall()
        yield redis_subject(store, client)
    store._client.close()


@pytest.fixture
def redis_cluster(cluster_ports: list[int]) -> Iterator[ServerSubject]:
    nodes = ",".join(f"127.0.0.1:{port}" for port in cluster_ports)
    store = RedisClusterStore(nodes, key_prefix="shop:")
    with redis.RedisCluster(port=cluster_ports[0], host="127.0.0.1") as client:
        client.flushall()
        yield redis_subject(store, client)
    store._client.close()


@pytest.fixture
def memcached_pylibmc(memcached_port: int) -> Iterator[ServerSubject]:
    pytest.importorskip("pylibmc")
    yield from memcached_subject(memcached_port)


@pytest.fixture
def memcached_pymemcache(
    monkeypatch: pytest.MonkeyPatch, memcached_port: int
) -> Iterator[ServerSubject]:
    monkeypatch.setitem(sys.modules, "pylibmc", None)
    yield from memcached_subject(memcached_port)


@pytest.fixture(params=["memcached_pylibmc", "memcached_pymemcache"])
def memcached_store(request: pytest.FixtureRequest) -> MemcachedStore:
    """Run a test with each client. Other stores made in it have the same one."""
    store: MemcachedStore = request.getfixturevalue(request.param).store
    return store


def memcached_subject(
    port: int, store: MemcachedStore | None = None
) -> Iterator[ServerSubject]:
    store = store or MemcachedStore([f"127.0.0.1:{port}"], key_prefix="shop:")
    store.clear()

    def remaining(key: str) -> float | str:
        seconds = memcached_life(port, store._full_key(key))
        return FOR_EVER if seconds == -1 else seconds

    yield ServerSubject(store, remaining)
    store.close()


def memcached_life(port: int, place: str) -> int:
    """Ask a server for the seconds that an entry has left; -1 for ever."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"mg %s t\r\n" % place.encode())
        return int(connection.recv(100).split(b"t")[1])


USER = "ann@shop.test"


@pytest.fixture
def memcached_sasl(
    sasl_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServerSubject]:
    store = MemcachedStore([f"127.0.0.1:{sasl_port}"], 300, "shop:", USER, PASSWORD)
    store.clear()
    # The binary protocol does not tell how long an entry lives, so it is noted.
    written: dict[str, int] = {}
    client = store._client

    def note(name: str) -> None:
        write = getattr(client, name)

        def noting(what: Any, *arguments: Any) -> Any:
            for place in [what] if isinstance(what, str) else what:
                written[place] = arguments[-1]
            return write(what, *arguments)

        monkeypatch.setattr(client, name, noting)

    for name in ("set", "set_many", "add"):
        note(name)
    yield ServerSubject(store, lambda key: written[store._full_key(key)] or FOR_EVER)
    store.close()


@pytest.fixture
def memcached_spread(memcached_port: int) -> Iterator[ServerSubject]:
    store = SpreadMemcachedStore(
        [f"127.0.0.1:{memcached_port}"], key_prefix="shop:", chunksize=10, maxchunk=99
    )
    yield from memcached_subject(memcached_port, store)


@pytest.fixture(scope="session")
def uwsgi_port() -> Iterator[int]:
    """Give the port of a uWSGI server that calls a store for the tests."""
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
def uwsgi(uwsgi_store: RemoteStore) -> ServerSubject:
    def remaining(key: str) -> float | str:
        seconds: int = uwsgi_store.call("remaining", key)
        return seconds or FOR_EVER

    return ServerSubject(uwsgi_store, remaining)


@pytest.fixture
def custom_sqlite() -> Iterator[ServerSubject]:
    """Give the cache that shows how to write one."""
    store = SqliteCache(default_timeout=300)

    def remaining(key: str) -> float | str:
        select = "SELECT until FROM cache WHERE key = ?"
        ((until,),) = store._run(select, key)
        return FOR_EVER if until == float("inf") else until - time.time()

    yield ServerSubject(store, remaining)
    store.close()
