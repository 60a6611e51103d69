import math

from jinja_fragcache.access.stats import Stats
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.lookup import look_up
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.engine.stale_while_revalidate import serve_stale
from jinja_fragcache.entries.entry import Entry, Life, encode
from jinja_fragcache.entries.freshness import GracePeriods, want
from jinja_fragcache.operations import perform
from tests.support import Clock, RecordingStore, context


def test_an_old_value_that_is_served_counts_as_a_stale_hit() -> None:
    store, counts, clock = RecordingStore(), Stats(), Clock()
    cache = context(store, counts, clock=clock)
    store.values["k"] = encode(Entry("text", life=Life(clock.now - 10, 0.0)))
    spec = FragmentSpec("k", want(True, None), 60, GracePeriods(stale=30))
    (found,) = perform(look_up([spec], cache))
    perform(serve_stale(spec, found, cache))
    assert counts == Stats(hits=1, stale=1)


def test_the_body_around_an_old_value_depends_on_when_that_expired() -> None:
    store, clock = RecordingStore(), Clock()
    cache = context(store, Stats(), clock=clock)
    store.values["k"] = encode(Entry("text", life=Life(clock.now - 10, 0.0)))
    spec = FragmentSpec("k", want(True, None), 60, GracePeriods(stale=30))
    (found,) = perform(look_up([spec], cache))
    with Dependencies() as dependencies:
        assert dependencies.expires == math.inf
        perform(serve_stale(spec, found, cache))
    assert dependencies.expires == clock.now - 10
