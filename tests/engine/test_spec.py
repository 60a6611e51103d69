from typing import Any

import pytest

from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.entry import Entry, Life, decode, encode
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.entries.values import MISSING, UnreadableError
from tests.engine.test_covering import FIVE_KEPT, Guard

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


@pytest.mark.parametrize("read", [f"=session.user {FIVE_KEPT}", "~session.user 5"])
def test_an_entry_is_missing_if_its_key_does_not_cover_now_what_was_read(
    read: str,
) -> None:
    entry = ENTRY._replace(reads=("user", read))
    assert load(SPEC._replace(guard=Guard("5")), entry) == "text"
    assert load(SPEC._replace(guard=Guard("6")), entry) is MISSING


def test_reads_are_dumped_with_the_text() -> None:
    dumped = SPEC.dump("text", {}, None, {}, ("user",))
    assert decode(dumped) == ENTRY._replace(reads=("user",))
