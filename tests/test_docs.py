"""The examples of the documentation run, and its links are right."""

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from tests.support import configure_django, environment

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [
    *PAGES,
    *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")),
]
JINJA = re.compile(r"^```jinja\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ROOM = re.compile(r"^### `(\w+)/`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^\| `(\w+\.py)` \|", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Undo what an example does to the root logger, as an application may."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
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
            yield f"{page.name}-{number}", source


@pytest.mark.parametrize(("name", "source"), list(templates()))
def test_template_examples_compile(name: str, source: str) -> None:
    environment({name: source}).get_template(name)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).lower() for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
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
