import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from jinja_fragcache import FragmentCache
from jinja_fragcache.observe.names import OTHER
from jinja_fragcache.observe.prometheus import PrometheusListener
from tests.servers import running, wait_for
from tests.support import RecordingStore, environment, fragment_cache, in_threads

PAGES = {
    "page": "{% cache 60, 'outer', u %}{{ body() }}"
    "{% cache 60, 'inner', u % 3, tags=['t'] %}{{ body() }}{% endcache %}"
    "{% endcache %}{% cache 60, 'off', unless=true %}{{ body() }}{% endcache %}",
    "named": "{% cache 60, name %}text{% endcache %}",
}


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a page of metrics, by their names and labels' values."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def total(found: dict[tuple[str, ...], float], name: str, *labels: str) -> float:
    return sum(
        value
        for (each, *values), value in found.items()
        if each == name and set(labels) <= set(values)
    )


class Site:
    def __init__(self, **options: Any) -> None:
        self.registry = CollectorRegistry()
        self.env: Environment = environment(PAGES)
        self.listener = PrometheusListener(self.registry, **options)
        fragment_cache(self.env).listen(self.listener)

    def figures(self) -> dict[tuple[str, ...], float]:
        return figures(generate_latest(self.registry).decode())


def test_the_figures_are_those_of_counted_renders_under_threads() -> None:
    site, lock = Site(), threading.Lock()
    rendered: list[str] = []

    def work(which: int) -> None:
        for number in range(60):

            def body() -> str:
                with lock:
                    rendered.append("x")
                return "text"

            user = (number * 7 + which) % 20
            site.env.get_template("page").render(u=user, body=body)

    in_threads(4, work)
    found, stats = site.figures(), fragment_cache(site.env).stats()
    assert total(found, "fragcache_body_seconds_count") == len(rendered)
    asked = "fragcache_asked_total"
    # One outer and one uncached fragment for each of 4 * 60 pages.
    assert total(found, asked, "outer") == total(found, asked, "off") == 240
    assert total(found, asked, "hit") + total(found, asked, "stale") == stats.hits
    assert total(found, asked, "miss") == stats.misses
    assert total(found, asked, "uncached") == stats.uncached == 240
    assert total(found, "fragcache_not_hit_total", "no entry") == stats.misses
    assert total(found, "fragcache_not_hit_total", "unless") == 240
    inside = total(found, "fragcache_body_seconds_count", "outer")
    assert total(found, asked, "inner") == inside
    assert total(found, "fragcache_store_seconds_count") == total(found, asked)
    written = total(found, "fragcache_written_bytes_total", "outer")
    # What is nested has a tag, so each entry has a header.
    assert written > inside * len("texttext")


def test_what_fails_is_counted() -> None:
    registry, store = CollectorRegistry(), RecordingStore()
    store.failing = {"set"}
    cache = FragmentCache(store, listeners=[PrometheusListener(registry)])
    env = environment({"p": "{% cache 60, 'x' %}{{ 1 / n }}{% endcache %}"}, cache)
    with pytest.raises(ZeroDivisionError):
        env.get_template("p").render(n=0)
    env.get_template("p").render(n=1)
    found = figures(generate_latest(registry).decode())
    assert total(found, "fragcache_body_errors_total") == 1
    assert total(found, "fragcache_store_errors_total") == 1
    assert total(found, "fragcache_not_stored_total", "error") == 1
    assert total(found, "fragcache_not_stored_total", "the store failed") == 1


def test_no_key_value_is_a_label() -> None:
    site = Site()
    site.env.get_template("page").render(u=123456, body=str)
    assert "123456" not in generate_latest(site.registry).decode()


def test_names_without_end_are_one_name() -> None:
    site = Site(most_names=3)
    for number in range(50):
        site.env.get_template("named").render(name=f"n{number}")
    found = site.figures()
    names = {key[2] for key in found if key[0] == "fragcache_asked_total"}
    assert names == {"n0", "n1", "n2", OTHER}
    assert total(found, "fragcache_asked_total", OTHER) == 47


def test_a_registry_has_one_listener() -> None:
    registry = CollectorRegistry()
    PrometheusListener(registry)
    with pytest.raises(ValueError, match="Let one listen to all caches"):
        PrometheusListener(registry)


APP = """
import os
from flask import Flask, render_template_string
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from jinja_fragcache import Cache
from jinja_fragcache.observe.prometheus import PrometheusListener

app = Flask(__name__)
Cache(app, config={"CACHE_TYPE": "simple", "CACHE_LISTENERS": [PrometheusListener()]})

@app.get("/page/<int:user>")
def page(user):
    text = "{% cache 60, 'side', user %}text{% endcache %}"
    render_template_string(text, user=user)
    return str(os.getpid())

@app.get("/metrics")
def metrics():
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry), 200, {"Content-Type": CONTENT_TYPE_LATEST}
"""


def test_the_figures_of_all_processes_are_scraped(tmp_path: Path) -> None:
    """Gunicorn with several workers, and what Prometheus would read of them."""
    pytest.importorskip("gunicorn")
    (tmp_path / "app.py").write_text(APP)
    folder = tmp_path / "metrics"
    folder.mkdir()
    serve = (sys.executable, "-m", "gunicorn", "-w", "3", "-b", "127.0.0.1:{port}")
    paths = ("--chdir", str(tmp_path), "--pythonpath", str(Path.cwd()))
    with running(
        *serve, *paths, "app:app", PROMETHEUS_MULTIPROC_DIR=str(folder)
    ) as server:

        def get(path: str) -> str:
            url = f"http://127.0.0.1:{server.port}{path}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return str(answer.read().decode())

        asked: dict[str, list[int]] = {}

        def work(which: int) -> None:
            for number in range(30):
                user = (number + which) % 4
                asked.setdefault(get(f"/page/{user}"), []).append(user)

        def all_ask() -> bool:
            in_threads(3, work)
            return len(asked) > 1

        # On a busy machine, one worker may answer while others still start.
        wait_for(all_ask)
        found = figures(get("/metrics"))
        server.process.terminate()
        server.process.wait(30)
    # Each worker has a cache of its own, so each renders each fragment once.
    rendered = sum(len(set(users)) for users in asked.values())
    pages = sum(map(len, asked.values()))
    assert total(found, "fragcache_asked_total", "side") == pages
    assert total(found, "fragcache_asked_total", "miss") == rendered
    assert total(found, "fragcache_body_seconds_count") == rendered
    assert total(found, "fragcache_asked_total", "hit") == pages - rendered


def test_metrics_are_an_extra() -> None:
    script = (
        "import sys, json, jinja_fragcache, jinja_fragcache.flask;"
        "print(json.dumps([n for n in sys.modules if n.startswith"
        "(('prometheus_client', 'opentelemetry'))]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert json.loads(told.stdout) == []
