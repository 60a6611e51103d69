"""What the repository says of itself: its files, its version and its addresses."""

import subprocess
import tomllib
from ast import literal_eval
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
NAME = "jinja_fragcache"


def git(*arguments: str) -> str:
    """Return what a git command prints.

    Raises:
        SystemExit: If this is no clone, or the command fails.
    """
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def tracked_files() -> set[str]:
    """Return the paths of all files that git tracks and that are still there."""
    listed = git("ls-files", "-z").split("\0")
    return {path for path in listed if path and (ROOT / path).is_file()}


def version() -> str:
    """Return the version that the package names, without importing it."""
    for line in (ROOT / NAME / "__init__.py").read_text("utf-8").splitlines():
        if line.startswith("__version__ = "):
            return str(literal_eval(line.partition(" = ")[2]))
    raise SystemExit(f"{NAME}/__init__.py has no line that sets __version__.")


def urls() -> dict[str, str]:
    """Return `[project.urls]` of pyproject.toml, with names in lower case."""
    told: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return {
        name.lower(): url.rstrip("/") for name, url in told["project"]["urls"].items()
    }
