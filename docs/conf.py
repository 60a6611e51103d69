"""How Sphinx builds the site of these pages: `make docs`."""

import re
import sys
from typing import Any

from docutils.nodes import Element, document, entry, reference, row, table
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx.writers.html5 import HTML5Translator

from jinja_fragcache import __version__

project = "jinja-fragcache"
project_copyright = "the authors of jinja-fragcache"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# Headings have the anchors that GitHub gives them, so that links work in both places.
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 72
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"jinja-fragcache {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False

# These pages are at the root, and are shown by pages here.
_PAGES_ABOVE = {
    "CHANGELOG": "changes",
    "CONTRIBUTING": "contributing",
    "SECURITY": "security",
}
_ABOVE = re.compile(r"(?<=\]\()\.\./([A-Z]+)\.md")
# A part of the first page, and a page that it lists.
_PART = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_LISTED = re.compile(r"^- \[.*?\]\((.+?)\.md\)", re.MULTILINE)
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_CODE_FOLLOWS = re.compile(r"[^:]:$")
_CONSTANT = re.compile(r"(?<== )[A-Z][A-Z_]+\b")
_LINKED = {"class", "exception", "function", "data"}
# How many characters the longest words of a table's columns may have together to fit on
# a phone, also in a wide font, and what stands around the words of a column.
_PHONE_CHARACTERS = 44
_AROUND_A_COLUMN = 2


def link_pages_above(app: Sphinx, page: str, source: list[str]) -> None:
    """Let links to pages at the root lead to the pages that show them."""
    source[0] = _ABOVE.sub(lambda link: f"{_PAGES_ABOVE[link[1]]}.md", source[0])


def make_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Let the lists of the first page be the navigation of the site."""
    if page != "index":
        return
    for caption, items in _PART.findall(source[0]):
        head = f"```{{toctree}}\n:hidden:\n:caption: {caption}"
        pages = "\n".join(_LISTED.findall(items))
        source[0] += f"\n{head}\n\n{pages}\n```\n"


def show_code(
    app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]
) -> None:
    """Let code in a docstring be code, as in Markdown, and a link if it is a name."""
    lines[:] = _CODE.sub(r":py:obj:`\1`", "\n".join(lines)).split("\n")
    for place, (line, blank, code) in enumerate(
        zip(lines, lines[1:], lines[2:], strict=False)
    ):
        if _CODE_FOLLOWS.search(line) and not blank and _indent(code) > _indent(line):
            lines[place] += ":"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def show_values(
    app: Sphinx,
    what: str,
    name: str,
    found: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Show the values of constants among the defaults of arguments."""
    names = vars(sys.modules[found.__module__]) if signature else {}

    def value(constant: re.Match[str]) -> str:
        return repr(names.get(constant[0], constant[0]))

    return signature and _CONSTANT.sub(value, signature), returns


def find_public(
    app: Sphinx, env: BuildEnvironment, node: Element, content: Element
) -> reference | None:
    """Find what a docstring names in the module where users import it from."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    found = [
        (full, each)
        for full, each in env.domains.python_domain.objects.items()
        if full.rpartition(".")[2] == name and each.objtype in _LINKED
    ]
    if len(found) != 1:
        return None
    ((full, entry),) = found
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, content, full
    )


def stack_wide_tables(app: Sphinx, page: document) -> None:
    """Let wide tables become lists of cards on a phone, as site.css says.

    One of names and what they mean stays a table there: the names may break.
    """
    for each in page.findall(table):
        rows = [[*found.findall(entry)] for found in each.findall(row)]
        texts = [[cell.astext() for cell in cells] for cells in rows]
        columns = [*zip(*texts, strict=True)]
        words = [" ".join(column).split() for column in columns]
        widths = [max(map(len, each), default=0) + _AROUND_A_COLUMN for each in words]
        _names, *others = columns
        if sum(widths) > _PHONE_CHARACTERS and len(others) > 1:
            each["classes"].append("stacked")
            for cells in rows[1:]:
                for cell, name in zip(cells[1:], texts[0][1:], strict=True):
                    if cell.astext():
                        cell["column"] = name


class Translator(HTML5Translator):
    """Writes into each cell of a stacked table, for site.css, what its column is."""

    def starttag(  # noqa: D102 - that of docutils
        self, node: Any, tagname: str, *args: Any, **attributes: Any
    ) -> str:
        if isinstance(node, entry) and "column" in node:
            attributes["data-column"] = node["column"]
        tag: str = super().starttag(node, tagname, *args, **attributes)
        return tag


def setup(app: Sphinx) -> None:
    """Let Sphinx read this package's docstrings, and write tables for phones."""
    app.connect("source-read", link_pages_above)
    app.connect("source-read", make_navigation)
    # Before Napoleon.
    app.connect("autodoc-process-docstring", show_code, priority=400)
    app.connect("autodoc-process-signature", show_values)
    app.connect("missing-reference", find_public)
    app.connect("doctree-read", stack_wide_tables)
    app.set_translator("html", Translator)
