"""The examples of the documentation run, and its links are right."""

import ast
import builtins
import logging
import re
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import CollectorRegistry
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from jinja_fragcache.check.settings import Settings, load_settings
from jinja_fragcache.observe.prometheus import PrometheusListener
from tests.pages import (
    ALL_PAGES,
    DOCS,
    PAGES,
    ROOT,
    all_blocks,
    assert_alike,
    blocks,
    name_of,
)
from tests.support import configure_django, environment

# `test_tutorial.py` follows it step by step.
EXAMPLES = [page for page in PAGES if page.name != "tutorial.md"]
#: Code, each kind with a test here, in `test_docs_commands.py`, `test_how_to.py` or
#: `test_tutorial.py`.
LANGUAGES = {"console", "diff", "ini", "jinja", "promql", "python", "toml", "yaml"}
#: What programs print, or is no code; and what Sphinx reads.
OTHERS = {"text", "{eval-rst}", "{include}", "{toctree}"}
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ROOM = re.compile(r"^### `(\w+)/`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^\| `(\w+\.py)` \|", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_block_says_what_it_is(page: Path) -> None:
    found = [each.split()[0] for each, _ in all_blocks(page)]
    assert set(found) <= LANGUAGES | OTHERS
    for block in blocks(page, "text"):
        with pytest.raises(SyntaxError):  # or it is Python, and has to run
            ast.parse(block)


def compare_with_shown(example: Example) -> None:
    """Compare a block with `shown`, if the code before it has set that."""
    shown = example.namespace.pop("shown", None)
    if shown is not None:
        assert_alike(example.parsed, shown)


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
    parsers: list[Any] = [
        PythonCodeBlockParser(),
        CodeBlockParser("text", compare_with_shown),
    ]
    document = Sybil(parsers=parsers, path=str(ROOT)).parse(page)
    # Some frameworks look for the module of a function.
    monkeypatch.setitem(sys.modules, "example", ModuleType("example"))
    document.namespace["__name__"] = "example"
    for example in document.examples():
        example.evaluate()
    assert "shown" not in document.namespace


def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for each in table.get_children():
        yield from scopes(each)


@pytest.mark.parametrize("page", EXAMPLES, ids=name_of)
def test_a_reader_who_pastes_the_python_lacks_no_name(page: Path) -> None:
    module = symtable.symtable("\n".join(blocks(page, "python")), page.name, "exec")
    given = {each.get_name() for each in module.get_symbols() if each.is_assigned()}
    given |= {each.get_name() for each in module.get_symbols() if each.is_imported()}
    read = {
        each.get_name()
        for scope in scopes(module)
        for each in scope.get_symbols()
        if each.is_referenced() and (each.is_global() or scope is module)
    }
    assert read - given - vars(builtins).keys() <= {"__name__", "__file__"}


def templates() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, source in enumerate(blocks(page, "jinja")):
            yield f"{name_of(page)}-{number}", source


@pytest.mark.parametrize(("name", "source"), list(templates()))
def test_template_examples_compile(name: str, source: str) -> None:
    environment({name: source}).get_template(name)


@pytest.mark.parametrize("block", blocks(DOCS / "check.md", "toml"))
def test_the_settings_of_the_check_are_accepted(block: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(block, "utf-8")
    assert load_settings(tmp_path) != Settings(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_yaml_can_be_read(page: Path) -> None:
    for block in blocks(page, "yaml"):
        assert isinstance(yaml.safe_load(block), dict)


def test_queries_name_metrics_that_are_there() -> None:
    registry = CollectorRegistry()
    PrometheusListener(registry=registry)
    known = {each.name for each in registry.collect()}
    (query,) = blocks(DOCS / "observe.md", "promql")
    named = set(re.findall(r"fragcache_\w+", query))
    assert named
    assert {each.removesuffix("_total") for each in named} <= known


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).lower() for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
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
