"""The differences that are as documented: `expected.toml`."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.transparency.running import Run
from benchmarks.transparency.tagging import Way

_FILE = Path(__file__).with_name("expected.toml")


@dataclass(frozen=True)
class Difference:
    """Differences with one reason.

    Attributes:
        subject: The name of the subject.
        reason: Why it is right that these differ.
        names: What differs.
        ways: The ways in which it does.
        stores: The stores with which it does: "cold", "warm", or both.
    """

    subject: str
    reason: str
    names: frozenset[str]
    ways: frozenset[Way]
    stores: frozenset[str]

    def concerns(self, subject: str, run: Run) -> bool:
        """Return whether they are expected in a run of a subject."""
        is_run = run.way in self.ways and run.store in self.stores
        return is_run and subject == self.subject


def expected_differences() -> list[Difference]:
    """Return what the file lists."""
    listed = tomllib.loads(_FILE.read_text(encoding="utf-8"))["difference"]
    return [
        Difference(
            entry["subject"],
            entry["reason"],
            frozenset(entry["names"]),
            frozenset(map(Way, entry["ways"])),
            frozenset(entry.get("stores", ["cold", "warm"])),
        )
        for entry in listed
    ]


def names_listed(
    differences: list[Difference], subject: str, run: Run
) -> Iterator[str]:
    """Iterate over the names that are expected to differ in a run of a subject."""
    for each in differences:
        if each.concerns(subject, run):
            yield from each.names
