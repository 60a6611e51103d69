"""What a hit costs: a page of 50 cached fragments, as ratios within one run.

The floor is the same page with `{{ html }}` instead of each fragment: the time that
Jinja needs to print 50 texts that exist already. The peer is Flask-Caching, whose tag
is the usual implementation. All variants of a page are timed in turn, round by round,
and the best round of each counts. So a machine that is busy for a while does not
distort the ratios.

Run it with `make bench`.
"""

import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cachelib
import flask_caching
from flask import Flask
from jinja2 import Environment
from markupsafe import Markup
from rich.console import Console
from rich.table import Table

from jinja_fragcache import FragmentCache, FragmentCacheExtension, MemoryStore

FRAGMENTS = 50
ROUNDS = 15
RENDERS = 200
HTML = Markup('<li class="row"><a href="/item/1">An item</a> and its text</li>\n' * 8)  # noqa: S704 - a constant


@dataclass(frozen=True)
class Page:
    """One way to write a page of 50 fragments.

    Attributes:
        name: The name in the table.
        fragment: The source of one fragment. `%d` stands for its number.
        autoescape: Whether autoescape is on.
    """

    name: str
    fragment: str
    autoescape: bool = True


FLOOR = "{{ html }}"
PAGES = (
    Page("constant key", '{%% cache 300, "row-%d" %%}{{ html }}{%% endcache %%}'),
    # Flask-Caching takes only texts as key values, so these are texts.
    Page(
        "one key value",
        '{%% cache 300, "row", ids[%d] %%}{{ html }}{%% endcache %%}',
    ),
    Page(
        "two key values",
        '{%% cache 300, "row", ids[%d], lang %%}{{ html }}{%% endcache %%}',
    ),
    Page(
        "name from a variable",
        "{%% cache 300, ids[%d] %%}{{ html }}{%% endcache %%}",
    ),
    Page("default name", "\n{%% cache 300 %%}{#%d#}{{ html }}{%% endcache %%}"),
    Page(
        "constant key, no autoescape",
        '{%% cache 300, "row-%d" %%}{{ html }}{%% endcache %%}',
        autoescape=False,
    ),
)


class _Elsewhere(MemoryStore):
    """A store that counts as one on a server, because of its class."""


def environments() -> dict[str, Callable[[bool], Environment]]:
    """Return a function for each implementation that creates its environment."""
    return {
        "jinja-fragcache": _ours,
        "two tiers": lambda autoescape: _ours(autoescape, _Elsewhere(), near=3600),
        "jinja-fragcache on cachelib": lambda autoescape: _ours(
            autoescape, cachelib.SimpleCache()
        ),
        "Flask-Caching": _flask_caching,
    }


def _ours(
    autoescape: bool,
    store: cachelib.BaseCache | MemoryStore | None = None,
    **options: Any,
) -> Environment:
    env = Environment(extensions=[FragmentCacheExtension], autoescape=autoescape)  # noqa: S701 - the floor has the same
    env.fragment_cache = FragmentCache(store, **options)  # type: ignore[attr-defined]
    return env


def _flask_caching(autoescape: bool) -> Environment:
    app = Flask(__name__)
    flask_caching.Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    app.jinja_env.autoescape = autoescape
    return app.jinja_env


def page_source(fragment: str) -> str:
    """Return the source of a page that contains the fragment 50 times."""
    return "".join(
        fragment % i if "%" in fragment else fragment for i in range(FRAGMENTS)
    )


def renderer(env: Environment, source: str) -> Callable[[], str]:
    """Compile a page, render it once to fill its cache, and return its renderer."""
    template = env.from_string(source)
    ids = [str(i) for i in range(FRAGMENTS)]
    values = {"html": HTML, "ids": ids, "lang": "en"}
    template.render(values)
    return lambda: template.render(values)


def best_times(variants: dict[str, Callable[[], str]]) -> dict[str, float]:
    """Time all variants in turn and return the microseconds of one render."""
    timers = {name: timeit.Timer(render) for name, render in variants.items()}
    best = dict.fromkeys(timers, float("inf"))
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(RENDERS) / RENDERS * 1e6)
    return best


def measure(page: Page) -> dict[str, float]:
    """Time a page in every implementation, and the floor.

    Raises:
        SystemExit: If an implementation renders another page than the floor.
    """
    floor = Environment(autoescape=page.autoescape)  # noqa: S701 - as the page says
    variants = {"floor": renderer(floor, page_source(FLOOR))}
    for name, make in environments().items():
        env = make(page.autoescape)
        variants[name] = renderer(env, page_source(page.fragment))
    expected = variants["floor"]()
    for name, render in variants.items():
        if render().replace("\n\n", "\n").strip() != expected.strip():
            raise SystemExit(f"{name} renders another page than the floor")
    return best_times(variants)


def main() -> None:
    """Measure all pages and print the table."""
    names = list(environments())
    table = Table(title=f"A page of {FRAGMENTS} hits, times the floor")
    table.add_column("page")
    table.add_column("floor", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    for page in PAGES:
        times = measure(page)
        floor = times["floor"]
        cells = [f"{times[name] / floor:.2f}x ({times[name]:.0f} us)" for name in names]
        table.add_row(page.name, f"{floor:.0f} us", *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
