"""What was measured, as tables, and the bounds that ratios have to keep."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.bar_chart import Bar

from .measuring import Spread, Times, ratios, spread_of

_MICROSECONDS = 1e6
_MILLISECONDS = 1e3
#: The name of this package in tables.
OURS = "jinja-fragcache"
#: From so many microseconds on, milliseconds are shown.
_LONG = 10_000
_DIGITS = 3


class Bound(NamedTuple):
    """What a ratio should be at most, or at least.

    Attributes:
        goal: What it should be.
        limit: Where it is so far behind that the run fails. The distance from the goal
            is wide, because machines are busy.
        at_least: Whether the ratio should be the goal or more.
    """

    goal: float
    limit: float
    at_least: bool = False

    @property
    def text(self) -> str:
        """The goal, for a table."""
        return f"{'≥' if self.at_least else '≤'} {number(self.goal)}"

    def is_broken_by(self, ratio: Spread) -> bool:
        """Return whether not even the better quartile keeps the limit."""
        if self.at_least:
            return ratio.high < self.limit
        return ratio.low > self.limit


class Line(NamedTuple):
    """A line of a table.

    Attributes:
        name: What was measured.
        amount: How much that was, with its unit.
        ratio: How many times the floor.
        bound: What the ratio has to keep.
    """

    name: str
    amount: str
    ratio: Spread | None = None
    bound: Bound | None = None

    @property
    def failure(self) -> str | None:
        """What is wrong if the ratio breaks the bound."""
        if not self.ratio or not self.bound or not self.bound.is_broken_by(self.ratio):
            return None
        wanted = f"{self.bound.text}, limit {number(self.bound.limit)}"
        return f"{self.name}: {with_spread(self.ratio)}, but {wanted}"


@dataclass(frozen=True)
class Figures:
    """The table of one work.

    Attributes:
        title: What was measured.
        headings: Those of the names, the amounts and the ratios.
        lines: The lines.
    """

    title: str
    headings: tuple[str, str, str]
    lines: list[Line] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """What is wrong with lines that break their bounds."""
        found = (line.failure for line in self.lines)
        return [f"{self.title}: {failure}" for failure in found if failure]

    @property
    def bars(self) -> list[Bar]:
        """The ratios of all that was timed. The floor has none, so it is 1."""
        return [
            Bar(
                line.name,
                f"{number(ratio.middle)}x",
                *ratio,
                is_ours=OURS in line.name,
            )
            for line in self.lines
            if line.amount
            for ratio in [line.ratio or Spread(1, 1, 1)]
        ]

    def markdown(self) -> str:
        """Return the table, which is readable in a terminal, too."""
        has_goals = any(line.bound for line in self.lines)
        return table(
            [*self.headings, *(["goal"] if has_goals else [])],
            [cells(line)[: 4 if has_goals else 3] for line in self.lines],
        )


@dataclass(frozen=True)
class Plain:
    """A table whose numbers have no bounds.

    Attributes:
        title: What was measured.
        headings: The headings.
        rows: The cells.
        bars: Some of them, for a picture.
        failures: Nothing can be wrong with them.
    """

    title: str
    headings: list[str]
    rows: list[list[str]]
    bars: list[Bar] = field(default_factory=list)
    failures: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return the table, which is readable in a terminal, too."""
        return table(self.headings, self.rows)


def cells(line: Line) -> list[str]:
    """Return the cells of a line."""
    ratio = with_spread(line.ratio) if line.ratio else ""
    return [line.name, line.amount, ratio, line.bound.text if line.bound else ""]


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table whose columns are aligned, the first to the left."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(_aligned(line, widths))} |" for line in lines)


def _aligned(line: list[str], widths: list[int]) -> Iterator[str]:
    yield line[0].ljust(widths[0])
    for cell, width in zip(line[1:], widths[1:], strict=True):
        yield cell.rjust(width)


def compared(
    times: Times,
    floor: str,
    bounds: Mapping[str, Bound] | None = None,
    note: Callable[[str], str] = lambda _: "",
) -> list[Line]:
    """Return a line for each variant, with its ratios to the floor.

    Args:
        times: What was measured.
        floor: The name of the floor, whose line comes without a ratio.
        bounds: The bounds, by the names of the variants.
        note: Returns what is to be added to an amount.
    """
    bounds = bounds or {}
    return [
        Line(
            name,
            duration(spread_of(seconds).middle) + note(name),
            None if name == floor else ratios(times, name, floor),
            bounds.get(name),
        )
        for name, seconds in times.items()
    ]


def duration(seconds: float) -> str:
    """Return a time with its unit."""
    microseconds = seconds * _MICROSECONDS
    if abs(microseconds) < _LONG:
        return f"{number(microseconds)} us"
    return f"{number(seconds * _MILLISECONDS)} ms"


def number(value: float) -> str:
    """Return a number with three digits, or more before the point: 1.24, 124, 1,240."""
    digits_before = len(str(int(abs(value))))
    return f"{value:,.{max(0, _DIGITS - digits_before)}f}"


def with_spread(ratio: Spread) -> str:
    """Return a ratio and its quartiles, if it has any."""
    if ratio.low == ratio.high:
        return number(ratio.middle)
    return f"{number(ratio.middle)} ({number(ratio.low)} to {number(ratio.high)})"
