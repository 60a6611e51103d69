"""Collects what a cache does for one request."""

import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from heapq import heappush, heappushpop

from .events import Outcome, Report
from .listeners import Listener

#: The outcomes, and what numbers of them are called.
OUTCOMES: tuple[tuple[Outcome, str], ...] = (
    ("hit", "hits"),
    ("miss", "misses"),
    ("stale", "stale"),
    ("uncached", "uncached"),
)
_MOST_KEPT = 1000


class RequestReports(Listener):
    """Collects what is reported for each request, wherever that is rendered."""

    def __init__(self) -> None:
        self._request: ContextVar[Collected | None] = ContextVar(
            "request", default=None
        )

    def start(self) -> "Collected":
        """Begin to collect for the request that is handled here."""
        collected = Collected()
        self._request.set(collected)
        return collected

    def collected(self) -> "Collected | None":
        """Return what was collected for this request; None if it was not started."""
        return self._request.get()

    def on_report(self, report: Report) -> None:
        """Add a fragment to those of its request."""
        collected = self._request.get()
        if collected is not None:
            collected.add(report)


class Collected:
    """What was done for one request, by any number of threads and tasks.

    Of more than a thousand reports, the slowest are kept. All of them count.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Outcome, int] = dict.fromkeys(
            (each for each, _ in OUTCOMES), 0
        )
        self._body_seconds = 0.0
        self._store_seconds = 0.0
        # A heap, the quickest first. The number tells those apart that took equally
        # long: of these, the first ones are kept.
        self._kept: list[tuple[float, int, Report]] = []

    def add(self, report: Report) -> None:
        """Add a report."""
        with self._lock:
            self._counts[report.outcome] += 1
            self._store_seconds += report.store_seconds
            self._body_seconds += report.body_seconds
            kept = (seconds_of(report), -sum(self._counts.values()), report)
            if len(self._kept) < _MOST_KEPT:
                heappush(self._kept, kept)
            else:
                heappushpop(self._kept, kept)

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many had which outcome."""
        with self._lock:
            return dict(self._counts)

    @property
    def body_seconds(self) -> float:
        """The time in bodies. That of a body in another one counts twice."""
        return self._body_seconds

    @property
    def store_seconds(self) -> float:
        """The time in calls of the store."""
        return self._store_seconds

    def slowest(self, most: int) -> Sequence[Report]:
        """Return the reports that took longest, beginning with these."""
        with self._lock:
            kept = sorted(self._kept, reverse=True)
        return [report for _, _, report in kept[:most]]

    def in_order(self) -> Sequence[Report]:
        """Return the reports that are kept, in the order in which they came."""
        with self._lock:
            kept = sorted(self._kept, key=lambda each: each[1], reverse=True)
        return [report for _, _, report in kept]


def seconds_of(report: Report) -> float:
    """Return how long it took to make or read something."""
    return report.body_seconds + report.store_seconds
