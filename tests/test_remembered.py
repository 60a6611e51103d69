import sys
from collections.abc import Callable

import pytest

from jinja_fragcache.remembered import ENTRY_BYTES, Remembered, size_of
from tests.forking import Child
from tests.support import in_threads

ROOM = 100 * ENTRY_BYTES


def test_the_last_entries_are_remembered() -> None:
    known: Remembered[str, int] = Remembered(2, ROOM)
    for number, key in enumerate("abac"):
        known.add(key, number)
    assert known == {"a": 2, "c": 3}


def test_the_sixteenth_that_was_added_first_goes_at_once() -> None:
    known: Remembered[int, None] = Remembered(32, 10 * ROOM)
    for number in range(33):
        known.add(number, None)
    assert list(known) == list(range(2, 33))
    known.add(33, None)
    assert list(known) == list(range(2, 34))


def test_a_forgotten_entry_makes_room() -> None:
    known: Remembered[str, str] = Remembered(10, ROOM)
    for _ in range(20):
        known.add("a", "x" * (ROOM // 2))
        known.forget("a")
        known.forget("a")
    assert known == {}
    known.add("b", "x" * (ROOM // 2))
    known.add("c", "")
    assert list(known) == ["b", "c"]


@pytest.mark.parametrize(
    "make",
    [
        lambda number: (str(number), "x" * 1000),
        lambda number: ("x" * 1000 + str(number), ""),
        lambda number: (str(number), "\N{PARTY POPPER}" * 250),
        lambda number: (str(number), (("x" * 500, number), ("x" * 500, 1.5))),
        lambda number: (str(number), 10 ** (2000 + number)),
        lambda number: ((str(number), 7), None),
    ],
)
def test_what_is_remembered_is_bounded_by_bytes(
    make: Callable[[int], tuple[object, object]],
) -> None:
    known: Remembered[object, object] = Remembered(10**6, ROOM)
    for number in range(300):
        known.add(*make(number))
        held = sum(size_of(key) + size_of(value) for key, value in known.items())
        assert held + len(known) * ENTRY_BYTES <= ROOM
    assert 2 <= len(known) < 100
    assert make(299)[0] in known
    assert make(0)[0] not in known


def test_bytes_of_what_a_value_refers_to_may_be_added() -> None:
    known: Remembered[str, object] = Remembered(10, ROOM)
    for key in "abc":
        known.add(key, sys, more_bytes=ROOM // 3)
    assert list(known) == ["b", "c"]


def test_an_entry_without_room_is_not_remembered_and_leaves_the_others() -> None:
    known: Remembered[str, str] = Remembered(10, ROOM)
    known.add("a", "1")
    known.add("b", "2")
    known.add("b", "x" * ROOM)
    assert known == {"a": "1"}


def test_the_size_of_a_tuple_is_that_of_all_in_it() -> None:
    inner = ("x" * 100, 10**50)
    assert size_of((inner, None)) == sum(
        map(sys.getsizeof, [(1, 2), inner, "x" * 100, 10**50, None])
    )


def test_threads_may_add_and_forget_at_the_same_time() -> None:
    known: Remembered[int, int] = Remembered(10, ROOM)

    def work(which: int) -> None:
        for number in range(2000):
            known.add(number % 30, which)
            known.forget((number + which) % 30)

    in_threads(4, work)
    assert len(known) <= 10
    for number in range(30):
        known.forget(number)
    known.add(0, 0, more_bytes=ROOM - ENTRY_BYTES - 2 * size_of(1))
    assert known == {0: 0}


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_child_process_of_one_that_was_adding_begins_anew() -> None:
    known: Remembered[str, str] = Remembered(10, ROOM)
    known.add("a", "1")

    def add() -> list[str]:
        known.add("b", "2")
        return list(known)

    with known._lock:
        child = Child(add)
    assert child.result() == ["b"]
    assert Child(add).result() == ["a", "b"]
