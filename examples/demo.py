"""Renders the pages of the documentation site cold and warm, and compares the times.

Run it with `python examples/demo.py`.
"""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table
from stdlib_docs import NAME_COOKIE, cache, create_app

from jinja_fragcache import Stats

PATHS = (
    "/",
    "/modules/argparse",
    "/modules/asyncio",
    "/modules/email",
    "/modules/typing",
    "/search?q=read+file",
    "/modules.json",
)
WARM_RENDERS = 15


class ChangedPageError(Exception):
    """A page from the cache differs from the page that was rendered first."""


@dataclass(frozen=True, slots=True)
class Render:
    """One render of a page.

    Attributes:
        text: The page.
        milliseconds: How long it took.
        hits: The number of fragments and values that came from the cache.
        misses: The number of fragments and values that had to be made.
    """

    text: str
    milliseconds: float
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A page rendered with an empty cache and with a filled one.

    Attributes:
        path: The path of the page.
        cold: The first render.
        warm: A later render.
        warm_milliseconds: The median of all later renders.
    """

    path: str
    cold: Render
    warm: Render
    warm_milliseconds: float


def compare(app: Flask, paths: Iterable[str] = PATHS) -> list[Comparison]:
    """Render each page once, one after the other, then each of them again many times.

    Args:
        app: The application.
        paths: The paths of the pages.

    Returns:
        One comparison for each page.

    Raises:
        ChangedPageError: If a later render differs from the first.
    """
    prepare(app)
    with app.app_context():
        cache.clear()
        client = app.test_client()
        client.set_cookie(NAME_COOKIE, "Ada")
        first = {path: render(client, path) for path in paths}
        return [compare_page(client, path, cold) for path, cold in first.items()]


def prepare(app: Flask) -> None:
    """Do the work that is done once in the life of an application.

    `create_app` has already imported the modules. The templates are compiled here, so
    that the first page is not slower only because it is the first.
    """
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)
    # Flask and Werkzeug do some work at the first request. A static file has no parts
    # to cache, so this request is not measured.
    app.test_client().get("/static/style.css").close()


def compare_page(client: FlaskClient, path: str, cold: Render) -> Comparison:
    """Render a page again and compare it with its first render.

    Args:
        client: A client of the application.
        path: The path of the page.
        cold: The first render.

    Raises:
        ChangedPageError: If the page differs from its first render.
    """
    renders = [render(client, path) for _ in range(WARM_RENDERS)]
    if any(warm.text != cold.text for warm in renders):
        raise ChangedPageError(f"{path} is not the same from the cache.")
    median = statistics.median(warm.milliseconds for warm in renders)
    return Comparison(path, cold, renders[-1], median)


def render(client: FlaskClient, path: str) -> Render:
    """Render a page and measure its time, hits and misses."""
    before = cache.stats()
    start = time.perf_counter()
    response = client.get(path)
    milliseconds = (time.perf_counter() - start) * 1000
    after = cache.stats()
    return Render(
        response.get_data(as_text=True),
        milliseconds,
        after.hits - before.hits,
        after.misses - before.misses,
    )


def make_table(comparisons: list[Comparison]) -> Table:
    """Return a table with a row for each comparison and one for their total."""
    table = Table(title="Pages without and with their parts cached")
    table.add_column("Page")
    for heading in ("Parts", "Cold ms", "Warm ms", "Speed-up", "Hits", "Misses"):
        table.add_column(heading, justify="right")
    for each in comparisons:
        table.add_row(_label(each.path), *_numbers([each]))
    table.add_section()
    table.add_row("Together", *_numbers(comparisons), style="bold")
    return table


def _label(path: str) -> str:
    page = path.partition("?")[0].removeprefix("/")
    return page.removeprefix("modules/") or "index"


def _numbers(comparisons: list[Comparison]) -> Iterable[str]:
    cold = sum(each.cold.milliseconds for each in comparisons)
    warm = sum(each.warm_milliseconds for each in comparisons)
    cold_hits = sum(each.cold.hits for each in comparisons)
    cold_misses = sum(each.cold.misses for each in comparisons)
    warm_hits = sum(each.warm.hits for each in comparisons)
    warm_misses = sum(each.warm.misses for each in comparisons)
    return (
        f"{cold_hits + cold_misses}",
        f"{cold:.1f}",
        f"{warm:.1f}",
        f"{cold / warm:.0f} x",
        f"{cold_hits} -> {warm_hits}",
        f"{cold_misses} -> {warm_misses}",
    )


def explain(total: Stats) -> str:
    """Return a text that says what was measured, and where to see the pages."""
    return (
        f"Cold is a page's first render, one page after the other on an empty cache;"
        f" warm is the median of {WARM_RENDERS} more renders. Hits and misses: cold ->"
        " warm. The modules were imported and the templates compiled before. Every warm"
        " page was compared with its cold one and is the same, character by character."
        " Parts are fragments, the results of a search, and the list in modules.json."
        f" In total, the cache served {total.hits} of them and stored"
        f" {total.stored}.\n\n"
        "To open the pages in a browser: make serve, then http://127.0.0.1:8000/"
    )


def main(console: Console | None = None) -> None:
    """Compare the pages and print the table."""
    console = console or Console()
    # Nothing is to count by name while times are taken.
    app = create_app({"CACHE_INSPECTOR": False})
    # A page that fails, or a key that is refused, ends the demo with an exception.
    app.testing = True
    app.config["CACHE_IN_TESTING"] = True
    comparisons = compare(app)
    with app.app_context():
        total = cache.stats()
    console.print()
    console.print(make_table(comparisons))
    console.print(explain(total), highlight=False)


if __name__ == "__main__":
    main()
