"""The command as it is started, with and without what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WITHOUT = """
import sys
sys.modules[{name!r}] = None
from jinja_fragcache.cli import main
main()
"""


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
    )


def test_it_runs_as_a_module() -> None:
    ended = start("-m", "jinja_fragcache", "check", "--no-cache", "examples/templates")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout == "6 templates, 9 fragments: nothing to say.\n"


@pytest.mark.parametrize("name", ["click", "rich"])
def test_without_what_it_needs_it_says_what_to_install(name: str) -> None:
    ended = start("-c", WITHOUT.format(name=name))
    assert ended.returncode == 2
    assert ended.stderr == (
        f"jinja-fragcache needs {name}. Install it with"
        " pip install 'jinja-fragcache[cli]'.\n"
    )


def test_another_error_while_importing_is_not_hidden() -> None:
    ended = start("-c", WITHOUT.format(name="jinja_fragcache.cli.reports"))
    assert "ModuleNotFoundError" in ended.stderr
