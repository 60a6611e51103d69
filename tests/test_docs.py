"""The examples of the documentation run, and its links are right."""

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from jinja_fragcache.check.settings import Settings, load_settings
from jinja_fragcache.cli.commands import commands
from jinja_fragcache.cli.flask_commands import group
from tests.support import configure_django, environment

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# `test_tutorial.py` follows it step by step.
EXAMPLES = [page for page in PAGES if page.name != "tutorial.md"]
LINKED = [
    *PAGES,
    *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")),
]
JINJA = re.compile(r"^```jinja\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ROOM = re.compile(r"^### `(\w+)/`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^\| `(\w+\.py)` \|", re.MULTILINE)
COMMAND = re.compile(
    r"^\$ (jinja-fragcache|flask(?: --app \w+)? cache) (.*)$", re.MULTILINE
)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")


def name_of(page: Path) -> str:
    """Return the path of a page from the root."""
    return str(page.relative_to(ROOT))


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Undo what an example does to the root logger, as an application may."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("page", EXAMPLES, ids=name_of)
def test_python_examples_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An example may keep files in the folder where it runs.
    monkeypatch.chdir(tmp_path)
    configure_django()
    document = Sybil(parsers=[PythonCodeBlockParser()], path=str(ROOT)).parse(page)
    # Some frameworks look for the module of a function.
    monkeypatch.setitem(sys.modules, "example", ModuleType("example"))
    document.namespace["__name__"] = "example"
    for example in document.examples():
        example.evaluate()


def templates() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, source in enumerate(JINJA.findall(page.read_text("utf-8"))):
            yield f"{name_of(page)}-{number}", source


@pytest.mark.parametrize(("name", "source"), list(templates()))
def test_template_examples_compile(name: str, source: str) -> None:
    environment({name: source}).get_template(name)


def written_commands() -> list[tuple[str, str]]:
    texts = [page.read_text("utf-8") for page in PAGES]
    return sorted({each for text in texts for each in COMMAND.findall(text)})


@pytest.mark.parametrize(("program", "written"), written_commands())
def test_commands_have_the_arguments_that_are_written(
    program: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "templates").mkdir()
    doors = group if program.endswith(" cache") else commands
    name, *arguments = written.split()
    command = doors.get_command(click.Context(doors), name)
    assert command is not None
    command.make_context(name, arguments)


@pytest.mark.parametrize("block", TOML.findall((DOCS / "check.md").read_text("utf-8")))
def test_the_settings_of_the_check_are_accepted(block: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(block, "utf-8")
    assert load_settings(tmp_path) != Settings(tmp_path)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).lower() for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        found = page.parent / target if target else page
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor.removeprefix("#") in anchors(found), f"{target}{anchor}"


def test_the_design_page_lists_every_file() -> None:
    """So that a reader finds each of them, and none that is gone."""
    design = (ROOT / "docs" / "design.md").read_text("utf-8")
    listed = design[design.index("## Every file") :]
    rooms = dict(ROOM.findall(listed))
    package = ROOT / "jinja_fragcache"
    folders = [each.parent for each in package.glob("*/__init__.py")]
    assert rooms.keys() == {folder.name for folder in folders}
    for folder in folders:
        names = {each.name for each in folder.glob("*.py")} - {"__init__.py"}
        assert set(FILE.findall(rooms[folder.name])) == names
