from collections.abc import Sequence

import pytest

from jinja_fragcache.engine.body_reads import reads_for_entry, reads_for_outer
from jinja_fragcache.engine.spec import NotStored
from jinja_fragcache.guard.reads import Cover, Read
from jinja_fragcache.keys.digests import digest


class Guard:
    """A guard of a key with one name and one value, that records what it refuses."""

    def __init__(self) -> None:
        self.refused: list[Read] = []

    def start(self) -> None:
        pass

    def cover(self) -> Cover:
        return Cover(
            frozenset({"user.id"}), frozenset({"5"}), frozenset({"request.host"})
        )

    def texts_now(self, name: str) -> frozenset[str]:
        return frozenset({"5"}) if name == "session.user" else frozenset()

    def refuse(self, reads: Sequence[Read]) -> None:
        self.refused += reads


BY_NAME = Read("user")
BY_VALUE = Read("session.user", frozenset({"5"}))
ALLOWED = Read("request.host")
LACKING = Read("session.cart", frozenset({"7"}))
KEPT = Read("request.base_url", frozenset({"http://a/"}), kept="http://a/")


def test_what_a_key_covers_is_stored_with_the_entry() -> None:
    guard = Guard()
    names = reads_for_entry(guard, [BY_NAME, BY_VALUE, ALLOWED, KEPT])
    assert names == (
        "user",
        f"=session.user {digest(repr(['5']))}",
        "~request.base_url http://a/",
    )
    assert guard.refused == []


def test_what_a_key_lacks_is_refused() -> None:
    guard = Guard()
    with pytest.raises(NotStored):
        reads_for_entry(guard, [BY_NAME, LACKING])
    assert guard.refused == [LACKING]


def test_without_a_guard_nothing_is_refused() -> None:
    assert reads_for_entry(None, [LACKING]) == ()


def test_the_body_around_gets_what_is_not_allowed() -> None:
    reads = reads_for_outer(Guard(), [BY_NAME, BY_VALUE, ALLOWED, LACKING, KEPT])
    assert [(each.name, set(each.instead)) for each in reads] == [
        ("user", {"5"}),
        ("session.user", set()),
        ("session.cart", set()),
        ("request.base_url", set()),
    ]
    assert reads[1].values == {"5"}
    assert reads[-1].kept == "http://a/"
    assert reads_for_outer(None, [LACKING]) == [LACKING]
