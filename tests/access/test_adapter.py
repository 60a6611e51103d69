import asyncio
import inspect
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cachelib
import flask_caching
import pytest
import redis
from werkzeug.local import LocalProxy

from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.adapter import Adapter
from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.stores import FileStore, MemoryStore, RedisStore, Timed
from tests.support import CoroutineStore, RecordingStore, SharedStore, adapted

OPERATIONS = [
    name
    for name, each in vars(Adapter).items()
    if not name.startswith("_") and inspect.isgeneratorfunction(each)
]


@pytest.mark.parametrize("method", OPERATIONS)
def test_a_coroutine_store_can_not_be_called_synchronously(method: str) -> None:
    sync, _ = adapted(CoroutineStore())
    arguments = [None] * len(inspect.signature(getattr(Adapter, method)).parameters)
    with pytest.raises(AsyncOnlyError, match="enable_async=True"):
        getattr(sync, method)(*arguments[1:])


class ThreadNoting(RecordingStore):
    def _note(self, call: str) -> None:
        super()._note(call)
        self.threads = {*getattr(self, "threads", ()), threading.get_ident()}


async def _use_all(store: Any) -> None:
    _, awaited = adapted(store)
    await awaited.set("k", "v", 5)
    await awaited.get("k")
    await awaited.delete("k")
    await awaited.clear()


def test_a_store_that_may_block_is_never_called_on_the_event_loop() -> None:
    store = ThreadNoting()
    asyncio.run(_use_all(store))
    assert store.calls == ["set", "get", "delete", "clear"]
    assert threading.get_ident() not in store.threads


@pytest.mark.parametrize(
    ("store", "blocking"),
    [
        (MemoryStore(), False),
        (cachelib.SimpleCache(), False),
        (cachelib.NullCache(), False),
        (RecordingStore(), True),
        (CoroutineStore(), True),
    ],
)
def test_only_stores_in_memory_count_as_not_blocking(
    store: Any,
    blocking: bool,
) -> None:
    assert adapt(store).blocks is blocking


class Full(RecordingStore):
    def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        return False

    def clear(self) -> bool:
        return False


class AsyncFull(CoroutineStore):
    async def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        return False

    async def clear(self) -> bool:
        return False


def test_a_write_or_clear_that_returns_false_is_an_error() -> None:
    sync, _ = adapted(Full())
    with pytest.raises(StoreError, match="did not keep"):
        sync.set("k", "v", 1)
    with pytest.raises(StoreError, match="did not clear"):
        sync.clear()
    _, awaited = adapted(AsyncFull())
    with pytest.raises(StoreError, match="did not keep"):
        asyncio.run(awaited.set("k", "v", 1))
    with pytest.raises(StoreError, match="did not clear"):
        asyncio.run(awaited.clear())


class NotDeleting(RecordingStore):
    def delete(self, key: str) -> bool:
        return False


def test_a_delete_that_leaves_the_entry_is_an_error() -> None:
    store = NotDeleting()
    sync, _ = adapted(store)
    sync.delete("k")
    store.values["k"] = "still there"
    with pytest.raises(StoreError, match="did not delete 'k'"):
        sync.delete("k")
    coroutines = CoroutineStore()
    coroutines.inner = store
    with pytest.raises(StoreError, match="did not delete 'k'"):
        asyncio.run(adapted(coroutines)[1].delete("k"))


def test_a_proxy_of_stores_is_resolved_on_each_call() -> None:
    tenants = {"a": RecordingStore(), "b": RecordingStore()}
    tenant = "a"
    store: Any = LocalProxy(lambda: tenants[tenant])
    sync, _ = adapted(store)
    for name in tenants:
        tenant = name
        sync.set("k", name, 5)
    tenant = "a"
    assert sync.get("k") == "a"
    sync.delete("k")
    assert [each.values for each in tenants.values()] == [{}, {"k": "b"}]


def test_a_subclass_of_a_store_in_memory_counts_as_blocking() -> None:
    class Remote(cachelib.SimpleCache):
        pass

    assert adapt(Remote()).blocks is True


def test_a_store_without_clear_can_not_be_cleared() -> None:
    class Store:
        get = set = delete = lambda *_, **__: None

    with pytest.raises(StoreError, match="Delete fragments one by one"):
        adapted(Store())[0].clear()


def test_a_coroutine_store_without_clear_can_not_be_cleared() -> None:
    class Store(CoroutineStore):
        clear = None  # type: ignore[assignment]

    with pytest.raises(StoreError, match="Delete fragments one by one"):
        asyncio.run(adapted(Store())[1].clear())


def test_a_method_that_takes_keys_in_another_form_is_not_used() -> None:
    class Store(RecordingStore):
        def get_many(self, keys: list[str]) -> list[Any]:
            pytest.fail("it would be given the keys one by one")

        delete_many = dict  # written in C, tells no parameters

    sync, _ = adapted(Store())
    sync.set_many({"a": "1", "b": "2"}, 5)
    assert sync.get_many(["a", "b"]) == ["1", "2"]
    sync.delete_many(["a"])
    assert sync.get_many(["a", "b"]) == [None, "2"]


class Many(RecordingStore):
    """A store whose `set_many` returns `kept`."""

    kept: Any = None

    def set_many(self, mapping: dict[str, Any], timeout: int | None = None) -> Any:
        return self.kept

    def delete_many(self, *keys: str) -> None: ...


@pytest.mark.parametrize("kept", [[], False, ["a"]])
def test_set_many_that_did_not_store_all_values_is_an_error(kept: Any) -> None:
    store = Many()
    store.kept = kept
    with pytest.raises(StoreError, match="did not keep all values"):
        adapted(store)[0].set_many({"a": "1", "b": "2"}, 5)


class Busy(RecordingStore):
    """A store in which others write each key once, just after its deletion."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.busy = set(keys)

    def delete(self, key: str) -> bool:
        deleted = super().delete(key)
        if key in self.busy:
            self.busy.remove(key)
            self.values[key] = "new"
        return deleted

    def delete_many(self, *keys: str) -> None:
        for key in keys:
            self.delete(key)


def test_a_value_stored_just_after_a_delete_is_not_a_failed_delete() -> None:
    store = Busy("a", "b")
    sync, _ = adapted(store)
    sync.delete("a")
    sync.delete_many(["b", "c"])
    assert store.values == {}


@pytest.mark.parametrize("kept", [None, True, ["a", "b"]])
def test_results_of_set_many_that_mean_success_are_no_error(kept: Any) -> None:
    store = Many()
    store.kept = kept
    adapted(store)[0].set_many({"a": "1", "b": "2"}, 5)


def test_delete_many_that_left_an_entry_is_an_error() -> None:
    store = Many()
    store.values = {"a": "1", "b": "2"}
    with pytest.raises(StoreError, match=r"did not delete \['b'\]"):
        adapted(store)[0].delete_many(["b", "none"])


class SharedCoroutineStore(CoroutineStore):
    async def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        taken = key in self.inner.values
        return not taken and await self.set(key, value, timeout)


class WithoutAdd(cachelib.BaseCache):
    """A store whose inherited `add` returns True and does nothing."""


class AddsInTwoSteps(RecordingStore):
    """A store whose `add` looks first and writes then, as cachelib's for MongoDB."""

    add = cachelib.MongoDbCache.add


@pytest.mark.parametrize(
    ("store", "has_locks"),
    [
        (SharedStore(), True),
        (SharedCoroutineStore(), True),
        (RedisStore(), True),
        (RecordingStore(), False),
        (CoroutineStore(), False),
        (MemoryStore(), False),
        (cachelib.SimpleCache(), False),
        (cachelib.NullCache(), False),
        (WithoutAdd(), False),
        (AddsInTwoSteps(), False),
        (cachelib.RedisCache(redis.Redis()), False),
        (flask_caching.Cache(), False),
    ],
)
def test_a_store_has_locks_if_its_add_is_atomic_and_shared(
    store: Any,
    has_locks: bool,
) -> None:
    assert adapt(store).has_locks is has_locks


def test_the_add_of_cachelibs_file_store_is_not_used_as_a_lock(tmp_path: Path) -> None:
    assert not adapt(cachelib.FileSystemCache(str(tmp_path))).has_locks
    assert adapt(FileStore(str(tmp_path))).has_locks


def test_a_write_in_several_steps_needs_the_lock() -> None:
    store = SharedCoroutineStore()
    inner = store.inner
    _, awaited = adapted(store)

    async def use() -> None:
        assert await awaited.lock(["k"], "mine", 30)
        assert not await awaited.lock(["k"], "theirs", 30)
        await awaited.unlock(["k"], "theirs")
        inner.calls.clear()
        assert not await awaited.set_locked({"k": ("old", 5)}, "theirs")
        assert inner.calls == ["get"]
        assert await awaited.set_locked({"k": ("text", 5)}, "mine")

    asyncio.run(use())
    assert inner.values == {"k": "text"}
    assert inner.timeouts["k"] == 5


def test_a_value_deleted_while_it_is_written_is_removed_again() -> None:
    class Deleting(SharedStore):
        """A store in which the entry is deleted as soon as it is written."""

        def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
            kept = super().set(key, value, timeout)
            if key == "k":
                face.delete("k")
                # And then the delayed write arrives.
                super().set(key, value, timeout)
            return kept

    store = Deleting()
    face = adapted(store)[0]
    assert face.lock(["k"], "mine", 30)
    assert face.set_locked({"k": ("old", 30)}, "mine") == []
    assert store.values == {}


class ManySteps(SharedStore):
    """A store with methods for many keys, which calls `meanwhile` in each write."""

    meanwhile: Callable[[Mapping[str, Any]], None]

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile = lambda _: None

    def get_many(self, *keys: str) -> list[Any]:
        self._note("get_many")
        return [self.values.get(key) for key in keys]

    def set_many(self, mapping: dict[str, Any], timeout: int | None = None) -> bool:
        self._note("set_many")
        self.values.update(mapping)
        self.timeouts.update(dict.fromkeys(mapping, timeout))
        self.meanwhile(mapping)
        return True

    def delete_many(self, *keys: str) -> bool:
        self._note("delete_many")
        for key in keys:
            self.values.pop(key, None)
        return True


def test_many_locked_values_are_stored_in_few_calls() -> None:
    store = ManySteps()
    sync, _ = adapted(store)
    assert sync.lock(["d"], "theirs", 30) == ["d"]
    assert sync.lock(["a", "b", "c", "d"], "mine", 30) == ["a", "b", "c"]
    store.calls.clear()
    values: dict[str, Timed]
    values = {"a": ("1", 5), "b": (2, 0), "c": ("3", 5), "d": ("4", 5)}
    assert sync.set_locked(values, "mine") == ["a", "b", "c"]
    two_timeouts = ["set_many", "set"]
    assert store.calls == ["get_many", *two_timeouts, "get_many", "delete_many"]
    sync.unlock(["d", "none"], "theirs")
    assert store.values == {"a": "1", "b": 2, "c": "3"}
    assert store.timeouts | {"a": 5, "b": 0, "c": 5} == store.timeouts


def test_a_single_locked_value_is_stored_by_calls_for_one_key() -> None:
    store = ManySteps()
    sync, _ = adapted(store)
    assert sync.lock(["k"], "mine", 30) == ["k"]
    assert sync.set_locked({"k": ("text", 5)}, "mine") == ["k"]
    steps = ["add", "set", "get", "set", "get", "delete"]
    assert store.calls == steps
    sync.lock(["k"], "mine", 30)
    sync.unlock(["k"], "mine")
    assert store.calls == [*steps, "add", "set", "get", "delete"]


def test_nothing_is_written_without_a_lock() -> None:
    store = ManySteps()
    assert adapted(store)[0].set_locked({"a": ("1", 5), "b": ("2", 5)}, "mine") == []
    assert store.calls == ["get_many"]


@pytest.mark.parametrize("lost", [["b"], ["a", "c"], ["a", "b", "c"]])
def test_of_many_written_values_those_with_lost_locks_are_removed(
    lost: list[str],
) -> None:
    store = ManySteps()
    sync, _ = adapted(store)

    def delete_some(mapping: Mapping[str, Any]) -> None:
        sync.delete_many(lost)
        # And then the delayed write arrives.
        store.values.update(mapping)

    keys = ["a", "b", "c"]
    sync.lock(keys, "mine", 30)
    store.meanwhile = delete_some
    kept = [key for key in keys if key not in lost]
    assert sync.set_locked(dict.fromkeys(keys, ("text", 5)), "mine") == kept
    assert store.values == dict.fromkeys(kept, "text")


def test_values_with_lost_locks_are_removed_even_if_a_later_write_fails() -> None:
    store = ManySteps()
    sync, _ = adapted(store)

    def delete_one(mapping: Mapping[str, Any]) -> None:
        sync.delete("a")
        store.values.update(mapping)
        store.failing.add("set")

    sync.lock(["a", "b", "c"], "mine", 30)
    locks = {key for key in store.values if key.startswith("lock:")}
    store.meanwhile = delete_one
    values = {"a": ("1", 5), "b": ("2", 5), "c": ("3", 6)}
    with pytest.raises(ConnectionError, match="set failed"):
        sync.set_locked(values, "mine")
    assert store.values.keys() - locks == {"b"}
    sync.unlock(["a", "b", "c"], "mine")
    assert store.values == {"b": "2"}


def test_after_the_only_write_failed_the_store_is_not_called_again() -> None:
    store = ManySteps()
    sync, _ = adapted(store)
    sync.lock(["k"], "mine", 30)
    store.failing.add("set")
    store.calls.clear()
    with pytest.raises(ConnectionError, match="set failed"):
        sync.set_locked({"k": ("text", 5)}, "mine")
    assert store.calls == ["get", "set"]


class InOneStep(SharedStore):
    """A store that compares and writes in one step."""

    def set_many_if_equal(
        self,
        values: dict[str, tuple[Any, int | None]],
        others: dict[str, str],
        expected: str,
    ) -> list[str]:
        self._note("set_many_if_equal")
        equal = [key for key in values if self.values.get(others[key]) == expected]
        for key in equal:
            del self.values[others[key]]
            self.values[key], self.timeouts[key] = values[key]
        return equal

    def delete_many_if_equal(self, keys: list[str], expected: str) -> list[str]:
        self._note("delete_many_if_equal")
        equal = [key for key in keys if self.values.get(key) == expected]
        for key in equal:
            del self.values[key]
        return equal

    def add_many(
        self, mapping: dict[str, Any], timeout: int | None = None
    ) -> list[str]:
        self._note("add_many")
        added = [key for key in mapping if key not in self.values]
        self.values.update({key: mapping[key] for key in added})
        self.timeouts.update(dict.fromkeys(added, timeout))
        return added

    def remaining(self, key: str) -> float | None:
        self._note("remaining")
        return self.timeouts.get(key)


class CoroutinesInOneStep(SharedCoroutineStore):
    def __init__(self) -> None:
        super().__init__()
        self.inner: InOneStep = InOneStep()

    async def set_many_if_equal(self, *arguments: Any) -> list[str]:
        return self.inner.set_many_if_equal(*arguments)

    async def delete_many_if_equal(self, *arguments: Any) -> list[str]:
        return self.inner.delete_many_if_equal(*arguments)

    async def add_many(
        self, mapping: dict[str, Any], timeout: int | None = None
    ) -> list[str]:
        return self.inner.add_many(mapping, timeout)

    async def remaining(self, key: str) -> float | None:
        return self.inner.remaining(key)


def test_set_many_if_equal_of_a_store_is_used() -> None:
    store = InOneStep()
    sync, _ = adapted(store)
    assert sync.lock(["k"], "mine", 30)
    store.calls.clear()
    assert sync.set_locked({"k": ("theirs", 5)}, "theirs") == []
    assert sync.set_locked({"k": ("text", 5)}, "mine") == ["k"]
    assert store.values == {"k": "text"}
    assert store.timeouts["k"] == 5
    sync.lock(["k"], "mine", 30)
    sync.unlock(["k"], "mine")
    assert store.values == {"k": "text"}
    one_each = ["set_many_if_equal"] * 2 + ["add", "set", "delete_many_if_equal"]
    assert store.calls == one_each


def test_set_many_if_equal_of_a_store_is_used_for_many_keys() -> None:
    store = InOneStep()
    sync, _ = adapted(store)
    assert sync.lock(["b"], "theirs", 30) == ["b"]
    store.calls.clear()
    assert sync.lock(["a", "b", "c"], "mine", 30) == ["a", "c"]
    values: dict[str, Timed] = {"a": ("1", 5), "b": ("2", 5), "c": (3, 0)}
    assert sync.set_locked(values, "mine") == ["a", "c"]
    sync.unlock(["a", "b", "c"], "theirs")
    assert store.values == {"a": "1", "c": 3}
    assert (store.timeouts["a"], store.timeouts["c"]) == (5, 0)
    one_each = ["add_many", "set_many_if_equal", "delete_many_if_equal"]
    assert store.calls == one_each


def test_add_many_of_a_store_is_used_for_several_keys_and_add_for_one() -> None:
    store = InOneStep()
    sync, _ = adapted(store)
    assert sync.add_many({"a": "1", "b": 2}, 5) == ["a", "b"]
    assert sync.add_many({"b": 3, "c": "4"}, 6) == ["c"]
    assert sync.add_many({"d": "5"}, 7) == ["d"]
    assert sync.add_many({}, 7) == []
    assert store.values == {"a": "1", "b": 2, "c": "4", "d": "5"}
    assert store.timeouts == {"a": 5, "b": 5, "c": 6, "d": 7}
    assert store.calls == ["add_many", "add_many", "add", "set"]


def test_without_add_many_each_value_is_added_by_itself() -> None:
    store = SharedStore()
    sync, _ = adapted(store)
    store.values["a"] = "old"
    assert sync.add_many({"a": "1", "b": 2}, 5) == ["b"]
    assert store.values == {"a": "old", "b": 2}
    assert store.calls == ["add", "add", "set"]


def test_remaining_is_asked_only_of_a_store_that_has_it() -> None:
    store = InOneStep()
    sync, _ = adapted(store)
    sync.set("k", "text", 5)
    assert sync.remaining("k") == 5
    assert sync.remaining("none") is None
    plain = RecordingStore()
    assert adapted(plain)[0].remaining("k") is None
    assert plain.calls == []


def test_the_optional_methods_of_a_coroutine_store_are_used() -> None:
    store = CoroutinesInOneStep()
    _, awaited = adapted(store)

    async def use() -> list[list[str]]:
        assert await awaited.lock(["k"], "mine", 30)
        stored = [
            await awaited.set_locked({"k": (token, 5)}, token)
            for token in ("no", "mine")
        ]
        await awaited.lock(["k"], "mine", 30)
        await awaited.unlock(["k"], "mine")
        return stored

    assert asyncio.run(use()) == [[], ["k"]]
    assert store.inner.values == {"k": "mine"}
    assert "get" not in store.inner.calls
    assert asyncio.run(awaited.add_many({"k": "1", "l": "2"}, 7)) == ["l"]
    assert asyncio.run(awaited.remaining("l")) == 7
    assert store.inner.calls[-2:] == ["add_many", "remaining"]


def test_a_proxy_of_stores_locks_in_the_present_store() -> None:
    tenants = {"a": InOneStep(), "b": InOneStep()}
    tenant = "a"
    store: Any = LocalProxy(lambda: tenants[tenant])
    sync, _ = adapted(store)
    tenant = "b"
    assert sync.lock(["k"], "mine", 30)
    assert sync.set_locked({"k": ("text", 5)}, "mine")
    sync.lock(["k"], "mine", 30)
    sync.unlock(["k"], "mine")
    assert [each.values for each in tenants.values()] == [{}, {"k": "text"}]


def test_the_lock_is_deleted_before_the_entry() -> None:
    class Deleted(SharedStore):
        def delete(self, key: str) -> bool:
            deleted.append(key)
            return super().delete(key)

    deleted: list[str] = []
    store = Deleted()
    face = adapted(store)[0]
    face.lock(["k"], "mine", 30)
    (lock,) = store.values
    face.delete("k")
    assert deleted == [lock, "k"]
    face.delete_many(["k", "l"])
    assert deleted[2] == lock
    assert deleted.index("k", 2) > 2


def test_a_lock_that_can_not_be_deleted_is_an_error() -> None:
    store = SharedStore()
    store.values["k"] = "text"
    store.failing = {"delete"}
    with pytest.raises(ConnectionError):
        adapted(store)[0].delete("k")
