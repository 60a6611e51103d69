"""What a user's function reads to make a key covers only what the key tells."""

from typing import Any

import pytest

from jinja_fragcache.engine.key_reads import KeyReads
from jinja_fragcache.guard.reads import Cover, Read


def cover_of(text: str, key: str, **more: Any) -> Cover:
    reads = KeyReads()
    reads.note(Read("shop.user", frozenset({text}), **more))
    return reads.cover(key)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ann", "menu-ann"),
        ("ann", "ann"),
        ("en_US", "en_US/x"),
        ("/a?b=1", "view/a?b=1"),
        ("ann", "d8e8fca2dc0f896f"),
        ("5", "menu-5"),
        ("", "menu-"),
        ("ann", "joanna-ann"),
        ("/shop", "v/shopping"),
        ("ann@x.org", "ann@x.orgmenu"),
    ],
)
def test_what_a_key_function_read_and_returned_is_told(text: str, key: str) -> None:
    assert cover_of(text, key) == Cover(
        values=frozenset({text, key}),
        shown=frozenset({"shop.user"}),
        told=frozenset({"shop.user"}),
        read=frozenset({("shop.user", text)}),
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [("ann", "menu-True"), ("15", "menu-1"), ("5", "menu-15"), ("ann", "member")],
)
def test_what_it_read_and_did_not_return_covers_nothing(text: str, key: str) -> None:
    cover = cover_of(text, key)
    assert cover.names | cover.shallow | cover.told == frozenset()
    assert cover.values == {key}
    assert cover.shown == frozenset()


def test_a_part_of_a_word_is_compared_again() -> None:
    cover = cover_of("en", "menu-content")
    assert not cover.names | cover.told
    assert cover.values == {"en", "menu-content"}


def test_none_is_compared_again_because_a_key_shows_it_in_many_ways() -> None:
    cover = cover_of("None", "menu-nobody")
    assert not cover.names | cover.told
    assert cover.values == {"None", "menu-nobody"}


def test_a_read_without_a_value_covers_only_such_reads() -> None:
    reads = KeyReads()
    reads.note(Read("session.user"))
    cover = reads.cover("menu-True")
    assert cover.tells_presence(Read("session.user"))
    with_value = Read("session.user", frozenset({"ann"}))
    assert not cover.tells_presence(with_value)
    assert not cover.names_it(with_value) | cover.tells(with_value)


@pytest.mark.parametrize("key", ["menu-True", "menu-2", "d8e8fca2dc0f896f"])
def test_that_a_mapping_has_items_covers_nothing(key: str) -> None:
    reads = KeyReads()
    reads.note(Read("session"))
    cover = reads.cover(key)
    for read in (Read("session"), Read("session.user", frozenset({"ann"}))):
        assert not (cover.names_it(read) | cover.tells(read))
        assert not cover.tells_presence(read)


def test_a_digest_covers_whole_values_and_mappings_that_were_read() -> None:
    reads = KeyReads()
    reads.note(Read("request.args", is_whole=True))
    reads.note(Read("session.theme", frozenset({"dark"})))
    assert reads.cover("d8e8fca2dc0f896f").told >= {"request.args", "session.theme"}
    assert reads.cover("menu").told == frozenset()


def test_a_value_that_looks_like_a_digest_is_none() -> None:
    reads = KeyReads()
    reads.note(Read("request.args.id", frozenset({"d8e8fca2dc0f896f"})))
    reads.note(Read("session.user", frozenset({"ann"})))
    assert reads.cover("d8e8fca2dc0f896f-True").told == {"request.args.id"}


@pytest.mark.parametrize(
    ("key", "names", "values"),
    [
        ("menu-True", (), ("menu-True",)),
        ("menu-15-True", (), ("menu-15-True",)),
        ("menu_5", (), ("menu_5", "5")),
        # What of the object is in a digest nobody can see.
        ("d8e8fca2dc0f896f", (), ("d8e8fca2dc0f896f",)),
    ],
)
def test_a_key_tells_an_object_that_was_read_only_by_its_id(
    key: str, names: tuple[str, ...], values: tuple[str, ...]
) -> None:
    reads = KeyReads()
    reads.note(Read("current_user", frozenset({"5"}), is_object=True))
    cover = reads.cover(key)
    assert (sorted(cover.names | cover.told), cover.values) == (
        list(names),
        frozenset(values),
    )
