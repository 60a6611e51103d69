"""How fast this package is, beside its peers, as ratios within one run.

`make bench` measures a little of everything, prints the tables, and ends with an error
if a ratio is far behind its goal. What is far behind is measured again at length before
that counts. `make performance` measures everything at length, the load test included,
and writes docs/performance.md and its pictures.

The modules, from the bottom up:

- `measuring` times calls in turn,
- `figures` makes tables of that, and knows the bounds,
- `peers` has the ways to cache a fragment that are compared,
- `hits`, `misses`, `on_servers`, `awaited`, `compiling`, `full_stores` and `footprint`
  measure, and `load/` starts sites and visits them,
- `works` lists all that,
- `page` writes what users read.

    python -m benchmarks.performance hits misses
    python -m benchmarks.performance --write
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence

from tests import servers

from .measuring import QUICK, THOROUGH, Effort
from .page import write
from .works import MEMCACHED, REDIS, WORKS, Tables, Work

_SERVERS = {REDIS: servers.REDIS, MEMCACHED: servers.MEMCACHED}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance")
    parser.add_argument("works", nargs="*", metavar="WORK", help=", ".join(WORKS))
    parser.add_argument(
        "--write", action="store_true", help="measure at length, and write the page"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.works if name not in WORKS]
    if unknown:
        parser.error(f"There is no {unknown[0]}. Write one of {', '.join(WORKS)}.")
    if options.write and options.works:
        parser.error("The page has all tables, so leave their names out.")
    works = chosen(options.works, everything=options.write)
    lacking = {
        name: program for name, work in works.items() if (program := missing(work))
    }
    for name, program in lacking.items():
        print(f"There is no {program}, so {name} is not measured.")
    if lacking and (options.write or os.environ.get("CI")):
        return 1
    began = time.monotonic()
    effort = THOROUGH if options.write else QUICK
    tables = {
        name: measured(work, effort)
        for name, work in works.items()
        if name not in lacking
    }
    if options.write:
        write(tables)
    print(f"This took {(time.monotonic() - began) / 60:.1f} minutes.")
    return report(tables)


def chosen(names: Sequence[str], *, everything: bool) -> dict[str, Work]:
    """Return the works of these names; without names, the quick ones or all."""
    return {
        name: work
        for name, work in WORKS.items()
        if (name in names if names else everything or work.is_quick)
    }


def missing(work: Work) -> str | None:
    """Return a program that a work needs, and that is not installed."""
    return next((each for each in work.programs if not shutil.which(each)), None)


def measured(work: Work, effort: Effort) -> Tables:
    """Measure and print a work, at length if it is far behind otherwise."""
    tables = tables_of(work, effort)
    if effort != THOROUGH and any(table.failures for table in tables):
        tables = tables_of(work, effort._replace(rounds=THOROUGH.rounds))
    for table in tables:
        print(f"{table.title}\n\n{table.markdown()}\n", flush=True)
    return tables


def tables_of(work: Work, effort: Effort) -> Tables:
    """Measure a work. The server that it needs is one of its own."""
    if work.server is None:
        return work.measure(effort)
    with servers.running(*_SERVERS[work.server]) as server:
        return work.measure(effort, server.port)


def report(tables: Mapping[str, Tables]) -> int:
    """Print which ratios are far behind their goals, and return the exit status."""
    failures = [
        failure
        for shown in tables.values()
        for table in shown
        for failure in table.failures
    ]
    for failure in failures:
        print(f"FAR BEHIND: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
