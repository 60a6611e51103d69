"""What a miss costs: a page of 50 cold fragments, and a list with cold rows.

The table shows pages in memory whose bodies are empty, so only the time that the tag
adds is measured. The floor is the same page without tags. The peer is Flask-Caching.
Each render has keys of its own, and the store is cleared before it.

Below the table is the number of Python calls in this package that a list of 50 rows
makes if 10 of the rows are cold, in memory and on Redis. The latter needs redis-server,
and is skipped without it.

Run it with `make bench`.
"""

import shutil
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import cachelib
import flask_caching
from flask import Flask
from jinja2 import Environment
from rich.console import Console
from rich.table import Table

import jinja_fragcache
from jinja_fragcache import FragmentCache, FragmentCacheExtension, MemoryStore
from jinja_fragcache.stores import RedisStore

PACKAGE = str(Path(jinja_fragcache.__file__).parent)
FRAGMENTS = 50
ROUNDS = 301
COLD_ROWS = 10
PAGE = '{% cache 300, "row", ids[number] %}{% endcache %}'
TAGGED_PAGE = '{% cache 300, "row", ids[number], tags=["rows"] %}{% endcache %}'
LIST = '{% cache_each item in items, 300, "row", item %}{{ item }}{% endcache_each %}'


class Page:
    """A page, and how long its renders took.

    Args:
        env: The environment that compiles it.
        fragment: The source of one fragment. `number` in it stands for its number.
        clear: Clears the store.

    Attributes:
        seconds: How long each render took.
    """

    def __init__(
        self, env: Environment, fragment: str, clear: Callable[[], object]
    ) -> None:
        parts = [fragment.replace("number", str(each)) for each in range(FRAGMENTS)]
        self._template = env.from_string("".join(parts))
        self._clear = clear
        self.seconds: list[float] = []

    def render(self, ids: list[str]) -> None:
        """Render the page once with an empty store, and record the time.

        Args:
            ids: The key values of the fragments.
        """
        self._clear()
        # Of this process only, since a miss in memory waits for nothing.
        begin = time.process_time()
        self._template.render(ids=ids)
        self.seconds.append(time.process_time() - begin)

    def microseconds(self) -> float:
        """Return the least time of one fragment, in microseconds."""
        return min(self.seconds) / FRAGMENTS * 1e6


def ours(store: Any, **options: Any) -> Environment:
    """Return an environment with this package's cache tag."""
    env = Environment(extensions=[FragmentCacheExtension], autoescape=True)
    env.fragment_cache = FragmentCache(store, **options)  # type: ignore[attr-defined]
    return env


def pages() -> dict[str, Page]:
    """Return all pages by their names in the table."""
    app = Flask(__name__)
    peer = flask_caching.Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    plain, tagged, cachelibs = MemoryStore(), MemoryStore(), cachelib.SimpleCache()
    return {
        "floor": Page(Environment(autoescape=True), "{{ ids[number] }}", lambda: None),
        "Flask-Caching": Page(app.jinja_env, PAGE, lambda: _clear(app, peer)),
        "jinja-fragcache": Page(ours(plain), PAGE, plain.clear),
        "with stale=60": Page(ours(tagged, stale=60), PAGE, tagged.clear),
        "with a tag": Page(ours(tagged), TAGGED_PAGE, tagged.clear),
        "on cachelib": Page(ours(cachelibs), PAGE, cachelibs.clear),
    }


def _clear(app: Flask, peer: Any) -> None:
    with app.app_context():
        peer.clear()


def time_pages() -> dict[str, float]:
    """Time all pages in turn and return the microseconds of one fragment."""
    numbers = count()
    timed = pages()
    for _ in range(ROUNDS):
        for page in timed.values():
            page.render([str(next(numbers)) for _ in range(FRAGMENTS)])
    return {name: page.microseconds() for name, page in timed.items()}


def count_calls(store: Any) -> int:
    """Return how often a list with cold rows calls functions of this package."""
    template = ours(store).from_string(LIST)
    items = [str(number) for number in range(FRAGMENTS)]
    # Make everything that is made only once.
    template.render(items=[f"another {item}" for item in items])
    template.render(items=items[COLD_ROWS:])
    calls = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    sys.setprofile(profile)
    template.render(items=items)
    sys.setprofile(None)
    return calls


def main() -> None:
    """Measure everything and print it."""
    times = time_pages()
    added = {name: each - times["floor"] for name, each in times.items()}
    table = Table(title="What a miss in memory adds to an empty body")
    for heading in ("page", "adds", "times Flask-Caching"):
        table.add_column(heading, justify="left" if heading == "page" else "right")
    for name, microseconds in added.items():
        ratio = microseconds / added["Flask-Caching"]
        table.add_row(name, f"{microseconds:.1f} us", f"{ratio:.2f}x")
    Console().print(table)
    print(f"A list of {FRAGMENTS} rows, {COLD_ROWS} of them cold, calls this package:")
    print(f"  in memory {count_calls(MemoryStore()):,} times")
    if not shutil.which("redis-server"):
        print("  There is no redis-server, so Redis is not measured.")
        return
    from tests import servers  # noqa: PLC0415 - needs the path that the script sets

    with servers.running(*servers.REDIS) as server:
        store = RedisStore(port=server.port, key_prefix="bench:")
        print(f"  on Redis {count_calls(store):,} times")


if __name__ == "__main__":
    # The helpers that start the server are in the tests.
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
