"""Times calls in turn: A B A B, so that a busy machine is so for all of them.

In each round, the time of a variant is divided by that of the floor in the same round.
What counts is the median of these ratios, and their quartiles show the spread.
"""

import time
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import quantiles
from typing import NamedTuple

Clock = Callable[[], float]
#: Of all rounds, the seconds that one operation of each variant took.
Times = dict[str, list[float]]


class Effort(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: How often each variant is timed.
        largest: The largest number of entries in a store.
        starts: How often each site of the load test is started.
        load_seconds: How long each start is under load, once it is warm.
    """

    rounds: int
    largest: int
    starts: int
    load_seconds: int


QUICK = Effort(rounds=9, largest=10_000, starts=2, load_seconds=2)
THOROUGH = Effort(rounds=41, largest=1_000_000, starts=5, load_seconds=10)


class Spread(NamedTuple):
    """The middle half of some numbers.

    Attributes:
        low: The first quartile.
        middle: The median.
        high: The third quartile.
    """

    low: float
    middle: float
    high: float


def spread_of(numbers: list[float]) -> Spread:
    """Return the quartiles of at least two numbers."""
    return Spread(*quantiles(numbers, n=4, method="inclusive"))


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Variant:
    """Something to time.

    Attributes:
        call: Does it.
        operations: How many operations one call consists of.
        calls: How often it is called in a round.
        before: Is called before each round, and not timed.
    """

    call: Callable[[], object]
    operations: int = 1
    calls: int = 1
    before: Callable[[], object] = nothing


def in_turn(
    variants: Mapping[str, Variant], rounds: int, clock: Clock = time.process_time
) -> Times:
    """Time all variants round by round.

    Args:
        variants: What to time, by name.
        rounds: How often each is timed. A round before these is not counted.
        clock: The clock, in seconds. By default it counts the time of this process
            alone, for what waits for nobody.
    """
    times: Times = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, each in variants.items():
            timer = timeit.Timer(each.call, each.before, clock)
            seconds = timer.timeit(each.calls) / each.calls / each.operations
            if number:
                times[name].append(seconds)
    return times


def ratios(times: Times, name: str, floor: str) -> Spread:
    """Return how many times as long as the floor a variant takes, round by round."""
    pairs = zip(times[name], times[floor], strict=True)
    return spread_of([each / other for each, other in pairs])


def added(times: Times, floor: str) -> Times:
    """Return what each variant takes longer than the floor."""
    return {
        name: [each - other for each, other in zip(seconds, times[floor], strict=True)]
        for name, seconds in times.items()
        if name != floor
    }
