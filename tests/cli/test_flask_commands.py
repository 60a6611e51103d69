"""`flask cache`, as Flask finds it by its entry point."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from flask.cli import FlaskGroup

from jinja_fragcache.cli.commands import commands
from jinja_fragcache.cli.flask_commands import group
from tests.cli.support import here, render, site

__all__ = ["here", "site"]

LOADED = """
import sys
import jinja_fragcache.cli.flask_commands
print(sorted({"rich", "redis", "jinja_fragcache.cache"} & set(sys.modules)))
"""


def run(*arguments: str) -> Result:
    flask = FlaskGroup()
    # Where the package is installed, its entry point has done that.
    flask.add_command(group)
    result = CliRunner().invoke(flask, ["--app", "shop_of_the_test:app", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.usefixtures("site")
def test_it_works_on_the_application_that_flask_has_found() -> None:
    render()
    listed = run("cache", "list")
    assert listed.exit_code == 0, listed.output
    assert "foot" in listed.stdout
    assert run("cache", "show", "row", "7").stdout.splitlines()[-1].startswith("<b>7")
    assert run("cache", "delete", "row", "7").stdout == "Deleted row[7].\n"
    assert run("cache", "show", "row", "7").exit_code == 1
    assert "Entries" in run("cache", "stats").stdout
    assert run("cache", "clear", "--yes").exit_code == 0
    assert "entries were stored" in run("cache", "warm", "/").stdout


@pytest.mark.usefixtures("site")
def test_it_reads_the_templates_of_the_application() -> None:
    assert "page.html:2" in run("cache", "list", "--templates").stdout
    assert "1 template, 2 fragments" in run("cache", "check").stdout
    assert run("cache", "key", "foot").stdout.startswith("fragment:foot:")


def test_it_has_all_commands_and_no_option_for_the_application() -> None:
    context = click.Context(group)
    assert group.list_commands(context) == sorted(commands.commands)
    for name in commands.commands:
        command = group.get_command(context, name)
        assert command is not None
        assert command.help == commands.commands[name].help
        assert not {"app", "env"} & {each.name for each in command.params}
    assert group.get_command(context, "nothing") is None


def test_without_rich_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("rich")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [each for each in sys.modules if "jinja_fragcache.cli." in each]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    result = CliRunner().invoke(group, ["stats"])
    assert result.exit_code == 2
    assert "pip install 'jinja-fragcache[cli]'" in result.stderr


def test_flask_imports_little_of_it_for_other_commands() -> None:
    command = [sys.executable, "-c", LOADED]
    told = subprocess.run(
        command,
        capture_output=True,
        check=True,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert told.stdout.strip() == "[]"
