from typing import Any

import pytest
from rich.console import Console

from jinja_fragcache.cli import output
from jinja_fragcache.cli.output import show_table, with_progress


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


ROWS = [("shop.recommended_products()", "function", "8,190 (99.7%)", "24")]


def test_numbers_stand_below_texts_where_a_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(columns: int) -> list[str]:
        def terminal(**options: Any) -> Console:
            return Console(force_terminal=True, **{"width": columns, **options})

        monkeypatch.setattr(output, "Console", terminal)
        titles = ("Name", "Kind", "Hits", "Misses")
        show_table(titles, ROWS, numbers=("Hits", "Misses"))
        return capsys.readouterr().out.splitlines()

    assert shown(40) == [
        "",
        "Name  Kind",
        "           Hits  Misses",
        "───────────────────────",
        "shop.recommended_products()  function",
        "  8,190 (99.7%)      24",
        "",
    ]
    (line,) = [each for each in shown(80) if "8,190" in each]
    assert "products()   function   8,190 (99.7%)" in line


def test_a_long_name_is_folded_where_numbers_have_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        output,
        "Console",
        lambda **options: Console(force_terminal=True, **{"width": 60, **options}),
    )
    show_table(("Name", "Bytes"), [("x" * 100, "62")], numbers=("Bytes",))
    lines = [each.split() for each in capsys.readouterr().out.splitlines()]
    folded = [each for each in lines if each and each[0].startswith("x")]
    assert folded[0][1:] == ["62"]
    assert "".join(each[0] for each in folded) == "x" * 100
