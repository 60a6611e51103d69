from typing import Any

import pytest

from jinja_fragcache.engine.covering import is_covered_now, names_covering
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.entry import Entry, Life, decode, encode
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.entries.values import MISSING, UnreadableError
from jinja_fragcache.guard.reads import Cover, Read
from jinja_fragcache.keys.digests import digest

SPEC = FragmentSpec("k", want(True, "v1"), 60)
ENTRY = Entry("text", version="v1")
PIECES = Pieces("text", ((1, 0), (2, 3)))


def load(spec: FragmentSpec, entry: Entry | None) -> Any:
    return spec.load(None if entry is None else encode(entry), entry)


def test_the_text_of_an_entry_is_loaded() -> None:
    assert load(SPEC, ENTRY) == "text"
    assert load(SPEC, None) is MISSING


@pytest.mark.parametrize(
    "other",
    [
        ENTRY._replace(escaped=False),
        ENTRY._replace(version="v2"),
        ENTRY._replace(version=None),
        ENTRY._replace(holes=((1, 0),)),
    ],
)
def test_an_entry_with_another_escaping_version_or_hole_is_missing(
    other: Entry,
) -> None:
    assert load(SPEC, other) is MISSING


def test_an_entry_is_missing_if_a_template_that_it_is_bound_to_was_edited() -> None:
    digests = {"a": "1", "b": "1"}
    bound = SPEC._replace(digest_of=digests.__getitem__)
    entry = ENTRY._replace(templates=(("a", "1"), ("b", "1")))
    assert load(bound, entry) == "text"
    digests["b"] = "2"
    assert load(bound, entry) is MISSING
    assert load(SPEC, entry) == "text"


def test_an_entry_with_holes_is_loaded_as_pieces() -> None:
    with_holes = SPEC._replace(holes=(0, 3, 4))
    assert load(with_holes, ENTRY._replace(holes=PIECES.holes)) == PIECES
    assert load(with_holes, ENTRY) == Pieces("text")


@pytest.mark.parametrize("stored", [b"text", 5])
def test_a_stored_value_that_is_not_text_is_unreadable(stored: object) -> None:
    with pytest.raises(UnreadableError) as raised:
        SPEC.load(stored, None)
    assert f"it gave {stored!r}, no text" in str(raised.value.reason)


def test_what_is_dumped_is_loaded() -> None:
    bound = SPEC._replace(digest_of=lambda _: "1", holes=(0, 3))
    life = Life(1060.0, 0.5)
    dumped = bound.dump(PIECES, {"b": "2", "a": "1"}, life, {"t": "1"})
    entry = decode(dumped)
    assert entry == Entry(
        "text",
        version="v1",
        tags=(("a", "1"), ("b", "2")),
        life=life,
        templates=(("t", "1"),),
        holes=PIECES.holes,
    )
    assert bound.load(dumped, entry) == PIECES


def test_templates_are_dumped_only_in_an_entry_that_is_bound_to_them() -> None:
    entry = decode(SPEC.dump("text", {}, None, {"t": "1"}))
    assert entry is not None
    assert entry.templates == ()


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
    spec = SPEC._replace(guard=guard)
    entry = ENTRY._replace(reads=(kept,))
    assert load(spec, entry) == ("text" if is_covered else MISSING)


@pytest.mark.parametrize(("now", "is_same"), [("http://a b/", True), ("b", False)])
def test_what_an_entry_keeps_has_to_be_the_same_now(now: str, is_same: bool) -> None:
    guard = Guard(now)
    reads = ("user", "~request.base_url http://a b/")
    assert is_covered_now(reads, guard) is is_same
    assert not is_covered_now(reads, None)
    spec = SPEC._replace(guard=guard)
    assert load(spec, ENTRY._replace(reads=reads)) == ("text" if is_same else MISSING)


@pytest.mark.parametrize("now", ["5", "7"])
def test_it_has_to_be_the_same_one_of_several_values(now: str) -> None:
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


def test_an_entry_that_does_not_keep_which_value_it_was_is_missing() -> None:
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


def test_reads_are_dumped_with_the_text() -> None:
    dumped = SPEC.dump("text", {}, None, {}, ("user",))
    assert decode(dumped) == ENTRY._replace(reads=("user",))
