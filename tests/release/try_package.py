"""Installs the wheel of dist/ into new environments, and runs what a user would run.

    python -m tests.release.try_package python3.11 python3.12

One environment for each of these Pythons: first without extras, then with some, then
with all.
Pythons that are not there are skipped, and named.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.release.repository import DIST, ROOT

SMOKE_TEST = ROOT / "tests" / "installed" / "smoke.py"
# What is installed, one after the other.
STEPS: tuple[tuple[str, ...], ...] = (
    (),
    ("cli",),
    ("flask",),
    ("memcached", "otel", "prometheus", "redis", "signing", "zstd"),
)


class TrialError(Exception):
    """A command has failed. The text is what it printed."""


def main(names: list[str]) -> None:
    """Try the wheel with each Python.

    Raises:
        SystemExit: If a trial fails, or none of the Pythons is there.
    """
    [wheel] = DIST.glob("*.whl")
    tried = 0
    for name in names:
        shown = version_of(name)
        if shown is None:
            print(f"{name}: skipped, it is not there")
            continue
        try:
            for step in trial(name, wheel):
                print(f"{name} ({shown}), {step}: works")
        except TrialError as error:
            raise SystemExit(f"{name} ({shown}):\n{error}") from None
        tried += 1
    if not tried:
        raise SystemExit(f"None of {', '.join(names)} is there.")


def version_of(name: str) -> str | None:
    """Return the version of a Python, None if there is no such command."""
    try:
        return run([name, "-c", "import platform; print(platform.python_version())"])
    except (TrialError, OSError):
        # A shim of pyenv is there for every version, and fails for some.
        return None


def trial(name: str, wheel: Path) -> Iterator[str]:
    """Yield what is installed in the environment, each time that all of it works.

    Raises:
        TrialError: If something does not.
    """
    with tempfile.TemporaryDirectory() as folder:
        run([name, "-m", "venv", folder])
        python = str(Path(folder, "Scripts" if os.name == "nt" else "bin", "python"))
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        installed: list[str] = []
        for step in STEPS:
            installed += step
            extras = f"[{','.join(step)}]" if step else ""
            run([*pip, "install", "--quiet", f"{wheel}{extras}"])
            run([*pip, "check"])
            run([python, "-I", "-W", "error", str(SMOKE_TEST), *installed], folder)
            yield f"with {' '.join(installed)}" if installed else "without extras"


def run(command: list[str], folder: str | None = None) -> str:
    """Return what a command prints.

    Raises:
        TrialError: If it fails.
        OSError: If it is not there.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise TrialError(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
