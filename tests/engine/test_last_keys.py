import math

from jinja_fragcache.engine.last_keys import KeyNotes, LastKeys

LONG = "k" * 5_000


def test_the_key_that_was_added_first_goes_first() -> None:
    keys = LastKeys()
    for number in range(1024):
        keys.add(str(number), number)
    keys.add("0", 0)
    keys.add("new", -1)
    assert len(keys) == 1024
    assert (keys.known("0"), keys.known("1"), keys.known("new")) == (0, None, -1)


def test_a_long_key_is_remembered_by_its_digest() -> None:
    keys = LastKeys()
    keys.add(LONG, 5)
    assert keys.known(LONG) == 5
    assert keys.known(f"{LONG}k") is None
    assert max(map(len, keys)) < 100
    keys.discard(LONG)
    assert not keys


def test_of_several_keys_the_slowest_counts() -> None:
    notes = KeyNotes()
    assert notes.slow_seconds(["a"]) == 0
    notes.note_slow("a", 3)
    notes.note_slow(LONG, 20)
    assert notes.slow_seconds(["a", "b", LONG]) == 20
    assert notes.slow_seconds(["b"]) == 0


def test_locks_that_were_left_are_told_by_their_keys_the_oldest_first() -> None:
    notes = KeyNotes()
    assert notes.left_locked([LONG]) == {}
    for number, key in enumerate([LONG, "a", "b"]):
        notes.note_left_locked(key, f"token {number}")
    assert notes.left_locked(["a", "other", LONG]) == {"a": "token 1", LONG: "token 0"}
    assert notes.left_locked_first(2) == {LONG: "token 0", "a": "token 1"}
    for key in (LONG, "a", "b"):
        notes.note_left_locked(key, None)
    assert not notes.locks_left


def test_what_went_wrong_behind_the_request_is_remembered() -> None:
    notes = KeyNotes()
    assert notes.failed_at("a") == -math.inf
    notes.note_failed("a", 0.0)
    assert (notes.failed_at("a"), notes.failed_at("b")) == (0.0, -math.inf)
    notes.note_for_callers("a")
    assert (notes.is_for_callers("a"), notes.is_for_callers("b")) == (True, False)
