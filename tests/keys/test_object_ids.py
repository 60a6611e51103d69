import gc
import os
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jinja_fragcache.keys import object_ids
from jinja_fragcache.keys.object_ids import object_id


class Thing:
    pass


class WithRepr:
    def __repr__(self) -> str:
        return "WithRepr()"


class InheritedRepr(WithRepr):
    pass


class ObjectRepr(WithRepr):
    __repr__ = object.__repr__


class Slotted:
    __slots__ = ("x",)


class WeakSlotted:
    __slots__ = ("__weakref__", "x")


class AlwaysEqual:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Falsy:
    def __bool__(self) -> bool:
        return False


def a_function() -> None:
    pass


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "make", [Thing, ObjectRepr, WeakSlotted, AlwaysEqual, Falsy, lambda: lambda: None]
)
def test_an_object_has_one_id_and_no_other_object_has_it(
    make: Callable[[], Any],
) -> None:
    things = [make() for _ in range(50)]
    ids = [object_id(thing) for thing in things]
    assert [object_id(thing) for thing in things] == ids
    assert len(set(ids)) == 50
    assert all(re.fullmatch("[0-9a-f]{32}", each or "") for each in ids)


@pytest.mark.parametrize(
    "value",
    [
        WithRepr(),
        InheritedRepr(),
        Thing,
        len,
        [],
        5,
        "text",
        None,
        Thing().__init__,  # type: ignore[misc]  # only its identity matters
        ...,
    ],
)
def test_an_object_that_something_identifies_has_no_id(value: Any) -> None:
    assert object_id(value) is None


@pytest.mark.parametrize("make", [object, Slotted])
def test_an_object_that_can_not_be_weakly_referenced_has_no_id(
    make: Callable[[], Any],
) -> None:
    value = make()
    assert object_id(value) is None
    assert id(value) not in object_ids._ids


def test_a_function_has_an_id_though_it_has_a_repr() -> None:
    assert object_id(a_function) is not None
    assert object_id(a_function) == object_id(a_function)


def test_an_object_at_the_address_of_a_dead_one_has_another_id() -> None:
    thing = Thing()
    address, old = id(thing), object_id(thing)
    del thing
    others = []
    for _ in range(100_000):
        other = Thing()
        if id(other) == address:
            break
        others.append(other)
    assert id(other) == address
    assert object_id(other) not in {None, old}


def test_an_object_has_another_id_even_before_the_dead_one_is_forgotten() -> None:
    """An object in a cycle is forgotten late, when the garbage collector finds it."""
    thing, other = AlwaysEqual(), AlwaysEqual()
    old, address = object_id(thing), id(other)
    reference, _ = object_ids._ids[id(thing)]
    # The dead object has left its entry at this address.
    object_ids._ids[address] = (reference, str(old))
    new = object_id(other)
    assert new != old
    object_ids._forget(address, reference)
    assert object_id(other) == new


def test_the_id_of_a_dead_object_is_forgotten() -> None:
    thing = Thing()
    address = id(thing)
    object_id(thing)
    assert address in object_ids._ids
    del thing
    assert address not in object_ids._ids


def test_an_object_in_a_cycle_is_forgotten_when_it_is_collected() -> None:
    with without_garbage_collection():
        thing: Any = Thing()
        thing.itself = thing
        address, known, alive = id(thing), object_id(thing), weakref.ref(thing)
        del thing
        still: Any = alive()
        assert object_id(still) == known
        del still
        gc.collect()
    assert alive() is None
    assert address not in object_ids._ids


def test_threads_that_ask_at_once_get_the_same_id() -> None:
    workers = 8
    barrier = threading.Barrier(workers)
    things = [Thing() for _ in range(200)]
    ids: list[list[str | None]] = []

    def ask() -> None:
        mine = []
        for thing in things:
            barrier.wait()
            mine.append(object_id(thing))
        ids.append(mine)

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switching)
    assert len(ids) == workers
    assert all(mine == ids[0] for mine in ids)
    assert len(set(ids[0])) == len(things)


def in_another_process(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_a_finalizer_may_ask_for_an_id_while_the_lock_is_held() -> None:
    """The garbage collector may run a finalizer wherever an object is created."""
    program = """
import gc
from jinja_fragcache.keys import object_ids

class Keeper: pass
keeper = Keeper()

class Dying:
    def __init__(self):
        self.itself = self
    def __del__(self):
        print(object_ids.object_id(keeper))

with object_ids._lock:
    Dying()
    gc.collect()
print(object_ids.object_id(keeper))
"""
    first, second = in_another_process(program).split()
    assert first == second


def test_no_other_process_gives_the_same_id() -> None:
    program = (
        "from jinja_fragcache.keys.object_ids import object_id\n"
        "class Thing: pass\n"
        "print(object_id(Thing()))"
    )
    assert in_another_process(program) != in_another_process(program)
