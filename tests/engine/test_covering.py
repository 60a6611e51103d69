from typing import Any

import pytest

from jinja_fragcache.engine.covering import is_covered_now, names_covering
from jinja_fragcache.guard.reads import Cover, Read
from jinja_fragcache.keys.digests import digest

FIVE, SIX = frozenset({"5"}), frozenset({"6"})
FIVE_KEPT = digest(repr(["5"]))


class Guard:
    """A guard of a key with the value 5, in a request where each read gives a value."""

    def apart(self, render: Any, *, default: bool) -> None:
        """Make nothing later."""

    def __init__(
        self,
        text: str,
        values: frozenset[str] = FIVE,
        now: frozenset[str] | None = None,
    ) -> None:
        self.now = frozenset({text}) if now is None else now
        self.values = values

    def start(self) -> None:
        pass

    def cover(self) -> Cover:
        return Cover(frozenset({"user", "~page"}), self.values)

    def texts_now(self, name: str) -> frozenset[str]:
        return self.now

    def refuse(self, reads: object) -> None:
        pass


@pytest.mark.parametrize(("now", "is_covered"), [("5", True), ("6", False)])
def test_what_a_value_covered_has_to_be_the_same_now(
    now: str, is_covered: bool
) -> None:
    guard = Guard(now)
    kept = f"=session.user {FIVE_KEPT}"
    assert is_covered_now(["user", kept], guard) is is_covered
    assert is_covered_now(["user"], None)
    assert not is_covered_now([kept], None)


@pytest.mark.parametrize(("now", "is_same"), [("http://a b/", True), ("b", False)])
def test_what_an_entry_keeps_has_to_be_the_same_now(now: str, is_same: bool) -> None:
    guard = Guard(now)
    reads = ("user", "~request.base_url http://a b/")
    assert is_covered_now(reads, guard) is is_same
    assert not is_covered_now(reads, None)


@pytest.mark.parametrize("now", ["5", "7"])
def test_a_read_has_to_give_the_same_one_of_several_values(now: str) -> None:
    guard = Guard(now, frozenset({"5", "7"}))
    names = names_covering(guard, Read("session.user", frozenset({now})))
    assert names is not None
    assert is_covered_now(names, guard)
    for other in {"5", "7", "9"} - {now}:
        assert not is_covered_now(names, Guard(other, frozenset({"5", "7"})))


def test_the_name_of_one_user_is_not_the_number_of_another() -> None:
    ann, bob = frozenset({"5", "ann"}), frozenset({"9", "5"})
    read = Read("current_user", ann, is_object=True)
    names = names_covering(Guard("", now=ann), read)
    assert names is not None
    assert is_covered_now(names, Guard("", now=ann))
    assert not is_covered_now(names, Guard("", now=bob))


def test_a_read_without_the_digest_of_its_value_is_not_covered() -> None:
    assert not is_covered_now(["=session.user"], Guard("5"))
    assert not is_covered_now(["=flashed messages"], Guard("5"))


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (Read("user"), ["user"]),
        (Read("session.user", FIVE), [f"=session.user {FIVE_KEPT}"]),
        (Read("session.user", SIX), None),
        (Read("user", kept="a"), ["user"]),
        (Read("request.host", FIVE, kept="a b"), ["~request.host a b"]),
        (Read("cart", kept="a", parts=(Read("user"),)), ["user"]),
        (Read("cart", kept="a", parts=(Read("user"), Read("x"))), ["~cart a"]),
        (Read("page", FIVE), ["~page 5"]),
        (Read("page", SIX | {"7"}), None),
        (
            Read("cart", parts=(Read("user"), Read("x", FIVE))),
            ["user", f"=x {FIVE_KEPT}"],
        ),
        (Read("cart", parts=(Read("user"), Read("x", SIX))), None),
    ],
    ids=lambda value: value.name if isinstance(value, Read) else None,
)
def test_the_names_that_cover_a_read(read: Read, names: list[str] | None) -> None:
    assert names_covering(Guard("5"), read) == names


def test_a_value_that_can_not_be_compared_again_covers_nothing() -> None:
    assert names_covering(Guard(""), Read("session.user", FIVE)) is None
