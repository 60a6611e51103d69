"""Stores that are used before and after their process forks."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pymemcache
import pytest
import redis

from jinja_fragcache.stores import (
    FileStore,
    MemcachedStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    SpreadMemcachedStore,
    TextSerializer,
)
from tests import servers
from tests.forking import Child
from tests.servers import Server
from tests.stores import fork_workers
from tests.stores.fork_workers import KEYS, count_wrong, text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no fork"),
]

USER = "ann@shop.test"
PASSWORD = "correct-horse"
Fixture = Callable[[str], Any]


def pylibmc_store(fixture: Fixture) -> MemcachedStore:
    pytest.importorskip("pylibmc")
    return MemcachedStore([f"127.0.0.1:{fixture('memcached_port')}"], key_prefix="f:")


def pymemcache_store(fixture: Fixture) -> MemcachedStore:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "pylibmc", None)
        return MemcachedStore(
            [f"127.0.0.1:{fixture('memcached_port')}"], key_prefix="f:"
        )


def ready_pymemcache_store(fixture: Fixture) -> MemcachedStore:
    client = pymemcache.PooledClient(
        ("127.0.0.1", fixture("memcached_port")), max_pool_size=8, timeout=10
    )
    return MemcachedStore(client, key_prefix="f:")


def ready_pylibmc_store(fixture: Fixture) -> MemcachedStore:
    pylibmc: Any = pytest.importorskip("pylibmc")
    client = pylibmc.Client([f"127.0.0.1:{fixture('memcached_port')}"])
    return MemcachedStore(client, key_prefix="f:")


def sasl_store(fixture: Fixture) -> MemcachedStore:
    address = [f"127.0.0.1:{fixture('sasl_port')}"]
    return MemcachedStore(address, 300, "f:", USER, PASSWORD)


def spread_store(fixture: Fixture) -> MemcachedStore:
    address = [f"127.0.0.1:{fixture('memcached_port')}"]
    return SpreadMemcachedStore(address, key_prefix="f:", chunksize=5)


def redis_store(fixture: Fixture) -> RedisStore:
    return RedisStore("127.0.0.1", fixture("redis_port"), key_prefix="f:")


def ready_redis_store(fixture: Fixture) -> RedisStore:
    return RedisStore(redis.Redis(port=fixture("redis_port")), key_prefix="f:")


def single_connection_store(fixture: Fixture) -> RedisStore:
    client = redis.Redis(port=fixture("redis_port"), single_connection_client=True)
    return RedisStore(client, key_prefix="f:")


def sentinel_store(fixture: Fixture) -> RedisStore:
    sentinels = [("127.0.0.1", fixture("watched").sentinel)]
    return RedisSentinelStore(sentinels, "shop", PASSWORD, key_prefix="f:")


def cluster_store(fixture: Fixture) -> RedisStore:
    return RedisClusterStore(f"127.0.0.1:{fixture('cluster_ports')[0]}")


def ready_cluster_store(fixture: Fixture) -> RedisStore:
    port = fixture("cluster_ports")[0]
    return RedisClusterStore(redis.RedisCluster(host="127.0.0.1", port=port))


def file_store(fixture: Fixture) -> FileStore:
    return FileStore(str(fixture("tmp_path")))


STORES = [
    pylibmc_store,
    pymemcache_store,
    ready_pymemcache_store,
    ready_pylibmc_store,
    sasl_store,
    spread_store,
    redis_store,
    ready_redis_store,
    single_connection_store,
    sentinel_store,
    cluster_store,
    ready_cluster_store,
    file_store,
]


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    store = request.param(request.getfixturevalue)
    for key in KEYS:
        store.set(key, text(key))
    assert count_wrong(store, 100) == 0
    yield store
    close = getattr(store, "close", None)
    if close is None and hasattr(store, "_client"):
        close = store._client.close
    if close is not None:
        close()


def test_children_never_read_what_others_asked_for(store: Any) -> None:
    children = [Child(lambda: count_wrong(store, 2000)) for _ in range(2)]
    assert count_wrong(store, 2000) == 0
    assert [each.result() for each in children] == [0, 0]
    assert count_wrong(store, 100) == 0


def test_so_it_is_in_children_of_children(store: Any) -> None:
    def in_child() -> list[int]:
        first = count_wrong(store, 100)
        grandchild = Child(lambda: count_wrong(store, 500))
        return [first, count_wrong(store, 500), grandchild.result()]

    assert Child(in_child).result() == [0, 0, 0]


def test_a_child_works_whose_parent_was_using_the_store_in_threads(
    store: Any,
) -> None:
    stop = threading.Event()
    wrong: list[int] = []

    def load() -> None:
        while not stop.is_set():
            wrong.append(count_wrong(store, 50))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for each in threads:
        each.start()
    try:
        for _ in range(10):
            assert Child(lambda: count_wrong(store, 50)).result() == 0
    finally:
        stop.set()
        for each in threads:
            each.join()
    assert sum(wrong) == 0


# Ends as a worker of a server does, after which Python deletes all objects.
_ENDING = """
import os, sys
from jinja_fragcache.stores import MemcachedStore
store = MemcachedStore(["127.0.0.1:%d"], key_prefix="ends:")
store.set("k", "text")
for uses in (False, True):
    child = os.fork()
    if not child:
        if uses:
            assert store.get("k") == "text"
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert store.get("k") == "text"
os._exit(0)
"""


def test_a_child_that_ends_does_not_end_the_parent_s_connection(
    memcached_port: int,
) -> None:
    pytest.importorskip("pylibmc")
    subprocess.run(
        [sys.executable, "-c", _ENDING % memcached_port], check=True, timeout=60
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("kind", ["pylibmc", "pymemcache", "redis", "file"])
def test_processes_of_multiprocessing_read_what_they_asked_for(
    kind: str,
    method: str,
    memcached_port: int,
    redis_port: int,
    tmp_path: Path,
) -> None:
    if kind == "pylibmc":
        pytest.importorskip("pylibmc")
    port = redis_port if kind == "redis" else memcached_port
    fork_workers.begin(kind, port, str(tmp_path))
    assert fork_workers.work(200) == 0
    context = multiprocessing.get_context(method)
    # A forked process has the store of its parent, one that is started makes its own.
    initial: Any = (kind, port, str(tmp_path)) if method == "spawn" else None
    with context.Pool(
        2, fork_workers.begin if initial else None, initial or ()
    ) as processes:
        assert processes.map(fork_workers.work, [1000] * 4) == [0] * 4
    assert fork_workers.work(200) == 0
    fork_workers.end()


def test_a_lock_is_free_once_its_holder_was_killed_though_it_has_a_child(
    tmp_path: Path,
) -> None:
    store = FileStore(str(tmp_path))
    never_closed = ExitStack()

    def hold_and_die() -> int:
        never_closed.enter_context(store._folder.lock.held())
        return Child(lambda: time.sleep(50)).process

    grandchild = Child(hold_and_die).result()
    try:
        assert Child(lambda: store.set("k", "text")).result() is True
    finally:
        os.kill(grandchild, signal.SIGKILL)


@contextmanager
def gunicorn(**env: str) -> Iterator[Server]:
    pytest.importorskip("gunicorn")
    options = ("--bind", "127.0.0.1:{port}", "--chdir", str(Path.cwd()))
    with servers.running(
        sys.executable,
        *("-m", "gunicorn", "--preload", "-w", "4", "--threads", "2", *options),
        "tests.stores.fork_workers:application()",
        **env,
    ) as server:
        yield server


@contextmanager
def uwsgi(**env: str) -> Iterator[Server]:
    # The application is loaded before the workers are forked, unless it is `lazy-apps`.
    with servers.uwsgi_server(
        *("--master", "--processes=4", "--threads=2", "--die-on-term", "--no-orphans"),
        "--module=tests.stores.fork_workers:application()",
        **env,
    ) as server:
        yield server


@pytest.mark.parametrize("kind", ["pylibmc", "pymemcache", "redis", "file"])
@pytest.mark.parametrize("serving", [gunicorn, uwsgi])
def test_a_server_that_forks_a_loaded_application_serves_no_wrong_page(
    serving: Callable[..., AbstractContextManager[Server]],
    kind: str,
    memcached_port: int,
    redis_port: int,
    tmp_path: Path,
) -> None:
    if kind == "pylibmc":
        pytest.importorskip("pylibmc")
    port = redis_port if kind == "redis" else memcached_port
    env = {"FORK_STORE": kind, "FORK_PORT": str(port), "FORK_FOLDER": str(tmp_path)}
    with serving(**env) as server:
        found = fork_workers.request_pages(server.port, clients=8, requests=250)
        server.process.terminate()
        server.process.wait(30)
    assert found.wrong == 0
    # The one that loaded the application serves no page.
    assert len(found.processes) > 1
    assert server.process.pid not in found.processes


def test_a_ready_client_of_cachelib_keeps_to_redis_py_s_own_pools(
    redis_port: int,
) -> None:
    cachelib: Any = pytest.importorskip("cachelib")
    store = cachelib.RedisCache(redis.Redis(port=redis_port), key_prefix="c:")
    store.serializer = TextSerializer()
    for key in KEYS:
        store.set(key, text(key))
    children = [Child(lambda: count_wrong(store, 500)) for _ in range(2)]
    assert [each.result() for each in children] == [0, 0]
    store._read_client.close()
