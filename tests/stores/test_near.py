import math
import sys
import threading
from typing import Any

import pytest

from jinja_fragcache.stores import near as near_module
from jinja_fragcache.stores.near import NearMemory
from tests.forking import Child
from tests.support import Clock, in_threads


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> NearMemory:
    return NearMemory(2, timer=clock)


def keep(memory: NearMemory, value: Any, left: float | None = None) -> None:
    memory.keep({"x": (value, left)}, memory.begin_read())


def test_a_value_is_kept_for_some_seconds_from_the_begin_of_its_read(
    memory: NearMemory, clock: Clock
) -> None:
    reading = memory.begin_read()
    clock.now += 1.5
    memory.keep({"x": ("text", None)}, reading)
    clock.now += 0.4
    assert memory.get("x") == "text"
    clock.now += 0.1
    assert memory.get("x") is None


@pytest.mark.parametrize("seconds", [2, 2.5, 1e9])
def test_a_value_whose_read_took_longer_is_not_kept(
    memory: NearMemory, clock: Clock, seconds: float
) -> None:
    reading = memory.begin_read()
    clock.now += seconds
    memory.keep({"x": ("text", None)}, reading)
    assert len(memory) == 0


@pytest.mark.parametrize(
    ("left", "seconds"), [(0.5, 0.5), (1.9, 1.9), (2.1, 2), (math.inf, 2), (None, 2)]
)
def test_no_value_is_kept_longer_than_the_store_keeps_it(
    memory: NearMemory, clock: Clock, left: float | None, seconds: float
) -> None:
    keep(memory, "text", left)
    clock.now += seconds - 0.01
    assert memory.get("x") == "text"
    clock.now += 0.02
    assert memory.get("x") is None


@pytest.mark.parametrize("value", [None, True, 1.5, b"bytes", ["a list"], object()])
def test_only_texts_and_numbers_are_kept(memory: NearMemory, value: Any) -> None:
    keep(memory, value)
    assert len(memory) == 0


@pytest.mark.parametrize("value", ["", "text", 0, -7])
def test_texts_and_numbers_are_kept_as_they_are(memory: NearMemory, value: Any) -> None:
    keep(memory, value)
    assert memory.get("x") is value


def test_what_has_changed_is_dropped(memory: NearMemory) -> None:
    memory.keep({"x": ("a", None), "y": ("b", None)}, memory.begin_read())
    memory.note_changes(["x", "unknown"])
    assert memory.get_many("x", "y") == [None, "b"]
    memory.note_change_of_all()
    assert len(memory) == 0
    assert memory.used_bytes == 0


def test_what_changes_during_a_read_is_not_kept(memory: NearMemory) -> None:
    reading = memory.begin_read()
    memory.note_changes(["x"])
    memory.keep({"x": ("old", None), "y": ("b", None)}, reading)
    assert memory.get_many("x", "y") == [None, "b"]
    keep(memory, "new")
    assert memory.get("x") == "new"


def test_nothing_is_kept_if_all_changes_during_a_read(memory: NearMemory) -> None:
    reading = memory.begin_read()
    memory.note_change_of_all()
    memory.keep({"x": ("old", None)}, reading)
    assert len(memory) == 0


def test_a_read_during_which_more_changes_than_is_remembered_keeps_nothing(
    memory: NearMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_module, "_MOST_CHANGES", 3)
    reading = memory.begin_read()
    memory.note_changes(["x"])
    memory.note_changes(list("abc"))
    memory.keep({"x": ("old", None), "y": ("b", None)}, reading)
    assert len(memory) == 0
    assert len(memory._changes) == 3
    keep(memory, "new")
    assert memory.get("x") == "new"


def test_an_earlier_read_that_ends_later_does_not_replace_a_later_one(
    memory: NearMemory, clock: Clock
) -> None:
    earlier = memory.begin_read()
    clock.now += 0.1
    keep(memory, "new")
    memory.keep({"x": ("old", None)}, earlier)
    assert memory.get("x") == "new"


def test_a_later_read_replaces_an_earlier_one(memory: NearMemory, clock: Clock) -> None:
    keep(memory, "old")
    clock.now += 1
    keep(memory, "new")
    clock.now += 1.5
    assert memory.get("x") == "new"


def test_nothing_is_kept_or_remembered_under_a_long_key(memory: NearMemory) -> None:
    """A visitor may make one, by the path of a cached view."""
    for key in ("k" * 1001, "k" * 1000):
        memory.keep({key: ("text", None)}, memory.begin_read())
        memory.note_changes([key[1:]])
        memory.note_changes([f"{key}."])

    assert list(memory._entries) == ["k" * 1000]
    assert all(len(key) <= 1000 for key in memory._changes)


def test_no_more_entries_are_kept_than_the_threshold(clock: Clock) -> None:
    memory = NearMemory(2, 3, timer=clock)
    found: dict[str, tuple[Any, float | None]] = {key: (key, None) for key in "abcde"}
    memory.keep(found, memory.begin_read())
    assert len(memory) == 3


def test_no_thread_finds_a_value_after_its_change_was_noted(memory: NearMemory) -> None:
    written = [0]
    wrong: list[tuple[int, int]] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        for _ in range(300):
            if number == 0:
                with lock:
                    written[0] += 1
                memory.note_changes(["x"])
            else:
                promised = written[0] - 1  # the last one may not be noted yet
                near = memory.get("x")
                if near is not None and near < promised:
                    wrong.append((near, promised))
                reading = memory.begin_read()
                memory.keep({"x": (written[0], None)}, reading)

    in_threads(4, work)
    assert wrong == []


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_child_process_begins_with_nothing(memory: NearMemory) -> None:
    keep(memory, "of the parent")
    reading = memory.begin_read()

    def in_child() -> list[Any]:
        before = len(memory)
        memory.keep({"x": ("read by the parent", None)}, reading)
        return [before, len(memory), memory.used_bytes]

    assert Child(in_child).result() == [0, 0, 0]
    assert memory.get("x") == "of the parent"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_child_can_keep_something_if_another_thread_was_just_writing(
    memory: NearMemory,
) -> None:
    def in_child() -> Any:
        keep(memory, "new")
        return memory.get("x")

    with memory._write_lock:
        child = Child(in_child)
    assert child.result() == "new"
