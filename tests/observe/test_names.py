from typing import Any

import pytest

from jinja_fragcache.observe.names import OTHER, Names
from tests.support import in_threads


def test_the_first_names_are_kept_apart_and_all_others_are_one() -> None:
    names = Names(2)
    told = [names.bounded(name) for name in ("a", "b", "c", "a", "d")]
    assert told == ["a", "b", OTHER, "a", OTHER]


def test_threads_do_not_exceed_the_bound() -> None:
    names = Names(50)
    told: set[str] = set()

    def work(which: int) -> None:
        told.update(names.bounded(f"{which}-{number}") for number in range(100))

    in_threads(4, work)
    assert len(told) == 51


@pytest.mark.parametrize("most", [-1, 1.5, "7", None, True])
def test_a_bound_that_is_no_number_is_refused(most: Any) -> None:
    with pytest.raises(ValueError, match="whole number from 0"):
        Names(most)
