import pytest

from jinja_fragcache.engine import tag_hints as known_tags
from jinja_fragcache.engine.tag_hints import KnownTags


def test_tags_are_known_by_key() -> None:
    known = KnownTags()
    known.note("a", ["x", "y"])
    known.note("b", [])
    assert "a" in known.by_key
    assert "b" not in known.by_key
    assert known.of("a") == ("x", "y")
    assert known.of("b") == ()


def test_an_entry_without_tags_is_forgotten() -> None:
    known = KnownTags()
    known.note("a", ["x"])
    known.note("a", [])
    assert "a" not in known.by_key


def test_the_last_keys_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tags, "_MOST_KEYS", 2)
    known = KnownTags()
    for key in ("a", "b", "a", "c"):
        known.note(key, [key])
    assert [key for key in "abc" if key in known.by_key] == ["a", "c"]
