"""Large values on Memcached. Most tests use chunks of ten bytes to keep them small."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import MemcachedStore, SpreadMemcachedStore, Timed

SIZE = 10
MEGABYTE = 1 << 20


@pytest.fixture
def make(
    memcached_store: MemcachedStore, memcached_port: int
) -> Iterator[Callable[..., SpreadMemcachedStore]]:
    """Provide a function that makes stores on the test's server with its client."""
    memcached_store.clear()
    made: list[SpreadMemcachedStore] = []

    def make(**given: Any) -> SpreadMemcachedStore:
        store = SpreadMemcachedStore(
            [f"127.0.0.1:{memcached_port}"], key_prefix="shop:", **given
        )
        made.append(store)
        return store

    yield make
    for each in made:
        each.close()


@pytest.fixture
def store(make: Callable[..., SpreadMemcachedStore]) -> SpreadMemcachedStore:
    return make(chunksize=SIZE, maxchunk=8)


def test_values_over_a_megabyte_come_back_whole(
    make: Callable[..., SpreadMemcachedStore],
) -> None:
    store = make()
    text = "<p>Grüße</p>" * (MEGABYTE // 4)
    assert store.set("k", text, timeout=30) is True
    assert store.get("k") == text
    assert store.get_many("k", "missing") == [text, None]
    assert store.delete("k") is True
    assert store.get("k") is None


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE, SIZE + 1, 8 * SIZE])
def test_values_of_any_size_up_to_the_largest_come_back(
    store: SpreadMemcachedStore, size: int
) -> None:
    text = "x" * size
    assert store.set("k", text) is True
    assert store.get("k") == text
    assert store.set_many({"a": text, "b": 5}) == ["a", "b"]
    assert store.get_many("a", "b") == [text, 5]
    assert store.delete_many("a", "b") == ["a", "b"]
    assert store.get_many("a", "b") == [None, None]


def test_a_value_that_does_not_fit_is_refused(store: SpreadMemcachedStore) -> None:
    store.set("k", "old")
    with pytest.raises(StoreError, match="81 bytes does not fit into 8 keys of 10"):
        store.set("k", "x" * 81)
    assert store.get("k") is None


def test_a_chunk_that_memcached_refuses_leaves_nothing(
    make: Callable[..., SpreadMemcachedStore],
) -> None:
    store = make(chunksize=2 * MEGABYTE)
    store.set("k", "old")
    with pytest.raises(StoreError, match="memcached -I"):
        store.set("k", "x" * 3 * MEGABYTE)
    assert store.get("k") is None


def test_small_and_large_values_are_stored_with_a_lock(
    store: SpreadMemcachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = {key: f"lock {key}" for key in "abc"}
    assert store.add_many(dict.fromkeys(locks.values(), "mine"), 30) == [
        *locks.values()
    ]
    values: dict[str, Timed] = {"a": ("x" * 25, 5), "b": (7, 5), "c": ("y" * 25, 0)}
    write_if = store._write_if

    def deleted_first(full_key: str, *arguments: Any) -> bool:
        if full_key == store._full_key("a"):
            store.delete_many("lock a", "a")
        return write_if(full_key, *arguments)

    monkeypatch.setattr(store, "_write_if", deleted_first)
    assert store.set_many_if_equal(values, locks, "mine") == ["b", "c"]
    assert store.get_many(*values) == [None, 7, "y" * 25]


def test_set_many_leaves_out_the_keys_that_failed(
    store: SpreadMemcachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_one = store._client.set

    def set_no_head(place: str, data: bytes, expiry: int) -> bool:
        return not data.startswith(b"\xfe") and set_one(place, data, expiry)

    monkeypatch.setattr(store._client, "set", set_no_head)
    assert store.set_many({"a": "x" * 25, "b": 7}) == ["b"]
    assert store.get_many("a", "b") == [None, 7]


def test_only_the_first_large_value_is_added(store: SpreadMemcachedStore) -> None:
    assert store.add("k", "first " * 5, timeout=30) is True
    assert store.add("k", "second " * 5, timeout=30) is False
    assert store.add("k", "third", timeout=30) is False
    assert store.get("k") == "first " * 5
    store.delete("k")
    assert store.add("k", "third", timeout=30) is True


@pytest.mark.parametrize("way", ["delete", "delete_many"])
def test_delete_removes_the_chunks(store: SpreadMemcachedStore, way: str) -> None:
    store.set("k", "x" * 25)
    place = store._full_key("k")
    head = store._client.get(place)
    assert head is not None
    token = head.split()[0][1:].decode()
    chunks = [f"{place}.{token}.{number}" for number in range(3)]
    assert [len(store._client.get(each) or b"") for each in chunks] == [10, 10, 5]
    getattr(store, way)("k")
    assert [store._client.get(each) for each in [place, *chunks]] == [None] * 4


def test_long_keys_leave_room_for_the_number_of_a_chunk(
    store: SpreadMemcachedStore,
) -> None:
    for length in (150, 175, 180, 200, 250):
        store.set("k" * length, "x" * 80)
        assert store.get("k" * length) == "x" * 80


def test_a_text_that_looks_like_a_head_is_a_text(
    make: Callable[..., SpreadMemcachedStore],
) -> None:
    store = make()
    text = "\xfe" + "0" * 32 + " 1 " + "0" * 64
    store.set("k", text)
    assert store.get("k") == text


@pytest.mark.parametrize("count", [b"0", b"1", b"9", b"999999999"])
def test_a_head_without_its_chunks_is_a_miss(
    store: SpreadMemcachedStore, count: bytes
) -> None:
    head = b"\xfe" + b"0" * 32 + b" " + count + b" " + b"0" * 64
    store._client.set(store._full_key("k"), head, 0)
    assert store.get("k") is None
    assert store.delete("k") is True


@pytest.mark.parametrize("name", ["chunksize", "maxchunk"])
@pytest.mark.parametrize("value", [0, -1, "5", True, 1.5])
def test_a_wrong_number_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is a whole number from 1"):
        SpreadMemcachedStore([], **{name: value})


def test_concurrent_writers_leave_one_whole_value(store: SpreadMemcachedStore) -> None:
    texts = [letter * 40 for letter in "abcd"]
    seen: list[Any] = []

    def write(text: str) -> None:
        for _ in range(10):
            store.set("k", text)
            seen.append(store.get("k"))

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {*texts, None}
    assert store.get("k") in texts


TEXTS = st.text(max_size=20)
WRITES = st.tuples(st.sampled_from(["set", "add"]), TEXTS)
LOSSES = st.tuples(st.just("lose"), st.integers(min_value=0, max_value=200))
SWAPS = st.tuples(
    st.just("swap"), st.tuples(*[st.integers(min_value=0, max_value=200)] * 2)
)
DELETES = st.tuples(st.just("delete"), st.none())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(WRITES | LOSSES | SWAPS | DELETES, max_size=12))
def test_only_the_whole_last_value_comes_back(
    store: SpreadMemcachedStore, steps: list[tuple[str, Any]]
) -> None:
    """Whatever the server loses or mixes up, in any order."""
    store.delete("k")
    client = DamagingClient(store._client)
    store._client = client
    last = None
    for step, value in steps:
        if step == "set":
            store.set("k", value)
            last = value
        elif step == "add" and store.add("k", value):
            last = value
        elif step == "delete":
            store.delete("k")
            last = None
        elif step == "lose":
            client.lose(value)
        elif step == "swap":
            client.swap(*value)
        assert store.get("k") in {last, None}
    store._client = client.inner


class DamagingClient:
    """A client that records which chunks it wrote, and can damage them."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.places: list[str] = []

    def set(self, place: str, data: bytes, expiry: int) -> bool:
        self.places.append(place)
        return bool(self.inner.set(place, data, expiry))

    def lose(self, number: int) -> None:
        if self.places:
            self.inner.delete(self.places[number % len(self.places)])

    def swap(self, one: int, other: int) -> None:
        """Write the value of one chunk's key under that of another."""
        chunks = [place for place in self.places if place.count(".") > 1]
        if chunks:
            data = self.inner.get(chunks[one % len(chunks)])
            if data is not None:
                self.inner.set(chunks[other % len(chunks)], data, 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
