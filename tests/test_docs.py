"""The documentation's examples, run."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from tests.support import configure_django, environment

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
JINJA = re.compile(r"^```jinja\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An example may keep files in the folder where it runs.
    monkeypatch.chdir(tmp_path)
    configure_django()
    document = Sybil(parsers=[PythonCodeBlockParser()], path=str(ROOT)).parse(page)
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
