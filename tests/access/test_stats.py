import pytest

from jinja_fragcache.access.stats import Recorder, Stats
from jinja_fragcache.remembered import size_of
from tests.support import Ears


def test_hits_misses_and_writes_are_counted_and_announced() -> None:
    ears = Ears("hit", "miss", "set", "delete")
    recorder = Recorder(Stats(), [ears])
    recorder.hit("k")
    recorder.miss("l")
    recorder.stored(["m"])
    assert recorder.stats == Stats(hits=1, misses=1, stored=1)
    assert ears.heard == [("hit", "k"), ("miss", "l"), ("set", "m")]


def test_an_event_nobody_listens_for_is_not_announced() -> None:
    ears = Ears("miss", "set", "delete")
    recorder = Recorder(Stats(), [ears])
    recorder.hit("k")
    recorder.miss("k")
    assert ears.heard == [("miss", "k")]


def test_the_places_that_were_warned_of_are_remembered_within_bounds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder(Stats())
    for number in range(2500):
        recorder.warn_once((f"{number}" * 1000, number), "told")
    recorder.warn_once(("2499" * 1000, 2499), "told again")
    assert len(caplog.records) == 2500
    # A sixteenth goes at once when it is full.
    assert 1000 - 1000 // 16 < len(recorder._warned_of) <= 1000
    assert sum(map(size_of, recorder._warned_of)) < 100_000


def test_the_numbers_are_compared_copied_and_shown_by_their_names() -> None:
    stats = Stats(hits=2, stale=1)
    kept = stats.copy()
    assert kept == stats
    stats.hits += 1
    assert kept != stats
    assert kept != kept.as_dict()
    assert kept.as_dict() == {**Stats().as_dict(), "hits": 2, "stale": 1}
    assert repr(kept).startswith("Stats(hits=2, misses=0, ")
    with pytest.raises(TypeError, match="no 'hit'"):
        Stats(hit=1)
