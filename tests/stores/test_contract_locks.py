"""The contract's part about locks, for every store that has them."""

from functools import partial
from typing import Any

import pytest

from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.keys.beside import lock_key
from jinja_fragcache.stores import Timed
from tests import servers
from tests.stores.contract import (
    FOR_EVER,
    KEY,
    TEXT,
    WITHOUT_LOCKS,
    Subject,
    numbers,
    with_locks,
)
from tests.support import Calls, adapted, in_threads


def test_has_locks_is_true_for_stores_with_a_shared_atomic_add(
    subject: Subject, request: pytest.FixtureRequest
) -> None:
    store, _ = request.node.callspec.params["both"]
    has_locks = adapt(subject.store).has_locks
    assert has_locks is (store not in WITHOUT_LOCKS)


@with_locks
def test_of_concurrent_callers_one_gets_each_lock(face: Calls) -> None:
    got: list[str] = []

    def lock(number: int) -> None:
        got.extend(face.lock(list(numbers(number)), str(number), 30))

    in_threads(8, lock)
    assert sorted(got) == sorted(numbers(0))


@with_locks
def test_a_lock_that_is_held_is_neither_taken_nor_released_by_others(
    face: Calls,
) -> None:
    assert face.lock(["b"], "theirs", 30) == ["b"]
    assert face.lock(["a", "b", "c"], "mine", 30) == ["a", "c"]
    face.unlock(["a", "b"], "mine")
    assert face.lock(["a", "b", "c"], "theirs", 30) == ["a"]
    assert face.lock([], "mine", 30) == []
    face.unlock([], "mine")


@with_locks
def test_what_is_read_with_locks_is_what_is_there_then(face: Calls) -> None:
    face.set("a", TEXT, 30)
    face.set("c", 7, 0)
    assert face.lock(["b"], "theirs", 30) == ["b"]
    wanted = ["c", "a", "missing", "a"]
    taken, found = face.lock_and_get(["a", "b", "c"], "mine", 30, wanted)
    assert taken == ["a", "c"]
    assert found in ([7, TEXT, None, TEXT], None)
    assert face.lock(["a", "b", "c"], "others", 30) == []
    assert face.set_locked({"a": ("new", 30), "b": ("new", 30)}, "mine") == ["a"]
    assert face.lock_and_get([], "mine", 30, ["a"])[0] == []
    assert face.lock_and_get(["d"], "mine", 30, [])[0] == ["d"]


@with_locks
def test_set_locked_stores_the_values_whose_locks_are_held(
    face: Calls, subject: Subject
) -> None:
    assert face.lock(["a", "b", "c", "d"], "mine", 45) == ["a", "b", "c", "d"]
    assert face.lock(["e"], "theirs", 45) == ["e"]
    face.delete("b")
    values: dict[str, Timed] = {
        "a": (TEXT, 30),
        "b": ("deleted", 30),
        "c": (3, None),
        "d": ("", 0),
        "e": ("theirs", 30),
    }
    assert face.set_locked(values, "mine") == ["a", "c", "d"]
    assert face.get_many(["a", "b", "c", "d", "e"]) == [TEXT, None, 3, "", None]
    for key, seconds in (("a", 30), ("c", 300)):
        remaining = subject.remaining(key)
        assert isinstance(remaining, int | float)
        assert seconds - 20 < remaining <= seconds + 1
    assert subject.remaining("d") == FOR_EVER
    # The locks of the stored values are released, and no others.
    assert face.lock(list("abcde"), "new", 45) == ["a", "b", "c", "d"]
    assert face.set_locked(values, "mine") == []
    assert face.set_locked({}, "mine") == []


@with_locks
def test_a_lock_is_stored_with_its_seconds(face: Calls, subject: Subject) -> None:
    assert face.lock([KEY], "mine", 45)
    remaining = subject.remaining(lock_key(KEY))
    assert isinstance(remaining, int | float)
    assert 25 < remaining <= 46


@with_locks
@pytest.mark.parametrize(("timeout", "seconds"), [(30, 30), (None, 300), (0, FOR_EVER)])
def test_set_locked_stores_a_value_with_its_timeout(
    face: Calls, subject: Subject, timeout: int | None, seconds: int | str
) -> None:
    assert face.lock([KEY], "mine", 45)
    assert face.set_locked({KEY: (TEXT, timeout)}, "mine")
    remaining = subject.remaining(KEY)
    if isinstance(seconds, str):
        assert remaining == seconds
    else:
        assert isinstance(remaining, int | float)
        assert seconds - 20 < remaining <= seconds + 1


@with_locks
def test_set_locked_needs_the_lock_and_releases_it(face: Calls) -> None:
    assert face.lock([KEY], "mine", 30)
    assert not face.lock([KEY], "theirs", 30)
    assert not face.set_locked({KEY: ("theirs", 30)}, "theirs")
    assert face.get(KEY) is None
    assert face.set_locked({KEY: (TEXT, 30)}, "mine")
    assert face.get(KEY) == TEXT
    # The lock is released.
    assert not face.set_locked({KEY: ("again", 30)}, "mine")
    assert face.get(KEY) == TEXT


@with_locks
@pytest.mark.parametrize(
    ("way", "arguments"), [("delete", [KEY]), ("delete_many", [[KEY]]), ("clear", [])]
)
def test_deleting_a_key_takes_its_lock_away(
    face: Calls, way: str, arguments: list[Any]
) -> None:
    assert face.lock([KEY], "mine", 30)
    getattr(face, way)(*arguments)
    assert face.lock([KEY], "theirs", 30)
    assert not face.set_locked({KEY: ("old", 30)}, "mine")
    assert face.get(KEY) is None
    assert face.set_locked({KEY: ("new", 30)}, "theirs")
    assert face.get(KEY) == "new"


@with_locks
def test_a_lock_is_released_by_its_holder_only(face: Calls) -> None:
    assert face.lock([KEY], "mine", 30)
    face.unlock([KEY], "theirs")
    assert not face.lock([KEY], "theirs", 30)
    face.unlock([KEY], "mine")
    assert face.lock([KEY], "theirs", 30)
    face.unlock([KEY], "theirs")
    face.unlock([KEY], "theirs")


# One for each way to expire: in the memory of a server or of a process, in a database,
# in files.
ENDING = [
    "redis_texts",
    "redis_cluster",
    "memcached_pymemcache",
    "uwsgi",
    "custom_sqlite",
    "files",
    "django_cache",
]


def gets_lock(face: Calls) -> bool:
    return bool(face.lock([KEY], "theirs", 30) == [KEY])


def test_a_lock_ends_after_its_seconds(request: pytest.FixtureRequest) -> None:
    stores = [request.getfixturevalue(name).store for name in ENDING]
    faces = [adapted(store)[0] for store in stores]
    # All at once, because they end by the clocks of their servers.
    assert all(face.lock([KEY], "mine", 1) for face in faces)
    for face in faces:
        servers.wait_for(partial(gets_lock, face))
        assert not face.set_locked({KEY: ("late", 30)}, "mine")
        face.unlock([KEY], "mine")
        assert face.get(KEY) is None
        assert face.set_locked({KEY: ("new", 30)}, "theirs")
