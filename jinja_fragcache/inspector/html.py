"""Renders the pages, whose templates are files of this package."""

import math
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from jinja_fragcache.messages import count, duration, one_line, percent

#: Stands where nothing is known.
UNKNOWN = "-"
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000
_SHORT_TIMES = ((0.001, 1e6, "µs"), (1, 1e3, "ms"), (60, 1, "s"))
_MOST_CHARACTERS = 200


def render(template: str, **values: Any) -> str:
    """Return a page.

    Args:
        template: The name of its template.
        values: The variables of the template.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("jinja_fragcache.inspector"),
        # Names, key values and texts are the application's, or its visitors'.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "brief": brief,
        "left": left,
        "number": number,
        "percent": share_or_unknown,
        "seconds": seconds,
        "size": size,
        "times": count,
    }
    return made


def brief(text: str) -> str:
    """Return a text as one line of bounded length."""
    return one_line(text, _MOST_CHARACTERS)


def number(value: int | None) -> str:
    """Return a number with its thousands apart."""
    return UNKNOWN if value is None else f"{value:,}"


def share_or_unknown(fraction: float | None) -> str:
    """Return a fraction as per cent."""
    return UNKNOWN if fraction is None else percent(fraction)


def left(value: float | None) -> str:
    """Return for how long something holds."""
    if value is None:
        return "not known: the store does not tell"
    if value == math.inf:
        return "for ever"
    return f"for {duration(value)}" if value > 0 else "no longer"


def seconds(value: float | None) -> str:
    """Return a time in one unit, from a minute on in two."""
    if value is None:
        return UNKNOWN
    if value == math.inf:
        return "never"
    if value <= 0:
        return "0"
    for longest, times, unit in _SHORT_TIMES:
        if value < longest:
            return f"{value * times:.3g} {unit}"
    return duration(value)


def size(value: int | None) -> str:
    """Return a number of bytes in its unit."""
    if value is None:
        return UNKNOWN
    amount, unit = float(value), 0
    while amount >= _THOUSAND and unit < len(_UNITS) - 1:
        amount, unit = amount / _THOUSAND, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}"
