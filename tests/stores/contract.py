"""What the contract's tests know of the stores: how to inspect them, their promises."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jinja_fragcache import Stats
from jinja_fragcache.access.breaker import Breaker
from jinja_fragcache.access.safe_stores import safe_store_of
from jinja_fragcache.access.stats import Recorder
from jinja_fragcache.operations import perform
from jinja_fragcache.stores import Store
from tests.support import Calls

#: What `Subject.remaining` returns for an entry that never expires.
FOR_EVER = "for ever"
KEY = "fragment:row:0123"
TEXT = "<p>Grüße &amp; \U0001f98a</p>\n" * 3


@dataclass
class Subject:
    """A store, and a way to see the seconds left of an entry without its help."""

    store: Store
    remaining: Callable[[str], float | str]


class Coroutines(Calls):
    """An adapter's operations on an event loop, called from where none runs."""

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)
        return lambda *arguments: asyncio.run(method(*arguments))


class Near(Calls):
    """An adapter's operations, with reads that keep near what they find.

    Each read is made twice, so that the second one finds it near.
    """

    def get(self, key: str) -> Any:
        (value,) = self.get_many([key])
        return value

    def get_many(self, keys: list[str]) -> list[Any]:
        recorder = Recorder(Stats())
        store: Any = safe_store_of(
            self.adapter,
            blocking=True,
            recorder=recorder,
            breaker=Breaker(),
            default_timeout=None,
        )
        if not keys:
            return []
        asked: list[Any] = perform(store.read(keys))
        before = recorder.stats.near_hits
        near: list[Any] = perform(store.read(keys))
        assert near == asked
        assert list(map(type, near)) == list(map(type, asked))
        assert recorder.stats.near_hits - before == len(keys) - asked.count(None)
        return near


def left(expires_at: float | None, now: float) -> float | str:
    """Return the seconds left of an entry. None and 0 stand for no expiry."""
    return FOR_EVER if not expires_at else expires_at - now


def memcached_remaining(port: int, full_key: str) -> float | str:
    """Ask a Memcached server for the seconds left of an entry.

    The server's clock may be some two seconds behind, and cachelib tells the server a
    time of day at which the entry ends. So its end is compared to the clock here.
    """
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"mg %s t\r\nstats\r\n" % full_key.encode())
        with connection.makefile("rb") as lines:
            seconds = int(next(lines).split(b"t")[1])
            stats = dict(line.split()[1:3] for line in iter(lines.readline, b"END\r\n"))
    ends = seconds + int(stats[b"time"])
    return FOR_EVER if seconds == -1 else ends - int(time.time())


# What a store does beyond the rest of the contract. docs/stores.md says the same.
# TRIPS (test_round_trips.py) tells in how many round trips.
ADDS = "Of concurrent callers that add a value, one succeeds."
COUNTS = "No concurrent count is lost."
TELLS = "It tells how long an entry has left."
TELLS_IN_READS = "It tells that together with the value."
#: The fixtures that make subjects, and what their stores promise.
PROMISES = {
    "memory": {ADDS, COUNTS, TELLS},
    "cachelib_simple": set(),
    "cachelib_filesystem": set(),
    "files": {ADDS, COUNTS, TELLS, TELLS_IN_READS},
    "redis_texts": {ADDS, COUNTS, TELLS, TELLS_IN_READS},
    "cachelib_redis": {ADDS, COUNTS},
    "cachelib_memcached": {ADDS},
    "redis_sentinel": {ADDS, COUNTS, TELLS, TELLS_IN_READS},
    "redis_cluster": {ADDS, COUNTS, TELLS},
    "async_redis": {ADDS, COUNTS, TELLS, TELLS_IN_READS},
    "async_redis_ready": {ADDS, COUNTS, TELLS, TELLS_IN_READS},
    "async_redis_sentinel": {ADDS, COUNTS, TELLS, TELLS_IN_READS},
    "async_redis_cluster": {ADDS, COUNTS, TELLS},
    "memcached_pylibmc": {ADDS, COUNTS},
    "memcached_pymemcache": {ADDS, COUNTS},
    "memcached_sasl": {ADDS, COUNTS},
    "memcached_spread": {ADDS, COUNTS},
    "uwsgi": {ADDS},
    "custom_sqlite": {ADDS},
    "flask_caching_cache": set(),
    "django_cache": {ADDS, COUNTS},
}
# These have no sync face. tests/access/test_adapter.py shows what they have instead.
ASYNC_ONLY = [
    "coroutine",
    *("async_redis", "async_redis_ready", "async_redis_sentinel"),
    "async_redis_cluster",
]
#: These are in the memory of this process.
NEAR_ITSELF = {"memory", "cachelib_simple"}
FACES = [
    *((store, "sync") for store in PROMISES if store not in ASYNC_ONLY),
    *((store, "async") for store in dict.fromkeys([*PROMISES, *ASYNC_ONLY])),
    # With what was read kept near.
    *(
        (store, "near")
        for store in PROMISES
        if store not in NEAR_ITSELF and store not in ASYNC_ONLY
    ),
]
#: These belong to one process, or have an `add` that is no lock.
WITHOUT_LOCKS = {
    "memory",
    "cachelib_simple",
    "cachelib_filesystem",
    "cachelib_redis",
    "flask_caching_cache",
    "coroutine",
}
#: Runs a test with all stores that have locks.
with_locks = pytest.mark.parametrize(
    "both",
    [(store, face) for store, face in FACES if store not in WITHOUT_LOCKS],
    ids="-".join,
    indirect=True,
)


def promising(promise: str) -> pytest.MarkDecorator:
    """Run a test with the stores that promise something, on their sync faces if any."""
    faces = [
        (store, "async" if store in ASYNC_ONLY else "sync")
        for store, promises in PROMISES.items()
        if promise in promises
    ]
    return pytest.mark.parametrize("both", faces, ids="-".join, indirect=True)


def numbers(caller: int) -> dict[str, str | int]:
    """Return values for the same keys to each caller, in an order of its own."""
    keys = ["a", "b", "c", "d"]
    at = caller % len(keys)
    return dict.fromkeys([*keys[at:], *keys[:at]], caller)
