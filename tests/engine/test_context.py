import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from jinja_fragcache import MemoryStore
from jinja_fragcache.access import event_loops
from jinja_fragcache.access.stats import Stats
from jinja_fragcache.stores import Store
from tests.support import Clock, RecordingStore, context


def test_callers_on_an_event_loop_wait_without_blocking_it() -> None:
    blocking = context(RecordingStore(), Stats())
    on_loop = context(RecordingStore(), Stats(), blocking=False)
    assert blocking.sleep is time.sleep
    assert on_loop.sleep is event_loops.sleep


def beside_another_task(function: Callable[[], float]) -> float:
    """Call a function on an event loop of asyncio that has another task."""

    async def both() -> float:
        other = asyncio.create_task(asyncio.sleep(0))
        result = function()
        await other
        return result

    return asyncio.run(both())


def alone(function: Callable[[], float]) -> float:
    async def one() -> float:
        return function()

    return asyncio.run(one())


def on_trio(function: Callable[[], float]) -> float:
    async def one() -> float:
        return function()

    return trio.run(one)


def in_thread_of_a_loop(function: Callable[[], float]) -> float:
    def run(work: Callable[[], Awaitable[float]]) -> float:
        return asyncio.run(work())  # type: ignore[arg-type]  # a coroutine

    return run(lambda: asyncio.to_thread(function))


@pytest.mark.parametrize(
    ("where", "blocking", "seconds"),
    [
        (lambda function: function(), True, 5),
        (in_thread_of_a_loop, True, 5),
        (alone, True, 5),
        (beside_another_task, True, 0),
        (on_trio, True, 0),
        (beside_another_task, False, 5),
    ],
)
def test_nobody_waits_where_that_would_stall_an_event_loop(
    where: Callable[[Callable[[], float]], float], blocking: bool, seconds: int
) -> None:
    clock = Clock()
    ours = context(MemoryStore(), Stats(), blocking=blocking, timer=clock)
    assert where(lambda: ours.seconds_left(clock.now + 5)) == seconds
    assert ours.seconds_left(clock.now - 5) == 0


@pytest.mark.parametrize(
    ("store", "told"),
    [
        (MemoryStore(), "other requests. So a fragment"),
        (RecordingStore(), "RecordingStore do that."),
    ],
)
def test_one_warning_tells_what_to_write(
    store: Store, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    ours = context(store, Stats())

    def miss() -> float:
        ours.note_blocking()
        return ours.seconds_left(ours.timer() + 5)

    alone(miss)
    assert not caplog.records
    for _ in range(2):
        beside_another_task(miss)
    (record,) = caplog.records
    message = record.getMessage()
    assert told in message
    assert "with `def` in place of `async def`" in message
    assert "await template.render_async(...)" in message
