from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import pytest
from rich.table import Table

from benchmarks.transparency.__main__ import RUNS, compare
from benchmarks.transparency.expected import Difference
from benchmarks.transparency.running import Run
from benchmarks.transparency.tagging import Way

LISTED = Difference(
    "pages", "because", frozenset({"b"}), frozenset({Way.CACHE}), frozenset({"warm"})
)


@dataclass
class Pages:
    """Has two pages, of which one is another in some runs."""

    others: list[Run]
    hits: int = 1
    name: str = "pages"

    def observe(self, run: Run) -> tuple[Mapping[str, Hashable], int]:
        return {"a": 1, "b": 2 if run in self.others else 1}, self.hits


def problems(pages: Pages, *expected: Difference) -> list[str]:
    return list(compare(pages, list(expected), Table()))


def test_the_same_in_all_runs_is_no_problem() -> None:
    assert problems(Pages([])) == []


@pytest.mark.parametrize("run", RUNS)
def test_a_difference_has_to_be_listed(run: Run) -> None:
    (told,) = problems(Pages([run]))
    assert told == f"pages, {run.way}, {run.store}: b differs, and is not listed."


def test_a_listed_difference_has_to_be_there() -> None:
    run = Run(Way.CACHE, is_warm=True)
    assert problems(Pages([run]), LISTED) == []
    (told,) = problems(Pages([]), LISTED)
    assert told == "pages, cache, warm: b is listed, and does not differ."


def test_a_warm_run_has_to_have_hits() -> None:
    told = problems(Pages([], hits=0))
    assert len(told) == len(Way) - 1
    assert all(each.endswith("nothing was served from the store.") for each in told)


def test_what_is_missing_differs() -> None:
    class NoPages(Pages):
        def observe(self, run: Run) -> tuple[Mapping[str, Hashable], int]:
            return ({"a": 1} if run.way else {}), 1

    first, *others = problems(NoPages([]))
    assert first == "pages: there is nothing to compare."
    assert len(others) == len(RUNS)
