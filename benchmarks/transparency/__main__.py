"""Is the output with the tags the output without, in templates that others wrote?

`make transparency` downloads Jinja's own tests, and three programs that build pages
with templates of their own: Sphinx, MkDocs and nbconvert. Each is run without this
package, and then in several ways with it (`tagging.Way`). With tags, it is run twice:
on an empty store (cold), and on the store that the first run has filled (warm). The
outcomes of all tests, and all files that were written, are compared. For each
difference there must be a reason in `expected.toml`.

It ends with an error if

- something differs and is not listed, or is listed and does not differ any more,
- nothing was compared, or a warm run was served nothing from the store.

The modules, from the bottom up:

- `tagging` puts tags around the statements of a template,
- `hook` does that to each environment of a process,
- `run_module` is what runs in the processes,
- `running` starts them,
- `downloads` fetches what they run,
- `subjects` knows what to run and what to compare,
- `expected` reads the list of differences.

What is downloaded stays in `.venv/transparency`.
"""

import sys
from collections.abc import Hashable, Iterator, Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.transparency.downloads import DownloadError
from benchmarks.transparency.expected import (
    Difference,
    expected_differences,
    names_listed,
)
from benchmarks.transparency.running import CommandError, Run, Subject
from benchmarks.transparency.subjects import subjects
from benchmarks.transparency.tagging import Way

Observed = Mapping[str, Hashable]
RUNS = [
    Run(way, is_warm)
    for way in Way
    for is_warm in (False, True)
    if not (is_warm and way is Way.EXTENSION)
]


def main() -> int:
    """Compare everything, print a table, and return the exit status."""
    table = Table("", "way", "store")
    for heading in ("compared", "same", "differ", "listed", "hits"):
        table.add_column(heading, justify="right")
    expected = expected_differences()
    problems: list[str] = []
    try:
        for subject in subjects():
            problems += compare(subject, expected, table)
    except (DownloadError, CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    Console(width=max(80, Console().width)).print(table)
    print("\n".join(problems) or "All differences are those that are documented.")
    return 1 if problems else 0


def compare(
    subject: Subject, expected: list[Difference], table: Table
) -> Iterator[str]:
    """Run a subject in all ways, add rows to the table, and yield what is wrong.

    Raises:
        CommandError: If the subject can't be run.
    """
    without, _ = subject.observe(Run())
    if not without:
        yield f"{subject.name}: there is nothing to compare."
    for run in RUNS:
        observed, hits = subject.observe(run)
        different = {
            name
            for name in without.keys() | observed.keys()
            if without.get(name) != observed.get(name)
        }
        listed = set(names_listed(expected, subject.name, run))
        row = f"{subject.name}, {run.way}, {run.store}"
        for name in sorted(different - listed):
            yield f"{row}: {name} differs, and is not listed."
        for name in sorted(listed - different):
            yield f"{row}: {name} is listed, and does not differ."
        if run.is_warm and not hits:
            yield f"{row}: nothing was served from the store."
        figures = len(without), len(without) - len(different), len(different)
        counts = map(str, (*figures, len(listed), hits))
        table.add_row(subject.name, run.way, run.store, *counts)
    table.add_section()


if __name__ == "__main__":
    sys.exit(main())
