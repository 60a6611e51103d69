"""The panel, in a real Flask-DebugToolbar."""

import re
from html import unescape

import pytest
from flask import Flask, render_template_string
from flask_debugtoolbar import DebugToolbarExtension

from jinja_fragcache import Cache, StoreError, make_template_fragment_key

PANEL = "jinja_fragcache.inspector.debugtoolbar:FragmentCachePanel"
PAGE = (
    "<html><body>{% cache 60, 'side', 'Ada', tags=['<users>'] %}text{% endcache %}"
    "{% cache 60, 'off', unless=true %}{{ double(4) }}{% endcache %}</body></html>"
)


def application() -> Flask:
    app = Flask(__name__)
    app.debug = True
    app.secret_key = "secret"
    app.config["DEBUG_TB_PANELS"] = [PANEL]
    DebugToolbarExtension(app)
    return app


def site() -> Flask:
    app = application()
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @cache.memoize(60)
    def double(number: int) -> int:
        return number * 2

    @app.get("/")
    def index() -> str:
        return render_template_string(PAGE, double=double)

    @app.get("/nothing")
    def nothing() -> str:
        return "<html><body>nothing</body></html>"

    return app


def subtitle(page: str) -> str:
    head = r"Fragment cache\s*<br\s*/?>\s*<small>(.*?)</small>"
    found = re.search(head, page, re.DOTALL)
    assert found
    return unescape(found[1]).strip()


def rows(page: str) -> list[list[str]]:
    _, _, panel = page.partition('id="flDebugFragmentCachePanel-content"')
    body = panel.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in body.split("<tr")]
    return [[text_of(cell) for cell in row] for row in cells if row]


def text_of(cell: str) -> str:
    """Return what is read in a cell, with a bar between its lines."""
    text = re.sub("<.*?>", "", cell.replace("<br>", " | "))
    return " ".join(unescape(text).split())


def test_the_panel_shows_what_became_of_the_fragments_of_its_page() -> None:
    client = site().test_client()
    first = client.get("/").text
    assert subtitle(first).startswith("2 misses, 1 uncached; store ")
    side, double, off = rows(first)
    key = make_template_fragment_key("side", ["Ada"])
    assert side[:2] == ["miss", f"side | {key} | <users>"]
    assert side[3] == "no entry"
    assert re.fullmatch(r"[\d.]+ (µs|ms)", side[4])
    assert re.fullmatch(r"\d+ B", side[6])
    name = f"{__name__}.site.<locals>.double"
    assert double[1].startswith(f"{name}() | ")
    assert double[1].endswith(f" | memoize:{name}")
    assert [double[0], double[2]] == ["miss", "-"]
    assert [*off[:2], off[3]] == ["uncached", "off", "unless"]
    assert "Ada" not in first
    again = client.get("/").text
    assert subtitle(again).startswith("2 hits, 1 uncached; store ")
    assert rows(again)[0][4] == "-"


def test_a_page_without_fragments_says_so() -> None:
    client = site().test_client()
    client.get("/")
    page = client.get("/nothing").text
    assert subtitle(page) == "nothing asked for"
    assert "This page asked for no fragment" in page


def test_an_application_without_a_cache_is_told_what_is_missing() -> None:
    app = application()
    app.add_url_rule("/", "page", lambda: "<html><body></body></html>")
    with pytest.raises(StoreError, match="The environment has no cache"):
        app.test_client().get("/")
