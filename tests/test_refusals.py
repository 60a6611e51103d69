"""Pages on stores that answer, but refuse to read, to write or to delete."""

import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cachelib
import pymemcache
import pytest
import redis
from pymemcache.serde import pickle_serde

from jinja_fragcache import FragmentCache, make_template_fragment_key
from jinja_fragcache.errors import StoreError
from jinja_fragcache.keys.beside import lock_keys, version_key
from jinja_fragcache.stores import (
    FileStore,
    MemcachedStore,
    RedisClusterStore,
    RedisStore,
    TextSerializer,
)
from tests import servers
from tests.support import environment

PAGE = (
    '{% cache 60, "a" %}{{ body() }}{% endcache %}'
    '{% cache 60, "b", tags=["t"] %}{{ body() }}{% endcache %}'
)
A = make_template_fragment_key("a")
B = make_template_fragment_key("b")


class Site:
    """A page of two fragments on a store."""

    def __init__(self, store: Any, **options: Any) -> None:
        self.cache = FragmentCache(store, **options)
        self.bodies = 0
        self._page = environment(store=self.cache).from_string(PAGE)

    def page(self) -> str:
        def body() -> str:
            self.bodies += 1
            return "text."

        return self._page.render(body=body)

    def quickly(self) -> str:
        """Render the page, which must not wait for a lock that nobody holds."""
        started = time.monotonic()
        page = self.page()
        assert time.monotonic() - started < 5
        return page


# A value of another type.


def lists(client: Any, prefix: str, keys: list[str]) -> None:
    for key in keys:
        client.delete(prefix + key)
        client.rpush(prefix + key, "not a text")


def own_store(client: Any) -> Any:
    return RedisStore(client, key_prefix="wrong:")


def store_of_cachelib(client: Any) -> Any:
    store: Any = cachelib.RedisCache(client, key_prefix="wrong:")
    store.serializer = TextSerializer()
    return store


@pytest.fixture
def client(redis_port: int) -> Iterator[Any]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        yield client


def test_a_key_of_another_type_is_a_miss_and_is_overwritten(client: Any) -> None:
    site = Site(own_store(client))
    assert site.page() == "text.text."
    keys = [key.decode().removeprefix("wrong:") for key in client.scan_iter("wrong:*")]
    assert len(keys) == 3
    client.rpush("other", "kept")
    for key in keys:
        before = site.bodies
        lists(client, "wrong:", [key])
        assert [site.quickly(), site.quickly()] == ["text.text."] * 2
        assert site.bodies == before + 1
        assert client.type("wrong:" + key) == b"string"
    assert site.cache.stats().failures == site.cache.stats().skipped == 0
    assert client.lrange("other", 0, -1) == [b"kept"]


def test_what_others_have_stored_is_overwritten(client: Any) -> None:
    # To read ahead fails once more.
    site = Site(own_store(client), prefetch=False)
    site.page()
    client.set(f"wrong:{A}", "a text without a checksum")
    for _ in range(3):
        assert site.page() == "text.text."
    assert site.bodies == 3
    # Each miss looks twice, the second time when it has the right to render.
    assert (site.cache.stats().failures, site.cache.stats().skipped) == (2, 0)


def test_a_lock_of_another_type_is_taken(client: Any) -> None:
    store = own_store(client)
    site = Site(store)
    locks: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        add = store.add_and_get_many

        def note(mapping: dict[str, Any], *others: Any, **more: Any) -> Any:
            locks.extend(mapping)
            return add(mapping, *others, **more)

        patched.setattr(store, "add_and_get_many", note)
        site.page()
    client.flushall()
    assert any(key.startswith("lock:") for key in locks)
    lists(client, "wrong:", locks)
    assert [site.quickly(), site.quickly()] == ["text.text."] * 2
    assert site.bodies == 4
    assert site.cache.stats().failures == 0


# What others have stored as a text, which has no checksum.
FOREIGN = [b"text", b"", b"\xff", b"\x80\x04.", b"1.5"]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_others_have_stored_under_any_key_is_overwritten(
    client: Any, foreign: bytes
) -> None:
    # The version of a tag, too: else no entry could have this tag any more.
    site = Site(own_store(client))
    site.page()
    keys = list(client.scan_iter("wrong:*"))
    assert len(keys) == 3
    for key in keys:
        before = site.bodies
        client.set(key, foreign)
        assert [site.quickly(), site.quickly()] == ["text.text."] * 2
        assert site.bodies == before + 1
    assert site.cache.stats().skipped == 0
    site.cache.invalidate_tags("t")
    site.page()
    assert site.bodies == before + 2


@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_others_have_stored_under_a_lock_holds_nobody_up(
    client: Any, foreign: bytes
) -> None:
    site = Site(own_store(client))
    for key in lock_keys([A, B]):
        client.set("wrong:" + key, foreign)
    assert [site.quickly(), site.quickly()] == ["text.text."] * 2
    assert site.bodies == 2
    assert not list(client.scan_iter("wrong:lock:*"))


def test_what_is_stored_while_others_texts_are_replaced_stays(client: Any) -> None:
    store = own_store(client)
    client.set("wrong:a", "foreign")
    once = store._client.eval

    def eval_(*script: Any) -> Any:
        answer = once(*script)
        store.set("a", "of another process")
        return answer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store._client, "eval", eval_)
        assert not store.add("a", "text", 30)
    assert store.get("a") == "of another process"
    assert not store.add("a", "text", 30)


def test_the_breaker_stays_closed_for_other_stores_too(client: Any) -> None:
    # Redis takes a value of another type for none if it is asked for many keys.
    site = Site(store_of_cachelib(client), prefetch=False)
    site.page()
    lists(client, "wrong:", [A])
    assert [site.page(), site.page()] == ["text.text."] * 2
    assert site.bodies == 3
    stats = site.cache.stats()
    # Each miss looks twice, the second time when it has the right to render.
    assert (stats.failures, stats.skipped) == (2, 0)


@pytest.mark.parametrize(
    "error",
    [
        redis.ResponseError("WRONGTYPE Operation against a key"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        pickle.UnpicklingError("invalid load key"),
    ],
)
def test_an_unreadable_value_does_not_close_the_store(error: Exception) -> None:
    class Store(cachelib.SimpleCache):
        def get(self, key: str) -> Any:
            if key == A and not self.is_written:
                raise error
            return super().get(key)

        is_written = False

        def set(self, key: str, value: Any, timeout: Any = None) -> Any:
            self.is_written |= key == A
            return super().set(key, value, timeout)

    site = Site(Store())
    assert [site.page(), site.page()] == ["text.text."] * 2
    assert site.bodies == 2
    assert site.cache.stats().failures == 2
    assert site.cache.stats().skipped == 0


def test_in_a_cluster_too(cluster_ports: list[int]) -> None:
    store = RedisClusterStore(f"127.0.0.1:{cluster_ports[0]}", key_prefix="wrong:")
    client = store._client
    lists(client, "wrong:", list("abc"))
    assert store.get_many(*"abc") == [None] * 3
    assert store.get("a") is None
    assert not store.has("a")
    assert store.add("a", "text")
    assert sorted(store.add_many({"a": "no", "b": "text", "c": 5}, 30)) == ["b", "c"]
    assert store.get_many(*"abc") == ["text", "text", 5]
    lists(client, "wrong:", ["a"])
    assert store.delete_many_if_equal(["a", "b"], "text") == ["b"]
    client.close()


def test_a_value_of_another_memcached_client_is_overwritten(
    memcached_port: int,
) -> None:
    other = pymemcache.Client(
        ("127.0.0.1", memcached_port), serde=pickle_serde, default_noreply=False
    )
    store = MemcachedStore([f"127.0.0.1:{memcached_port}"])
    for key in "ab":
        other.set(key, "a text with a flag")
    assert store.add("a", "text", 30) is True
    assert store.add("a", "second", 30) is False
    assert store.add_many({"a": "third", "b": "text"}, 30) == ["b"]
    assert store.get_many("a", "b") == ["text", "text"]
    store.delete_many("a", "b")
    other.close()
    store.close()


# Writes that are refused.


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Forbid writing to a folder. Root becomes another user for that."""
    user = os.geteuid()
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's folder, which only the user that runs the tests can reach.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
@pytest.mark.parametrize("has_lock_file", [True, False])
def test_a_folder_that_can_not_be_written_holds_up_no_page(
    folder: Path, caplog: pytest.LogCaptureFixture, *, has_lock_file: bool
) -> None:
    site = Site(FileStore(str(folder)))
    if has_lock_file:
        site.page()
        site.cache.clear()
    with unwritable(folder):
        site.bodies = 0
        before = len(caplog.records)
        assert site.quickly() == "text.text."
        assert site.bodies == 2
        # One for each fragment, and one for the version of the tag.
        stats = site.cache.stats()
        assert 2 <= stats.failures <= 3
        assert len(caplog.records) - before == stats.failures
        assert stats.skipped == 0
        assert "Permission denied" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
def test_one_fragment_fails_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = FragmentCache(FileStore(str(folder)))
    template = environment(store=cache).from_string(
        '{% cache 60, "a" %}text{% endcache %}'
    )
    with unwritable(folder):
        assert template.render() == "text"
    assert cache.stats().failures == 1
    (record,) = caplog.records
    assert "could not lock" in record.message


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
def test_what_a_folder_has_that_can_not_be_written_is_served(folder: Path) -> None:
    store = FileStore(str(folder), mode=0o644)
    site = Site(store)
    site.page()
    with unwritable(folder):
        for _ in range(2):
            assert site.cache.get(A) == "text."
        with pytest.raises(StoreError, match="could not delete"):
            site.cache.delete_fragment("a")
        with pytest.raises(StoreError):
            site.cache.clear()
        with pytest.raises(StoreError):
            site.cache.invalidate_tags("t")


def test_a_full_disk_holds_up_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(FileStore(str(tmp_path)))

    def full(*_: object, **__: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    assert site.quickly() == "text.text."
    assert site.bodies == 2
    assert site.cache.stats().failures == len(caplog.records) >= 2
    assert site.cache.stats().skipped == 0
    assert "No space left on device" in caplog.text


@contextmanager
def read_only_replica(client: Any) -> Iterator[None]:
    client.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        client.replicaof("NO", "ONE")


@contextmanager
def out_of_memory(client: Any) -> Iterator[None]:
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)


@contextmanager
def without_replicas(client: Any) -> Iterator[None]:
    """Refuse writes as a server does that has lost its replicas (NOREPLICAS)."""
    client.config_set("min-replicas-to-write", 3)
    try:
        yield
    finally:
        client.config_set("min-replicas-to-write", 0)


@contextmanager
def read_only_user(client: Any) -> Iterator[None]:
    client.execute_command("ACL", "SETUSER", "default", "-@write", "-@scripting")
    try:
        yield
    finally:
        client.execute_command("ACL", "SETUSER", "default", "+@all")


REFUSING: list[Callable[[Any], Any]] = [
    read_only_replica,
    without_replicas,
    read_only_user,
]


@pytest.mark.parametrize("refusing", REFUSING)
def test_a_server_that_refuses_writes_serves_what_it_has(
    client: Any, refusing: Callable[[Any], Any]
) -> None:
    site = Site(own_store(client))
    template = environment(store=site.cache).from_string(
        '{% cache 60, "kept" %}{{ body() }}{% endcache %}'
    )
    assert template.render(body=lambda: "kept") == "kept"
    with refusing(client):
        assert site.quickly() == "text.text."
        stats = site.cache.stats()
        assert stats.failures >= 2
        assert stats.skipped == 0
        assert template.render(body=lambda: "new") == "kept"
        deletes: list[Callable[[], object]] = [
            lambda: site.cache.delete_fragment("kept"),
            lambda: site.cache.invalidate_tags("t"),
            site.cache.clear,
        ]
        for delete in deletes:
            with pytest.raises(StoreError, match="may still be"):
                delete()
    assert template.render(body=lambda: "new") == "kept"


def test_a_server_without_memory_deletes(client: Any) -> None:
    site = Site(own_store(client))
    site.page()
    with out_of_memory(client):
        assert site.quickly() == "text.text."
        site.cache.delete_fragment("a")
        site.cache.invalidate_tags("t")
        assert site.quickly() == "text.text."
        assert site.bodies == 4
        assert site.cache.stats().failures >= 2
        assert site.cache.stats().skipped == 0
    assert site.page() == "text.text."


def test_a_key_that_the_user_may_not_use_does_not_close_the_store() -> None:
    with servers.running(*servers.REDIS) as server:
        with redis.Redis(port=server.port) as client:
            keys = ["~keys:fragment:b:*", "~keys:lock:*", "~keys:tag:*"]
            client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "+@all", *keys)
        store = RedisStore(
            "127.0.0.1", server.port, "pw", username="ann", key_prefix="keys:"
        )
        site = Site(store)
        for _ in range(3):
            assert site.quickly() == "text.text."
        # Only the first page has rendered both.
        assert site.bodies == 4
        stats = site.cache.stats()
        assert (stats.hits, stats.skipped) == (2, 0)
        assert stats.failures >= 3
        with pytest.raises(StoreError, match="may still be served"):
            site.cache.delete_fragment("a")
        site.cache.delete_fragment("b")
        store._client.close()


CLIENTS = ["pymemcache", "pylibmc"]


def without_other_clients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "pylibmc":
        pytest.importorskip("pylibmc")
    else:
        monkeypatch.setitem(sys.modules, "pylibmc", None)


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("name", CLIENTS)
def test_what_others_have_stored_in_memcached_is_overwritten(
    memcached_port: int, name: str, foreign: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_other_clients(name, monkeypatch)
    store = MemcachedStore([f"127.0.0.1:{memcached_port}"])
    store.delete_many(A, B, version_key("t"))
    other = pymemcache.Client(("127.0.0.1", memcached_port), default_noreply=False)
    site = Site(store)
    site.page()
    for key in (A, B, version_key("t"), *lock_keys([A, B])):
        if key.startswith("lock:"):
            store.delete_many(A, B)
        before = site.bodies
        other.set(key, foreign)
        assert site.quickly() == "text.text."
        assert site.bodies > before
        before = site.bodies
        assert site.page() == "text.text."
        assert site.bodies == before
    assert site.cache.stats().skipped == 0
    other.close()
    store.close()


def fill(port: int) -> None:
    """Fill a Memcached server with values of several sizes."""
    client = pymemcache.Client(("127.0.0.1", port), default_noreply=False)
    for size in (100_000, 10_000, 1000, 300, 100, 1):
        with suppress(pymemcache.MemcacheServerError):
            for number in range(100_000):
                client.set(f"{size}.{number}", b"x" * size)
    client.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_a_memcached_server_without_memory_deletes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_other_clients(name, monkeypatch)
    # With -M it evicts nothing.
    with servers.memcached_server("-M", "-m", "3") as server:
        store = MemcachedStore([f"127.0.0.1:{server.port}"], key_prefix="full:")
        site = Site(store)
        assert site.page() == "text.text."
        fill(server.port)
        assert site.quickly() == "text.text."
        assert (site.bodies, site.cache.stats().failures) == (2, 0)
        template = environment(store=site.cache).from_string(
            '{% cache 60, "large" %}{{ body() * 20000 }}{% endcache %}'
        )
        assert template.render(body=lambda: "text.") == "text." * 20_000
        stats = site.cache.stats()
        assert stats.failures >= 1
        assert stats.skipped == 0
        site.cache.delete_fragment("a")
        site.cache.invalidate_tags("t")
        assert site.quickly() == "text.text."
        assert site.bodies == 4
        store.close()


@pytest.mark.own_patience
@pytest.mark.parametrize("name", CLIENTS)
def test_half_of_the_memcached_servers_cost_one_wait_and_no_page(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_other_clients(name, monkeypatch)
    with servers.memcached_server() as one, servers.memcached_server() as other:
        addresses = [f"127.0.0.1:{each.port}" for each in (one, other)]
        store = MemcachedStore(addresses, key_prefix="half:")
        cache = FragmentCache(store, retry_after=3600)
        template = environment(store=cache).from_string(
            "{% for n in range(20) %}"
            '{% cache 60, "n", n %}{{ n }};{% endcache %}{% endfor %}'
        )
        text = "".join(f"{n};" for n in range(20))

        def delete_all() -> None:
            for n in range(20):
                cache.delete_fragment("n", [n])

        assert template.render() == template.render() == text
        assert cache.stats().hits == 20
        with servers.paused(other.process.pid):
            for _ in range(3):
                assert template.render() == text
            stats = cache.stats()
            assert stats.failures == 1
            assert stats.skipped >= 40
            with pytest.raises(StoreError):
                delete_all()
        store.close()


@pytest.mark.slow
@pytest.mark.own_patience
def test_half_a_cluster_costs_one_wait_and_no_page() -> None:
    with servers.redis_cluster() as ports:
        store = RedisClusterStore(f"127.0.0.1:{ports[0]}", key_prefix="half:")
        site = Site(store)
        assert site.page() == "text.text."
        with redis.Redis(port=ports[2]) as last, suppress(redis.ConnectionError):
            last.execute_command("SHUTDOWN", "NOSAVE")
        for _ in range(5):
            assert site.quickly() == "text.text."
        assert site.cache.stats().failures
        store._client.close()
