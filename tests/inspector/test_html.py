import math

import pytest

from jinja_fragcache.inspector import html


@pytest.mark.parametrize(("fraction", "shown"), [(None, "-"), (2 / 3, "66.7%")])
def test_a_share_is_per_cent_if_it_is_known(fraction: float | None, shown: str) -> None:
    assert html.share_or_unknown(fraction) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (-1, "0"),
        (0, "0"),
        (0.0000421, "42.1 µs"),
        (0.0123, "12.3 ms"),
        (2.5, "2.5 s"),
        (125, "2 min 5 s"),
        (math.inf, "never"),
    ],
)
def test_times_have_a_unit_that_fits(value: float | None, shown: str) -> None:
    assert html.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "not known: the store does not tell"),
        (math.inf, "for ever"),
        (90, "for 1 min 30 s"),
        (-1, "no longer"),
    ],
)
def test_it_is_told_how_long_something_holds(value: float | None, shown: str) -> None:
    assert html.left(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e15, "2e+03 TB")],
)
def test_sizes_have_a_unit_that_fits(value: int | None, shown: str) -> None:
    assert html.size(value) == shown


def test_a_name_is_one_line_that_is_not_too_long() -> None:
    assert html.brief("a\nb") == r"a\nb"
    assert len(html.brief("x" * 1000)) < 250
