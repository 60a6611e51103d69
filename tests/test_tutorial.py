"""A reader who does what the tutorial says sees what it says."""

import html
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import PYTEST_ARGUMENTS

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r"(.*?)^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`((?:\w+/)?\w+\.(?:py|html))`")
STEP = re.compile(
    r"Open <http://127\.0\.0\.1:5000(?P<path>[^>]*)>"
    r"|Reload"
    r"|Type `(?P<typed>[^`]*)`\s+into the form"
    r"|page shows\s+`(?P<shown>[^`]*)`"
    r"|page does\s+not show\s+`(?P<not_shown>[^`]*)`"
)
FORM = re.compile(
    r'action="(?P<action>[^"]*)".*<select name="(?P<choice>\w+)">\s*'
    r'<option value="(?P<value>\w+)".*<input name="(?P<field>\w+)"',
    re.DOTALL,
)
COMMAND = re.compile(r"^\$ (.*)\n((?:[^$].*\n)*)", re.MULTILINE)
#: What the commands of the page do that a test has done already, or does itself.
DONE = {"mkdir", "cd", "python3", ".", "pip", "flask", "gunicorn"}
RUN = {
    "python": [],
    "pytest": ["-m", "pytest", *PYTEST_ARGUMENTS],
    "jinja-fragcache": ["-m", "jinja_fragcache"],
}


class Reader:
    """Has an editor, a browser and a terminal."""

    def __init__(
        self,
        folder: Path,
        terminal: pytest.CaptureFixture[str],
        patch: pytest.MonkeyPatch,
    ) -> None:
        self.folder = folder
        self.terminal = terminal
        self.patch = patch
        self.file = ""
        self.page = self.path = ""
        self.browser: FlaskClient | None = None

    def follow(self, prose: str, language: str, block: str) -> None:
        """Do what the prose says, and then what the block says."""
        self.terminal.readouterr()
        acted = [self.act(step) for step in STEP.finditer(prose)]
        told = self.terminal.readouterr().out
        if language == "text":
            assert acted, "only what a step has printed is such a block"
            assert told.split() == block.split(), told
            return
        assert not told, "the page does not show what the terminal does"
        if language == "console":
            for command, output in COMMAND.findall(block):
                self.run(command, output)
        else:
            self.write(prose, language, block)

    def write(self, prose: str, language: str, block: str) -> None:
        """Type the block into the file that is named last."""
        self.file = (FILE.findall(prose) or [self.file])[-1]
        file = self.folder / self.file
        file.parent.mkdir(exist_ok=True)
        before = file.read_text("utf-8") if file.exists() else ""
        if language == "diff":
            old = side(block, " -")
            assert before.count(old) == 1
            text = before.replace(old, side(block, " +"))
        elif "ppend" in prose.strip().splitlines()[-1]:
            text = f"{before}\n\n{block}"
        else:
            text = block
        file.write_text(text, "utf-8")
        if self.file == "shop.py":
            self.restart()

    def restart(self) -> Flask:
        """Do what `flask run --debug` does when a module has changed."""
        spec = spec_from_file_location("shop", self.folder / "shop.py")
        assert spec is not None
        assert spec.loader is not None
        shop = module_from_spec(spec)
        self.patch.setitem(sys.modules, "shop", shop)
        spec.loader.exec_module(shop)
        app: Flask = shop.app
        self.browser = app.test_client()
        return app

    def act(self, step: re.Match[str]) -> bool:
        """Do something in the browser, or look at what it shows."""
        typed, shown = step["typed"], step["shown"] or step["not_shown"]
        if shown:
            assert (shown in self.page) is bool(step["shown"])
        elif typed:
            form = FORM.search(self.page)
            assert form is not None
            answers = {form["choice"]: form["value"], form["field"]: typed}
            self.ask("POST", form["action"], answers)
        else:
            self.path = step["path"] or self.path
            self.ask("GET", self.path, None)
        return True

    def ask(self, method: str, path: str, data: dict[str, str] | None) -> None:
        assert self.browser is not None
        try:
            answer = self.browser.open(
                path, method=method, data=data, follow_redirects=True
            )
        except Exception as error:  # noqa: BLE001 - as the terminal shows it
            sys.stdout.write(
                f"{type(error).__module__}.{type(error).__name__}: {error}\n"
            )
        else:
            assert answer.status_code == 200
            self.page = html.unescape(answer.text)

    def run(self, command: str, output: str) -> None:
        """Run a command, and look for each line that the page shows."""
        program, *arguments = command.split()
        if program == "export":
            name, _, value = arguments[0].partition("=")
            self.patch.setenv(name, value)
        elif program not in DONE:
            outer = {**os.environ, "FLASK_DEBUG": "0"}
            line = [sys.executable, *RUN[program], *arguments]
            done = subprocess.run(
                line, capture_output=True, text=True, check=False, env=outer
            )
            assert done.returncode == 0, done.stdout + done.stderr
            for each in output.splitlines():
                assert each in done.stdout


def side(block: str, marks: str) -> str:
    """Return the lines of a diff that have one of the marks, without it."""
    lines = block.splitlines(keepends=True)
    return "".join(line[1:] for line in lines if line[0] in marks)


@pytest.fixture
def reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Reader:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASK_DEBUG", "1")
    return Reader(tmp_path, capsys, monkeypatch)


def test_the_tutorial_is_true(reader: Reader, redis_port: int) -> None:
    page = PAGE.read_text("utf-8").replace(":6379/", f":{redis_port}/")
    for prose, language, block in BLOCK.findall(page):
        reader.follow(prose, language, block)
    # The settings that it ends with: what one process has rendered, another one serves.
    reader.restart()
    reader.ask("GET", "/", None)
    assert reader.terminal.readouterr().out.count("SELECT") == 4
    app = reader.restart()
    reader.ask("GET", "/", None)
    assert "SELECT" not in reader.terminal.readouterr().out
    with app.app_context():
        app.jinja_env.fragment_cache.clear()  # type: ignore[attr-defined]
