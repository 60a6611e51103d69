import threading

import pytest

from jinja_fragcache.access.breaker import Breaker
from tests.support import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(retry_after=5, timer=clock)


def test_a_store_that_answers_is_always_called(breaker: Breaker) -> None:
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True] * 3


def test_a_failed_store_is_called_once_in_each_retry_time(
    breaker: Breaker, clock: Clock
) -> None:
    breaker.failed()
    assert not breaker.allows()
    clock.now += 4.9
    assert not breaker.allows()
    clock.now += 0.1
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    clock.now += 5
    assert breaker.allows()


def test_a_failed_probe_starts_another_pause(breaker: Breaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += 5
    assert breaker.allows()
    clock.now += 1
    breaker.failed()
    clock.now += 4.9
    assert not breaker.allows()


def test_a_successful_probe_ends_the_pause(breaker: Breaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += 5
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True] * 3


def test_only_one_of_many_threads_probes(breaker: Breaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += 5
    start = threading.Barrier(16)
    allowed: list[bool] = []

    def ask() -> None:
        start.wait()
        allowed.append(breaker.allows())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(allowed) == [False] * 15 + [True]


def test_a_pause_and_its_end_are_each_logged_once(
    breaker: Breaker, caplog: pytest.LogCaptureFixture
) -> None:
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.succeeded()
    left_alone, back = (record.getMessage() for record in caplog.records)
    assert "one call every 5 seconds" in left_alone
    assert back == "The store answers again."
