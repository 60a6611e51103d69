import pytest

from jinja_fragcache.engine import tag_hints as tag_hints
from jinja_fragcache.engine.tag_hints import TagHints


def test_tags_are_known_by_key() -> None:
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


def test_the_last_keys_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_hints, "_MOST_KEYS", 2)
    known = TagHints()
    for key in ("a", "b", "a", "c"):
        known.note(key, [key])
    assert [key for key in "abc" if key in known.by_key] == ["a", "c"]
