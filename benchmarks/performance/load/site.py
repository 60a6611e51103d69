"""The sites of the load test: one page with several caches, and with none.

The page is of the demo's kind: a sidebar that all pages share, the members of one of 40
modules, and the last visits of one of 200 visitors. What a database would need for each
of these is a pause. A counter that all workers share counts how often each is rendered.

All sites have the same template. Where there is no cache, the tag leaves its body as it
is.
"""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask_caching
from flask import Flask, render_template, request
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from benchmarks.performance.figures import OURS
from jinja_fragcache import Cache

MODULES = 40
VISITORS = 200
MEMBERS = 60
#: The parts of the page, and how many seconds a database needs for each.
PARTS = {"sidebar": 0.02, "members": 0.01, "visits": 0.005}
#: How many different texts each part has.
TEXTS = {"sidebar": 1, "members": MODULES, "visits": VISITORS}


class _NoCache(Extension):
    """A cache tag that caches nothing."""

    tags = {"cache"}  # noqa: RUF012 - as in Jinja

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Leave the arguments out, and the body as it is."""
        while parser.stream.current.type != "block_end":
            next(parser.stream)
        return parser.parse_statements(("name:endcache",), drop_needle=True)


def _no_cache(app: Flask, _: int) -> None:
    app.jinja_env.add_extension(_NoCache)


def _flask_caching(app: Flask, redis_port: int) -> None:
    config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_PORT": redis_port}
    flask_caching.Cache(app, config=config)


def _ours(app: Flask, redis_port: int, **more: Any) -> None:
    config = {
        "CACHE_TYPE": "redis",
        "CACHE_REDIS_PORT": redis_port,
        # On a busy machine, no read may end early. Flask-Caching waits for ever.
        "CACHE_OPTIONS": {"socket_timeout": 60},
        **more,
    }
    Cache(app, config=config)


def _two_tiers(app: Flask, redis_port: int) -> None:
    _ours(app, redis_port, CACHE_NEAR_TIMEOUT=2)


SITES: dict[str, Callable[[Flask, int], None]] = {
    "no cache": _no_cache,
    "Flask-Caching": _flask_caching,
    OURS: _ours,
    f"{OURS}, two tiers": _two_tiers,
}


def create_app(site: str, redis_port: int) -> Flask:
    """Create a site, before the workers fork.

    Args:
        site: One of `SITES`.
        redis_port: The port of its Redis server.
    """
    app = Flask(__name__, template_folder=str(Path(__file__).parent))
    SITES[site](app, redis_port)
    counts = {name: multiprocessing.Value("Q") for name in PARTS}

    def query(part: str) -> range:
        with counts[part]:
            counts[part].value += 1
        time.sleep(PARTS[part])
        return range(MODULES if part == "sidebar" else MEMBERS)

    app.jinja_env.globals["query"] = query

    @app.get("/modules/<name>")
    def show_module(name: str) -> str:
        visitor = request.cookies.get("visitor", "")
        return render_template("page.html", name=name, visitor=visitor)

    @app.get("/renders")
    def renders() -> dict[str, int]:
        return {name: count.value for name, count in counts.items()}

    return app
