import asyncio
from typing import Any

import pytest
from jinja2 import Environment
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jinja_fragcache import FragmentCache
from jinja_fragcache.observe.names import OTHER
from jinja_fragcache.observe.opentelemetry import OpenTelemetryListener
from tests.support import CoroutineStore, environment, in_threads

PAGES = {
    "page": "{% cache 60, 'outer', u %}{{ query() }}"
    "{% cache 60, 'inner', u %}{{ query() }}{% endcache %}{% endcache %}",
    "broken": "{% cache 60, 'broken' %}{{ 1 / 0 }}{% endcache %}",
    "named": "{% cache 60, name %}text{% endcache %}",
}


class Site:
    def __init__(self, *, is_async: bool = False, **options: Any) -> None:
        self.reader, self.spans = InMemoryMetricReader(), InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.tracer = tracers.get_tracer("test")
        meters = MeterProvider(metric_readers=[self.reader])
        listener = OpenTelemetryListener(meters, tracers, **options)
        store: Any = CoroutineStore() if is_async else None
        self.cache = FragmentCache(store, listeners=[listener])
        self.env: Environment = environment(PAGES, self.cache, enable_async=is_async)

    def query(self) -> str:
        with self.tracer.start_as_current_span("query"):
            return "text"

    def ended(self) -> list[ReadableSpan]:
        return list(self.spans.get_finished_spans())

    def points(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def total(self, metric: str, /, **attributes: str) -> float:
        wanted = {(f"fragcache.{key}", value) for key, value in attributes.items()}
        return sum(
            getattr(point, "value", getattr(point, "count", 0))
            for point in self.points(metric)
            if wanted <= set(point.attributes.items())
        )


def test_the_figures_are_those_of_counted_renders_under_threads() -> None:
    site = Site()

    def work(which: int) -> None:
        for number in range(40):
            site.env.get_template("page").render(
                u=(number + which) % 10, query=site.query
            )

    in_threads(4, work)
    stats = site.cache.stats()
    queries = [span for span in site.ended() if span.name == "query"]
    assert site.total("fragcache.asked", outcome="hit") == stats.hits
    assert site.total("fragcache.asked", outcome="miss") == stats.misses
    assert site.total("fragcache.asked", reason="no entry") == stats.misses
    assert site.total("fragcache.asked", name="outer") == 160
    assert site.total("fragcache.body.duration") == len(queries)
    assert site.total("fragcache.store.duration") == stats.hits + stats.misses
    assert site.total("fragcache.written.size", name="inner") > 0


def check_tree(site: Site) -> None:
    spans = {span.name: span for span in site.ended()}
    by_id = {span.context.span_id: span.name for span in site.ended() if span.context}
    parents = {
        span.name: by_id[span.parent.span_id] if span.parent else None
        for span in site.ended()
    }
    assert parents["fragcache inner"] == "fragcache outer"
    assert parents["fragcache outer"] is None
    assert parents["query"] in {"fragcache inner", "fragcache outer"}
    assert dict(spans["fragcache outer"].attributes or {}) == {
        "fragcache.kind": "fragment",
        "fragcache.name": "outer",
        "code.file.path": "page",
        "code.line.number": 1,
    }
    assert not trace.get_current_span().get_span_context().is_valid


def test_what_a_body_does_is_in_its_span() -> None:
    site = Site()
    site.env.get_template("page").render(u=1, query=site.query)
    check_tree(site)
    assert len(site.ended()) == 4
    # A hit has no body.
    site.env.get_template("page").render(u=1, query=site.query)
    assert len(site.ended()) == 4


def test_what_a_body_awaits_is_in_its_span() -> None:
    site = Site(is_async=True)

    async def query() -> str:
        await asyncio.sleep(0)
        return site.query()

    async def use() -> None:
        page = site.env.get_template("page")
        await asyncio.gather(*(page.render_async(u=u, query=query) for u in (1, 2)))

    asyncio.run(use())
    check_tree(site)
    assert len(site.ended()) == 8


def test_an_error_of_a_body_is_in_its_span() -> None:
    site = Site()
    with pytest.raises(ZeroDivisionError):
        site.env.get_template("broken").render()
    (span,) = site.ended()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert site.total("fragcache.body.errors") == 1
    assert site.total("fragcache.not_stored", reason="error") == 1


def test_spans_may_be_left_out() -> None:
    site = Site(spans=False)
    site.env.get_template("named").render(name="x")
    assert site.ended() == []
    assert site.total("fragcache.asked") == 1


def test_names_without_end_are_one_name_and_no_key_value_is_shown() -> None:
    site = Site(most_names=2)
    for number in range(20):
        site.env.get_template("named").render(name=f"n{number}")
    site.env.get_template("page").render(u="secret", query=site.query)
    assert site.total("fragcache.asked", name=OTHER) == 20
    shown = (
        f"{site.points('fragcache.asked')} {[each.attributes for each in site.ended()]}"
    )
    assert "secret" not in shown
