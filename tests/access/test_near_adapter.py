from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.near_adapter import NearAdapter
from jinja_fragcache.keys.beside import lock_key
from jinja_fragcache.operations import Operation, perform
from jinja_fragcache.stores import FileStore
from jinja_fragcache.stores.near import NearMemory
from tests.support import Clock

#: Each operation that may change something.
CHANGES: dict[str, Callable[[NearAdapter], Operation[Any]]] = {
    "set": lambda near: near.set("a", "new", 60),
    "set_many": lambda near: near.set_many({"a": "new", "b": "new"}, 60),
    "add": lambda near: near.add("a", "new", 60),
    "add_many": lambda near: near.add_many({"a": "new", "b": "new"}, 60),
    "set_locked": lambda near: near.set_locked({"a": ("new", 60)}, "mine"),
    "delete": lambda near: near.delete("a"),
    "delete_many": lambda near: near.delete_many(["a", "b"]),
    "increment": lambda near: near.increment("a", 1),
    "clear": lambda near: near.clear(),
}


@pytest.fixture
def near(tmp_path: Path) -> NearAdapter:
    store = FileStore(str(tmp_path))
    store.set_many({"a": 1, "b": 2, "c": 3})
    store.set(lock_key("a"), "mine")
    adapter = adapt(store, NearMemory(600, timer=Clock()))
    assert isinstance(adapter, NearAdapter)
    assert perform(adapter.read_through(["a", "b", "c"])) == [1, 2, 3]
    assert adapter.near.get_many("a", "b", "c") == [1, 2, 3]
    return adapter


def left_by(what: str) -> list[int | None]:
    if what == "clear":
        return [None, None, None]
    return [None, None if what.endswith("many") else 2, 3]


@pytest.mark.parametrize("what", CHANGES)
def test_what_an_operation_changes_is_not_near_any_more(
    near: NearAdapter, what: str
) -> None:
    perform(CHANGES[what](near))
    assert near.near.get_many("a", "b", "c") == left_by(what)


@pytest.mark.parametrize("what", CHANGES)
def test_what_an_operation_may_have_changed_when_it_failed_is_not_near(
    near: NearAdapter, what: str
) -> None:
    operation = CHANGES[what](near)
    next(operation)
    with pytest.raises(ConnectionError):
        operation.throw(ConnectionError("the answer was lost"))
    assert near.near.get_many("a", "b", "c") == left_by(what)


def test_what_is_read_before_the_end_of_a_change_is_not_near_after_it(
    near: NearAdapter,
) -> None:
    # The store has not been asked to delete it yet, or has, and has not answered.
    deleting, reading = near.delete("a"), near.read_through(["a"])
    next(deleting)
    answer = next(reading)
    perform(deleting)
    with pytest.raises(StopIteration):
        reading.send(answer)
    assert near.near.get("a") is None


def test_locks_are_not_near(near: NearAdapter) -> None:
    perform(near.lock(["b"], "mine", 60))
    assert near.near.get(lock_key("b")) is None
    perform(near.unlock(["b"], "mine"))
    assert near.near.get_many("a", "b") == [1, 2]
