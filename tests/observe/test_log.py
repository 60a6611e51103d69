import json
import logging
from typing import Any

import pytest

from jinja_fragcache import Reason, Report, Why
from jinja_fragcache.observe.log import log_report

LOGGER = "jinja_fragcache"
SIDEBAR: dict[str, Any] = {
    "kind": "fragment",
    "name": "sidebar",
    "values": (7,),
    "template": "home.html",
    "line": 14,
    "store_seconds": 0.00008,
}
HIT = Report(outcome="hit", **SIDEBAR)
LINES = {
    "hit sidebar[7] 0.08 ms (home.html:14)": HIT,
    "miss sidebar[7] 3.08 ms (home.html:14) why: no entry": Report(
        outcome="miss",
        why=Why(Reason.NO_ENTRY),
        rendered=True,
        body_seconds=0.003,
        **SIDEBAR,
    ),
    'miss sidebar[7] 0.08 ms (home.html:14) why: tag "posts" invalidated 3 s ago;'
    " another caller made it": Report(
        outcome="miss",
        why=Why(Reason.TAG, 'tag "posts" invalidated 3 s ago'),
        waited=True,
        **SIDEBAR,
    ),
    "miss app.index() 0.00 ms why: no entry; not stored: reads session['user']": Report(
        "function",
        "app.index()",
        "miss",
        Why(Reason.NO_ENTRY),
        Why(Reason.READS_UNCOVERED, "reads session['user']"),
    ),
    "uncached sidebar['a', None] 0.00 ms why: unless": Report(
        "fragment", "sidebar", "uncached", Why(Reason.UNLESS), values=("a", None)
    ),
}


@pytest.mark.parametrize(("line", "report"), LINES.items(), ids=range(len(LINES)))
def test_a_line_says_what_became_of_a_fragment_and_why(
    line: str, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, LOGGER):
        log_report(report)
    assert caplog.messages == [line]


def test_a_record_has_the_fields_for_logs_that_are_structured(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, LOGGER):
        log_report(HIT)
    (record,) = caplog.records
    named = {
        name.removeprefix("fragcache_"): value
        for name, value in vars(record).items()
        if name.startswith("fragcache_")
    }
    assert named["outcome"] == "hit"
    assert named["store_seconds"] == 0.00008
    assert (named["template"], named["line"]) == ("home.html", 14)
    # Key values stand in the line only, which is at DEBUG.
    assert "values" not in named
    json.dumps(named)


def test_no_key_value_is_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        log_report(HIT)
    assert caplog.records == []


def test_a_value_can_not_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    forged = Report("fragment", "x", "hit", values=("a\nERROR forged",))
    with caplog.at_level(logging.DEBUG, LOGGER):
        log_report(forged)
    assert "\n" not in caplog.messages[0]
