"""How the commands print: tables and lines for people, JSON for programs."""

import json
import math
from collections.abc import Container, Iterable, Sequence
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.progress import track
from rich.table import Table
from rich.text import Text

from jinja_fragcache.messages import one_line

T = TypeVar("T")


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

    Args:
        titles: The titles of its columns.
        rows: The cells of its rows.
        numbers: The titles of those columns that hold numbers.
    """
    table = Table(box=SIMPLE_HEAD)
    for title in titles:
        justify: JustifyMethod = "right" if title in numbers else "left"
        table.add_column(title, overflow="fold", justify=justify)
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    terminal = Console()
    # A file has no width. Nothing is to be cut there.
    made = terminal if terminal.is_terminal else Console(width=10_000)
    made.print(table)


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
