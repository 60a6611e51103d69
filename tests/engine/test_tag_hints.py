import pytest

from jinja_fragcache.engine import tag_hints as tag_hints
from jinja_fragcache.engine.tag_hints import TagHints


def test_tags_are_remembered_by_key() -> None:
    known = TagHints()
    known.note("a", ["x", "y"])
    known.note("b", [])
    assert "a" in known.by_key
    assert "b" not in known.by_key
    assert known.of("a") == ("x", "y")
    assert known.of("b") == ()


def test_an_entry_without_tags_is_forgotten() -> None:
    known = TagHints()
    known.note("a", ["x"])
    known.note("a", [])
    assert "a" not in known.by_key


def test_only_the_last_keys_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_hints, "_MOST_KEYS", 2)
    known = TagHints()
    for key in ("a", "b", "a", "c"):
        known.note(key, [key])
    assert [key for key in "abc" if key in known.by_key] == ["a", "c"]


def test_what_is_remembered_is_bounded_by_bytes() -> None:
    known = TagHints()
    tags = [f"tag {number}" * 10 for number in range(200)]
    for number in range(1000):
        known.note(f"key {number}", tags)
    bytes_kept = sum(len(tag) for kept in known.by_key.values() for tag in kept)
    assert bytes_kept < 4 * 2**20
    assert "key 999" in known.by_key
    assert "key 0" not in known.by_key


def test_forgotten_tags_make_room() -> None:
    known = TagHints()
    for _ in range(100):
        known.note("key", ["a" * 100_000])
        known.note("key", [])
    known.note("key", ["a" * 100_000])
    known.note("other", ["b"])
    assert known.of("key") == ("a" * 100_000,)


def test_a_tag_too_large_to_be_remembered_is_not() -> None:
    known = TagHints()
    known.note("key", ["a" * 5 * 2**20])
    assert known.by_key == {}
