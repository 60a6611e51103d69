"""The pages of the documentation, and the code blocks in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
#: Those at the root, too.
ALL_PAGES = [
    *PAGES,
    *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")),
]
#: What differs each time: a number with its unit, a digest, and the width of a table.
_CHANGING = re.compile(r"\b[0-9a-f]{8,}\b|\d[\d,.]*(?: m?s\b)?|─+")
_BLOCK = re.compile(r"^ *```(\S.*?)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    """Return the path of a page from the root."""
    return str(page.relative_to(ROOT))


def all_blocks(page: Path) -> list[tuple[str, str]]:
    """Return the code blocks of a page, each with its language."""
    return _BLOCK.findall(page.read_text("utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in a language."""
    return [block for each, block in all_blocks(page) if each == language]


def assert_alike(said: str, real: str) -> None:
    """Fail if a page says something else than what is real.

    All numbers and digests are alike, and so is all space. An ellipsis on the page
    stands for anything.
    """
    said, real = (_CHANGING.sub("0", " ".join(each.split())) for each in (said, real))
    pattern = re.escape(said).replace("…", ".*")
    assert re.fullmatch(pattern, real), f"{real!r} is shown as {said!r}"
