"""What a list of cached rows costs on Redis, as ratios within one run.

The page has 50 rows of 2 kB each, all of them cached. The floor is one raw MGET of the
same values: the time that redis-py and the server need for it. The peers are the same
page with a cache tag in a for loop, and with Flask-Caching's tag. These read the store
once for each row. All variants are timed in turn, and the median of all rounds counts,
not the best: how soon the server's process wakes up differs between rounds by more than
a page costs.

Run it with `make bench`. It needs redis-server, and is skipped without it.
"""

import shutil
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from statistics import median

import flask_caching
import redis
from flask import Flask
from jinja2 import Environment
from rich.console import Console
from rich.table import Table

from jinja_fragcache import FragmentCache, FragmentCacheExtension
from jinja_fragcache.stores import RedisStore

ROWS = 50
CHARACTERS = 2000
ROUNDS = 41
RENDERS = 20
TEXT = "<li>An item and what is to be known of it</li>\n" * 50
LIST = (
    '{% cache_each item in items, 300, "row", item %}{{ text }}{{ item }}'
    "{% endcache_each %}"
)
LOOP = (
    '{% for item in items %}{% cache 300, "row", item %}{{ text }}{{ item }}'
    "{% endcache %}{% endfor %}"
)
PREFIX = "bench:"


def ours(port: int, source: str, text: str) -> Callable[[], str]:
    """Return the renderer of a page with this package's tags."""
    env = Environment(extensions=[FragmentCacheExtension], autoescape=True)
    store = RedisStore(port=port, key_prefix=PREFIX)
    env.fragment_cache = FragmentCache(store)  # type: ignore[attr-defined]
    return renderer(env, source, text)


def flask_caching_page(port: int, text: str) -> Callable[[], str]:
    """Return the renderer of the page with Flask-Caching's tag."""
    app = Flask(__name__)
    config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_PORT": port}
    flask_caching.Cache(app, config=config)
    app.jinja_env.autoescape = True
    return renderer(app.jinja_env, LOOP, text)


def renderer(env: Environment, source: str, text: str) -> Callable[[], str]:
    """Compile a page, render it once to fill its cache, and return its renderer."""
    template = env.from_string(source)
    # Flask-Caching takes only texts as key values.
    values = {"items": [str(number) for number in range(ROWS)], "text": text}
    template.render(values)
    return lambda: template.render(values)


def raw_mget(port: int) -> Callable[[], object]:
    """Return a function that only reads the values that the pages have stored.

    Raises:
        SystemExit: If there are not as many values as rows.
    """
    client = redis.Redis(port=port)
    keys = sorted(client.scan_iter(f"{PREFIX}fragment:*"))
    if len(keys) != ROWS:
        raise SystemExit(f"{len(keys)} rows are stored, and not {ROWS}")
    return lambda: client.mget(keys)


def measure(port: int) -> dict[str, float]:
    """Time all variants in turn and return the microseconds of one page.

    Raises:
        SystemExit: If the variants do not all render the same page.
    """
    text = TEXT[: CHARACTERS - 2]
    variants: dict[str, Callable[[], object]] = {
        "cache_each": ours(port, LIST, text),
        "for and cache": ours(port, LOOP, text),
        "Flask-Caching": flask_caching_page(port, text),
        "raw MGET": raw_mget(port),
    }
    pages = {str(variants[name]()) for name in variants if name != "raw MGET"}
    if len(pages) != 1:
        raise SystemExit("not all pages are the same")
    timers = {name: timeit.Timer(each) for name, each in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            times[name].append(timer.timeit(RENDERS) / RENDERS * 1e6)
    return {name: median(each) for name, each in times.items()}


def main() -> None:
    """Measure all variants and print the table."""
    from tests import servers  # noqa: PLC0415 - needs the path that the script sets

    with servers.running(*servers.REDIS) as server:
        times = measure(server.port)
    floor, slowest = times["raw MGET"], times["Flask-Caching"]
    table = Table(title=f"A page of {ROWS} cached rows of 2 kB on Redis")
    for heading in ("page", "time", "times the MGET", "of Flask-Caching"):
        table.add_column(heading, justify="left" if heading == "page" else "right")
    for name, microseconds in sorted(times.items(), key=lambda each: each[1]):
        table.add_row(
            name,
            f"{microseconds:.0f} us",
            f"{microseconds / floor:.2f}x",
            f"1/{slowest / microseconds:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    # The helpers that start the server are in the tests.
    sys.path.insert(0, str(Path(__file__).parent.parent))
    if shutil.which("redis-server"):
        main()
    else:
        print("There is no redis-server, so lists are not measured.")
