from collections.abc import Sequence
from sys import getsizeof
from typing import Any

import pytest

from jinja_fragcache import FragmentCache
from jinja_fragcache.engine import joined
from jinja_fragcache.engine.joined import _MOST_BYTES, JoinedTexts
from jinja_fragcache.entries.freshness import PLAIN, Wanted, servable_texts, want
from jinja_fragcache.stores import MemoryStore
from tests.support import environment

KEYS = ["a", "b", "c"]
ESCAPED = want(escaped=False, version=None)


def new(*texts: str) -> list[Any]:
    """Return texts that are objects of their own."""
    return [f"{text} " for text in texts]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """Provide what was wanted of each list whose texts were looked at."""
    noted: list[Wanted] = []

    def noting(stored: Sequence[object], wanted: Wanted) -> list[str | None]:
        noted.append(wanted)
        return servable_texts(stored, wanted)

    monkeypatch.setattr(joined, "servable_texts", noting)
    return noted


def test_the_same_texts_are_looked_at_twice(looked_at: list[Wanted]) -> None:
    lists, stored = JoinedTexts(), new("a", "b", "c")
    for _ in range(5):
        assert lists.texts(KEYS, stored.copy(), PLAIN) == "a b c "
    assert looked_at == [PLAIN] * 2


def remembering(stored: list[Any]) -> JoinedTexts:
    """Return lists that remember one."""
    lists = JoinedTexts()
    for _ in range(2):
        lists.texts(KEYS, stored, PLAIN)
    assert lists
    return lists


@pytest.mark.parametrize("at", range(3))
def test_a_text_that_is_another_now_is_served(at: int) -> None:
    stored = new("a", "b", "c")
    lists = remembering(stored)
    stored[at] = "new "
    assert lists.texts(KEYS, stored, PLAIN) == "".join(stored)
    stored[at] = None
    texts = [None if number == at else each for number, each in enumerate(stored)]
    assert lists.texts(KEYS, stored, PLAIN) == texts
    stored[at] = "\x1eno header\n"
    assert lists.texts(KEYS, stored, PLAIN) == texts


def test_what_is_wanted_otherwise_is_looked_at_again() -> None:
    stored = new("a", "b", "c")
    lists = remembering(stored)
    assert lists.texts(KEYS, stored, ESCAPED) == [None] * 3
    assert lists.texts(KEYS, stored, PLAIN) == "a b c "


def test_lists_with_the_same_ends_are_told_apart() -> None:
    stored, other = new("a", "b", "c"), new("a", "other", "c")
    lists = remembering(stored)
    for _ in range(3):
        assert lists.texts(["a", "x", "c"], other, PLAIN) == "a other c "
        assert lists.texts(KEYS, stored, PLAIN) == "a b c "


def test_texts_of_which_the_store_returns_copies_are_not_remembered() -> None:
    lists = JoinedTexts()
    for _ in range(5):
        assert lists.texts(KEYS, new("a", "b", "c"), PLAIN) == "a b c "
    assert list(lists.values()) == [([], None, "")]
    stored = new("d", "e", "f")
    for _ in range(5):
        assert lists.texts(KEYS, stored, PLAIN) == "d e f "


def test_a_list_that_is_looked_up_once_is_not_remembered() -> None:
    lists = JoinedTexts()
    for number in range(100):
        lists.texts([str(number)], new("text"), PLAIN)
    assert lists == {}


def test_what_is_remembered_is_bounded_by_bytes() -> None:
    lists = JoinedTexts()
    for number in range(100):
        stored = ["x" * 5000 + str(each) for each in range(10)]
        for _ in range(2):
            lists.texts([str(number)] * 10, stored, PLAIN)
        held = sum(
            sum(map(getsizeof, (*stored, text))) for stored, _, text in lists.values()
        )
        assert held <= _MOST_BYTES
    assert 15 < len(lists) <= 20
    for _ in range(2):
        lists.texts(["large"], ["x" * (_MOST_BYTES // 4)], PLAIN)
    assert ("large", "large", 1) not in lists


def test_a_list_that_was_deleted_and_stored_anew_is_served_anew() -> None:
    cache = FragmentCache(MemoryStore())
    source = '{% cache_each n in range(3), 60, "row", n %}{{ text }}{{ n }}'
    page = environment(store=cache).from_string(source + "{% endcache_each %}")
    for _ in range(4):
        assert page.render(text="old") == "old0old1old2"
    cache.delete_fragment("row", [1])
    for _ in range(4):
        assert page.render(text="new") == "old0new1old2"
    assert cache.stats().hits == 3 * 3 + 2 + 3 * 3
