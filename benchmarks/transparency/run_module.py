"""Runs a Python module in which every Jinja environment has this package's extension.

    python -m benchmarks.transparency.run_module WAY FOLDER MODULE [ARGUMENT ...]

`WAY` says which tags templates get (see `tagging`); `FOLDER` keeps the entries, so that
a second run is served what the first one stored. What the cache did is written to
`stats.json` in that folder when the process ends.
"""

import atexit
import json
import runpy
import sys
from pathlib import Path

from benchmarks.transparency.hook import install
from benchmarks.transparency.tagging import Way
from jinja_fragcache import FragmentCache
from jinja_fragcache.stores import FileStore


def main(way: str, folder: str, module: str, *arguments: str) -> None:
    """Run a module as `python -m` does."""
    store = FileStore(folder, threshold=0, default_timeout=0)
    cache = FragmentCache(store)
    install(Way(way), cache)

    def write_stats() -> None:
        stats = json.dumps(cache.stats().as_dict())
        Path(folder, "stats.json").write_text(stats, encoding="utf-8")

    atexit.register(write_stats)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
