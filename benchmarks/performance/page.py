"""Writes docs/performance.md and its pictures.

The text is in `page.md`, a template whose variables are the tables, so that neither is
written twice.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from benchmarks.bar_chart import draw

from .load import measuring as load
from .works import Tables

_DOCS = Path(__file__).parent.parent.parent / "docs"
_TEXT = Path(__file__).parent / "page.md"
_PACKAGES = (
    *("Jinja2", "MarkupSafe", "Flask-Caching", "cachelib", "Django", "dogpile.cache"),
    *("cashews", "redis", "hiredis", "pylibmc", "gunicorn"),
)
_LINES = "The thin lines are the middle half of all rounds"
#: The files of the pictures: the table of each, its title, and what its bars are.
_PICTURES = {
    "hits": (
        "performance-hits.svg",
        "A page of 50 hits in memory",
        "Times as long as Jinja takes for the texts alone. Shorter is better",
    ),
    "parts": (
        "performance-redis.svg",
        "A page of 10 fragments on Redis",
        "Times as long as one MGET of the ten. Shorter is better",
    ),
    "load": (
        "performance-load.svg",
        "Requests a second with a warm cache, 2 workers of gunicorn",
        "Longer is better",
    ),
}


def write(measured: Mapping[str, Tables], folder: Path = _DOCS) -> None:
    """Write the page and its pictures.

    Args:
        measured: The tables of all works.
        folder: Where to write them.
    """
    for name, (file, title, note) in _PICTURES.items():
        picture = draw(title, f"{note}. {_LINES}", measured[name][0].bars)
        (folder / file).write_text(picture, "utf-8")
    (folder / "performance.md").write_text(text(measured), "utf-8")


def text(measured: Mapping[str, Tables]) -> str:
    """Return the text of the page."""
    env = Environment(  # noqa: S701 - Markdown
        undefined=StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    tables = {
        name: [table.markdown() for table in tables]
        for name, tables in measured.items()
    }
    return env.from_string(_TEXT.read_text("utf-8")).render(
        tables=tables, machine=machine(), load=load
    )


def machine() -> str:
    """Return in words what was measured on: no names and no paths."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{os.cpu_count()} cores, {platform.system()}, {python}"
    return ", ".join([system, *_versions()])


def _versions() -> Iterator[str]:
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"
