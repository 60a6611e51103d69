from collections.abc import Callable

import pytest

from jinja_fragcache.keys import one_value
from jinja_fragcache.keys.fragment import _make_key
from jinja_fragcache.keys.one_value import KeysByName
from jinja_fragcache.remembered import size_of
from tests.support import in_threads


def remembered(keys: KeysByName) -> dict[tuple[str, str | int], str]:
    """Return what is in both halves."""
    return {
        (name, value): key
        for name, of_name in keys.items()
        for value, key in {**of_name.old, **of_name}.items()
    }


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(one_value, "_HALF", 32)
    return 32


@pytest.mark.usefixtures("half")
def test_keys_are_those_that_are_made_of_name_and_value() -> None:
    keys = KeysByName()
    for number in range(200):
        name, value = f"name {number // 3}", number if number % 2 else str(number)
        expected = _make_key((name, value))
        assert keys[name][value] == keys[name][value] == expected


@pytest.mark.parametrize("value", ["", "x" * 500, "\udc80", "\N{PARTY POPPER}", 10**30])
@pytest.mark.parametrize("name", ["", "a b", "x" * 500, "\N{PARTY POPPER}"])
def test_any_text_may_be_name_or_value(name: str, value: str | int) -> None:
    assert KeysByName()[name][value] == _make_key((name, value))


def test_a_key_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = KeysByName()
    first = keys["name"]["value"], keys["name"][1]
    monkeypatch.setattr(one_value, "sha256", None)
    assert (keys["name"]["value"], keys["name"][1]) == first


def test_the_older_half_is_forgotten_but_for_what_is_read_again(half: int) -> None:
    keys = KeysByName()
    for number in range(half * 2):
        _ = keys["name"][number], keys["name"][0]
    known = remembered(keys)
    assert ("name", 0) in known
    assert ("name", half * 2 - 1) in known
    assert ("name", 1) not in known
    assert len(known) <= 2 * half


@pytest.mark.parametrize("per_name", [1, 2, 7])
def test_names_are_forgotten_with_their_keys(half: int, per_name: int) -> None:
    keys = KeysByName()
    for number in range(500):
        _ = keys[f"name {number // per_name}"][number]
        assert len(remembered(keys)) <= 2 * half
        assert len(keys) <= half
    assert ("name 0", 0) not in remembered(keys)
    assert (f"name {499 // per_name}", 499) in remembered(keys)


@pytest.mark.parametrize(
    ("name_of", "value_of"),
    [
        (lambda _: "name", lambda number: f"{number}" + "x" * 2000),
        (lambda _: "name", lambda number: f"{number}" + "x" * 400),
        (lambda _: "name", lambda number: f"{number}" + "\N{PARTY POPPER}" * 90),
        (lambda _: "name", lambda number: 10**1100 + number),
        (lambda number: f"{number}" + "x" * 2000, lambda _: "value"),
        (lambda number: f"{number}" + "x" * 400, lambda _: "value"),
    ],
)
def test_the_bytes_are_bounded(
    name_of: Callable[[int], str], value_of: Callable[[int], str | int]
) -> None:
    keys = KeysByName()
    for number in range(10_000):
        _ = keys[name_of(number)][value_of(number)]
    size = size_of({**keys}) + sum(
        size_of(name) + size_of(of_name.old) + 2 * len(name)
        for name, of_name in keys.items()
    )
    assert size < 4 * 2**20


def test_threads_may_make_keys_at_the_same_time(half: int) -> None:
    keys = KeysByName()

    def work(_: int) -> None:
        for number in range(3000):
            name, value = f"{number % 5}", number % 50
            assert keys[name][value] == _make_key((name, value))

    in_threads(4, work)
    assert len(remembered(keys)) <= 3 * half
