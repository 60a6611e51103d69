from jinja_fragcache.access.stats import Recorder, Stats
from tests.support import Ears


def test_hits_misses_and_writes_are_counted_and_announced() -> None:
    ears = Ears("hit", "miss", "set", "delete")
    recorder = Recorder(Stats(), ears)
    recorder.hit("k")
    recorder.miss("l")
    recorder.stored(["m"])
    assert recorder.stats == Stats(hits=1, misses=1, stored=1)
    assert ears.heard == [("hit", "k"), ("miss", "l"), ("set", "m")]


def test_an_event_nobody_listens_for_is_not_announced() -> None:
    ears = Ears("miss", "set", "delete")
    recorder = Recorder(Stats(), ears)
    recorder.hit("k")
    recorder.miss("k")
    assert ears.heard == [("miss", "k")]
