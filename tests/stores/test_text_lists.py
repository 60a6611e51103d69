from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from sys import getsizeof
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.errors import DamagedValueError
from jinja_fragcache.stores import MemcachedStore, RedisStore, text_lists
from jinja_fragcache.stores.checksum import plain_texts, with_checksum
from jinja_fragcache.stores.text_lists import _MOST_BYTES, TextLists

TEXTS = ["<p>a</p>", "<p>b</p>", ""]
KEYS = ["a", "b", "c"]


ASKED = ("s:", tuple(KEYS))


def stored(texts: Sequence[str], keys: Sequence[str] = KEYS) -> list[Any]:
    """Return what a server has under keys of a store with the prefix `s:`."""
    return [
        with_checksum(f"s:{key}", text.encode())
        for key, text in zip(keys, texts, strict=True)
    ]


def load(lists: TextLists, keys: Sequence[str], answer: list[Any]) -> Any:
    return lists.load(("s:", tuple(keys)), [f"s:{key}" for key in keys], answer)


def lists_with_texts() -> TextLists:
    """Return lists that remember one."""
    lists = TextLists()
    for _ in range(2):
        load(lists, KEYS, stored(TEXTS))
    assert ASKED in lists
    return lists


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Provide the keys of each list that was verified and decoded."""
    keys_of: list[Sequence[str]] = []

    def noted(keys: Sequence[str], stored: Sequence[Any]) -> list[str] | None:
        keys_of.append(list(keys))
        return plain_texts(keys, stored)

    monkeypatch.setattr(text_lists, "plain_texts", noted)
    return keys_of


def test_bytes_that_are_read_again_are_not_verified_any_more(
    verified: list[Any],
) -> None:
    lists = TextLists()
    for _ in range(5):
        assert load(lists, KEYS, stored(TEXTS)) == TEXTS
    assert verified == [["s:a", "s:b", "s:c"]] * 2


def test_a_list_that_is_read_once_is_not_remembered() -> None:
    lists = TextLists()
    for number in range(100):
        keys = [f"{number}:{each}" for each in KEYS]
        load(lists, keys, stored(TEXTS, keys))
    assert lists == {}


@pytest.mark.parametrize("others", [0, 10, 30])
def test_a_list_is_remembered_if_little_else_was_read_meanwhile(others: int) -> None:
    lists = TextLists()
    load(lists, KEYS, stored(TEXTS))
    for number in range(others):
        load(lists, [str(number)], stored(["x" * (_MOST_BYTES // 20)], [str(number)]))
    load(lists, KEYS, stored(TEXTS))
    assert (ASKED in lists) == (others < 20)


def test_other_bytes_and_other_keys_are_verified(verified: list[Any]) -> None:
    lists = lists_with_texts()
    del verified[:]
    changed = [*TEXTS[:2], "new"]
    for _ in range(2):
        assert load(lists, KEYS, stored(changed)) == changed
    assert load(lists, KEYS, stored(TEXTS)) == TEXTS
    assert load(lists, KEYS[:2], stored(TEXTS[:2], KEYS[:2])) == TEXTS[:2]
    assert len(verified) == 3
    with pytest.raises(DamagedValueError, match="'s:c'"):
        load(lists, ["c", "b", "a"], stored(TEXTS))


@pytest.mark.parametrize("at", range(3))
def test_a_text_that_is_damaged_after_the_list_was_read_is_not_served(at: int) -> None:
    lists = lists_with_texts()
    damaged = stored(TEXTS)
    damaged[at] = damaged[at][:-1] + bytes([damaged[at][-1] ^ 1])
    with pytest.raises(DamagedValueError, match=f"'s:{KEYS[at]}'"):
        load(lists, KEYS, damaged)
    assert load(lists, KEYS, stored(TEXTS)) == TEXTS


VALUES = st.lists(st.sampled_from([None, b"7", b"a", b"\xff7", "ä".encode()]))


@given(st.lists(VALUES, max_size=4))
def test_lists_are_read_as_if_nothing_was_remembered(
    given: list[list[bytes | None]],
) -> None:
    lists = TextLists()
    for values in given:
        keys = [str(number) for number in range(len(values))]
        answer = [
            None if each is None else with_checksum(f"s:{key}", each)
            for key, each in zip(keys, values, strict=True)
        ]
        wanted = load(TextLists(), keys, list(answer))
        for _ in range(3):
            assert load(lists, keys, list(answer)) == wanted


def test_who_changes_a_list_changes_only_a_copy() -> None:
    lists = TextLists()
    answer = stored(TEXTS)
    for _ in range(4):
        texts = load(lists, KEYS, answer)
        assert texts == TEXTS
        texts.clear()
    answer[0] = b"other"
    with pytest.raises(DamagedValueError):
        load(lists, KEYS, answer)


def test_what_is_remembered_is_bounded_by_bytes() -> None:
    lists = TextLists()
    for number in range(200):
        keys = [f"{number}:{each}" for each in range(10)]
        for _ in range(2):
            load(lists, keys, stored(["x" * 5000] * 10, keys))
        held = sum(
            sum(map(getsizeof, (*keys, *each.full_keys, *each.stored, *each.texts)))
            for (_, keys), each in lists.items()
        )
        assert held <= _MOST_BYTES
    assert 10 < len(lists) <= 20


def test_a_list_that_would_push_out_all_others_is_not_remembered() -> None:
    lists = lists_with_texts()
    for size in (_MOST_BYTES // 20, _MOST_BYTES // 6):
        text = "x" * size
        for _ in range(2):
            assert load(lists, ["d", "e"], stored([text] * 2, ["d", "e"])) == [text] * 2
    assert list(lists) == [ASKED, ("s:", ("d", "e"))]
    assert len(lists["s:", ("d", "e")].texts[0]) == _MOST_BYTES // 20


def test_what_one_of_several_servers_has_of_a_list_is_a_list_of_its_own(
    verified: list[Any],
) -> None:
    lists, answer = TextLists(), stored(TEXTS)
    for _ in range(3):
        for part in (slice(0, 2), slice(2, 3)):
            full_keys = ["s:a", "s:b", "s:c"][part]
            assert lists.load(ASKED, full_keys, answer[part]) == TEXTS[part]
    assert len(verified) == 4


def test_the_answer_to_other_keys_is_not_taken_for_that_to_these() -> None:
    # As they may be if a store asks for the same with other full keys.
    lists = lists_with_texts()
    with pytest.raises(DamagedValueError, match="'other'"):
        lists.load(ASKED, ["s:a", "other", "s:c"], stored(TEXTS))


ANSWER = dict(zip(["s:a", "s:b", "s:c"], stored(TEXTS), strict=True))


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        (ANSWER, TEXTS),
        (dict(reversed(ANSWER.items())), TEXTS),
        ({"s:a": ANSWER["s:a"], "s:c": ANSWER["s:c"]}, None),
    ],
    ids=["in order", "in another order", "one is missing"],
)
def test_an_answer_by_keys_may_be_in_any_order(
    answer: dict[str, Any], texts: list[str] | None
) -> None:
    lists = lists_with_texts()
    found: list[Any] = list(lists.load_found(ASKED, list(ANSWER), answer))
    wanted: list[Any] = [TEXTS[0].encode(), None, TEXTS[2].encode()]
    assert found == (texts or wanted)


def test_an_answer_whose_values_are_of_other_keys_is_damaged() -> None:
    lists = lists_with_texts()
    values = [ANSWER["s:b"], ANSWER["s:a"], ANSWER["s:c"]]
    with pytest.raises(DamagedValueError, match="'s:a'"):
        lists.load_found(ASKED, list(ANSWER), dict(zip(ANSWER, values, strict=True)))


def test_a_key_that_is_asked_for_twice_is_answered_twice() -> None:
    lists = TextLists()
    for _ in range(3):
        found = lists.load_found(("s:", ("a", "a")), ["s:a", "s:a"], ANSWER)
        assert found == [TEXTS[0]] * 2


@pytest.fixture(params=["redis", "memcached"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Any]]:
    """Provide a function that makes stores on the same server."""
    port = request.getfixturevalue(f"{request.param}_port")
    if request.param == "redis":
        yield lambda: RedisStore(port=port, key_prefix="shop:")
        return
    with ExitStack() as stores:

        def make() -> MemcachedStore:
            store = MemcachedStore([f"127.0.0.1:{port}"], key_prefix="shop:")
            return stores.enter_context(closing(store))

        yield make


def test_a_store_serves_what_another_process_has_just_written(
    make: Callable[[], Any], verified: list[Any]
) -> None:
    store, other = make(), make()
    other.clear()
    other.set_many({"a": "text", "b": "b", "c": "c"})
    for _ in range(3):
        assert store.get_many(*KEYS) == ["text", "b", "c"]
    assert len(verified) == 2
    other.set("b", "new")
    assert store.get_many(*KEYS) == ["text", "new", "c"]
    other.delete("c")
    assert store.get_many(*KEYS) == ["text", "new", None]
    other.set("c", "1")
    assert store.get_many(*KEYS) == ["text", "new", "1"]
