"""Runs Flask-Caching's own tests against this package: `make compat`.

Their source distribution is downloaded into the virtual environment. `shim/` has a
module `flask_caching` that leads to this package, and `differs.toml` lists the tests
that end differently on purpose, with the reasons. The command fails if a test that is
not listed fails, and if one that is listed passes.
"""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

VERSION = "2.5.1"
HERE = Path(__file__).parent
FOLDER = Path(sys.prefix) / "compat"


def unpacked() -> Path:
    """Return the folder of Flask-Caching's tests, downloaded if it is not there."""
    name = f"flask_caching-{VERSION}"
    tests = FOLDER / name / "tests"
    if not tests.exists():
        FOLDER.mkdir(exist_ok=True)
        download = ["download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        download += ["--dest", str(FOLDER), f"flask-caching=={VERSION}"]
        ended = subprocess.run([sys.executable, "-m", "pip", *download], check=False)
        if ended.returncode:
            sys.exit(f"Flask-Caching {VERSION} could not be downloaded.")
        with tarfile.open(FOLDER / f"{name}.tar.gz") as archive:
            archive.extractall(FOLDER, filter="data")
    return tests


def run(tests: Path) -> dict[str, str]:
    """Run the tests, and return how each test function ended.

    One that has several parameters fails if it fails with one of them.
    """
    outcomes = FOLDER / "outcomes.json"
    outcomes.unlink(missing_ok=True)
    paths = [HERE / "shim", HERE, HERE.parent.parent]
    environment = {
        **os.environ,
        "CI": "",
        "COMPAT_OUTCOMES": str(outcomes),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "plugin", "--tb=no"]
    command += ["--no-header", "--no-summary", "--show-capture=no"]
    subprocess.run(command, cwd=tests, env=environment, check=False)
    if not outcomes.exists():
        sys.exit("Flask-Caching's tests could not be run.")
    ended: dict[str, str] = {}
    for test, outcome in json.loads(outcomes.read_text()).items():
        name = test.removeprefix("tests/").partition("[")[0]
        if ended.get(name) != "failed":
            ended[name] = outcome
    return ended


def report(title: str, tests: Iterable[str], ended: Mapping[str, str]) -> None:
    """Print a heading, and below it tests that the reader has to look at."""
    tests = sorted(tests)
    if tests:
        print(f"\n{title}")
        for test in tests:
            print(f"  {test}: {ended.get(test, 'not there')}")


def main() -> None:
    """Run the tests, compare and report."""
    ended = run(unpacked())
    groups: list[dict[str, Any]] = tomllib.loads((HERE / "differs.toml").read_text())[
        "differs"
    ]
    listed = {test for group in groups for test in group["tests"]}
    failed = {test for test, outcome in ended.items() if outcome == "failed"}
    inside = {test for group in groups if group["inside"] for test in group["tests"]}
    skipped = sum(outcome == "skipped" for outcome in ended.values())
    print(
        f"{len(ended)} test functions: {len(ended) - len(failed) - skipped} pass,"
        f" {skipped} are skipped, {len(failed & (listed - inside))} differ on purpose,"
        f" {len(failed & inside)} look inside Flask-Caching."
    )
    report("These fail, and differs.toml doesn't list them:", failed - listed, ended)
    report("These don't fail, and differs.toml lists them:", listed - failed, ended)
    sys.exit(failed != listed)


if __name__ == "__main__":
    main()
