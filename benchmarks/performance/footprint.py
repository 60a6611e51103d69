"""How much memory an entry takes, and how long an import."""

import os
import resource
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from functools import partial

import cachelib

from jinja_fragcache import MemoryStore, make_template_fragment_key

from .figures import Bound, Figures, Line, compared
from .full_stores import Full
from .measuring import Effort, Spread, Variant, added, in_turn, spread_of

ENTRIES = 5_000
CHARACTERS = 200
# Bytes.
GOAL = 450
START = "Python alone"


def measure_entries(_: Effort) -> Figures:
    """Measure the memory that an entry of 200 bytes takes, with its key."""
    stores: dict[str, Callable[[], Full]] = {
        "a dict": _Dict,
        "MemoryStore": partial(MemoryStore, threshold=ENTRIES),
        "cachelib.SimpleCache": partial(cachelib.SimpleCache, threshold=ENTRIES),
    }
    sizes = {name: _bytes_each(make) for name, make in stores.items()}
    peer = sizes["cachelib.SimpleCache"]
    lines = [
        Line(
            name,
            f"{size:,.0f} bytes",
            Spread(*[size / peer] * 3),
            Bound(GOAL / peer, 1.3) if name == "MemoryStore" else None,
        )
        for name, size in sizes.items()
    ]
    title = f"Memory of an entry of {CHARACTERS} bytes, with its key"
    return Figures(title, ("store", "memory", "times cachelib"), lines)


class _Dict(dict[str, str]):
    def set(self, key: str, value: str, timeout: int) -> None:
        self[key] = value


def _bytes_each(make: Callable[[], Full]) -> float:
    store = make()
    # Bytes, so that each key is made while that is traced, as one from a request is.
    keys = [
        make_template_fragment_key("row", [number]).encode()
        for number in range(ENTRIES)
    ]
    tracemalloc.start()
    for number, key in enumerate(keys):
        store.set(key.decode(), str(number).rjust(CHARACTERS, "x"), 3600)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / ENTRIES


def measure_import(effort: Effort) -> Figures:
    """Measure what imports add to the start of Python, in processes of their own."""
    imports = {
        START: "pass",
        "Jinja2": "import jinja2",
        # What Python code imports. The package itself imports little until then.
        "jinja_fragcache": "from jinja_fragcache import FragmentCacheExtension",
        "flask_caching": "import flask_caching",
        "dogpile.cache": "import dogpile.cache",
    }
    with tempfile.TemporaryDirectory() as folder:
        variants = {
            name: Variant(partial(_run, code, folder)) for name, code in imports.items()
        }
        times = added(in_turn(variants, effort.rounds, _children_seconds), START)
    lines = compared(times, "Jinja2", {"jinja_fragcache": Bound(1.5, 4)})
    own = spread_of(added(times, "Jinja2")["jinja_fragcache"]).middle * 1000
    lines.append(Line("jinja_fragcache, without Jinja2's own", f"{own:,.0f} ms"))
    return Figures(
        "An import, in addition to Python's start",
        ("of", "time", "times Jinja2"),
        lines,
    )


def _run(code: str, folder: str) -> None:
    """Run code in a process that finds compiled modules in a folder."""
    command = [sys.executable, "-X", f"pycache_prefix={folder}", "-c", code]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command, check=True, env=env)  # noqa: S603 - constants


def _children_seconds() -> float:
    """Return the processor's time of all processes that have been started and ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
