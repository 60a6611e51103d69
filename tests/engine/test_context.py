import time

from jinja_fragcache.access import event_loops
from jinja_fragcache.access.stats import Stats
from tests.support import RecordingStore, context


def test_callers_on_an_event_loop_wait_without_blocking_it() -> None:
    blocking = context(RecordingStore(), Stats())
    on_loop = context(RecordingStore(), Stats(), blocking=False)
    assert blocking.sleep is time.sleep
    assert on_loop.sleep is event_loops.sleep
