import pytest

from jinja_fragcache import Report
from jinja_fragcache.observe.requests import Collected, RequestReports

HIT = Report("fragment", "a", "hit", store_seconds=0.5)
MISS = Report("fragment", "b", "miss", body_seconds=2.0, store_seconds=0.25)
STALE = Report("function", "c", "stale", store_seconds=1.0)


def test_reports_are_counted_and_their_times_added_up() -> None:
    collected = Collected()
    for each in (HIT, MISS, STALE, HIT):
        collected.add(each)
    assert collected.counts == {"hit": 2, "miss": 1, "stale": 1, "uncached": 0}
    assert collected.body_seconds == 2.0
    assert collected.store_seconds == 2.25
    assert collected.in_order() == [HIT, MISS, STALE, HIT]
    assert collected.slowest(2) == [MISS, STALE]


def test_of_many_the_slowest_are_kept_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jinja_fragcache.observe.requests._MOST_KEPT", 3)
    collected = Collected()
    for each in (HIT, STALE, MISS, HIT, HIT):
        collected.add(each)
    assert collected.in_order() == [HIT, STALE, MISS]
    assert collected.counts["hit"] == 3


def test_nothing_is_collected_before_a_request_starts() -> None:
    reports = RequestReports()
    reports.on_report(HIT)
    assert reports.collected() is None
    first = reports.start()
    reports.on_report(HIT)
    second = reports.start()
    assert reports.collected() is second
    assert first.in_order() == [HIT]
    assert second.in_order() == []
