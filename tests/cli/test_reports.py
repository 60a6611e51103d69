import pytest
from rich.console import Console

from jinja_fragcache.check.project import Template
from jinja_fragcache.cli import reports
from jinja_fragcache.cli.reports import with_progress


def test_there_is_no_progress_bar_without_a_terminal() -> None:
    templates = [Template(str(number), "", "") for number in range(500)]
    assert with_progress(templates) is templates


def test_there_is_one_for_many_templates_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        reports, "Console", lambda **options: Console(force_terminal=True, **options)
    )
    templates = [Template(str(number), "", "") for number in range(200)]
    assert with_progress(templates[:199]) == templates[:199]
    assert list(with_progress(templates)) == templates
    captured = capsys.readouterr()
    assert "Reading templates" in captured.err
    assert captured.out == ""
