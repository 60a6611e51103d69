"""Copies and pickles of environments, with each store, bare and in a FragmentCache."""

import copy
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cachelib
import pytest
from jinja2 import Environment

from jinja_fragcache import FragmentCache, MemoryStore
from jinja_fragcache.stores import (
    FileStore,
    MemcachedStore,
    RedisClusterStore,
    RedisSentinelStore,
    RedisStore,
    SpreadMemcachedStore,
    Store,
    UWSGIStore,
)
from tests.support import RecordingStore, environment

PAGE = {"p": "{% cache stale=9 %}{{ n }}{% endcache %}"}
# Nobody listens there.
CLOSED = "127.0.0.1", 1
STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(default_timeout=7),
    "file": lambda folder: FileStore(str(folder), default_timeout=7),
    "redis": lambda _: RedisStore(*CLOSED, password="secret", default_timeout=7),
    "sentinel": lambda _: RedisSentinelStore(
        [CLOSED], password="secret", default_timeout=7
    ),
    "memcached": lambda _: MemcachedStore(["127.0.0.1:1"], default_timeout=7),
    "spread": lambda _: SpreadMemcachedStore(["127.0.0.1:1"], default_timeout=7),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


@pytest.fixture(params=["bare", "wrapped"])
def env(request: pytest.FixtureRequest, store: Store) -> Environment:
    made = environment(PAGE)
    # Compiled templates can't be pickled.
    made.cache = None
    wrap = FragmentCache if request.param == "wrapped" else lambda store: store
    made.fragment_cache = wrap(store)  # type: ignore[attr-defined]
    return made


def store_of(env: Environment) -> Any:
    cache = env.fragment_cache  # type: ignore[attr-defined]
    return cache.store if isinstance(cache, FragmentCache) else cache


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, Environment.overlay])
def test_copies_of_an_environment_share_its_store(
    env: Environment, store: Store, copied: Callable[[Environment], Environment]
) -> None:
    assert store_of(copied(env)) is store


def test_an_environment_from_a_pickle_has_an_empty_store_in_memory(
    env: Environment,
) -> None:
    pickled = pickle.dumps(env)
    assert b"secret" not in pickled
    other = pickle.loads(pickled)
    assert type(store_of(other)) is MemoryStore
    assert len(store_of(other)) == 0
    assert [other.get_template("p").render(n=n) for n in (2, 3)] == ["2", "2"]
    assert store_of(other) is not store_of(env)


def test_a_pickle_of_a_bare_store_keeps_the_default_timeout(store: Store) -> None:
    other = pickle.loads(pickle.dumps(store))
    assert (type(other), other.default_timeout) == (MemoryStore, 7)


def test_a_pickle_of_a_redis_cluster_store_is_a_store_in_memory() -> None:
    # It asks its server when it is made.
    cluster = RedisClusterStore.__new__(RedisClusterStore)
    cluster.default_timeout = 7
    assert type(pickle.loads(pickle.dumps(cluster))) is MemoryStore
    assert copy.deepcopy(cluster) is cluster


def test_copies_and_pickles_of_a_uwsgi_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", ModuleType("uwsgi"))
    uwsgi = UWSGIStore(7)
    assert copy.copy(uwsgi) is copy.deepcopy(uwsgi) is uwsgi
    other = pickle.loads(pickle.dumps(uwsgi))
    assert (type(other), other.default_timeout) == (MemoryStore, 7)


@pytest.mark.parametrize("make", [cachelib.SimpleCache, RecordingStore])
def test_a_store_of_another_package_is_shared_by_copies_if_it_is_wrapped(
    make: Callable[[], Store],
) -> None:
    env = environment(PAGE, make())
    env.fragment_cache = FragmentCache(make())  # type: ignore[attr-defined]
    env.cache = None
    assert store_of(copy.deepcopy(env)) is store_of(env)
    assert type(store_of(pickle.loads(pickle.dumps(env)))) is MemoryStore
