import pytest
from rich.console import Console

from jinja_fragcache.cli import output
from jinja_fragcache.cli.output import with_progress


def test_there_is_no_progress_bar_without_a_terminal() -> None:
    items = list(range(500))
    assert with_progress(items, "Reading") is items


def test_there_is_one_for_many_items_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        output, "Console", lambda **options: Console(force_terminal=True, **options)
    )
    items = list(range(200))
    assert with_progress(items[:199], "Reading", fewest=200) == items[:199]
    assert list(with_progress(items, "Reading", fewest=200)) == items
    captured = capsys.readouterr()
    assert "Reading" in captured.err
    assert captured.out == ""
