"""A pytest plugin for Flask-Caching's tests: it moves time, and writes the outcomes."""

import json
import os
import time
from pathlib import Path

import pytest

_outcomes: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _move_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let their `clock`, which moves cachelib's time, move all time."""
    if "clock" in request.fixturenames:
        clock = request.getfixturevalue("clock")
        monkeypatch.setattr(time, "time", clock)
        monkeypatch.setattr(time, "monotonic", clock)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test ended; an error before or after it is a failure of it."""
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    """Write the outcome of each test."""
    Path(os.environ["COMPAT_OUTCOMES"]).write_text(json.dumps(_outcomes))
