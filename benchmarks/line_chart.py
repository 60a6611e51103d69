"""Draws lines over time as an SVG picture that is readable in light and dark."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .svg import GREY, picture, text

_HEIGHT = 384
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 740, 64, 320
_COLOURS = ("#1d6fb8", "#b7471d", "#2f855a")
_TICKS = 5
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000)
_LABEL_HEIGHT = 36


class Line(NamedTuple):
    """A line of the picture.

    Attributes:
        name: Its name, beside its end.
        note: A second line of text below the name.
        points: Pairs of x and y, both from 0.
    """

    name: str
    note: str
    points: Sequence[tuple[float, float]]


def draw(
    title: str,
    description: str,
    axes: tuple[str, str],
    warm_up: float,
    lines: Sequence[Line],
) -> str:
    """Return a picture of lines.

    Args:
        title: Its title.
        description: What it shows, for those who can't see it.
        axes: What the x and the y axis are, with their units.
        warm_up: The x at which the warm-up ends.
        lines: The lines, at most three.
    """
    longest = max(x for line in lines for x, _ in line.points)
    highest = _TICKS * _step(max(y for line in lines for _, y in line.points))
    parts = [
        *_warm_up(warm_up / longest),
        *_axes(axes, longest, highest),
        *_lines(lines, longest, highest),
    ]
    return picture(title, description, _HEIGHT, _LEFT, parts)


def _step(highest: float) -> float:
    """Return the distance of two ticks, a round number."""
    return next(step for step in _STEPS if step * _TICKS >= highest)


def _warm_up(part: float) -> Iterator[str]:
    width = (_RIGHT - _LEFT) * part
    place = f'x="{_LEFT}" y="{_TOP}" width="{width:.1f}" height="{_BOTTOM - _TOP}"'
    yield f'<rect {place} fill="#f0f2f5"/>'
    yield text(_LEFT + 8, _BOTTOM - 10, "warm-up", GREY)


def _axes(axes: tuple[str, str], longest: float, highest: float) -> Iterator[str]:
    for tick in range(_TICKS + 1):
        y = _BOTTOM - (_BOTTOM - _TOP) * tick / _TICKS
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="#e4e7eb"/>'
        number = f"{highest * tick / _TICKS:g}"
        yield text(_LEFT - 10, y + 5, number, f'text-anchor="end" {GREY}')
        x = _LEFT + (_RIGHT - _LEFT) * tick / _TICKS
        number = f"{longest * tick / _TICKS:.2g}"
        yield text(x, _BOTTOM + 20, number, f'text-anchor="middle" {GREY}')
    yield f'<path d="M{_LEFT} {_BOTTOM}H{_RIGHT}" stroke="#52606d"/>'
    middle = (_LEFT + _RIGHT) / 2
    yield text(middle, _BOTTOM + 44, axes[0], f'text-anchor="middle" {GREY}')
    yield text(_LEFT - 52, _TOP - 12, axes[1], GREY)


def _lines(lines: Sequence[Line], longest: float, highest: float) -> Iterator[str]:
    lowest_label = float("inf")
    by_end = sorted(zip(lines, _COLOURS, strict=False), key=_end)
    for line, colour in by_end:
        places = [
            (
                _LEFT + (_RIGHT - _LEFT) * x / longest,
                _BOTTOM - (_BOTTOM - _TOP) * y / highest,
            )
            for x, y in line.points
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}"'
        yield ' stroke-width="2" stroke-linejoin="round"/>'
        # From the lowest one up, each above the one before.
        at = min(places[-1][1], lowest_label - _LABEL_HEIGHT)
        lowest_label = at
        bold = f'font-weight="600" fill="{colour}"'
        yield text(_RIGHT + 10, at, line.name, bold)
        yield text(_RIGHT + 10, at + 16, line.note, 'font-size="12" fill="#52606d"')


def _end(drawn: tuple[Line, str]) -> float:
    return drawn[0].points[-1][1]
