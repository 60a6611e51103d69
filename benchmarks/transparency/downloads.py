"""Fetches what is tested, with pip, and keeps it in the work folder."""

import sys
import tarfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.transparency.running import WORK, Command, CommandError, call

# What the package needs, in the versions that its own tests have.
_NEEDED = ("Jinja2", "MarkupSafe", "cachelib")


class DownloadError(Exception):
    """Something could not be downloaded."""


def jinja_source() -> Path:
    """Return the folder of the source distribution of the Jinja that is installed.

    Raises:
        DownloadError: If it can't be downloaded.
    """
    number = version("Jinja2")
    folder = WORK / f"jinja2-{number}"
    if not folder.is_dir():
        wanted = f"jinja2=={number}"
        options: Command = ["--no-binary", ":all:", "--no-deps", "--dest", WORK]
        _pip(Path(sys.executable), "download", [*options, wanted], wanted)
        with tarfile.open(WORK / f"jinja2-{number}.tar.gz") as archive:
            archive.extractall(WORK, filter="data")
    return folder


def python_with(requirements: Sequence[str], name: str = "python") -> Path:
    """Return the interpreter of a virtual environment with these packages.

    Args:
        requirements: The packages, besides those that this package needs.
        name: The name of its folder.

    Raises:
        DownloadError: If they can't be downloaded.
    """
    folder = WORK / name
    wanted = [*(f"{name}=={version(name)}" for name in _NEEDED), *requirements]
    installed = folder / "installed.txt"
    python = folder / "bin" / "python"
    if not installed.exists() or installed.read_text().split() != wanted:
        call([sys.executable, "-m", "venv", "--clear", folder])
        _pip(python, "install", wanted, " ".join(requirements))
        installed.write_text("\n".join(wanted))
    return python


def _pip(python: Path, command: str, arguments: Command, wanted: str) -> None:
    options = ["--quiet", "--disable-pip-version-check"]
    try:
        call([python, "-m", "pip", command, *options, *arguments])
    except CommandError as error:
        last = str(error).splitlines()[-1]
        raise DownloadError(f"pip can't download {wanted}: {last}") from error
