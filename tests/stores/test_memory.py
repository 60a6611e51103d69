import pickle
import sys
import threading
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jinja_fragcache.stores import MemoryStore
from jinja_fragcache.stores.memory_entry import ENTRY_BYTES
from tests.support import Clock, in_threads


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


def test_a_pickle_has_the_limits_and_no_entries() -> None:
    store = MemoryStore(threshold=3, default_timeout=0, max_bytes=2000)
    store.set("k", "v")
    other = pickle.loads(pickle.dumps(store))
    assert len(other) == 0
    assert other.default_timeout == 0
    for number in range(4):
        other.set(str(number), "v")
    assert len(other) == 3
    assert other.set("large", "v" * 2000) is False


def test_without_a_timeout_the_default_timeout_applies(
    store: MemoryStore, clock: Clock
) -> None:
    store.set("k", "v")
    clock.now += 299
    assert store.get("k") == "v"
    clock.now += 1
    assert store.get("k") is None


def test_a_timeout_of_zero_never_expires(store: MemoryStore, clock: Clock) -> None:
    store.set("k", "v", timeout=0)
    clock.now += 1e12
    assert store.get("k") == "v"


def test_a_default_timeout_of_zero_never_expires(clock: Clock) -> None:
    store = MemoryStore(default_timeout=0, timer=clock)
    store.set("k", "v")
    clock.now += 1e12
    assert store.get("k") == "v"


def test_an_entry_that_was_not_read_is_evicted(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key, timeout=0)
    assert store.get("a") == "a"
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_an_expired_entry_is_evicted_first_even_if_it_was_read(
    store: MemoryStore, clock: Clock
) -> None:
    store.set("a", "a", timeout=5)
    store.set("b", "b", timeout=0)
    store.set("c", "c", timeout=0)
    assert store.get("a") == "a"
    clock.now += 5
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == [None, "b", "c", "d"]


def test_if_all_were_read_the_oldest_is_evicted(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key)
        store.get(key)
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == [None, "b", "c", "d"]


def test_an_expired_entry_is_evicted_before_a_live_one(
    store: MemoryStore, clock: Clock
) -> None:
    store.set("a", "a", timeout=0)
    store.set("b", "b", timeout=0)
    store.set("c", "c", timeout=5)
    clock.now += 5
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == ["a", "b", None, "d"]


def test_a_write_examines_a_limited_number_of_entries() -> None:
    store = MemoryStore(threshold=1000)
    for number in range(1000):
        store.set(str(number), number)
        store.get(str(number))
    store.set("new", 1)
    still_marked = sum(entry.read for entry in store._entries.values())
    assert still_marked >= 1000 - 20
    assert len(store) == 1000


def test_a_read_saves_an_entry_from_eviction_once(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key)
    store.get("a")
    for key in "de":
        store.set(key, key)
    assert store.has("a")
    store.set("f", "f")
    assert not store.has("a")


def test_overwriting_needs_no_room(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key)
    store.set("c", "anew")
    assert [store.get(key) for key in "abc"] == ["a", "b", "anew"]


def test_an_overwritten_entry_counts_as_new(store: MemoryStore) -> None:
    for key in "abca":
        store.set(key, key)
    store.set("d", "d")
    assert [store.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_an_entry_is_found_while_it_is_passed_over() -> None:
    store = MemoryStore(threshold=2)
    waits = threading.Event()
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.append(store.get("a")))

    class Entries(dict[str, Any]):
        def pop(self, key: str, *default: object) -> Any:
            entry = super().pop(key, *default)
            if key == "a":
                reader.start()
                # It has found nothing, so it asks again when the store is not written.
                assert waits.wait(60)
            return entry

    class Lock:
        def __init__(self, lock: threading.Lock) -> None:
            self._lock = lock

        def __enter__(self) -> None:
            if threading.current_thread() is reader:
                waits.set()
            self._lock.acquire()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

    store._entries = Entries()
    store._write_lock = Lock(threading.Lock())  # type: ignore[assignment]
    store.set_many({"a": 1, "b": 2})
    assert store.get("a") == 1
    store.set("c", 3)
    reader.join()
    assert found == [1]
    assert store.get_many("a", "b", "c") == [1, None, 3]


def test_an_overwritten_entry_that_is_among_the_oldest_counts_as_new() -> None:
    store = MemoryStore(threshold=40)
    for number in range(41):
        store.set(str(number), "old")
    assert not store.has("0")
    store.set("1", "new")
    for number in range(41, 79):
        store.set(str(number), "old")
        assert store.has("1")
    # As many as there are places have been evicted since.
    assert [store.has(each) for each in ("2", "39", "40")] == [False, False, True]


WHAT = st.sampled_from(["set", "get", "delete", "clear"])


class Model:
    """A full store, by what it promises of the order in which entries are evicted."""

    def __init__(self) -> None:
        self.store = MemoryStore(threshold=40)
        # In the order in which they were written or passed over, with whether they
        # were read since then.
        self.read: dict[str, bool] = {}
        for number in range(40):
            self.set(f"first {number}")

    def set(self, key: str) -> None:
        if key in self.read:
            return
        if len(self.read) == 40:
            del self.read[self.to_evict()]
        self.store.set(key, 0)
        self.read[key] = False

    def to_evict(self) -> str:
        examined = list(self.read)[:16]
        for key in examined:
            if not self.read.pop(key):
                self.read[key] = False
                return key
            self.read[key] = False
        return examined[0]

    def get(self, key: str) -> None:
        if self.store.get(key) is not None:
            self.read[key] = True

    def delete(self, key: str) -> None:
        assert self.store.delete(key) == (self.read.pop(key, None) is not None)

    def clear(self, _: str) -> None:
        self.store.clear()
        self.read.clear()


@given(st.lists(st.tuples(WHAT, st.integers(0, 99))))
@example([("set", number) for number in range(99)])
@example([(what, number) for number in range(99) for what in ("set", "get")])
@example([(what, n) for n in range(99) for what in ("set", "get", "set", "delete")])
@example([("set", 0), ("clear", 0), *(("set", n) for n in range(99))])
def test_the_first_that_was_not_read_is_evicted_of_sixteen(
    steps: list[tuple[str, int]],
) -> None:
    model = Model()
    for what, number in steps:
        getattr(model, what)(str(number))
        assert model.store._entries.keys() == model.read.keys()


@pytest.mark.parametrize(("character", "share"), [("x", 0.6), ("ä", 1)])
def test_an_entry_takes_no_more_than_is_counted(character: str, share: float) -> None:
    number = 1000
    # As bytes, so that the keys are made while memory is traced, as those of a page.
    keys = [b"%032d" % each for each in range(number)]
    store = MemoryStore(threshold=number)
    tracemalloc.start()
    for key in keys:
        store.set(key.decode(), f"{key!r}{character * 200}", 3600)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    entries = number * ENTRY_BYTES
    assert taken <= store.used_bytes - entries + share * entries


def test_delete_returns_whether_there_was_an_entry(
    store: MemoryStore, clock: Clock
) -> None:
    store.set("k", "v", timeout=5)
    assert store.delete("k") is True
    assert store.delete("k") is False
    store.set("k", "v", timeout=5)
    clock.now += 5
    assert store.delete("k") is False
    assert len(store) == 0


def bytes_of(key: str, value: object) -> int:
    return sys.getsizeof(key) + sys.getsizeof(value) + ENTRY_BYTES


def test_bytes_are_counted_and_limited() -> None:
    store = MemoryStore(max_bytes=3 * bytes_of("a", "x" * 100))
    for key in "abc":
        store.set(key, "x" * 100)
    assert len(store) == 3
    assert store.used_bytes == 3 * bytes_of("a", "x" * 100)
    store.set("d", "y" * 101)
    assert [store.get(key) is not None for key in "abcd"] == [False, False, True, True]
    assert store.used_bytes == bytes_of("c", "x" * 100) + bytes_of("d", "y" * 101)
    store.set("d", "y")
    assert store.used_bytes == bytes_of("c", "x" * 100) + bytes_of("d", "y")


def test_a_value_that_grows_keeps_its_counted_size() -> None:
    store = MemoryStore()
    growing: list[int] = []
    store.set("k", growing)
    growing.extend(range(100))
    store.delete("k")
    assert store.used_bytes == 0


def test_a_value_that_is_too_large_is_not_stored_and_the_old_one_deleted() -> None:
    store = MemoryStore(max_bytes=1000)
    assert store.set("other", "x") is True
    assert store.set("k", "old") is True
    assert store.set("k", "x" * 1000) is False
    assert store.add("new", "x" * 1000) is False
    assert store.set_many({"m": "x" * 1000, "n": "x"}) == ["n"]
    assert store.get_many("k", "new", "other") == [None, None, "x"]


def test_the_default_limit_is_64_mib() -> None:
    assert MemoryStore().set("k", "x" * (64 * 2**20 - 1000)) is True
    assert MemoryStore().set("k", "x" * (64 * 2**20)) is False
    assert MemoryStore(max_bytes=None).set("k", "x" * (64 * 2**20)) is True


def test_an_object_whose_size_is_unknown_can_be_stored() -> None:
    class Sizeless:
        def __sizeof__(self) -> int:
            raise TypeError("unknown")

    store = MemoryStore()
    kept = Sizeless()
    store.set("k", kept)
    assert store.get("k") is kept


def test_add_keeps_what_is_there(store: MemoryStore, clock: Clock) -> None:
    assert store.add("k", "first", timeout=5) is True
    assert store.add("k", "second", timeout=5) is False
    assert store.get("k") == "first"
    clock.now += 5
    assert store.add("k", "third") is True
    assert store.get("k") == "third"


def test_has_does_not_count_as_a_read(store: MemoryStore, clock: Clock) -> None:
    for key in "abc":
        store.set(key, key, timeout=5)
    assert store.has("a")
    store.set("d", "d", timeout=5)
    assert not store.has("a")
    clock.now += 5
    assert not store.has("d")


def test_get_many_counts_as_a_read(store: MemoryStore) -> None:
    for key in "abc":
        store.set(key, key)
    assert store.get_many("a", "x", "c") == ["a", None, "c"]
    store.set("d", "d")
    assert store.get_many(*"abcd") == ["a", None, "c", "d"]
    assert store.get_many() == []


def test_set_many_takes_a_timeout(store: MemoryStore, clock: Clock) -> None:
    assert store.set_many({"a": 1, "b": "2"}, timeout=5) == ["a", "b"]
    clock.now += 4
    assert store.get_many("a", "b") == [1, "2"]
    clock.now += 1
    assert store.get_many("a", "b") == [None, None]


def test_delete_many_counts_missing_keys_as_deleted(store: MemoryStore) -> None:
    store.set("a", "a")
    store.set("b", "b")
    assert store.delete_many("a", "x") == ["a", "x"]
    assert store.get_many("a", "b") == [None, "b"]


def test_a_count_keeps_its_remaining_time(store: MemoryStore, clock: Clock) -> None:
    store.set("k", 5, timeout=10)
    clock.now += 9
    assert store.inc("k") == 6
    assert store.inc("k", 10) == 16
    assert store.dec("k", 20) == -4
    assert store.dec("k") == -5
    assert store.get("k") == -5
    clock.now += 1
    assert store.get("k") is None


def test_a_new_count_starts_at_delta_with_the_default_timeout(
    store: MemoryStore, clock: Clock
) -> None:
    assert store.inc("up", 3) == 3
    assert store.dec("down", 3) == -3
    clock.now += 299
    assert store.get_many("up", "down") == [3, -3]
    clock.now += 1
    assert store.get_many("up", "down") == [None, None]


@pytest.mark.parametrize("value", ["5", True, 1.5, None])
def test_a_value_that_is_not_an_integer_can_not_be_counted(
    store: MemoryStore, value: object
) -> None:
    store.set("k", value)
    assert store.inc("k") is None
    assert store.dec("k") is None
    assert store.get("k") is value


def test_a_count_that_grows_too_large_is_deleted() -> None:
    store = MemoryStore(max_bytes=bytes_of("k", 2**29))
    assert store.set("k", 2**29) is True
    assert store.inc("k", 2**90) is None
    assert store.get("k") is None


def test_an_expired_entry_that_is_overwritten_meanwhile_stays(
    clock: Clock,
) -> None:
    class Interrupted(MemoryStore):
        def _remove_expired(self, key: str, slot: object) -> None:
            self.set("k", "new", timeout=10)
            super()._remove_expired(key, slot)  # type: ignore[arg-type]

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


@pytest.mark.parametrize("max_bytes", [0, -1, 1.5, "10", True])
def test_a_limit_of_bytes_below_one_is_refused(max_bytes: Any) -> None:
    with pytest.raises(ValueError, match="max_bytes of 1 or more, or None"):
        MemoryStore(max_bytes=max_bytes)


@pytest.fixture
def switching_often() -> Any:
    """Make threads switch after every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("switching_often")
def test_threads_do_not_break_the_store() -> None:
    store = MemoryStore(threshold=20, max_bytes=5000)
    errors: list[object] = []

    def work(number: int) -> None:
        for step in range(2000):
            key = str((number * step) % 50)
            store.set(key, key, timeout=5)
            value = store.get(str(step % 50))
            if value not in {None, str(step % 50)}:
                errors.append((step, value))
            if step % 7 == 0:
                store.delete(key)
            if step % 100 == number:
                store.clear()

    in_threads(8, work)
    assert errors == []
    assert len(store) <= 20
    kept = store._entries.items()
    assert store.used_bytes == sum(bytes_of(key, slot.value) for key, slot in kept)


@pytest.mark.usefixtures("switching_often")
def test_add_has_one_winner() -> None:
    now = 0

    def handing_over() -> int:
        # Called between the look at the old entry and the write of the new one.
        time.sleep(0)
        return now

    store = MemoryStore(timer=handing_over)
    for step in range(300):
        store.set(str(step), "expired", timeout=1)
    now = 1
    together = threading.Barrier(8)
    won: list[tuple[str, int]] = []

    def work(number: int) -> None:
        for step in range(300):
            key = str(step)
            together.wait(60)
            if store.add(key, number):
                won.append((key, number))

    in_threads(8, work)
    assert sorted(key for key, _ in won) == sorted(str(step) for step in range(300))
    assert all(store.get(key) == number for key, number in won)


@pytest.mark.usefixtures("switching_often")
def test_threads_count_exactly() -> None:
    store = MemoryStore()

    def work(number: int) -> None:
        for _ in range(2000):
            store.inc("up")
            store.dec("down", number)

    in_threads(8, work)
    assert store.get_many("up", "down") == [16_000, -2000 * sum(range(8))]


@pytest.mark.usefixtures("switching_often")
def test_an_entry_is_never_missing_while_it_is_overwritten() -> None:
    store = MemoryStore(threshold=1)
    store.set("k", 0)
    seen: list[object] = []

    def work(number: int) -> None:
        for step in range(3000):
            if number:
                store.set("k", step)
            else:
                seen.append(store.get("k"))

    in_threads(3, work)
    assert None not in seen
