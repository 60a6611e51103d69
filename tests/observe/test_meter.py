import asyncio

import pytest

from jinja_fragcache.observe.meter import Meter, metered
from tests.support import Clock


def test_only_what_is_called_in_the_block_is_added_up() -> None:
    clock = Clock()

    def run(seconds: float) -> float:
        clock.now += seconds
        return seconds

    timed = metered(run, clock)
    timed(1)
    with Meter() as outer:
        assert timed(2) == 2
        with Meter() as inner:
            timed(4)
        timed(8)
    timed(16)
    assert (outer.seconds, inner.seconds) == (10, 4)


def test_the_time_of_a_call_that_fails_is_added() -> None:
    clock = Clock()

    def run(_: object) -> None:
        clock.now += 3
        raise ConnectionError

    with Meter() as meter, pytest.raises(ConnectionError):
        metered(run, clock)(None)
    assert meter.seconds == 3


def test_the_time_of_what_is_awaited_is_added() -> None:
    clock = Clock()

    async def run(seconds: float) -> float:
        clock.now += seconds
        return seconds

    async def use() -> float:
        with Meter() as meter:
            assert await metered(run, clock)(5) == 5
        return meter.seconds

    assert asyncio.run(use()) == 5
