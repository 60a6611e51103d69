"""The scripts of the overlay, in a real Chromium, on pages of real applications."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, render_template, render_template_string
from jinja2 import DictLoader

from jinja_fragcache import Cache, make_template_fragment_key
from tests.browser_pages import Overlay
from tests.support import Counter

pytest.importorskip("selenium")
from tests.browser import messages, serving, set_size, until

pytestmark = pytest.mark.slow

STRICT = (
    "default-src 'none'; script-src 'nonce-abc'; style-src 'nonce-abc';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'"
)
NASTY = "<img src=x onerror=alert(1)>"
STYLE = """
  * { box-sizing: content-box; color: rgb(1, 2, 3); position: static; }
  html > * { letter-spacing: 1px; min-height: 40px; }
  body { margin: 10px; font: 16px/20px monospace; }
  div, section { display: block !important; opacity: 1 !important; }
  .low { height: 30px; } .tall { height: 100px; background: #eee; }
  .scrolls { height: 80px; overflow: auto; } .far { height: 3000px; }
  .cut { height: 5px; overflow: hidden; }
  .fixed { position: fixed; top: 50px; right: 20px; width: 90px; height: 40px;
    z-index: 99999; }
  .unseen { visibility: hidden; }
  .flat { height: 0; } .flat > p { margin: 0; height: 25px; }
  .contents { display: contents !important; }
"""
PAGE = """<!doctype html><html><head><title>Shop</title>
<style nonce="abc">{{ style|safe }}</style></head><body>
<div>{% cache 60, "block", tags=["posts", "user:7"] %}<section class="tall">
  block {% cache 60, "inner" %}<p class="low">inner</p>{% endcache %}
  {% nocache %}<b>live</b>{% endnocache %}</section>{% endcache %}</div>
<p>Before {% cache 60, "inline" %}a word{% endcache %} behind.</p>
<table><tbody>{% cache_each row in [1, 2], 60, "row", row -%}
  <tr><td>row</td><td>{{ row }}</td></tr>{% endcache_each %}</tbody></table>
<ul>{% cache 60, "items" %}<li>one</li><li>two</li>{% endcache %}</ul>
<div>{% cache 60, "empty" %}{% endcache %}</div>
<div>{% cache 60, "hidden" %}<p hidden>nothing</p>{% endcache %}</div>
<div>{% cache 60, "unseen" %}<p class="unseen">nothing</p>{% endcache %}</div>
<div>{% cache 60, "flat" %}<div class="flat"><p>over</p></div>{% endcache %}</div>
<div>{% cache 60, "contents" %}<div class="contents"><p>in</p></div>{% endcache %}</div>
<div class="cut">{% cache 60, "fixed" %}<div class="fixed">fixed</div>
{%- endcache %}</div>
<div class="scrolls" id="scrolls"><div class="tall"></div><div>
  {%- cache 60, "scrolled" %}<p class="low">below</p>{% endcache %}</div></div>
<div class="far" id="far"></div>
<div>{% cache 60, "bottom" %}<p class="tall">bottom</p>{% endcache %}</div>
<div id="later"></div>
</body></html>"""


class Shop:
    """An application on Redis with one page."""

    def __init__(self, port: int, policy: str = "", **settings: Any) -> None:
        self.app = Flask(__name__)
        self.app.debug = True
        self.app.jinja_loader = DictLoader({"page.html": PAGE})
        config = {
            "CACHE_TYPE": "redis",
            "CACHE_REDIS_PORT": port,
            "CACHE_KEY_PREFIX": "overlay:",
            "CACHE_STATISTICS": False,
            "CACHE_DEBUG_COMMENTS": True,
        }
        self.cache = Cache(self.app, config={**config, **settings})
        self.policy = policy
        self.app.add_url_rule("/", "page", self.page)
        with self.app.app_context():
            self.cache.clear()

    def page(self) -> Any:
        headers = {"Content-Security-Policy": self.policy} if self.policy else {}
        return render_template("page.html", style=STYLE), headers

    def has(self, name: str, *values: Any) -> bool:
        key = make_template_fragment_key(name, list(values))
        return self.cache.fragment_cache.get(key) is not None


@pytest.fixture
def shops(redis_port: int) -> Iterator[Callable[..., Shop]]:
    """Provide what makes applications, whose connections are closed after the test."""
    made = []

    def make(**given: Any) -> Shop:
        made.append(Shop(redis_port, **given))
        return made[-1]

    yield make
    for each in made:
        store: Any = each.cache.fragment_cache.store
        store._client.close()


@pytest.fixture
def shop(shops: Callable[..., Shop]) -> Shop:
    return shops()


@pytest.fixture
def page(shop: Shop, browser: Any) -> Iterator[Overlay]:
    """Show the page, with its boxes, after it was rendered once."""
    shop.app.test_client().get("/")
    with serving(shop.app) as address:
        yield Overlay(browser, address)


def test_boxes_are_around_what_is_between_the_comments(page: Overlay) -> None:
    areas = {
        "hit block": "section",
        "hole block": "section > b",
        "hit row row": "tr",
        "hit flat": ".flat > p",
        "hit contents": ".contents > p",
        "hit fixed": ".fixed",
    }
    for label, selector in areas.items():
        assert page.box(label) == pytest.approx(page.area(selector), abs=0.01)
    first, last = page.area("li"), page.area("li:last-child")
    assert page.box("hit items") == pytest.approx([*first[:2], *last[2:]], abs=0.01)
    left, top, right, bottom = page.box("hit inline")
    paragraph = page.area("body > p")
    assert paragraph[1] <= top < bottom <= paragraph[3]
    assert right - left == pytest.approx(page.width_of_text("a word"), abs=0.5)
    assert len(page.labels("hit row row")) == 2


def test_what_has_no_place_is_listed(page: Overlay) -> None:
    assert page.run("unseen.querySelector('summary').textContent") == "3 without a box"
    assert page.run("texts(unseen.querySelectorAll('.label'))") == [
        "hit empty",
        "hit hidden",
        "hit unseen",
    ]
    page.do("unseen.open = true; labelled('hit empty').click()")
    assert page.card()["Key"] == make_template_fragment_key("empty")


def test_boxes_follow_the_page(page: Overlay) -> None:
    page.browser.execute_script("scrollTo(0, 500)")
    page.settle()
    assert page.box("hit block") == pytest.approx(page.area("section"), abs=0.01)
    assert page.area("section")[1] < 0
    assert page.box("hit fixed") == pytest.approx(page.area(".fixed"), abs=0.01)
    page.browser.execute_script(
        "document.querySelector('section').style.height = '1px'"
    )
    page.settle()
    assert page.box("hit block") == pytest.approx(page.area("section"), abs=0.01)


def test_what_is_scrolled_out_has_no_box_until_its_label_has_the_focus(
    page: Overlay,
) -> None:
    assert page.run("boxOf(labelled('hit scrolled')).hidden") is True
    page.browser.execute_script("document.getElementById('scrolls').scrollTop = 999")
    page.settle()
    inner, outer = page.box("hit scrolled"), page.area("#scrolls")
    assert inner[1] >= outer[1]
    assert inner[3] <= outer[3]
    page.press("Tab", times=30, until="labelled('hit bottom')")
    page.settle()
    assert page.run("innerHeight > boxOf(labelled('hit bottom')).offsetTop")


def test_colors_and_texts_tell_what_became_of_fragments(
    browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Flask(__name__)
    app.debug = True
    states, number = {"fails": False}, Counter()
    settings = {"CACHE_TYPE": "simple", "CACHE_DEBUG_COMMENTS": True}
    Cache(app, config={**settings, "CACHE_STALE_IF_ERROR": 600})

    def body() -> str:
        if states["fails"]:
            raise ValueError
        return "text"

    source = (
        "<!doctype html><body>"
        "<p>{% cache 1, 'old' %}{{ body() }}{% endcache %}</p>"
        "<p>{% cache 60, 'kept' %}kept{% endcache %}</p>"
        "<p>{% cache 60, 'new', number() %}new{% endcache %}</p>"
        "<p>{% cache 60, 'off', unless=true %}off{% endcache %}</p>"
        "<p>{% cache 60, 'whole' %}a {% nocache %}b{% endnocache %}{% endcache %}</p>"
        "</body>"
    )

    @app.get("/")
    def index() -> str:
        return render_template_string(source, body=body, number=number)

    app.test_client().get("/")
    states["fails"] = True
    later = time.time() + 2
    monkeypatch.setattr(time, "time", lambda: later)
    with serving(app) as address:
        page = Overlay(browser, address)
        colors = {
            text: page.run(f"getComputedStyle(labelled('{text}')).backgroundColor")
            for text in (
                "stale old",
                "hit kept",
                "miss new",
                "uncached off",
                "hole whole",
            )
        }
    assert len(set(colors.values())) == len(colors)
    summary = "Cache: 1 stale, 2 hit, 1 miss, 1 uncached, 1 hole"
    assert page.toggle == summary


def test_the_card_tells_what_the_comment_says(page: Overlay) -> None:
    page.do("labelled('hit block').click()")
    card = page.card()
    assert card["Key"] == make_template_fragment_key("block")
    assert card["Tags"] == "posts, user:7"
    assert card["Template"] == "page.html:3"
    assert card["Expires"].startswith("in ")
    assert page.buttons() == [
        "Close",
        "Delete",
        "Invalidate tag posts",
        "Invalidate tag user:7",
    ]
    page.do("labelled('hit inline').click()")
    assert page.card()["Age"].endswith(" s")
    page.do("labelled('hole block').click()")
    assert page.card()["Rendered"] == "on each request"
    assert page.card()["Inside of"] == "block"
    assert page.buttons() == ["Close"]


def test_an_entry_is_deleted(page: Overlay, shop: Shop) -> None:
    assert shop.has("inline")
    page.do("labelled('hit inline').click(); button('Delete').click()")
    assert page.told().startswith("Deleted.")
    assert not shop.has("inline")
    assert shop.has("block")
    assert page.run("texts(root.querySelectorAll('.done'))") == ["hit inline"]


def test_a_tag_is_invalidated(page: Overlay, shop: Shop) -> None:
    page.do("labelled('hit block').click(); button('Invalidate tag user:7').click()")
    assert page.told().startswith("Invalidated.")
    answer = shop.app.test_client().get("/").text
    assert '<!-- cache miss "block" why="tag \\"user:7\\" invalidated' in answer
    assert '<!-- cache hit "inline"' in answer


def test_what_fails_is_told(page: Overlay, shop: Shop) -> None:
    page.browser.delete_all_cookies()
    page.do("labelled('hit inline').click(); button('Delete').click()")
    assert "The browser sent no cookie" in page.told()
    assert page.run("root.querySelector('.told').className") == "told failed"
    assert page.run("button('Delete').disabled") is False
    assert shop.has("inline")


def test_a_page_that_asks_for_a_login_is_not_taken_for_the_inspector(
    page: Overlay, shop: Shop
) -> None:
    views: dict[str, Any] = shop.app.view_functions
    views["fragcache_inspector.page"] = lambda **_: "<p>Log in.</p>"
    page.do("labelled('hit inline').click(); button('Delete').click()")
    assert page.told().startswith("Nothing was done: the answer was 200")
    assert page.run("texts(root.querySelectorAll('.done'))") == []


def test_all_is_done_with_the_keyboard(page: Overlay, shop: Shop) -> None:
    page.press("Escape")
    page.browser.execute_script("document.activeElement.blur()")
    page.shortcut()
    assert page.run("boxes.hidden") is True
    page.shortcut()
    assert page.run("boxes.hidden") is False
    assert page.run("root.activeElement === toggle") is True
    page.press("Tab")
    page.press("Tab")
    assert page.run("text(root.activeElement)") == "hit block"
    page.press("Enter")
    assert page.run("root.activeElement.className") == "card"
    page.press("Tab")
    assert page.run("text(root.activeElement)") == "Close"
    page.press("Tab")
    page.press("Enter")
    assert page.told().startswith("Deleted.")
    assert not shop.has("block")
    page.press("Escape")
    assert page.run("root.querySelector('.card')") is None
    assert page.run("text(root.activeElement)") == "hit block"
    page.press("Escape")
    assert page.run("boxes.hidden") is True
    page.browser.refresh()
    page.wait()
    assert page.run("boxes.hidden") is True


def test_fragments_that_come_later_get_boxes_and_those_that_go_lose_them(
    page: Overlay, shop: Shop
) -> None:
    with shop.app.test_request_context():
        part = render_template_string(
            "<div>{% cache 60, 'part' %}<p class='tall'>part</p>{% endcache %}</div>"
        )
    page.browser.execute_script("scrollTo(0, document.body.scrollHeight)")
    page.browser.execute_script(
        "document.getElementById('later').innerHTML = arguments[0]", part
    )
    until(page.browser, page.script("labelled('miss part')"))
    page.settle()
    assert page.box("miss part") == pytest.approx(page.area("#later p"), abs=0.01)
    assert page.toggle.endswith(", 1 miss")
    page.do("labelled('miss part').click()")
    page.browser.execute_script("document.getElementById('later').replaceChildren()")
    until(page.browser, page.script("!labelled('miss part')"))
    assert page.run("root.querySelector('.card')") is None
    page.browser.execute_script("document.body.innerHTML = '<p>Other page</p>'")
    until(page.browser, page.script("toggle.textContent === 'Cache: no fragments'"))


def test_comments_of_others_are_none_of_its(page: Overlay) -> None:
    before = page.run("texts(boxes.querySelectorAll('.label'))")
    forged = (
        '<!-- cache hit "x" #12.1 --><p>open</p><!-- /cache #12.2 -->'
        '<!-- cache hit "bad\\q" #12.3 --><p>json</p><!-- /cache #12.3 -->'
        '<!-- cache odd "x" #12.4 --><p>word</p><!-- /cache #12.4 -->'
        f'<!-- cache hit "{NASTY}" p:1 #12.5 --><p>x</p><!-- /cache #12.5 -->'
    )
    page.browser.execute_script(
        "document.getElementById('later').innerHTML = arguments[0]", forged
    )
    until(page.browser, page.script(f"labelled('hit {NASTY}')"))
    after = page.run("texts(boxes.querySelectorAll('.label'))")
    assert sorted(after) == sorted([*before, f"hit {NASTY}"])
    assert page.run("root.querySelector('img')") is None


def test_boxes_that_are_turned_off_and_on_are_drawn_once_a_frame(page: Overlay) -> None:
    frames = page.browser.execute_async_script("""
        const done = arguments[0];
        const host = document.querySelector("fragcache-overlay");
        for (let times = 0; times < 6; times++) {
          host.shadowRoot.querySelector(".toggle").click();
        }
        const real = window.requestAnimationFrame;
        let asked = 0;
        window.requestAnimationFrame = (draw) => { asked++; return real(draw); };
        real(() => real(() => { window.requestAnimationFrame = real; done(asked); }));
    """)
    assert frames in {1, 2}


def test_a_label_keeps_the_focus_when_others_come(page: Overlay) -> None:
    page.do("labelled('hit items').focus()")
    page.browser.execute_script(
        "document.body.insertAdjacentHTML('afterbegin', arguments[0])",
        '<!-- cache hit "first" p:1 #12.1 --><p>x</p><!-- /cache #12.1 -->',
    )
    until(page.browser, page.script("labelled('hit first')"))
    page.settle()
    assert page.run("text(root.activeElement)") == "hit items"


def test_a_label_at_the_right_edge_grows_into_the_window(page: Overlay) -> None:
    label = "labelled('hit fixed')"
    before = page.run(f"areaOf({label})")
    page.do(f"{label}.querySelector('.name').textContent += 'long'.repeat(9)")
    page.do(f"{label}.focus({{ focusVisible: true }})")
    left, _, right, _ = page.run(f"areaOf({label})")
    assert right == pytest.approx(before[2], abs=0.5)
    assert 0 < left < before[0] - 100


def test_the_style_of_the_page_does_not_reach_it(page: Overlay) -> None:
    # What the page has for its own body would be inherited.
    assert page.run("getComputedStyle(document.body).letterSpacing") == "1px"
    assert page.run("getComputedStyle(toggle).letterSpacing") == "normal"
    assert page.run("getComputedStyle(host).minHeight") == "0px"
    left, top, right, bottom = page.run("areaOf(labelled('hit fixed'))")
    middle = f"{(left + right) / 2}, {(top + bottom) / 2}"
    assert page.run(f"document.elementFromPoint({middle}) === host") is True


@pytest.mark.parametrize("is_shown", [True, False])
def test_the_page_is_laid_out_as_without_it(
    shop: Shop, browser: Any, is_shown: bool
) -> None:
    shop.app.test_client().get("/")
    with serving(shop.app) as address:
        page = Overlay(browser, address)
        if not is_shown:
            page.do("toggle.click()")
        rects = page.all_areas()
        shop.app.debug = False
        browser.get(address)
        assert browser.execute_script(
            "return !document.querySelector(arguments[0])", "fragcache-overlay"
        )
        assert page.all_areas() == rects


@pytest.mark.parametrize("width", [1300, 400])
def test_a_strict_policy_has_nothing_against_it(
    shops: Callable[..., Shop], browser: Any, width: int
) -> None:
    shop = shops(policy=STRICT.replace("form", "connect-src 'self'; form"))
    shop.app.test_client().get("/")
    set_size(browser, width, 900)
    with serving(shop.app) as address:
        page = Overlay(browser, address)
        assert page.box("hit block") == pytest.approx(page.area("section"), abs=0.01)
        page.do("labelled('hit block').click(); button('Delete').click()")
        assert page.told().startswith("Deleted.")
        left, top, right, bottom = page.run("areaOf(root.querySelector('.card'))")
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= 900
    assert messages(browser) == []
    assert not shop.has("block")


def test_where_scripts_may_send_nothing_a_form_is_sent(
    shops: Callable[..., Shop], browser: Any
) -> None:
    shop = shops(policy=STRICT)
    shop.app.test_client().get("/")
    first = browser.current_window_handle
    with serving(shop.app) as address:
        page = Overlay(browser, address)
        page.do("labelled('hit block').click()")
        # Nothing is drawn in this tab when the other one is in front of it.
        page.run("button('Delete').click()")
        assert page.told().startswith("Sent.")
        [other] = [each for each in browser.window_handles if each != first]
        browser.switch_to.window(other)
        until(browser, "document.body.textContent.includes('was deleted')")
        browser.close()
        browser.switch_to.window(first)
    assert messages(browser) == []
    assert not shop.has("block")


def test_colors_have_enough_contrast(page: Overlay) -> None:
    for name in ("hit", "miss", "stale", "uncached", "hole"):
        color = page.run(f"colorOf('{name}')")
        assert contrast(color, [255, 255, 255]) >= 4.5


def contrast(one: list[float], other: list[float]) -> float:
    def light(color: list[float]) -> float:
        parts = [each / 255 for each in color]
        linear = [
            each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4
            for each in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([light(one), light(other)])
    return (high + 0.05) / (low + 0.05)
