"""Ever new keys, tags and templates: does the memory of the process stay the same?

A site renders for minutes what it has never rendered before: fragments with new keys
and new tags, templates with new names and new sources, lists, holes, fragments that are
served stale, bodies that fail, keys that are refused, calls of memoized functions with
new arguments, and now and then something of a hostile size. It does so on each store,
in a process of its own, all at the same time.

The resident memory of each process is measured again and again, after a collection of
what is in cycles. The first third of the run is the warm-up: stores and caches fill up
to their bounds. The line is flat if the median of the last third is at most 2% above
that of the second third. The script ends with an error if a line is not flat.

Run it with `make soak` (for SOAK_SECONDS, 600 by default), or

    python -m benchmarks.memory_soak --seconds 60 --picture memory-soak.svg

It needs Linux, which tells a process its resident memory in /proc.
"""

import argparse
import asyncio
import gc
import itertools
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from flask import Flask
from jinja2 import Environment, FunctionLoader

from benchmarks.line_chart import Line, draw
from benchmarks.soak import close, place_of
from jinja_fragcache import (
    Cache,
    FragmentCacheExtension,
    StoreError,
    set_fragment_cache,
)
from jinja_fragcache.stores import FileStore, MemoryStore, RedisStore, Store

STORES = ("memory", "redis", "file")
_NAMES = {"memory": "MemoryStore", "redis": "RedisStore", "file": "FileStore"}
#: How much larger the last third of the samples may be than the second third. In ten
#: minutes that is less for each new key than a dict needs to remember it.
TOLERANCE = 0.02
_SAMPLES = 200
# One of each third. A busy machine may visit a site less often in a few seconds.
_FEWEST_SAMPLES = 3
_MIB = 2**20
_STORE_BYTES = 8 * _MIB
_THRESHOLD = 5000
_COMPILED = 50
_PATIENCE = 10.0
# Keys that are asked for again and again, after their timeout as well.
_RECURRING = 997
_HOSTILE_EVERY = 20
_HOSTILE_BYTES = 2**18
_LARGE_BLOCK = 2**16
_TEXT = "A text of some length, as a fragment has. " * 8

_FRAGMENT = """
{% cache 60, "row", n, tags=["new:%d" % n, "all"], stale=60 %}
  {{ cache_tag("late:%d" % n) }}{{ text }}{% nocache %}{{ n }}{% endnocache %}
{% endcache %}
{% cache 1, "recurring", slot, stale=1, stale_if_error=60 %}{{ body(n) }}{% endcache %}
"""
_LIST = """
{% cache_each row in rows, 60, "list", row, version=n, tags=["list:%d" % n] %}
  {{ cache_tag("late:%s" % row) }}{{ loop.index }} {{ text }}
{% endcache_each %}
"""
# Its name is a user's, and what it includes.
_PAGE = """
{%% cache 60 %%}%(name)s {{ text }}{%% endcache %%}
{%% cache 60, "of page", n, template_digest=true %%}
  {%% include "part of " ~ page %%}{{ text }}
{%% endcache %%}
{%% cache 60, page ~ n %%}its name is known when it is rendered{%% endcache %%}
{%% cache 60, "no key", refused %%}{{ text }}{%% endcache %%}
"""


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Attributes:
        kind: One of `STORES`.
        place: The server's port, or the store's folder.
        seconds: How long the run takes.
    """

    kind: str
    place: int | str
    seconds: float


class Sample(NamedTuple):
    """What was measured at one moment.

    Attributes:
        seconds: Since the start of the run.
        resident: The bytes of resident memory of the process.
        steps: How often the site was visited until then.
    """

    seconds: float
    resident: int
    steps: int


@dataclass
class Figures:
    """What was measured in a run, and how many new things there were.

    Attributes:
        kind: The kind of the store.
        samples: The samples.
        new: How many new keys, tags and templates there were.
    """

    kind: str
    samples: list[Sample] = field(default_factory=list)
    new: Counter[str] = field(default_factory=Counter)

    def thirds(self) -> tuple[float, float]:
        """Return the medians of the second and of the last third, in bytes."""
        resident = [sample.resident for sample in self.samples]
        third = len(resident) // 3
        return median(resident[third : 2 * third]), median(resident[2 * third :])

    @property
    def change(self) -> float:
        """By which fraction the last third is larger than the second."""
        middle, last = self.thirds()
        return last / middle - 1

    @property
    def is_flat(self) -> bool:
        """Whether the memory has stayed the same after the warm-up."""
        middle, last = self.thirds()
        return last <= middle * (1 + TOLERANCE)

    @property
    def verdict(self) -> str:
        """One line that says whether the memory has stayed the same."""
        middle, last = self.thirds()
        return (
            f"{_NAMES[self.kind]}: {'flat' if self.is_flat else 'NOT FLAT'}."
            f" {last / _MIB:.1f} MiB in the last third, {middle / _MIB:.1f} MiB in the"
            f" second ({self.change:+z.1%}). In"
            f" {self.samples[-1].seconds:.0f} seconds, {self.new['keys']:,} new keys,"
            f" {self.new['tags']:,} new tags and {self.new['templates']:,} new"
            " templates."
        )


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def make_store(settings: Settings) -> Store:
    """Open the store of a run."""
    if settings.kind == "memory":
        return MemoryStore(max_bytes=_STORE_BYTES)
    if settings.kind == "file":
        return FileStore(str(settings.place), threshold=_THRESHOLD)
    return RedisStore(
        "127.0.0.1",
        int(settings.place),
        key_prefix="soak:",
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
    )


def source_of(name: str) -> tuple[str, None, Callable[[], bool]]:
    """Return the source of the template of any name, as a loader does."""
    source = f"{name} " if name.startswith("part of ") else _PAGE % {"name": name}
    # It refers to the source, as that of Jinja's DictLoader does.
    return source, None, lambda: bool(source)


class Site:
    """A site with everything that can be cached.

    Args:
        settings: The settings of the run.
        new: Counts what is new.
    """

    def __init__(self, settings: Settings, new: Counter[str]) -> None:
        self._new = new
        self.app = Flask(__name__)
        # Jinja keeps this many compiled templates, whatever their size.
        self.app.jinja_options = {"cache_size": _COMPILED}
        self._store = store = make_store(settings)
        self._cache = Cache(self.app, config={"CACHE_TYPE": store})
        self._env = self.app.jinja_env
        self._env.loader = FunctionLoader(source_of)
        self._env.auto_reload = True
        self._fragment = self._env.from_string(_FRAGMENT)
        self._list = self._env.from_string(_LIST)
        self._async_fragment = _async_environment(store).from_string(_FRAGMENT)
        self._loop = asyncio.new_event_loop()

        @self._cache.memoize(timeout=60)
        def memoized(number: int, text: str) -> list[str]:
            return [text, str(number)]

        self._memoized = memoized

    def visit(self, n: int) -> None:
        """Render and call what was never rendered or called before."""
        for _ in range(2):  # a miss and a hit
            with suppress(LookupError):
                self._fragment.render(_values(n))
            self._list.render(_values(n))
            self._memoized(n, _TEXT)
        self._new.update(keys=1 + 5 + 1, tags=2 + 6)
        if n % 2 == 0:
            self._visit_page(n, f"page {n}")
        if n % 5 == 0:
            # On a busy machine, a store may be slow.
            with suppress(StoreError):
                self._cache.delete_fragment("row", [n])
                self._cache.invalidate_tags(f"new:{n}")
                self._cache.delete_memoized(self._memoized, n, _TEXT)
        if n % 10 == 0:
            with suppress(LookupError):
                coroutine = self._async_fragment.render_async(_values(-n))
                self._loop.run_until_complete(coroutine)
            self._new.update(keys=1, tags=2)
        if n % _HOSTILE_EVERY == 0:
            self._be_hostile(n)

    def close(self) -> None:
        """Close the event loop, and the connections of the store."""
        self._loop.close()
        close(self._store)

    def _visit_page(self, n: int, name: str) -> None:
        template = self._env.get_template(name)
        template.render(_values(n, page=name, refused=object()))
        source = _PAGE % {"name": f"from a string {n}"}
        self._env.from_string(source).render(_values(-n, page=name, refused=object()))
        self._new.update(keys=6, templates=3)

    def _be_hostile(self, n: int) -> None:
        long = f"{n} " + "x" * _HOSTILE_BYTES
        self._visit_page(n, long)
        with suppress(StoreError):
            self._cache.invalidate_tags(long)
            self._cache.delete_fragment(long, [long, 10**4000 + n])
        with suppress(LookupError):
            self._fragment.render(_values(n, text=long))
        tags = [f"{n} {number}" for number in range(200)]
        source = (
            '{% cache 60, "hostile", n, tags=tags, stale=60 %}{{ n }}{% endcache %}'
        )
        template = self._env.from_string(source)
        for _ in range(2):
            template.render(n=long, tags=tags)
        self._new.update(keys=2, tags=len(tags) + 1, templates=1)


def _async_environment(store: Store) -> Environment:
    environment = Environment(
        extensions=[FragmentCacheExtension], autoescape=True, enable_async=True
    )
    set_fragment_cache(environment, store)
    return environment


def _values(n: int, **more: Any) -> dict[str, Any]:
    rows = [f"{n} {row}" for row in range(5)]
    values = {"n": n, "slot": n % _RECURRING, "rows": rows, "text": _TEXT}
    return {**values, "body": _body, **more}


def _body(n: int) -> str:
    if n % 7 == 0:
        raise LookupError("the body failed")
    return _TEXT


def run_here(settings: Settings) -> Figures:
    """Run on one store, in this process.

    It takes longer than its settings say if it could measure fewer than three times.
    """
    figures = Figures(settings.kind)
    started = time.monotonic()
    next_sample = 0.0
    with closing(Site(settings, figures.new)) as site, site.app.app_context():
        for n in itertools.count(1):
            site.visit(n)
            seconds = time.monotonic() - started
            if seconds >= next_sample or seconds >= settings.seconds:
                # Compiled templates are in cycles. Python frees these when it likes.
                gc.collect()
                figures.samples.append(Sample(seconds, resident_bytes(), n))
                next_sample = seconds + settings.seconds / _SAMPLES
            is_over = seconds >= settings.seconds
            if is_over and len(figures.samples) >= _FEWEST_SAMPLES:
                break
    return figures


def _log_little() -> None:
    # Refused keys, bodies that fail and headers that are too large are logged.
    logging.getLogger("jinja_fragcache").setLevel(logging.CRITICAL)


def run(seconds: float, kinds: tuple[str, ...] = STORES) -> list[Figures]:
    """Run on all stores, each in a process of its own."""
    with ExitStack() as stack:
        settings = [
            Settings(kind, stack.enter_context(_place_of(kind)), seconds)
            for kind in kinds
        ]
        # Without it, glibc keeps large blocks that are free by now, for later use, and
        # what leaks would be hidden in these.
        os.environ["MALLOC_MMAP_THRESHOLD_"] = str(_LARGE_BLOCK)
        spawn = multiprocessing.get_context("spawn")
        pool = stack.enter_context(
            ProcessPoolExecutor(len(kinds), spawn, initializer=_log_little)
        )
        return list(pool.map(run_here, settings))


def _place_of(kind: str) -> Any:
    return ExitStack() if kind == "memory" else place_of(kind)


def picture(runs: list[Figures]) -> str:
    """Return a picture of the memory over time, as SVG."""
    lines = [_line(each) for each in runs]
    verdicts = " ".join(each.verdict for each in runs)
    minutes = runs[0].samples[-1].seconds / 60
    return draw(
        "Memory of a process that meets ever new keys, tags and templates",
        f"A line for each store. {verdicts}",
        ("minutes", "MiB"),
        minutes / 3,
        lines,
    )


def _line(figures: Figures) -> Line:
    points = [(each.seconds / 60, each.resident / _MIB) for each in figures.samples]
    note = f"{figures.new['keys']:,} keys, {figures.change:+z.1%}"
    return Line(_NAMES[figures.kind], note, points)


def _print(verdicts: Iterator[str]) -> None:
    sys.stdout.write("".join(f"{each}\n" for each in verdicts))


def main(arguments: list[str] | None = None) -> int:
    """Run with the options of the command line, and return the exit status."""
    parser = argparse.ArgumentParser(description="Look whether memory grows.")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--picture", type=Path, help="where to write the picture")
    options = parser.parse_args(arguments)
    runs = run(options.seconds)
    if options.picture is not None:
        options.picture.write_text(picture(runs), encoding="utf-8")
    _print(each.verdict for each in runs)
    return 0 if all(each.is_flat for each in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
