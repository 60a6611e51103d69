"""In how many round trips stores on servers do something with several keys."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from jinja_fragcache import FragmentCache
from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.near_adapter import NearAdapter
from jinja_fragcache.operations import perform
from jinja_fragcache.stores import (
    MemcachedStore,
    RedisClusterStore,
    RedisStore,
    SpreadMemcachedStore,
)
from jinja_fragcache.stores.near import NearMemory
from tests import servers
from tests.support import Calls, Clock, adapted, environment


class Trips(NamedTuple):
    """In how many round trips a store does something with twenty keys."""

    get_many: int
    set_many: int
    add_many: int
    lock: int
    # Where that is as many, the values are read as well.
    lock_and_get: int
    set_locked: int
    unlock: int
    # Deletes the locks, deletes the entries, and checks that they are gone.
    delete_many: int


# Each write to Memcached takes one more, which reads the generation. pylibmc waits for
# the answer to each write. A cluster of three nodes takes three times as many, and no
# scripts that read several keys.
TRIPS = {
    "redis": Trips(1, 1, 1, 1, 1, 1, 1, 3),
    "redis_cluster": Trips(3, 3, 3, 3, 3, 12, 20, 9),
    "memcached_pymemcache": Trips(1, 2, 21, 21, 21, 44, 3, 5),
    "memcached_pylibmc": Trips(1, 21, 21, 21, 21, 82, 22, 43),
    "memcached_spread": Trips(1, 2, 21, 21, 21, 44, 3, 7),
}


@pytest.fixture(params=TRIPS)
def counted(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Calls, Callable[[], int], Trips]]:
    """Provide a store, a function that counts its round trips, and what to expect."""
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
        # The round trips by which the client connects are not counted.
        face = adapted(store)[0]
        face.get_many(list(map(str, range(20))))
        stack.callback(close, store)
        yield face, lambda: sum(each.count for each in trips), TRIPS[name]


def close(store: Any) -> None:
    """Close all connections of a store."""
    if isinstance(store, RedisStore):
        # redis-py 5.0.0 itself leaves them open when a client is closed.
        for node in getattr(store._client, "get_nodes", list)():
            node.redis_connection.connection_pool.disconnect()
        if not isinstance(store, RedisClusterStore):
            store._client.connection_pool.disconnect()
    getattr(store, "close", store._client.close)()


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
    # This clock stands still, so reads need the generation only once.
    return kind([address], key_prefix="shop:", timer=Clock())


def test_many_keys_take_as_many_round_trips_as_documented(
    counted: tuple[Calls, Callable[[], int], Trips],
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
    taken, found = ask("lock_and_get", keys, "mine", 30, keys)
    assert taken == keys
    assert found == (["text"] * 20 if type(face.adapter.store) is RedisStore else None)
    ask("unlock", keys, "mine")
    assert face.lock(keys, "mine", 30) == keys
    assert face.get_many(keys) == ["text"] * 20
    assert Trips(**took) == expected


def test_what_is_kept_near_takes_as_many_as_the_read_and_then_none(
    counted: tuple[Calls, Callable[[], int], Trips], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server's messages are no round trips.
    monkeypatch.setattr(NearAdapter, "_listen", lambda _: None)
    face, count, expected = counted
    keys = [f"near {number}" for number in range(20)]
    face.set_many(dict.fromkeys(keys, "text"), 30)
    memory = NearMemory(600, timer=Clock())
    near = adapt(face.adapter.store, memory)
    assert isinstance(near, NearAdapter)
    before = count()
    assert perform(near.read_through(keys)) == ["text"] * 20
    assert count() - before == expected.get_many
    assert memory.get_many(*keys) == ["text"] * 20
    assert count() - before == expected.get_many


@pytest.mark.parametrize(
    ("page", "signed"),
    [
        ('{% cache 60, "a", i %}x{% endcache %}', False),
        ('{% cache 60, "a", i, tags=["t"] %}x{% endcache %}', False),
        ('{% cache 60, "a", i %}x{% endcache %}', True),
        ('{% cache_each j in [1, 2, 3], 60, "a", i, j %}x{% endcache_each %}', False),
    ],
)
def test_a_miss_on_redis_takes_three_round_trips(
    redis_port: int, page: str, signed: bool
) -> None:
    with servers.round_trips(redis_port) as trips:
        store = RedisStore("127.0.0.1", trips.port, key_prefix="shop:")
        store.clear()
        key = ["a key that is long enough for that"] if signed else None
        cache = FragmentCache(store, signing_key=key)
        template = environment({"page": page}, cache).get_template("page")
        # The tag gets its version.
        template.render(i=1)
        before = trips.count
        # It looks, takes the lock and looks again, and stores and releases the lock.
        text = template.render(i=2)
        assert trips.count - before == 3
        assert template.render(i=2) == text
        assert trips.count - before == 4
        close(store)
