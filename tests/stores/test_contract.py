"""One contract, run over every kind of store and both faces of its adapter."""

import asyncio
import hashlib
import math
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import cachelib
import flask_caching
import pytest
import redis
from django.core.cache import cache
from flask import Flask
from pymemcache.client.base import PooledClient
from pymemcache.serde import pickle_serde

from jinja_fragcache import FragmentCache
from jinja_fragcache.access.adapter import _lock_key, adapt
from jinja_fragcache.stores import (
    AsyncStore,
    FileStore,
    MemcachedStore,
    MemoryStore,
    RedisClusterStore,
    RedisStore,
    SpreadMemcachedStore,
    Store,
    SyncStore,
    Timed,
)
from tests import servers
from tests.support import (
    Clock,
    CoroutineStore,
    configure_django,
    environment,
    in_threads,
)

FOR_EVER = "for ever"
KEY = "fragment:row:0123"
TEXT = "<p>Grüße &amp; \U0001f98a</p>\n" * 3


@dataclass
class Subject:
    """A store, and how to see how long an entry in it has left, by other means."""

    store: Store
    remaining: Callable[[str], float | str]


class Coroutines:
    """The async face of an adapter, called from where nothing runs an event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return lambda *arguments: asyncio.run(method(*arguments))


def left(expires_at: float | None, now: float) -> float | str:
    return FOR_EVER if not expires_at else expires_at - now


@pytest.fixture
def memory() -> Subject:
    store = MemoryStore()

    def remaining(key: str) -> float | str:
        expires_at = store._entries[key].expires_at
        return FOR_EVER if expires_at == float("inf") else expires_at - time.monotonic()

    return Subject(store, remaining)


@pytest.fixture
def cachelib_simple() -> Subject:
    store = cachelib.SimpleCache()
    return Subject(store, lambda key: left(store._cache[key][0], time.time()))


@pytest.fixture
def cachelib_filesystem(tmp_path: Path) -> Subject:
    store = cachelib.FileSystemCache(str(tmp_path), hash_method=hashlib.sha256)
    return file_subject(store, tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Subject:
    return file_subject(FileStore(str(tmp_path)), tmp_path)


def file_subject(store: Store, folder: Path) -> Subject:
    def remaining(key: str) -> float | str:
        name = hashlib.sha256(key.encode()).hexdigest()
        head = (folder / name).read_bytes()[:4]
        return left(int.from_bytes(head, "little"), time.time())

    return Subject(store, remaining)


@pytest.fixture
def cachelib_redis(redis_port: int) -> Iterator[Subject]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        yield redis_subject(client, cachelib.RedisCache(client), prefix="")


@pytest.fixture
def redis_texts(redis_port: int) -> Iterator[Subject]:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        store = RedisStore(client, key_prefix="shop:")
        yield redis_subject(client, store, prefix="shop:")


def redis_subject(client: Any, store: Store, prefix: str) -> Subject:
    def remaining(key: str) -> float | str:
        seconds: int = client.ttl(prefix + key)
        return FOR_EVER if seconds == -1 else seconds

    return Subject(store, remaining)


@pytest.fixture
def cachelib_memcached(memcached_port: int) -> Iterator[Subject]:
    address = ("127.0.0.1", memcached_port)
    client = PooledClient(address, serde=pickle_serde, default_noreply=False)
    store = cachelib.MemcachedCache(client)
    store.clear()

    def remaining(key: str) -> float | str:
        with socket.create_connection(address) as connection:
            connection.sendall(b"mg %s t\r\n" % key.encode())
            seconds = int(connection.recv(100).split(b"t")[1])
        return FOR_EVER if seconds == -1 else seconds

    yield Subject(store, remaining)
    client.close()


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


# What holds for a store beyond the rest of the contract. The same stands in
# docs/stores.md. In how many round trips, TRIPS tells.
ADDS = "Of several callers at once that add a value, one does."
COUNTS = "Several may count at once."
TELLS = "It tells how long an entry has left."
PROMISES = {
    "memory": {ADDS, COUNTS, TELLS},
    "cachelib_simple": set(),
    "cachelib_filesystem": set(),
    "files": {ADDS, COUNTS, TELLS},
    "redis_texts": {ADDS, COUNTS, TELLS},
    "cachelib_redis": {ADDS, COUNTS},
    "cachelib_memcached": {ADDS},
    "redis_sentinel": {ADDS, COUNTS, TELLS},
    "redis_cluster": {ADDS, COUNTS, TELLS},
    "memcached_pylibmc": {ADDS, COUNTS},
    "memcached_pymemcache": {ADDS, COUNTS},
    "memcached_sasl": {ADDS, COUNTS},
    "memcached_spread": {ADDS, COUNTS},
    "uwsgi": {ADDS},
    "custom_sqlite": {ADDS},
    "flask_caching_cache": set(),
    "django_cache": {ADDS, COUNTS},
}


FACES = [
    *((store, "sync") for store in PROMISES),
    *((store, "async") for store in PROMISES),
    # It has no sync face; what it has instead, test_adapters shows.
    ("coroutine", "async"),
]


# The others are no process's but this one's, or have an `add` that is no lock.
WITHOUT_LOCKS = {
    "memory",
    "cachelib_simple",
    "cachelib_filesystem",
    "cachelib_redis",
    "flask_caching_cache",
    "coroutine",
}
with_locks = pytest.mark.parametrize(
    "both",
    [(store, face) for store, face in FACES if store not in WITHOUT_LOCKS],
    ids="-".join,
    indirect=True,
)


@pytest.fixture(params=FACES, ids="-".join)
def both(request: pytest.FixtureRequest) -> tuple[Subject, SyncStore]:
    name, face = request.param
    subject: Subject = request.getfixturevalue(name)
    sync, awaited = adapt(subject.store)
    return subject, sync if face == "sync" else cast("SyncStore", Coroutines(awaited))


@pytest.fixture
def subject(both: tuple[Subject, SyncStore]) -> Subject:
    return both[0]


@pytest.fixture
def face(both: tuple[Subject, SyncStore]) -> SyncStore:
    return both[1]


def test_what_is_not_there_is_none(face: SyncStore) -> None:
    assert face.get(KEY) is None


def test_what_was_set_is_there(face: SyncStore) -> None:
    face.set(KEY, TEXT, 30)
    assert face.get(KEY) == TEXT
    assert face.get(KEY + "4") is None


def test_an_empty_text_is_a_value(face: SyncStore) -> None:
    face.set(KEY, "", 30)
    assert face.get(KEY) == ""


def test_the_last_text_counts(face: SyncStore) -> None:
    face.set(KEY, "old", 30)
    face.set(KEY, "new", 30)
    assert face.get(KEY) == "new"


def test_a_deleted_entry_is_gone(face: SyncStore) -> None:
    face.set(KEY, TEXT, 30)
    face.delete(KEY)
    assert face.get(KEY) is None
    face.delete(KEY)


def test_clear_forgets_all(face: SyncStore) -> None:
    face.set(KEY, TEXT, 30)
    face.clear()
    assert face.get(KEY) is None


@pytest.mark.parametrize(("timeout", "seconds"), [(30, 30), (None, 300)])
def test_an_entry_has_its_timeout(
    face: SyncStore, subject: Subject, timeout: int | None, seconds: int
) -> None:
    face.set(KEY, TEXT, timeout)
    remaining = subject.remaining(KEY)
    assert isinstance(remaining, int | float)
    # Memcached counts in whole seconds, by a clock of its own.
    assert seconds - 20 < remaining <= seconds + 1


def test_zero_is_for_ever(face: SyncStore, subject: Subject) -> None:
    face.set(KEY, TEXT, 0)
    assert face.get(KEY) == TEXT
    assert subject.remaining(KEY) == FOR_EVER


@pytest.mark.parametrize("value", [0, -5, 2**63 - 1, "5", "-0"])
def test_numbers_and_texts_of_digits_are_told_apart(
    face: SyncStore, value: str | int
) -> None:
    face.set(KEY, value, 30)
    got = face.get(KEY)
    assert (type(got), got) == (type(value), value)


def test_many_are_set_got_and_deleted(face: SyncStore, subject: Subject) -> None:
    face.set_many({"a": TEXT, "b": 2}, 30)
    assert face.get_many(["b", "missing", "a"]) == [2, None, TEXT]
    assert subject.remaining("a") != FOR_EVER
    face.set("c", "kept", 30)
    face.delete_many(["a", "b", "missing"])
    assert face.get_many(["a", "b", "c"]) == [None, None, "kept"]


def test_none_are_set_got_and_deleted(face: SyncStore) -> None:
    face.set_many({}, 30)
    assert face.get_many([]) == []
    face.delete_many([])


def test_only_the_first_is_added(face: SyncStore, subject: Subject) -> None:
    assert face.add(KEY, "first", 30) is True
    assert face.add(KEY, "second", 30) is False
    assert face.get(KEY) == "first"
    assert subject.remaining(KEY) != FOR_EVER
    face.delete(KEY)
    assert face.add(KEY, "third", 0) is True
    assert subject.remaining(KEY) == FOR_EVER


def test_those_without_a_value_are_added(face: SyncStore, subject: Subject) -> None:
    face.set("b", "old", 0)
    assert face.add_many({"a": TEXT, "b": "new", "c": 3}, 30) == ["a", "c"]
    assert face.get_many(["a", "b", "c"]) == [TEXT, "old", 3]
    for key in ("a", "c"):
        remaining = subject.remaining(key)
        assert isinstance(remaining, int | float)
        assert 10 < remaining <= 31
    assert face.add_many({"a": TEXT, "d": ""}, 0) == ["d"]
    assert subject.remaining("d") == FOR_EVER
    assert face.add_many({}, 30) == []


def test_a_store_tells_what_is_left_or_none(
    face: SyncStore, request: pytest.FixtureRequest
) -> None:
    store, _ = request.node.callspec.params["both"]
    face.set("a", TEXT, 30)
    face.set("b", TEXT, 0)
    remaining = face.remaining("a")
    assert face.remaining("missing") is None
    if TELLS in PROMISES.get(store, ()):
        assert remaining is not None
        assert 10 < remaining <= 30
        assert face.remaining("b") == math.inf
        face.delete("a")
        assert face.remaining("a") is None
    else:
        assert (remaining, face.remaining("b")) == (None, None)


def promising(promise: str) -> pytest.MarkDecorator:
    """Run a test with the stores that promise something, on their sync faces."""
    stores = [store for store, promises in PROMISES.items() if promise in promises]
    return pytest.mark.parametrize(
        "both", [(store, "sync") for store in stores], ids="-".join, indirect=True
    )


@promising(ADDS)
def test_of_many_at_once_each_value_is_added_by_one(face: SyncStore) -> None:
    added: list[str] = []
    in_threads(8, lambda number: added.extend(face.add_many(numbers(number), 30)))
    assert sorted(added) == sorted(numbers(0))


@promising(COUNTS)
def test_of_many_at_once_no_count_is_lost(face: SyncStore) -> None:
    in_threads(4, lambda _: [face.increment(KEY, 1) for _ in range(25)])
    assert face.get(KEY) == 100


def numbers(number: int) -> dict[str, str | int]:
    """Give values for the same keys to each caller, who begin with different ones."""
    keys = ["a", "b", "c", "d"]
    at = number % len(keys)
    return dict.fromkeys([*keys[at:], *keys[:at]], number)


def test_a_store_tells_whether_it_has_locks(
    subject: Subject, request: pytest.FixtureRequest
) -> None:
    store, face = request.node.callspec.params["both"]
    has_locks = adapt(subject.store)[face == "async"].has_locks
    assert has_locks is (store not in WITHOUT_LOCKS)


@with_locks
def test_of_many_at_once_one_gets_each_lock(face: SyncStore) -> None:
    got: list[str] = []

    def lock(number: int) -> None:
        got.extend(face.lock(list(numbers(number)), str(number), 30))

    in_threads(8, lock)
    assert sorted(got) == sorted(numbers(0))


@with_locks
def test_the_locks_that_others_have_are_not_taken(face: SyncStore) -> None:
    assert face.lock(["b"], "theirs", 30) == ["b"]
    assert face.lock(["a", "b", "c"], "mine", 30) == ["a", "c"]
    face.unlock(["a", "b"], "mine")
    assert face.lock(["a", "b", "c"], "theirs", 30) == ["a"]
    assert face.lock([], "mine", 30) == []
    face.unlock([], "mine")


@with_locks
def test_of_many_those_are_stored_whose_locks_are_held(
    face: SyncStore, subject: Subject
) -> None:
    assert face.lock(["a", "b", "c", "d"], "mine", 45) == ["a", "b", "c", "d"]
    assert face.lock(["e"], "theirs", 45) == ["e"]
    face.delete("b")
    values: dict[str, Timed] = {
        "a": (TEXT, 30),
        "b": ("deleted", 30),
        "c": (3, None),
        "d": ("", 0),
        "e": ("theirs", 30),
    }
    assert face.set_locked(values, "mine") == ["a", "c", "d"]
    assert face.get_many(["a", "b", "c", "d", "e"]) == [TEXT, None, 3, "", None]
    for key, seconds in (("a", 30), ("c", 300)):
        remaining = subject.remaining(key)
        assert isinstance(remaining, int | float)
        assert seconds - 20 < remaining <= seconds + 1
    assert subject.remaining("d") == FOR_EVER
    # The locks of these went, and no others.
    assert face.lock(list("abcde"), "new", 45) == ["a", "b", "c", "d"]
    assert face.set_locked(values, "mine") == []
    assert face.set_locked({}, "mine") == []


@with_locks
def test_a_lock_has_its_time(face: SyncStore, subject: Subject) -> None:
    assert face.lock([KEY], "mine", 45)
    remaining = subject.remaining(_lock_key(KEY))
    assert isinstance(remaining, int | float)
    assert 25 < remaining <= 46


@with_locks
@pytest.mark.parametrize(("timeout", "seconds"), [(30, 30), (None, 300), (0, FOR_EVER)])
def test_what_is_stored_with_a_lock_has_its_timeout(
    face: SyncStore, subject: Subject, timeout: int | None, seconds: int | str
) -> None:
    assert face.lock([KEY], "mine", 45)
    assert face.set_locked({KEY: (TEXT, timeout)}, "mine")
    remaining = subject.remaining(KEY)
    if isinstance(seconds, str):
        assert remaining == seconds
    else:
        assert isinstance(remaining, int | float)
        assert seconds - 20 < remaining <= seconds + 1


@with_locks
def test_what_is_stored_with_a_lock_needs_it(face: SyncStore) -> None:
    assert face.lock([KEY], "mine", 30)
    assert not face.lock([KEY], "theirs", 30)
    assert not face.set_locked({KEY: ("theirs", 30)}, "theirs")
    assert face.get(KEY) is None
    assert face.set_locked({KEY: (TEXT, 30)}, "mine")
    assert face.get(KEY) == TEXT
    # The lock went with it.
    assert not face.set_locked({KEY: ("again", 30)}, "mine")
    assert face.get(KEY) == TEXT


@with_locks
@pytest.mark.parametrize(
    ("way", "arguments"), [("delete", [KEY]), ("delete_many", [[KEY]]), ("clear", [])]
)
def test_who_deletes_takes_the_lock_away(
    face: SyncStore, way: str, arguments: list[Any]
) -> None:
    assert face.lock([KEY], "mine", 30)
    getattr(face, way)(*arguments)
    assert face.lock([KEY], "theirs", 30)
    assert not face.set_locked({KEY: ("old", 30)}, "mine")
    assert face.get(KEY) is None
    assert face.set_locked({KEY: ("new", 30)}, "theirs")
    assert face.get(KEY) == "new"


@with_locks
def test_a_lock_is_let_go_by_who_has_it(face: SyncStore) -> None:
    assert face.lock([KEY], "mine", 30)
    face.unlock([KEY], "theirs")
    assert not face.lock([KEY], "theirs", 30)
    face.unlock([KEY], "mine")
    assert face.lock([KEY], "theirs", 30)
    face.unlock([KEY], "theirs")
    face.unlock([KEY], "theirs")


# One for each way to expire: memory of a server, of a process, a database, files.
ENDING = ["redis_texts", "redis_cluster", "memcached_pymemcache"]
ENDING += ["uwsgi", "files", "custom_sqlite", "django_cache"]


def gets_lock(face: SyncStore) -> bool:
    return face.lock([KEY], "theirs", 30) == [KEY]


def test_a_lock_ends_by_its_time(request: pytest.FixtureRequest) -> None:
    stores = [request.getfixturevalue(name).store for name in ENDING]
    faces = [adapt(store)[0] for store in stores]
    # All at once, since it takes some seconds.
    assert all(face.lock([KEY], "mine", 1) for face in faces)
    for face in faces:
        servers.wait_for(partial(gets_lock, face))
        assert not face.set_locked({KEY: ("late", 30)}, "mine")
        face.unlock([KEY], "mine")
        assert face.get(KEY) is None
        assert face.set_locked({KEY: ("new", 30)}, "theirs")


def test_a_number_is_counted_up_and_down(face: SyncStore) -> None:
    assert face.increment(KEY, 3) == 3
    assert face.increment(KEY, 4) == 7
    assert face.increment(KEY, -2) == 5
    assert face.get(KEY) == 5


def test_a_number_that_was_set_is_counted(face: SyncStore) -> None:
    face.set(KEY, 41, 30)
    assert face.increment(KEY, 1) == 42


PAGE = (
    '{% cache 60, "page" %}{{ n() }}{{ cache_tag("late") }}'
    '{% cache_each i in [1, 2], 60, "row", i, tags=["row:%s" % i] %}{{ n() }}'
    "{% nocache %}({{ user }}){% endnocache %}{% endcache_each %}{% endcache %}"
)


def test_composed_fragments_are_right_wherever_they_are_kept(
    both: tuple[Subject, SyncStore],
) -> None:
    subject, face = both
    is_async = isinstance(face, Coroutines)
    caches = [FragmentCache(subject.store), FragmentCache(subject.store)]
    counter = iter(range(1, 100)).__next__

    def render(cache: FragmentCache, user: str) -> str:
        # As in two processes: neither knows what the other one has done.
        env = environment({"page": PAGE}, cache, enable_async=is_async)
        return env.get_template("page").render(n=counter, user=user)

    def invalidate(cache: FragmentCache, tag: str) -> None:
        if is_async:
            asyncio.run(cache.invalidate_tags_async(tag))
        else:
            cache.invalidate_tags(tag)

    first, second = caches
    assert render(first, "a") == "12(a)3(a)"
    assert render(second, "<b>") == "12(&lt;b&gt;)3(&lt;b&gt;)"
    invalidate(second, "row:2")
    assert render(first, "a") == "42(a)5(a)"
    assert render(second, "b") == "42(b)5(b)"
    invalidate(first, "late")
    assert render(second, "a") == "62(a)5(a)"
    assert render(first, "b") == "62(b)5(b)"


class Trips(NamedTuple):
    """In how many round trips a store does something with twenty keys."""

    get_many: int
    set_many: int
    add_many: int
    lock: int
    set_locked: int
    unlock: int
    # It deletes the locks, then the entries, and looks whether they are gone.
    delete_many: int


# Each write to Memcached is one more, which reads what keys begin with. pylibmc waits
# for the answer to each write. A cluster of three nodes takes three times as many, and
# no scripts that ask for several keys.
TRIPS = {
    "redis": Trips(1, 1, 1, 1, 1, 1, 3),
    "redis_cluster": Trips(3, 3, 3, 3, 12, 20, 9),
    "memcached_pymemcache": Trips(1, 2, 21, 21, 5, 3, 5),
    "memcached_pylibmc": Trips(1, 21, 21, 21, 43, 22, 43),
    "memcached_spread": Trips(1, 2, 21, 21, 5, 3, 7),
}


@pytest.fixture(params=TRIPS)
def counted(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SyncStore, Callable[[], int], Trips]]:
    """Give a store, what counts its round trips, and how many there should be."""
    name: str = request.param
    if name == "memcached_pylibmc":
        pytest.importorskip("pylibmc")
    else:
        monkeypatch.setitem(sys.modules, "pylibmc", None)
    server = name.partition("_")[0]
    ports = (
        request.getfixturevalue("cluster_ports")
        if name == "redis_cluster"
        else [request.getfixturevalue(f"{server}_port")]
    )
    with ExitStack() as stack:
        trips = [stack.enter_context(servers.round_trips(port)) for port in ports]
        store = store_behind(name, trips)
        store.clear()
        # What has the store's client connect is not counted.
        face = adapt(store)[0]
        face.get_many(list(map(str, range(20))))
        stack.callback(getattr(store, "close", store._client.close))
        yield face, lambda: sum(each.count for each in trips), TRIPS[name]


def store_behind(name: str, trips: list[servers.RoundTrips]) -> Any:
    address = f"127.0.0.1:{trips[0].port}"
    if name == "redis":
        return RedisStore("127.0.0.1", trips[0].port, key_prefix="shop:")
    if name == "redis_cluster":
        before = {each.behind[1]: each.port for each in trips}
        return RedisClusterStore(
            address,
            key_prefix="shop:",
            address_remap=lambda node: (node[0], before.get(node[1], node[1])),
        )
    kind = SpreadMemcachedStore if name == "memcached_spread" else MemcachedStore
    # By this clock, what keys begin with is read once.
    return kind([address], key_prefix="shop:", timer=Clock())


def test_many_keys_take_no_more_round_trips_than_promised(
    counted: tuple[SyncStore, Callable[[], int], Trips],
) -> None:
    face, count, expected = counted
    keys = [f"row {number}" for number in range(20)]
    took: dict[str, int] = {}

    def ask(what: str, *arguments: Any) -> Any:
        before = count()
        answer = getattr(face, what)(*arguments)
        took[what] = count() - before
        return answer

    ask("set_many", dict.fromkeys(keys, "old"), 30)
    assert ask("get_many", keys) == ["old"] * 20
    ask("delete_many", keys)
    assert ask("add_many", dict.fromkeys(keys, "added"), 30) == keys
    assert ask("lock", keys, "mine", 30) == keys
    assert ask("set_locked", dict.fromkeys(keys, ("text", 30)), "mine") == keys
    face.lock(keys, "mine", 30)
    ask("unlock", keys, "mine")
    assert face.lock(keys, "mine", 30) == keys
    assert face.get_many(keys) == ["text"] * 20
    assert Trips(**took) == expected
