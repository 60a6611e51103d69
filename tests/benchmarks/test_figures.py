"""benchmarks/performance/: what is made of times, and which ratios fail a run."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from benchmarks.performance.figures import (
    Bound,
    Figures,
    Line,
    compared,
    duration,
    number,
    table,
)
from benchmarks.performance.measuring import Spread, Variant, added, in_turn, ratios

MOST = Bound(1.5, 3)
LEAST = Bound(25, 8, at_least=True)


class Case(NamedTuple):
    """A ratio, and whether it is far behind."""

    bound: Bound
    ratio: tuple[float, float, float]
    is_behind: bool


@pytest.mark.parametrize(
    "case",
    [
        Case(MOST, (1, 1.4, 1.6), is_behind=False),
        # Behind the goal, but not far.
        Case(MOST, (2, 2.5, 2.9), is_behind=False),
        # One quartile may be: the machine was busy.
        Case(MOST, (2.9, 3.5, 9), is_behind=False),
        Case(MOST, (3.1, 3.2, 3.3), is_behind=True),
        Case(LEAST, (30, 31, 32), is_behind=False),
        Case(LEAST, (5, 7, 8.1), is_behind=False),
        Case(LEAST, (5, 7, 7.9), is_behind=True),
    ],
)
def test_a_ratio_is_far_behind_if_its_better_quartile_is(case: Case) -> None:
    shown = Figures(
        "hits", ("", "", ""), [Line("ours", "", Spread(*case.ratio), case.bound)]
    )
    assert len(shown.failures) == case.is_behind
    assert all("hits: ours: " in failure for failure in shown.failures)


def test_a_ratio_is_that_of_two_times_of_one_round() -> None:
    # Each round is twice as slow as the one before, for both.
    times = {"floor": [1.0, 2.0, 4.0], "ours": [3.0, 6.0, 12.0]}
    assert ratios(times, "ours", "floor") == Spread(3, 3, 3)
    assert added(times, "floor") == {"ours": [2.0, 4.0, 8.0]}


def test_variants_take_turns_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    ticks = iter(range(100))
    variants = {
        "a": Variant(lambda: calls.append("a"), operations=2),
        "b": Variant(
            lambda: calls.append("b"), calls=2, before=lambda: calls.append("before b")
        ),
    }
    times = in_turn(variants, 2, clock=lambda: float(next(ticks)))
    assert calls == ["a", "before b", "b", "b"] * 3
    # One tick for a round, divided by its operations or its calls.
    assert times == {"a": [0.5, 0.5], "b": [0.5, 0.5]}


def test_a_table_has_goals_only_if_there_are_any() -> None:
    times = {"floor": [1e-6] * 3, "ours": [2e-6] * 3}
    headings = ("page", "time", "times the floor")
    plain = Figures("hits", headings, compared(times, "floor")).markdown()
    assert plain.splitlines() == [
        "| page  |    time | times the floor |",
        "| ----- | ------: | --------------: |",
        "| floor | 1.00 us |                 |",
        "| ours  | 2.00 us |            2.00 |",
    ]
    lines = compared(times, "floor", {"ours": MOST})
    last = Figures("hits", headings, lines).markdown().splitlines()[-1]
    assert last == "| ours  | 2.00 us |            2.00 | ≤ 1.50 |"


def test_the_floor_has_a_bar_of_length_one_and_what_was_not_timed_has_none() -> None:
    lines = [
        *compared({"floor": [1.0] * 3, "jinja-fragcache": [2.0] * 3}, "floor"),
        Line("a comparison", "", Spread(9, 9, 9)),
    ]
    floor, ours = Figures("hits", ("", "", ""), lines).bars
    assert (floor.name, floor.value, floor.is_ours) == ("floor", 1, False)
    assert (ours.label, ours.value, ours.is_ours) == ("2.00x", 2, True)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.456e-7, "0.35 us"), (0.009, "9,000 us"), (0.01, "10.0 ms"), (1.5, "1,500 ms")],
)
def test_times_have_a_unit_that_suits_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.236, "1.24"), (12.36, "12.4"), (123.6, "124"), (1234, "1,234")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("rows", [[["a", "1"], ["bcd", "22"]], [["", "x"]]])
def test_all_lines_of_a_table_are_of_one_length(rows: Sequence[Sequence[str]]) -> None:
    assert len({len(line) for line in table(["n", "m"], rows).splitlines()}) == 1
