"""`Server-Timing`: what the cache did for one request, for the browser's own tools."""

from .events import Report
from .requests import OUTCOMES, RequestReports, seconds_of

_MOST_SHOWN = 10
_MOST_CHARACTERS = 100


class ServerTiming(RequestReports):
    """Collects what a cache does for a request, for its `Server-Timing` header.

    The header shows names of fragments, their templates and lines, and no key values.
    Flask applications send it in debug mode.
    """

    def header(self) -> str:
        """Return the value of the header, "" if there was nothing to collect."""
        collected = self.collected()
        slowest = [] if collected is None else collected.slowest(_MOST_SHOWN)
        if collected is None or not slowest:
            return ""
        counts = ", ".join(
            f"{collected.counts[each]} {name}" for each, name in OUTCOMES
        )
        parts = [
            f'cache;desc="{counts}"',
            f'cache-store;desc="store";dur={collected.store_seconds * 1000:.2f}',
        ]
        for number, each in enumerate(slowest, start=1):
            milliseconds = seconds_of(each) * 1000
            parts.append(
                f'cache-{number};desc="{_described(each)}";dur={milliseconds:.2f}'
            )
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
