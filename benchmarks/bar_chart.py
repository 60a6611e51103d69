"""Draws bars as an SVG picture that is readable in light and dark."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .svg import GREY, picture, text

_MARGIN, _LEFT, _RIGHT, _TOP = 24, 250, 760, 60
_PITCH, _THICKNESS, _BOTTOM = 32, 20, 32
_COLOURS = {True: "#1d6fb8", False: "#9aa5b1"}
_SPREAD = 'fill="none" stroke="#1f2933" stroke-width="1.5"'


class Bar(NamedTuple):
    """A bar of the picture.

    Attributes:
        name: What it stands for, on its left.
        label: Its value as a text, on its right.
        low: The first quartile.
        value: Its length.
        high: The third quartile.
        is_ours: Whether it is that of this package.
    """

    name: str
    label: str
    low: float
    value: float
    high: float
    is_ours: bool


def draw(title: str, note: str, bars: Sequence[Bar]) -> str:
    """Return a picture of bars, with lines from the first to the third quartile.

    Args:
        title: Its title.
        note: What the length of a bar is.
        bars: The bars, at least one that is longer than 0.
    """
    longest = max(max(bar.value, bar.high) for bar in bars)
    scale = (_RIGHT - _LEFT) / longest
    height = _TOP + _PITCH * len(bars) + _BOTTOM
    described = "; ".join(f"{bar.name}: {bar.label}" for bar in bars)
    parts = [
        part
        for number, bar in enumerate(bars)
        for part in _bar(bar, _TOP + _PITCH * number, scale)
    ]
    parts.append(text(_MARGIN, height - 16, note, GREY))
    return picture(title, f"{note}. {described}.", height, _MARGIN, parts)


def _bar(bar: Bar, top: float, scale: float) -> Iterator[str]:
    middle = top + _THICKNESS / 2
    bold = ' font-weight="600"' if bar.is_ours else ""
    yield text(_LEFT - 12, middle + 5, bar.name, f'text-anchor="end"{bold}')
    size = f'width="{bar.value * scale:.1f}" height="{_THICKNESS}"'
    yield f'<rect x="{_LEFT}" y="{top}" {size} fill="{_COLOURS[bar.is_ours]}"/>'
    low, high = (_LEFT + each * scale for each in (bar.low, bar.high))
    ends = f"M{low:.1f} {middle - 5}v10m0-5H{high:.1f}m0-5v10"
    yield f'<path d="{ends}" {_SPREAD}/>'
    end = _LEFT + max(bar.value, bar.high) * scale
    yield text(end + 10, middle + 5, bar.label, bold.strip())
