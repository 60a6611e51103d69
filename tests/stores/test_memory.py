import threading
from typing import Any

import pytest

from jinja_fragcache.stores import MemoryStore
from tests.support import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(threshold=3, timer=clock)


def test_an_entry_lives_until_its_timeout(store: MemoryStore, clock: Clock) -> None:
    store.set("k", "v", timeout=10)
    clock.now += 9.9
    assert store.get("k") == "v"
    clock.now += 0.1
    assert store.get("k") is None
    assert len(store) == 0


def test_without_a_timeout_it_lives_for_the_default(
    store: MemoryStore, clock: Clock
) -> None:
    store.set("k", "v")
    clock.now += 299
    assert store.get("k") == "v"
    clock.now += 1
    assert store.get("k") is None


def test_zero_is_for_ever(store: MemoryStore, clock: Clock) -> None:
    store.set("k", "v", timeout=0)
    clock.now += 1e12
    assert store.get("k") == "v"


def test_the_default_may_be_for_ever(clock: Clock) -> None:
    store = MemoryStore(default_timeout=0, timer=clock)
    store.set("k", "v")
    clock.now += 1e12
    assert store.get("k") == "v"


def test_what_was_not_read_makes_room(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key, timeout=0)
    assert store.get("a") == "a"
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_what_expired_makes_room_first_even_if_it_was_read(
    store: MemoryStore, clock: Clock
) -> None:
    store.set("a", "a", timeout=5)
    store.set("b", "b", timeout=0)
    store.set("c", "c", timeout=0)
    assert store.get("a") == "a"
    clock.now += 5
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == [None, "b", "c", "d"]


def test_if_all_were_read_the_oldest_makes_room(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key)
        store.get(key)
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == [None, "b", "c", "d"]


def test_a_write_passes_over_a_limited_number() -> None:
    store = MemoryStore(threshold=1000)
    for number in range(1000):
        store.set(str(number), number)
        store.get(str(number))
    store.set("new", 1)
    still_marked = sum(slot.read for slot in store._slots.values())
    assert still_marked >= 1000 - 20
    assert len(store) == 1000


def test_writing_anew_needs_no_room(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key)
    store.set("c", "anew")
    assert [store.get(key) for key in "abc"] == ["a", "b", "anew"]


def test_what_was_written_anew_counts_as_new(store: MemoryStore) -> None:
    for key in "abca":
        store.set(key, key)
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_delete_tells_whether_there_was_one(store: MemoryStore) -> None:
    store.set("k", "v")
    assert store.delete("k") is True
    assert store.delete("k") is False


def test_an_expired_entry_that_was_written_anew_meanwhile_stays(
    clock: Clock,
) -> None:
    class Interrupted(MemoryStore):
        def _forget_expired(self, key: str, slot: object) -> None:
            self.set("k", "new", timeout=10)
            super()._forget_expired(key, slot)  # type: ignore[arg-type]

    store = Interrupted(timer=clock)
    store.set("k", "old", timeout=1)
    clock.now += 1
    assert store.get("k") is None
    assert store.get("k") == "new"


@pytest.mark.parametrize("threshold", [0, -1, 1.5, "10", None, True])
def test_a_threshold_below_one_is_refused(threshold: Any) -> None:
    with pytest.raises(ValueError, match="threshold of 1 or more"):
        MemoryStore(threshold=threshold)


@pytest.mark.parametrize("timeout", [-1, "300", True])
def test_a_wrong_default_timeout_is_refused(timeout: Any) -> None:
    with pytest.raises(ValueError, match="A timeout can't be"):
        MemoryStore(default_timeout=timeout)


def test_threads_do_not_break_it() -> None:
    store = MemoryStore(threshold=20)
    start = threading.Barrier(8)
    errors: list[object] = []

    def work(number: int) -> None:
        start.wait()
        for step in range(2000):
            key = str((number * step) % 50)
            store.set(key, key, timeout=5)
            value = store.get(str(step % 50))
            if value not in {None, str(step % 50)}:
                errors.append((step, value))
            if step % 7 == 0:
                store.delete(key)

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store) <= 20
