import sys
from collections.abc import Callable

import pytest

from jinja_fragcache.remembered import ENTRY_BYTES, Lately, Made, Remembered, size_of
from tests.forking import Child
from tests.support import in_threads

ROOM = 100 * ENTRY_BYTES


def test_the_last_entries_are_remembered() -> None:
    known: Remembered[str, int] = Remembered(2, ROOM)
    for number, key in enumerate("abac"):
        known.add(key, number)
    assert known == {"a": 2, "c": 3}


def test_a_sixteenth_of_all_goes_at_once_the_first_ones() -> None:
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


class Making:
    """Makes a text of two parts, and counts how often."""

    def __init__(self) -> None:
        self.made: list[object] = []

    def __call__(self, parts: tuple[object, ...]) -> str:
        self.made.append(parts)
        return "-".join(map(str, parts))


def test_a_text_is_made_once() -> None:
    make = Making()
    made = Made(make, 10, ROOM)
    assert [made["a", number] for number in (1, 2, 1)] == ["a-1", "a-2", "a-1"]
    assert make.made == [("a", 1), ("a", 2)]


def test_the_older_half_is_forgotten_but_for_what_is_read_again() -> None:
    make = Making()
    made = Made(make, 4, ROOM)
    for number in (1, 2, 3, 1, 4):
        _ = made["a", number]
    assert make.made == [("a", number) for number in (1, 2, 3, 4)]
    _ = made["a", 1]
    assert len(make.made) == 4
    _ = made["a", 2]
    assert len(make.made) == 5
    assert len(made.everything) <= 4


@pytest.mark.parametrize(
    ("parts", "is_kept"),
    [
        (("a", 1), True),
        (("x" * 300, 1), True),
        (("x" * 500, 1), False),
        (("\N{PARTY POPPER}" * 90, 1), True),
        (("\N{PARTY POPPER}" * 125, 1), False),
        (("x", 10**1200), False),
        (tuple("abcdefghij"), True),
        (tuple("abcdefghijk"), False),
    ],
)
def test_a_text_with_large_parts_is_made_each_time(
    parts: tuple[object, ...], is_kept: bool
) -> None:
    make = Making()
    made = Made(make, 10, 500)
    assert made[parts] == made[parts] == "-".join(map(str, parts))
    assert len(make.made) == (1 if is_kept else 2)
    assert (parts in made.everything) is is_kept


def test_what_can_not_be_made_is_not_kept() -> None:
    def fail(_: tuple[object, ...]) -> str:
        raise ZeroDivisionError

    made = Made(fail, 10, ROOM)
    with pytest.raises(ZeroDivisionError):
        _ = made["a", 1]
    assert made.everything == {}


def test_threads_may_make_at_the_same_time() -> None:
    made = Made(Making(), 10, ROOM)

    def work(_: int) -> None:
        for number in range(2000):
            assert made["a", number % 30] == f"a-{number % 30}"

    in_threads(4, work)
    assert len(made.everything) <= 20


def test_what_comes_again_has_come_lately() -> None:
    lately = Lately(ROOM)
    assert [lately.has(each, 0) for each in "abab"] == [False, False, True, True]


def test_what_came_before_many_other_bytes_has_not_come_lately() -> None:
    lately = Lately(ROOM)
    lately.has("a", 0)
    for number in range(4):
        assert lately.has("a", 0)
        lately.has(number, ROOM // 4)
    assert not lately.has("a", 0)


def test_what_has_come_lately_is_bounded_by_bytes() -> None:
    lately = Lately(ROOM)
    for number in range(10_000):
        lately.has(number, 0)
        assert len(lately._hashes) <= ROOM // ENTRY_BYTES + 1
