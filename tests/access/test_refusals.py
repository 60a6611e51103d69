"""What is refused is named once, and not without end."""

import pytest

from jinja_fragcache.access.refusals import LOG_SECONDS, MOST_LOGGED, Refusals
from tests.support import Clock


@pytest.mark.parametrize("stored", ["forged", b"forged", 5, ["a", {}]], ids=repr)
def test_each_text_of_a_key_is_new_once(stored: object) -> None:
    refusals = Refusals(Clock())
    assert refusals.is_new("key", stored)
    assert not refusals.is_new("key", stored)
    assert refusals.is_new("another", stored)
    assert refusals.is_new("key", "something else")
    refusals.replaced("key")
    assert refusals.is_new("key", "something else")
    refusals.replaced("never seen")


def test_the_log_may_name_some_each_minute() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for _ in range(2):
        asked = [refusals.may_log() for _ in range(2 * MOST_LOGGED)]
        assert asked == [True] * MOST_LOGGED + [False] * MOST_LOGGED
        clock.now += LOG_SECONDS - 1
        assert not refusals.may_log()
        clock.now += 1


def test_a_clock_that_was_set_back_does_not_silence_the_log() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    clock.now -= 1000
    assert refusals.may_log()
    while refusals.may_log():
        pass
    clock.now -= 1000
    assert refusals.may_log()
