"""How the commands print: tables and lines for people, JSON for programs."""

import json
import math
from collections.abc import Container, Iterable, Sequence
from itertools import compress
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.progress import track
from rich.table import Table
from rich.text import Text

from jinja_fragcache.messages import one_line

T = TypeVar("T")
# The width that is left to the first column of a table, at least.
_FOLDED_AT = 30


def write(text: str) -> None:
    """Print a text for other programs, which is UTF-8 wherever it goes.

    The name of a file may be no text. JSON writes such characters in the same way.
    """
    if text:
        click.echo(text.encode(errors="backslashreplace"))


def write_json(content: Any) -> None:
    """Print a value as JSON."""
    write(json.dumps(content, indent=2, ensure_ascii=False))


def with_progress(items: Sequence[T], title: str, *, fewest: int = 1) -> Iterable[T]:
    """Show a progress bar while items are gone through, if there is a terminal.

    Args:
        items: The items.
        title: What stands beside the bar.
        fewest: With fewer items, there is none.
    """
    shown_on = Console(stderr=True)
    if len(items) < fewest or not shown_on.is_terminal:
        return items
    return track(items, title, console=shown_on, transient=True)


def show_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Container[str] = (),
) -> None:
    """Print a table.

    If a terminal is too narrow for it, the cells are folded. If that is not enough, the
    numbers of a row stand below its texts.

    Args:
        titles: The titles of its columns.
        rows: The cells of its rows.
        numbers: The titles of those columns that hold numbers.
    """
    table = Table(box=SIMPLE_HEAD)
    are_numbers = [title in numbers for title in titles]
    for title, is_number in zip(titles, are_numbers, strict=True):
        justify: JustifyMethod = "right" if is_number else "left"
        table.add_column(title, overflow="fold", justify=justify)
    shown = [[one_line(cell) for cell in row] for row in rows]
    for cells in shown:
        table.add_row(*map(Text, cells))
    terminal, endless = Console(), Console(width=10_000)
    if not terminal.is_terminal:
        # A file has no width. Nothing is to be cut there.
        endless.print(table)
        return
    longest = max(len(row[0]) for row in (titles, *shown))
    folded = max(longest - _FOLDED_AT, 0)
    if any(are_numbers) and endless.measure(table).maximum - folded > terminal.width:
        _show_in_two_lines(titles, shown, are_numbers)
    else:
        terminal.print(table)


def _show_in_two_lines(
    titles: Sequence[str], rows: Sequence[Sequence[str]], are_numbers: Sequence[bool]
) -> None:
    """Print a table whose rows have two lines each, the numbers in the second."""
    are_texts = [not each for each in are_numbers]
    numbers = [[*compress(row, are_numbers)] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*numbers, strict=True)]
    lines = []
    for row, cells in zip((titles, *rows), numbers, strict=True):
        lines.append("  ".join(compress(row, are_texts)))
        aligned = map(str.rjust, cells, widths)
        lines.append(f"  {'  '.join(aligned)}")
    rule = "─" * max(map(len, lines[:2]))
    click.echo("\n".join(["", *lines[:2], rule, *lines[2:], ""]))


def show_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values below each other."""
    shown = [(name, one_line(value)) for name, value in pairs]
    terminal = Console()
    if not terminal.is_terminal:
        width = max(len(name) for name, _ in shown)
        for name, value in shown:
            click.echo(f"{name:{width}}  {value}")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in shown:
        table.add_row(name, Text(value))
    terminal.print(table)


def printable(text: str) -> str:
    """Return a text that can't control the terminal on which it is printed.

    Line breaks and tabs are kept.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    pieces = (each.split("\t") for each in lines)
    return "\n".join(
        "\t".join(one_line(piece, most=len(piece)) for piece in line) for line in pieces
    )


def seconds_as_json(seconds: float | None) -> float | str | None:
    """Return for how many seconds for JSON, which has no infinity."""
    return "ever" if seconds == math.inf else seconds
