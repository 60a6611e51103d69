"""`Server-Timing`: what the cache did for one request, for the browser's own tools."""

import threading
from contextvars import ContextVar
from heapq import nlargest

from .events import Outcome, Report
from .listeners import Listener

_MOST_SHOWN = 10
_MOST_CHARACTERS = 100
_OUTCOMES: tuple[tuple[Outcome, str], ...] = (
    ("hit", "hits"),
    ("miss", "misses"),
    ("stale", "stale"),
    ("uncached", "uncached"),
)


class ServerTiming(Listener):
    """Collects what a cache does for a request, for its `Server-Timing` header.

    The header shows names of fragments, their templates and lines, and no key values.
    Flask applications send it in debug mode.
    """

    def __init__(self) -> None:
        self._request: ContextVar[_Request | None] = ContextVar("request", default=None)

    def start(self) -> None:
        """Begin to collect for the request that is handled here."""
        self._request.set(_Request())

    def header(self) -> str:
        """Return the value of the header, "" if there was nothing to collect."""
        request = self._request.get()
        return "" if request is None else request.header()

    def on_report(self, report: Report) -> None:
        """Add a fragment to those of its request."""
        request = self._request.get()
        if request is not None:
            request.add(report)


class _Request:
    """What was done for one request, by any number of threads and tasks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys((each for each, _ in _OUTCOMES), 0)
        self._store_seconds = 0.0
        # The number tells those that took equally long apart.
        self._slowest: list[tuple[float, int, str]] = []

    def add(self, report: Report) -> None:
        seconds = report.body_seconds + report.store_seconds
        with self._lock:
            self._counts[report.outcome] += 1
            self._store_seconds += report.store_seconds
            number = -sum(self._counts.values())
            shown = (seconds, number, _described(report))
            self._slowest = nlargest(_MOST_SHOWN, [*self._slowest, shown])

    def header(self) -> str:
        with self._lock:
            if not self._slowest:
                return ""
            counts = ", ".join(
                f"{self._counts[each]} {name}" for each, name in _OUTCOMES
            )
            parts = [
                f'cache;desc="{counts}"',
                f'cache-store;desc="store";dur={self._store_seconds * 1000:.2f}',
            ]
            parts += [
                f'cache-{number};desc="{text}";dur={seconds * 1000:.2f}'
                for number, (seconds, _, text) in enumerate(self._slowest, start=1)
            ]
        return ", ".join(parts)


def _described(report: Report) -> str:
    """Return what the header says of a fragment, as the inside of a quoted string."""
    place = f" {report.place}" if report.place else ""
    reason = f": {report.why.reason.value}" if report.why is not None else ""
    text = f"{report.outcome} {report.name}{place}{reason}"[:_MOST_CHARACTERS]
    printable = "".join(
        each if each.isascii() and each.isprintable() else "?" for each in text
    )
    return printable.replace("\\", "\\\\").replace('"', '\\"')
