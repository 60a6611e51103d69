"""The commands of the documentation are there, with the options that are written.

`test_how_to.py` and `test_tutorial.py` run some of them.
"""

import re
import shlex
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pytest
from flask.cli import FlaskGroup

from jinja_fragcache.cli.commands import commands
from jinja_fragcache.cli.flask_commands import group
from jinja_fragcache.flask.settings import SETTINGS
from tests.pages import ALL_PAGES, ROOT, blocks

#: Programs of others whose arguments are no concern of this package.
OTHERS = {".", "cd", "git", "mkdir", "pytest", "python", "python3", "tar", "twine"}
#: `test_how_to.py` runs these.
RUN = {"memcached", "pybabel"}


def written() -> list[tuple[str, ...]]:
    """Return all commands of the pages, as a shell reads them."""
    lines = [
        line.strip().removeprefix("$ ")
        for page in ALL_PAGES
        for block in blocks(page, "console")
        for line in block.splitlines()
        if line.strip().startswith("$ ")
    ]
    return sorted({tuple(shlex.split(line, comments=True)) for line in lines})


def check_fragcache(arguments: Sequence[str]) -> None:
    parse(commands, arguments)


def check_flask(arguments: Sequence[str]) -> None:
    flask = FlaskGroup()
    flask.add_command(group)
    # `--app` is read, and names no application here.
    given = [*arguments]
    if given[0] == "--app":
        del given[:2]
    parse(flask, given)


def parse(command: click.Command, arguments: Sequence[str]) -> None:
    """Read the arguments as click does, and run nothing."""
    while isinstance(command, click.Group):
        name, *arguments = arguments
        found = command.get_command(click.Context(command), name)
        assert found is not None, name
        command = found
    command.make_context(command.name, [*arguments])


def check_pip(arguments: Sequence[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert arguments[0] == "install"
    for each in arguments[1:]:
        extras = re.fullmatch(r"jinja-fragcache\[(.*)\]", each)
        for extra in extras[1].split(",") if extras else ():
            assert extra in project["optional-dependencies"]


def check_make(arguments: Sequence[str]) -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    for each in arguments:
        name, is_variable, _ = each.partition("=")
        kind = r"\s*\??=" if is_variable else ":"
        assert re.search(rf"^{re.escape(name)}{kind}", text, re.MULTILINE), each


def check_export(arguments: Sequence[str]) -> None:
    name, _, _ = arguments[0].partition("=")
    known = {"SECRET_KEY", *(each.name for each in SETTINGS)}
    assert name.removeprefix("FLASK_") in known


def check_gunicorn(arguments: Sequence[str]) -> None:
    config = pytest.importorskip("gunicorn.config")
    config.Config().parser().parse_args([*arguments])


CHECKS: dict[str, Callable[[Sequence[str]], None]] = {
    "export": check_export,
    "flask": check_flask,
    "gunicorn": check_gunicorn,
    "jinja-fragcache": check_fragcache,
    "make": check_make,
    "pip": check_pip,
}


@pytest.mark.parametrize("command", written(), ids=" ".join)
def test_the_command_is_one(
    command: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Flask's option --debug sets it for the whole process.
    monkeypatch.setenv("FLASK_DEBUG", "0")
    (tmp_path / "templates").mkdir()
    program, *arguments = command
    name = Path(program).name if program != "." else program
    check = CHECKS.get(name)
    if check is None:
        assert name in OTHERS | RUN
    else:
        check(arguments)
