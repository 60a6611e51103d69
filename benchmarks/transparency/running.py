"""Runs modules of Python in processes of their own, with tags and without."""

import json
import os
import shutil
import subprocess
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.transparency.tagging import Way

ROOT = Path(__file__).parents[2]
#: Ignored by Git. `make clean` deletes it.
WORK = ROOT / ".venv" / "transparency"

Command = Sequence[str | Path]


class CommandError(Exception):
    """A command that this one needs has failed."""


@dataclass(frozen=True)
class Run:
    """One run of a subject.

    Attributes:
        way: Which tags templates get; None for a run without this package.
        is_warm: Whether it is served what an earlier run has stored.
    """

    way: Way | None = None
    is_warm: bool = False

    @property
    def store(self) -> str:
        """Whether the store has what the run needs: "cold" or "warm"."""
        return "warm" if self.is_warm else "cold"


class Subject(Protocol):
    """Code that renders templates of its own.

    Attributes:
        name: The name of the subject.
    """

    name: str

    def observe(self, run: Run) -> tuple[Mapping[str, Hashable], int]:
        """Run the code, and return what came out and how many hits there were.

        What came out are values by name. They are compared with those of other runs.
        """
        ...


def call(command: Command, *, cwd: Path = ROOT, passing: int = 0) -> None:
    """Run a command.

    Args:
        command: The program and its arguments.
        cwd: The folder in which it runs.
        passing: The highest exit status with which it has not failed.

    Raises:
        CommandError: If it fails. The message has the end of what it printed.
    """
    # With the same seed, sets have the same order in each run.
    settings = {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",
    }
    done = subprocess.run(  # noqa: S603 - all parts of it are written in this folder
        command,
        cwd=cwd,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if not 0 <= done.returncode <= passing:
        shown = " ".join(map(str, command))
        end = "\n".join(done.stdout.splitlines()[-20:])
        raise CommandError(f"{shown}\nended with status {done.returncode}:\n{end}")


def run_module(
    python: Path,
    run: Run,
    entries: str,
    arguments: Command,
    *,
    cwd: Path = ROOT,
    passing: int = 0,
) -> int:
    """Run a module as `python -m` does, and return how many hits there were.

    Args:
        python: The interpreter.
        run: Whether to use this package, and how.
        entries: The name of the store, the same for the cold and the warm run.
        arguments: The module's name and its arguments.
        cwd: The folder in which it runs.
        passing: The highest exit status with which it has not failed.

    Raises:
        CommandError: If it fails.
    """
    if run.way is None:
        call([python, "-m", *arguments], cwd=cwd, passing=passing)
        return 0
    folder = WORK / "entries" / run.way / entries
    if not run.is_warm:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    hook: Command = [
        python,
        "-m",
        "benchmarks.transparency.run_module",
        run.way,
        folder,
    ]
    call([*hook, *arguments], cwd=cwd, passing=passing)
    stats = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    return int(stats["hits"])
