"""Figures of each fragment name and function: how often it was a hit, what it cost."""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from jinja_fragcache.clocks import time_of_day
from jinja_fragcache.forks import PerProcess, free_after_fork

from .events import Event, Report
from .listeners import Listener
from .names import Names
from .seen import EntrySeen, Kind, Seen

#: How many names of fragments and functions are kept apart. All others are one.
MOST_NAMES = 1000
_MOST_PLACE = 200


@dataclass(frozen=True, slots=True)
class NameFigures:
    """What became of one fragment name, or of the calls of one function.

    Attributes:
        kind: "fragment", or "function" for a decorated function or a view.
        name: The fragment's name, or the function's full name. All that are too many
            are called `(other)`.
        hits: How often it was served from the store.
        misses: How often it had to be made, or another caller made it.
        stale: How often it was served after its timeout.
        uncached: How often it was made without asking the store.
        renders: How often the body ran.
        errors: How often the body raised.
        reasons: Why it was no hit, and why what was made is not stored: how often each
            `Reason`, by its value. One report may have one of either.
        body_seconds: How long all bodies took together, with all that is in them.
        store_seconds: How long all calls of the store took.
        bytes_stored: The bytes of all entries that were written.
        last_place: Where the tag stands, as `home.html:14`; "" for a function.
    """

    kind: Kind
    name: str
    hits: int = 0
    misses: int = 0
    stale: int = 0
    uncached: int = 0
    renders: int = 0
    errors: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    body_seconds: float = 0.0
    store_seconds: float = 0.0
    bytes_stored: int = 0
    last_place: str = ""

    @property
    def asked(self) -> int:
        """How often it was asked for."""
        return self.hits + self.misses + self.stale + self.uncached

    @property
    def hit_ratio(self) -> float | None:
        """The share of hits in all that was asked for; None if it never was."""
        return self.hits / self.asked if self.asked else None

    @property
    def mean_body_seconds(self) -> float | None:
        """How long a body took on average; None if none ran."""
        return self.body_seconds / self.renders if self.renders else None

    @property
    def seconds_saved(self) -> float | None:
        """What bodies would have taken for the hits; None if no body ran."""
        mean = self.mean_body_seconds
        return None if mean is None else self.hits * mean


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that has collected figures.

    Attributes:
        id: A random text that no other process has.
        pid: Its number on its machine.
        host: The name of that machine.
        started_at: When it began to collect, in seconds since 1970.
        seen_at: When its figures were these.
    """

    id: str
    pid: int
    host: str
    started_at: float
    seen_at: float


class _Sums:
    """The figures of one name while they grow. Whoever uses it holds a lock."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(_COUNTS, 0)
        self.reasons: dict[str, int] = {}
        self.body_seconds = self.store_seconds = 0.0
        self.place = ""

    def note(self, report: Report) -> None:
        counts = self.counts
        counts[_COUNT_OF[report.outcome]] += 1
        self.store_seconds += report.store_seconds
        self.place = report.place[:_MOST_PLACE]
        if report.rendered:
            counts["renders"] += 1
            self.body_seconds += report.body_seconds
        if report.error is not None:
            counts["errors"] += 1
        if report.is_stored:
            counts["bytes_stored"] += report.size or 0
        for why in (report.why, report.not_stored):
            if why is not None:
                reason = why.reason.value
                self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def add(self, figures: NameFigures) -> None:
        for each in _COUNTS:
            self.counts[each] += getattr(figures, each)
        for reason, number in figures.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + number
        self.body_seconds += figures.body_seconds
        self.store_seconds += figures.store_seconds
        self.place = self.place or figures.last_place

    def figures(self, kind: Kind, name: str) -> NameFigures:
        return NameFigures(
            kind,
            name,
            **self.counts,
            reasons=dict(self.reasons),
            body_seconds=self.body_seconds,
            store_seconds=self.store_seconds,
            last_place=self.place,
        )


_COUNT_OF = {
    "hit": "hits",
    "miss": "misses",
    "stale": "stale",
    "uncached": "uncached",
}
_COUNTS = (*_COUNT_OF.values(), "renders", "errors", "bytes_stored")


class _Collected:
    """What one process has collected."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.id = os.urandom(8).hex()
        self.started_at = clock()
        self.names = Names(MOST_NAMES)
        self.sums: dict[tuple[Kind, str], _Sums] = {}
        self.seen = Seen()
        self.store_errors = 0


class Figures(Listener):
    """Collects figures of each name, and the keys that were seen, in this process.

    A process that was forked begins with none, so that nothing is counted twice. The
    figures are bounded: 1,000 names, 100 keys of each name and 10,000 of all.

    Args:
        clock: Returns the time, in seconds since 1970.

    Attributes:
        changed: Is called after each report.
    """

    wants_values = True
    changed: Callable[[], None]

    def __init__(self, clock: Callable[[], float] = time_of_day) -> None:
        self._clock = clock
        self.changed = _nothing
        make = partial(_Collected, clock)
        self._collected = PerProcess(make, keep=_drop, first=make())
        # Also around the first use of `_collected`, or what a thread counts could be
        # lost.
        self._lock = free_after_fork(threading.Lock())

    def on_event(self, event: Event) -> None:
        """Count failures of the store, and forget keys that are deleted."""
        if event.kind == "delete":
            with self._lock:
                self._collected.value.seen.forget(event.key)
        elif event.kind == "store_error":
            with self._lock:
                self._collected.value.store_errors += 1

    def on_report(self, report: Report) -> None:
        """Count a fragment or call, and note its key."""
        now = self._clock()
        with self._lock:
            collected = self._collected.value
            of = (report.kind, collected.names.bounded(report.name))
            sums = collected.sums.get(of)
            if sums is None:
                sums = collected.sums[of] = _Sums()
            sums.note(report)
            collected.seen.note(of, report, now)
        self.changed()

    @property
    def store_errors(self) -> int:
        """In how many calls the store failed."""
        with self._lock:
            return self._collected.value.store_errors

    def by_name(self) -> list[NameFigures]:
        """Return the figures of all names, by name."""
        return self.snapshot()[1]

    def snapshot(self) -> tuple[Worker, list[NameFigures]]:
        """Return this process as a worker, and its figures by name."""
        now = self._clock()
        with self._lock:
            of = self._collected.value
            figures = [
                sums.figures(kind, name) for (kind, name), sums in of.sums.items()
            ]
        worker = Worker(of.id, os.getpid(), socket.gethostname(), of.started_at, now)
        return worker, sorted(figures, key=_order)

    def entries_of(self, kind: Kind, name: str) -> list[EntrySeen]:
        """Return the keys of a name that were seen here. The last ones come first."""
        with self._lock:
            return self._collected.value.seen.of(kind, name)


def added_up(figures: Iterable[NameFigures]) -> list[NameFigures]:
    """Add up the figures of each name, such as those of several processes."""
    sums: dict[tuple[Kind, str], _Sums] = {}
    for each in figures:
        sums.setdefault((each.kind, each.name), _Sums()).add(each)
    return sorted(
        (each.figures(kind, name) for (kind, name), each in sums.items()), key=_order
    )


def total_of(figures: Iterable[NameFigures]) -> NameFigures:
    """Add up the figures of all names, as those of one that is called `(all)`."""
    total = _Sums()
    for each in figures:
        total.add(each)
    total.place = ""
    return total.figures("fragment", "(all)")


def _order(figures: NameFigures) -> tuple[str, str]:
    return figures.name, figures.kind


def _nothing() -> None:
    """Do nothing, until somebody wants to know that there are new figures."""


def _drop(_: Any) -> None:
    """Let go of what a parent process has collected."""
