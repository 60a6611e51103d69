"""Metrics and spans for OpenTelemetry. It needs its API: the extra `otel`.

All attributes are bounded: they are names of fragments and functions, of which there
may be only so many, places in templates, and words of this package. No key value is
one.
"""

from contextlib import AbstractContextManager, nullcontext

from jinja_fragcache.messages import needs

from .events import About, Event, Report
from .listeners import Listener
from .names import MOST_NAMES, Names

try:
    from opentelemetry.metrics import MeterProvider, get_meter
    from opentelemetry.trace import TracerProvider, get_tracer
except ModuleNotFoundError as error:
    told = needs("OpenTelemetryListener", "opentelemetry-api", "otel")
    raise ImportError(told) from error

_SCOPE = "jinja_fragcache"


class OpenTelemetryListener(Listener):
    """Keeps metrics of what caches do, and makes a span of each body that runs.

    What a body does, such as its queries, is inside of its span.

    Args:
        meter_provider: Whose meter the metrics have; None for the global one.
        tracer_provider: Whose tracer makes the spans; None for the global one.
        spans: Whether to make spans.
        most_names: How many names of fragments and functions are kept apart in this
            process. All others are called `(other)`.

    Raises:
        ValueError: If `most_names` is no number.
    """

    def __init__(
        self,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        *,
        spans: bool = True,
        most_names: int = MOST_NAMES,
    ) -> None:
        self._names = Names(most_names)
        self._tracer = get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._spans = spans
        meter = get_meter(_SCOPE, meter_provider=meter_provider)
        self._asked = meter.create_counter(
            "fragcache.asked",
            "{request}",
            "Fragments and calls that were asked for, by what became of them",
        )
        self._not_stored = meter.create_counter(
            "fragcache.not_stored",
            "{value}",
            "Values that were made and are not stored",
        )
        self._bodies = meter.create_histogram(
            "fragcache.body.duration", "s", "Time in bodies, with all that is in them"
        )
        self._errors = meter.create_counter(
            "fragcache.body.errors", "{error}", "Bodies that raised"
        )
        self._store = meter.create_histogram(
            "fragcache.store.duration", "s", "Time in calls of the store"
        )
        self._read = meter.create_counter(
            "fragcache.read.size", "By", "Bytes of entries served"
        )
        self._written = meter.create_counter(
            "fragcache.written.size", "By", "Bytes of entries stored"
        )
        self._store_errors = meter.create_counter(
            "fragcache.store.errors", "{error}", "Calls in which the store failed"
        )

    def on_event(self, event: Event) -> None:
        """Count failures of the store."""
        if event.kind == "store_error":
            self._store_errors.add(1)

    def on_report(self, report: Report) -> None:
        """Count a fragment or call."""
        name = self._names.bounded(report.name)
        of = {"fragcache.kind": report.kind, "fragcache.name": name}
        asked = {**of, "fragcache.outcome": report.outcome}
        if report.why is not None:
            asked["fragcache.reason"] = report.why.reason.value
        self._asked.add(1, asked)
        self._store.record(report.store_seconds, of)
        if report.not_stored is not None:
            reason = {"fragcache.reason": report.not_stored.reason.value}
            self._not_stored.add(1, {**of, **reason})
        if report.rendered:
            self._bodies.record(report.body_seconds, of)
        if report.error is not None:
            self._errors.add(1, of)
        if report.size is not None:
            (self._written if report.is_stored else self._read).add(report.size, of)

    def around_body(self, about: About) -> AbstractContextManager[object]:
        """Return the span of a body."""
        if not self._spans:
            return nullcontext()
        name = self._names.bounded(about.name)
        attributes: dict[str, str | int] = {
            "fragcache.kind": about.kind,
            "fragcache.name": name,
        }
        if about.template is not None:
            attributes["code.file.path"] = about.template
        if about.line is not None:
            attributes["code.line.number"] = about.line
        return self._tracer.start_as_current_span(
            f"fragcache {name}", attributes=attributes
        )
