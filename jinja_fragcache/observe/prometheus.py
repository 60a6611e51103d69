"""Metrics for Prometheus. It needs prometheus-client: the extra `prometheus`.

All labels are bounded: they are names of fragments and functions, of which there may be
only so many, and words of this package. No key value is one.
"""

from typing import Any

from jinja_fragcache.messages import needs

from .events import Event, Report
from .listeners import Listener
from .names import MOST_NAMES, Names

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Summary
except ModuleNotFoundError as error:
    told = needs("PrometheusListener", "prometheus-client", "prometheus")
    raise ImportError(told) from error

_LABELS = ("kind", "name")


class PrometheusListener(Listener):
    """Keeps metrics of what caches do, for Prometheus.

    One object may listen to several caches of a process, and their numbers are added
    up. They are made by prometheus-client, so in its multi-process mode they are those
    of all processes.

    Args:
        registry: Where the metrics are registered; None for the default registry. In
            multi-process mode, the registry that is scraped is another one.
        most_names: How many names of fragments and functions are kept apart in each
            process. All others are called `(other)`.

    Raises:
        ValueError: If `most_names` is no number, or the registry has these metrics.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, most_names: int = MOST_NAMES
    ) -> None:
        self._names = Names(most_names)
        where: Any = {"registry": REGISTRY if registry is None else registry}
        try:
            self._make_metrics(where)
        except ValueError as error:
            raise ValueError(
                f"This registry has the metrics of another PrometheusListener: {error}"
                " Let one listen to all caches, or give each a registry of its own."
            ) from None

    def _make_metrics(self, where: Any) -> None:
        self._asked = Counter(
            "fragcache_asked",
            "Fragments and calls that were asked for, by what became of them",
            (*_LABELS, "outcome"),
            **where,
        )
        self._why = Counter(
            "fragcache_not_hit",
            "Those that were no hits, by the reason",
            (*_LABELS, "outcome", "reason"),
            **where,
        )
        self._not_stored = Counter(
            "fragcache_not_stored",
            "Values that were made and are not stored, by the reason",
            (*_LABELS, "reason"),
            **where,
        )
        self._bodies = Summary(
            "fragcache_body_seconds",
            "Seconds in bodies, with all that is in them, and how often these ran",
            _LABELS,
            **where,
        )
        self._errors = Counter(
            "fragcache_body_errors", "Bodies that raised", _LABELS, **where
        )
        self._store = Summary(
            "fragcache_store_seconds",
            "Seconds in calls of the store, for all that was asked for",
            _LABELS,
            **where,
        )
        self._read = Counter(
            "fragcache_read_bytes", "Bytes of entries served", _LABELS, **where
        )
        self._written = Counter(
            "fragcache_written_bytes", "Bytes of entries stored", _LABELS, **where
        )
        self._store_errors = Counter(
            "fragcache_store_errors", "Calls in which the store failed", **where
        )

    def on_event(self, event: Event) -> None:
        """Count failures of the store."""
        if event.kind == "store_error":
            self._store_errors.inc()

    def on_report(self, report: Report) -> None:
        """Count a fragment or call."""
        of = (report.kind, self._names.bounded(report.name))
        self._asked.labels(*of, report.outcome).inc()
        self._store.labels(*of).observe(report.store_seconds)
        if report.why is not None:
            self._why.labels(*of, report.outcome, report.why.reason.value).inc()
        if report.not_stored is not None:
            self._not_stored.labels(*of, report.not_stored.reason.value).inc()
        if report.rendered:
            self._bodies.labels(*of).observe(report.body_seconds)
        if report.error is not None:
            self._errors.labels(*of).inc()
        if report.size is not None:
            (self._written if report.is_stored else self._read).labels(*of).inc(
                report.size
            )
