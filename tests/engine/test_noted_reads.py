from typing import Any

import pytest

from jinja_fragcache import PolicyError, note_read
from jinja_fragcache.engine import dependencies, noted_reads
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.noted_reads import note_kept_read, texts_of_now


def test_what_is_read_in_a_body_is_noted_with_its_value() -> None:
    note_read("session.user", 4)
    with Dependencies() as body:
        note_read("session.user", 5)
        note_read("session.user", 6)
        note_read("request.host")
    note_read("session.user", 7)
    assert {name: set(each.values) for name, each in body.reads.items()} == {
        "session.user": {"5", "6"},
        "request.host": set(),
    }


def test_a_name_that_is_no_text_is_refused() -> None:
    wrong: Any = 5
    with Dependencies(), pytest.raises(PolicyError, match=r"5 .* note_read\("):
        note_read(wrong)


def test_a_long_text_is_not_kept() -> None:
    with Dependencies() as body:
        note_kept_read("request.base_url", "x" * 201)
    assert body.reads["request.base_url"].kept is None


def test_what_a_user_notes_may_be_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dependencies, "_frameworks", [])
    monkeypatch.setattr(noted_reads, "_again", {})
    note_read("tenant", 5, again=lambda: 5)
    assert texts_of_now("tenant") == set()
    with Dependencies():
        note_read("tenant", 5, again=lambda: 6)
    assert texts_of_now("tenant") == {"6"}
