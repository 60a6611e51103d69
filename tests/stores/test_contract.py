"""One contract, run over every kind of store and both faces of its adapter."""

import asyncio
import math
from typing import Any

import pytest

from jinja_fragcache import FragmentCache
from tests.stores.contract import (
    ADDS,
    COUNTS,
    FOR_EVER,
    KEY,
    PROMISES,
    TELLS,
    TELLS_IN_READS,
    TEXT,
    Coroutines,
    Subject,
    numbers,
    promising,
)
from tests.support import Calls, environment, in_threads


def test_get_returns_none_for_a_missing_key(face: Calls) -> None:
    assert face.get(KEY) is None


def test_get_returns_the_value_that_was_set(face: Calls) -> None:
    face.set(KEY, TEXT, 30)
    assert face.get(KEY) == TEXT
    assert face.get(KEY + "4") is None


def test_an_empty_text_is_a_value(face: Calls) -> None:
    face.set(KEY, "", 30)
    assert face.get(KEY) == ""


def test_set_overwrites_the_old_value(face: Calls) -> None:
    face.set(KEY, "old", 30)
    face.set(KEY, "new", 30)
    assert face.get(KEY) == "new"


def test_delete_removes_an_entry_and_accepts_a_missing_key(face: Calls) -> None:
    face.set(KEY, TEXT, 30)
    face.delete(KEY)
    assert face.get(KEY) is None
    face.delete(KEY)


def test_clear_removes_all_entries(face: Calls) -> None:
    face.set(KEY, TEXT, 30)
    face.clear()
    assert face.get(KEY) is None


@pytest.mark.parametrize(("timeout", "seconds"), [(30, 30), (None, 300)])
def test_an_entry_is_stored_with_its_timeout(
    face: Calls, subject: Subject, timeout: int | None, seconds: int
) -> None:
    face.set(KEY, TEXT, timeout)
    remaining = subject.remaining(KEY)
    assert isinstance(remaining, int | float)
    # Memcached counts in whole seconds, by a clock of its own.
    assert seconds - 20 < remaining <= seconds + 1


def test_a_timeout_of_zero_never_expires(face: Calls, subject: Subject) -> None:
    face.set(KEY, TEXT, 0)
    assert face.get(KEY) == TEXT
    assert subject.remaining(KEY) == FOR_EVER


@pytest.mark.parametrize("value", [0, -5, 2**63 - 1, "5", "-0"])
def test_a_number_and_a_text_of_digits_keep_their_types(
    face: Calls, value: str | int
) -> None:
    face.set(KEY, value, 30)
    got = face.get(KEY)
    assert (type(got), got) == (type(value), value)


def test_set_many_get_many_and_delete_many(face: Calls, subject: Subject) -> None:
    face.set_many({"a": TEXT, "b": 2}, 30)
    assert face.get_many(["b", "missing", "a"]) == [2, None, TEXT]
    assert subject.remaining("a") != FOR_EVER
    face.set("c", "kept", 30)
    face.delete_many(["a", "b", "missing"])
    assert face.get_many(["a", "b", "c"]) == [None, None, "kept"]


def test_the_many_methods_accept_no_keys(face: Calls) -> None:
    face.set_many({}, 30)
    assert face.get_many([]) == []
    face.delete_many([])


def test_add_stores_only_the_first_value(face: Calls, subject: Subject) -> None:
    assert face.add(KEY, "first", 30) is True
    assert face.add(KEY, "second", 30) is False
    assert face.get(KEY) == "first"
    assert subject.remaining(KEY) != FOR_EVER
    face.delete(KEY)
    assert face.add(KEY, "third", 0) is True
    assert subject.remaining(KEY) == FOR_EVER


def test_add_many_stores_only_the_values_whose_keys_have_none(
    face: Calls, subject: Subject
) -> None:
    face.set("b", "old", 0)
    assert face.add_many({"a": TEXT, "b": "new", "c": 3}, 30) == ["a", "c"]
    assert face.get_many(["a", "b", "c"]) == [TEXT, "old", 3]
    for key in ("a", "c"):
        remaining = subject.remaining(key)
        assert isinstance(remaining, int | float)
        assert 10 < remaining <= 31
    assert face.add_many({"a": TEXT, "d": ""}, 0) == ["d"]
    assert subject.remaining("d") == FOR_EVER
    assert face.add_many({}, 30) == []


def test_remaining_is_the_seconds_left_or_none_if_unknown(
    face: Calls, request: pytest.FixtureRequest
) -> None:
    store, _ = request.node.callspec.params["both"]
    face.set("a", TEXT, 30)
    face.set("b", TEXT, 0)
    remaining = face.remaining("a")
    assert face.remaining("missing") is None
    if TELLS in PROMISES.get(store, ()):
        assert remaining is not None
        assert 10 < remaining <= 30
        assert face.remaining("b") == math.inf
        face.delete("a")
        assert face.remaining("a") is None
    else:
        assert (remaining, face.remaining("b")) == (None, None)


@promising(TELLS_IN_READS)
def test_a_read_tells_the_seconds_left_too(face: Calls) -> None:
    face.set("a", TEXT, 30)
    face.set("b", 7, 0)

    def read(*keys: str) -> Any:
        told = face.adapter.store.get_with_remaining(*keys)
        return asyncio.run(told) if asyncio.iscoroutine(told) else told

    (a, seconds), missing, b = read("a", "missing", "b")
    assert (a, missing, b) == (TEXT, (None, None), (7, math.inf))
    assert 10 < seconds <= 30
    assert read() == []


@promising(ADDS)
def test_of_concurrent_callers_one_adds_each_value(face: Calls) -> None:
    added: list[str] = []
    in_threads(8, lambda number: added.extend(face.add_many(numbers(number), 30)))
    assert sorted(added) == sorted(numbers(0))


@promising(COUNTS)
def test_no_concurrent_count_is_lost(face: Calls) -> None:
    in_threads(4, lambda _: [face.increment(KEY, 1) for _ in range(25)])
    assert face.get(KEY) == 100


def test_increment_counts_up_and_down(face: Calls) -> None:
    assert face.increment(KEY, 3) == 3
    assert face.increment(KEY, 4) == 7
    assert face.increment(KEY, -2) == 5
    assert face.get(KEY) == 5


def test_increment_adds_to_a_number_that_was_set(face: Calls) -> None:
    face.set(KEY, 41, 30)
    assert face.increment(KEY, 1) == 42


PAGE = (
    '{% cache 60, "page" %}{{ n() }}{{ cache_tag("late") }}'
    '{% cache_each i in [1, 2], 60, "row", i, tags=["row:%s" % i] %}{{ n() }}'
    "{% nocache %}({{ user }}){% endnocache %}{% endcache_each %}{% endcache %}"
)


def test_composed_fragments_are_right_on_every_store(
    both: tuple[Subject, Calls],
) -> None:
    subject, face = both
    is_async = isinstance(face, Coroutines)
    caches = [FragmentCache(subject.store), FragmentCache(subject.store)]
    counter = iter(range(1, 100)).__next__

    def render(cache: FragmentCache, user: str) -> str:
        # As in two processes: neither knows what the other has done.
        env = environment({"page": PAGE}, cache, enable_async=is_async)
        return env.get_template("page").render(n=counter, user=user)

    def invalidate(cache: FragmentCache, tag: str) -> None:
        if is_async:
            asyncio.run(cache.invalidate_tags_async(tag))
        else:
            cache.invalidate_tags(tag)

    first, second = caches
    assert render(first, "a") == "12(a)3(a)"
    assert render(second, "<b>") == "12(&lt;b&gt;)3(&lt;b&gt;)"
    invalidate(second, "row:2")
    assert render(first, "a") == "42(a)5(a)"
    assert render(second, "b") == "42(b)5(b)"
    invalidate(first, "late")
    assert render(second, "a") == "62(a)5(a)"
    assert render(first, "b") == "62(b)5(b)"
