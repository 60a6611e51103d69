"""Starts each site in turn under gunicorn, and visits it cold and warm."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import redis

from benchmarks.bar_chart import Bar
from benchmarks.performance.figures import OURS, Plain, duration
from benchmarks.performance.measuring import Effort, Spread, spread_of
from tests import servers

from . import wrk
from .site import PARTS, SITES, TEXTS

WORKERS = 2
THREADS = 16
CONNECTIONS = 64
STAMPEDE_SECONDS = 3
_ROOT = Path(__file__).parent.parent.parent.parent
_APP = "benchmarks.performance.load.site:create_app"


class Start(NamedTuple):
    """What was measured of one start of a site.

    Attributes:
        stampede: The first seconds, with a cold cache.
        renders: How often each part of the page was rendered in these.
        warm: The seconds after them.
    """

    stampede: wrk.Load
    renders: dict[str, int]
    warm: wrk.Load


def measure(effort: Effort, redis_port: int) -> list[Plain]:
    """Measure all sites; return a table of warm caches and one of cold ones."""
    starts: dict[str, list[Start]] = {site: [] for site in SITES}
    for _ in range(effort.starts):
        for site, measured in starts.items():
            measured.append(start(site, redis_port, effort.load_seconds))
    return [warm_table(starts), stampede_table(starts)]


def start(site: str, redis_port: int, seconds: int) -> Start:
    """Start a site with an empty cache, and measure it.

    Args:
        site: One of `SITES`.
        redis_port: The port of the Redis server.
        seconds: How long it is measured once it is warm.
    """
    with redis.Redis(port=redis_port) as client:
        client.flushall()
    with _running(site, redis_port) as port:
        stampede = wrk.run(port, STAMPEDE_SECONDS, CONNECTIONS)
        renders = _renders(port)
        warm = wrk.run(port, seconds, CONNECTIONS)
    return Start(stampede, renders, warm)


@contextmanager
def _running(site: str, redis_port: int) -> Iterator[int]:
    options = f"--workers {WORKERS} --threads {THREADS} --keep-alive 30 --preload"
    app = f"{_APP}({site!r}, {redis_port})"
    with servers.running(
        sys.executable,
        *("-m", "gunicorn", *options.split(), "--log-level", "error"),
        *("--bind", "127.0.0.1:{port}", app),
        PYTHONPATH=str(_ROOT),
    ) as server:
        # Once the first request is answered, there are workers.
        _renders(server.port)
        yield server.port
        # So that it stops its workers. Otherwise it is killed.
        server.process.terminate()
        server.process.wait(30)


def _renders(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/renders") as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


def warm_table(starts: dict[str, list[Start]]) -> Plain:
    """Return the table of what is measured with warm caches."""
    rows, bars = [], []
    for site, measured in starts.items():
        rates = _spread([each.warm.rate for each in measured])
        rows.append(
            [
                site,
                f"{rates.middle:,.0f} ({rates.low:,.0f} to {rates.high:,.0f})",
                duration(_spread([each.warm.median for each in measured]).middle),
                duration(_spread([each.warm.slow for each in measured]).middle),
            ]
        )
        bars.append(Bar(site, f"{rates.middle:,.0f}", *rates, is_ours=OURS in site))
    headings = ["site", "requests a second", "half took at most", "99% took at most"]
    return Plain("Under load, with a warm cache", headings, rows, bars)


def stampede_table(starts: dict[str, list[Start]]) -> Plain:
    """Return the table of what is measured in the first seconds."""
    rows = []
    for site, measured in starts.items():
        renders = (
            _spread([each.renders[part] for each in measured]).middle for part in PARTS
        )
        slowest = _spread([each.stampede.slowest for each in measured])
        requests = _spread([each.stampede.requests for each in measured])
        rows.append(
            [
                site,
                f"{requests.middle:,.0f}",
                *(f"{count:,.0f}" for count in renders),
                duration(slowest.middle),
            ]
        )
    rendered = [f"renders of {TEXTS[part]} {part}" for part in PARTS]
    headings = ["site", "requests", *rendered, "slowest"]
    title = f"A stampede: the first {STAMPEDE_SECONDS} seconds, with a cold cache"
    return Plain(title, headings, rows)


def _spread(numbers: list[float]) -> Spread:
    # One start is enough to see that it runs.
    return spread_of(numbers if len(numbers) > 1 else numbers * 2)
