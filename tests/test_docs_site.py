"""The site that `make docs` builds is whole, and needs nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

from tests.browser import chromium, set_size

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
#: Attributes whose URLs browsers load by themselves.
LOADED = {"src", "srcset", "poster", "data"}
IN_STYLES = re.compile(r"url\(\s*[\"']?([^)\"']+)|@import\s+[\"']([^\"']+)")

#: What has more beside it than the window shows. Lines of code may.
WIDE = """
const scrolls = each => /auto|scroll/.test(getComputedStyle(each).overflowX);
const parts = [...document.querySelectorAll("article :not(pre)")].filter(scrolls);
return [document.documentElement, ...parts]
    .filter(each => each.scrollWidth > each.clientWidth)
    .map(each => each.innerText.slice(0, 80));
"""

EXPORTED = re.compile(r"\bimport (\w+) as \1$", re.MULTILINE)
DEFINED = re.compile(r"^(?:async )?(?:def|class) ([A-Za-z]\w*)", re.MULTILINE)

#: The modules that users import a listener from.
LISTENERS = ("opentelemetry", "prometheus", "server_timing")


class Page(HTMLParser):
    """What a page has to be found by, and what it asks for."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text(file))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        self.loaded.update(given[name] for name in LOADED & given.keys())
        if "href" in given:
            (self.links if tag == "a" else self.loaded).add(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    options: list[str | Path] = ["--fail-on-warning", "--keep-going", "--quiet"]
    command = [sys.executable, "-m", "sphinx", *options, ROOT / "docs", folder / "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    files = [each for each in site.rglob("*.html") if "_downloads" not in each.parts]
    return {file: Page(file) for file in files}


def test_each_link_and_anchor_leads_somewhere(pages: dict[Path, Page]) -> None:
    assert len(pages) > 40
    for file, page in pages.items():
        for link in page.links | page.loaded:
            url = urlsplit(link)
            if url.scheme:
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            assert target.is_file(), f"{file.name}: {link}"
            if target in pages:
                anchors = pages[target].anchors
                assert unquote(url.fragment) in anchors, f"{file.name}: {link}"


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    asked = {url for page in pages.values() for url in page.loaded}
    for style in site.rglob("*.css"):
        found = IN_STYLES.findall(text(style))
        asked.update(one or other for one, other in found)
    assert any(url.endswith("furo.css") or "furo.css?" in url for url in asked)
    outside = {url for url in asked if urlsplit(url).netloc}
    assert not outside


@pytest.mark.parametrize("width", [400, 1000])
def test_no_page_is_wider_than_the_window(pages: dict[Path, Page], width: int) -> None:
    with chromium() as browser:
        set_size(browser, width, 800)
        for file in pages:
            browser.get(file.as_uri())
            assert not browser.execute_script(WIDE), file.name


def test_a_cell_of_a_card_says_what_it_is(site: Path) -> None:
    with chromium() as browser:
        browser.get((site / "settings.html").as_uri())
        first = "document.querySelector('table.stacked tbody tr').cells"
        names = f"return [...{first}].map(each => each.dataset.column)"
        assert browser.execute_script(names) == [None, "default", "used by", "meaning"]


def public_names() -> set[str]:
    """Return what users import, and what pytest gives them."""
    package = ROOT / "jinja_fragcache"
    exporting = [package / "__init__.py", *package.glob("*/__init__.py")]
    defining = [
        package / "errors.py",
        package / "pytest_plugin.py",
        *package.glob("doors/*.py"),
        *(package / "observe" / f"{name}.py" for name in LISTENERS),
    ]
    exported = {name for file in exporting for name in EXPORTED.findall(text(file))}
    return exported | {
        name for file in defining for name in DEFINED.findall(text(file))
    }


def text(file: Path) -> str:
    return file.read_text("utf-8")


def test_the_reference_has_all_public_names(site: Path) -> None:
    content = (site / "objects.inv").read_bytes()
    objects = InventoryFile.loads(content, uri="").data
    documented = {
        full.rpartition(".")[2]
        for kind, names in objects.items()
        if kind.startswith("py:")
        for full in names
    }
    # It is raised and caught inside.
    missing = public_names() - documented - {"NeedsRequestError"}
    assert not missing
