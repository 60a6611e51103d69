import gc
import os
import sys
import threading
from typing import Any

import pytest

from jinja_fragcache import forks
from jinja_fragcache.access.breaker import Breaker
from jinja_fragcache.engine.singleflight import Flights
from jinja_fragcache.engine.tag_hints import TagHints
from jinja_fragcache.forks import PerProcess, free_after_fork
from jinja_fragcache.keys import object_ids
from jinja_fragcache.keys.object_ids import object_id
from jinja_fragcache.stores import MemoryStore
from jinja_fragcache.stores.memory_entry import ENTRY_BYTES
from tests.forking import Child

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork")


class Held:
    """A lock that another thread holds in the `with` block."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._is_held, self._may_end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with self._lock:
            self._is_held.set()
            self._may_end.wait()

    def __enter__(self) -> None:
        self._thread.start()
        self._is_held.wait()

    def __exit__(self, *_: object) -> None:
        self._may_end.set()
        self._thread.join()


def test_each_process_makes_its_own_value() -> None:
    made = PerProcess(os.getpid)
    assert made.value == os.getpid()
    children = [Child(lambda: [made.value, os.getpid()]) for _ in range(2)]
    for child in children:
        value, process = child.result()
        assert value == process
    assert made.value == os.getpid()


def test_a_process_makes_its_value_once() -> None:
    made = PerProcess(object)
    assert made.value is made.value
    assert Child(lambda: made.value is made.value).result()


def test_the_first_process_may_have_a_value_already() -> None:
    made = PerProcess(lambda: "made", first="ready")
    assert made.value == "ready"
    assert Child(lambda: made.value).result() == "made"


def test_a_value_that_can_not_be_made_is_tried_again() -> None:
    tries = iter([False, True])

    def make() -> str:
        if not next(tries):
            raise ConnectionError("down")
        return "made"

    made = PerProcess(make)
    with pytest.raises(ConnectionError):
        made.value  # noqa: B018 - makes it
    assert made.value == "made"


def test_an_inherited_value_is_kept_even_if_the_child_does_not_use_it() -> None:
    kept: list[str] = []
    made = PerProcess(lambda: "value", kept.append)
    assert made.value
    assert Child(lambda: kept).result() == ["value"]
    assert kept == []


def test_a_grandchild_with_the_number_of_a_grandparent_has_its_own() -> None:
    made = PerProcess(object)
    inherited = id(made.value)
    # What the grandchild sees if the number of a process is given again.
    parent = os.getpid()

    def in_child() -> bool:
        os.getpid = lambda: parent
        return id(made.value) != inherited

    assert Child(in_child).result()


def test_a_process_that_was_forked_in_c_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # uWSGI does not run Python's hooks.
    made = PerProcess(object)
    before = made.value
    monkeypatch.setattr(os, "getpid", lambda: -2)
    assert made.value is not before


def test_nothing_is_kept_of_objects_that_are_gone() -> None:
    gc.collect()
    before = len(forks._heirs), len(forks._locks)
    made = [MemoryStore(), Flights(), TagHints(), Breaker(), PerProcess(object)]
    assert len(forks._heirs) == before[0] + 4
    assert len(forks._locks) == before[1] + 4
    del made
    gc.collect()
    assert (len(forks._heirs), len(forks._locks)) == before


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_a_lock_that_was_held_is_free_in_a_child(make: Any) -> None:
    lock = free_after_fork(make())
    with Held(lock):
        assert Child(lambda: lock.acquire(timeout=1)).result() is True
        assert lock.acquire(blocking=False) is False


@pytest.mark.parametrize("value", ["text", "t\u00e9xt", ["text"]])
def test_a_memory_store_that_was_being_written_works_in_a_child(value: Any) -> None:
    store = MemoryStore()
    store.set("k", value)
    size = store.used_bytes
    assert size > ENTRY_BYTES

    def in_child() -> list[Any]:
        counted = store.used_bytes
        store.set("other", "text")
        found = store.get_many("k", "other")
        store.delete_many("k", "other")
        return [counted, *found, store.used_bytes]

    with Held(store._write_lock):
        # As if the other thread had counted an entry and not stored it yet.
        store._used_bytes += 1000
        store._sizes.clear()
        assert Child(in_child).result() == [size, value, "text", 0]


def test_a_breaker_that_was_opening_works_in_a_child() -> None:
    breaker = Breaker()

    def in_child() -> list[bool]:
        breaker.failed()
        return [breaker.is_closed, breaker.allows()]

    with Held(breaker._lock):
        assert Child(in_child).result() == [False, False]


def test_tags_can_be_noted_in_a_child() -> None:
    hints = TagHints()

    def in_child() -> tuple[str, ...]:
        hints.note("k", ["a"])
        return hints.of("k")

    with Held(hints.by_key._lock):
        assert Child(in_child).result() == ["a"]


def test_an_object_gets_an_id_in_a_child() -> None:
    class Thing:
        pass

    thing = Thing()
    with Held(object_ids._lock):
        assert len(Child(lambda: object_id(thing)).result()) == 32


def test_a_child_does_not_wait_for_flights_of_its_parent_s_threads() -> None:
    flights = Flights()

    def in_child() -> list[bool]:
        _, leads = flights.join("k")
        _, leads_again = flights.join("k")
        return [leads, leads_again]

    with Held(flights.lock):
        flights._by_key["k"] = object()  # type: ignore[assignment]  # of another thread
        assert Child(in_child).result() == [True, False]
    assert "k" in flights._by_key
