"""What is run with tags and without: Jinja's tests, and programs that build pages."""

import shutil
import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.transparency.downloads import jinja_source, python_with
from benchmarks.transparency.running import WORK, Command, Run, Subject, run_module

_PROJECTS = Path(__file__).parent / "projects"
_REQUIREMENTS = ("Sphinx==9.0.4", "mkdocs==1.6.1", "nbconvert==7.17.2")
_NOTEBOOK_TEMPLATES = (
    ("html", "lab"),
    ("html", "classic"),
    ("html", "basic"),
    ("slides", "reveal"),
    ("markdown", "markdown"),
)
# The exit status of pytest.
_TESTS_FAILED = 1


def subjects() -> list[Subject]:
    """Return all subjects, and download what they need.

    Raises:
        DownloadError: If that is not possible.
    """
    source, python = jinja_source(), python_with(_REQUIREMENTS)
    return [JinjaTests(source), Sphinx(python), MkDocs(python), Nbconvert(python)]


@dataclass
class JinjaTests:
    """Jinja's own tests: the outcome of each.

    Args:
        source: The folder of Jinja's source distribution.
    """

    source: Path
    name: str = "Jinja"

    def observe(self, run: Run) -> tuple[Mapping[str, Hashable], int]:
        """Run the tests."""
        report = WORK / "report.xml"
        report.unlink(missing_ok=True)
        options = ["-p", "no:cacheprovider", f"--junitxml={report}"]
        # This package has a plugin for pytest, and is imported before pytest is. For
        # Jinja's tests, each warning is an error.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        hits = run_module(
            Path(sys.executable),
            run,
            "jinja",
            ["pytest", "--quiet", *options, "tests"],
            cwd=self.source,
            passing=_TESTS_FAILED,
        )
        # pytest has just written it.
        cases = ET.parse(report).iter("testcase")  # noqa: S314
        return {
            f"{case.get('classname')}::{case.get('name')}": _outcome(case)
            for case in cases
        }, hits


def _outcome(case: ET.Element) -> str:
    """Return what pytest says of a test: "passed", or what it was instead."""
    tags = {child.tag for child in case}
    others = ("error", "failure", "skipped")
    return next((tag for tag in others if tag in tags), "passed")


@dataclass
class Sphinx:
    """Sphinx's pages for some modules of this package.

    Args:
        python: An interpreter that has Sphinx.
    """

    python: Path
    name: str = "Sphinx"

    def observe(self, run: Run) -> tuple[Mapping[str, Hashable], int]:
        """Build the pages. Sphinx writes the sources of some itself."""
        source, doctrees, output = map(
            _empty, ("sphinx-source", "sphinx-doctrees", "sphinx-output")
        )
        shutil.copytree(_PROJECTS / "sphinx", source, dirs_exist_ok=True)
        command: Command = [
            "sphinx",
            "-Q",
            "-b",
            "html",
            "-d",
            doctrees,
            source,
            output,
        ]
        hits = run_module(self.python, run, "sphinx", command)
        return {**_files(source), **_files(output)}, hits


@dataclass
class MkDocs:
    """MkDocs' pages for the documentation of this package.

    Args:
        python: An interpreter that has MkDocs.
    """

    python: Path
    name: str = "MkDocs"

    def observe(self, run: Run) -> tuple[Mapping[str, Hashable], int]:
        """Build the pages."""
        output = _empty("mkdocs-output")
        config = _PROJECTS / "mkdocs" / "mkdocs.yml"
        command: Command = ["mkdocs", "build", "--quiet", "-f", config, "-d", output]
        hits = run_module(self.python, run, "mkdocs", command)
        return _files(output), hits


@dataclass
class Nbconvert:
    """A notebook as nbconvert prints it, with five of its templates.

    Args:
        python: An interpreter that has nbconvert.
    """

    python: Path
    name: str = "nbconvert"

    def observe(self, run: Run) -> tuple[Mapping[str, Hashable], int]:
        """Convert the notebook."""
        output = _empty("nbconvert-output")
        notebook = _PROJECTS / "nbconvert" / "notebook.ipynb"
        hits = 0
        for form, template in _NOTEBOOK_TEMPLATES:
            name = f"{form}-{template}"
            options = ["--to", form, "--template", template, "--output", name]
            command: Command = ["nbconvert", *options, "--output-dir", output, notebook]
            hits += run_module(self.python, run, name, command)
        return _files(output), hits


def _empty(name: str) -> Path:
    """Return a new folder, always at the same path."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files in a folder, by their paths."""
    return {
        str(path.relative_to(folder.parent)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
