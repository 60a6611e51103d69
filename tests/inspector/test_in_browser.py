"""The pages of the inspector in a real browser."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from jinja_fragcache import make_template_fragment_key
from jinja_fragcache.inspector import wsgi_app
from tests.inspector.support import NASTY, Site

pytest.importorskip("selenium")
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import messages, serving, set_size, until

pytestmark = pytest.mark.slow

KEY = make_template_fragment_key("side", ["Ada"])
SIDE = "fragment?kind=fragment&name=side"
PAGES = ("", SIDE, f"entry?key={KEY}", "store", "settings", "nothing")


@pytest.fixture
def site() -> Site:
    made = Site()
    wsgi_app(made.cache, debug=True)
    source = "{% cache 300, 'side', user, tags=['users'] %}<p>{{ text }}{% endcache %}"
    for user in ("Ada", "Ada", NASTY):
        made.render(source, user=user, text=NASTY)
    for number in range(30):
        made.render(
            "{% cache 300, name %}{% endcache %}",
            name=f"a-long-name-of-a-fragment-in-some-template-{number}",
        )
    return made


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with serving(wsgi_app(site.cache, debug=True)) as address:
        yield address


def colours(browser: Any, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@pytest.mark.parametrize("page", PAGES)
def test_a_page_breaks_none_of_its_own_rules(
    browser: Any, address: str, page: str
) -> None:
    browser.get(f"{address}/{page}")
    # The style sheet is there.
    assert until(browser, "getComputedStyle(document.body).marginTop === '0px'")
    found = [each for each in messages(browser) if "status of 404" not in each]
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_all_texts_stand_out_from_what_is_behind_them(
    browser: Any, address: str, page: str, scheme: str
) -> None:
    colours(browser, scheme)
    browser.get(f"{address}/{page}")
    assert browser.execute_script(_FAINT_TEXTS) == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_a_phone(browser: Any, address: str, page: str) -> None:
    set_size(browser, 360, 740)
    browser.get(f"{address}/{page}")
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width == 360
    heights = browser.execute_script(
        "return [...document.querySelectorAll('tbody tr')].map((e) => e.offsetHeight)"
    )
    assert max(heights, default=0) < 140


def test_the_first_key_leads_past_the_links_to_other_pages(
    browser: Any, address: str
) -> None:
    browser.get(address)
    press(browser, "Tab")
    skip = "document.activeElement"
    assert browser.execute_script(f"return {skip}.textContent") == "Skip to the content"
    assert browser.execute_script(f"return {skip}.getBoundingClientRect().top") >= 0
    press(browser, "Enter")
    assert until(browser, "document.activeElement.id === 'main'")


def test_what_has_the_focus_is_seen(browser: Any, address: str) -> None:
    browser.get(address)
    seen = set()
    for _ in range(25):
        press(browser, "Tab")
        outline = browser.execute_script(
            "const style = getComputedStyle(document.activeElement);"
            "return [document.activeElement.localName, style.outlineStyle]"
        )
        assert outline[1] == "solid", outline
        seen.add(outline[0])
    assert {"a", "button", "input", "div"} <= seen


def test_the_chart_shows_what_is_asked_for_now(
    browser: Any, site: Site, address: str
) -> None:
    browser.get(address)
    assert until(browser, "!document.getElementById('chart').hidden")
    until(browser, "document.getElementById('chart-most').textContent")
    for _ in range(8):
        site.render("{% cache 300, 'now' %}{% endcache %}")
    assert until(browser, "document.querySelector('#chart rect.hits') !== null")
    assert until(browser, "document.querySelector('#chart rect.misses') !== null")
    assert messages(browser) == []


def test_without_scripts_all_but_the_chart_works(
    browser: Any, site: Site, address: str
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert not browser.find_element("id", "chart").is_displayed()
        browser.get(f"{address}/{SIDE}")
        click(browser, "link text", "'Ada'")
        click(browser, "xpath", "//button[.='Delete the entry']")
        wait(browser, "xpath", "//*[.='The entry was deleted.']")
        assert site.cache.get(KEY) is None
        click(browser, "link text", "Fragments")
        wait(browser, "id", "q").send_keys("side")
        click(browser, "xpath", "//button[.='Find']")
        wait(browser, "xpath", "//caption[contains(., '1 name of 31')]")
        click(browser, "tag name", "summary")
        click(browser, "xpath", "//button[.='Delete everything']")
        wait(browser, "xpath", "//*[.='Everything was deleted.']")
    finally:
        browser.execute_cdp_cmd(
            "Emulation.setScriptExecutionDisabled", {"value": False}
        )


def test_a_page_of_another_origin_can_send_no_form(
    browser: Any, site: Site, address: str
) -> None:
    browser.get(address)
    token = browser.find_element("name", "csrf_token").get_attribute("value")

    def other(_environ: Any, start_response: Any) -> list[bytes]:
        start_response(f"{HTTPStatus.OK.value} OK", [("Content-Type", "text/html")])
        fields = f"<input name=csrf_token value={token}><input name=key value={KEY}>"
        form = f"<form method=post action={address}/delete>{fields}<button>x</button>"
        return [form.encode()]

    # Another port is another origin of the same site, so the cookie is sent.
    with serving(other) as evil:
        browser.get(evil)
        click(browser, "tag name", "button")
        wait(browser, "xpath", "//*[contains(., 'It comes from a page of another')]")
    assert site.cache.get(KEY) is not None


def test_it_can_not_be_put_into_a_frame(browser: Any, address: str) -> None:
    def other(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f"<iframe src={address}></iframe>".encode()]

    with serving(other) as evil:
        browser.get(evil)
        browser.switch_to.frame(0)
        assert browser.find_elements("tag name", "h1") == [] or (
            "Fragments" not in browser.find_element("tag name", "h1").text
        )
        browser.switch_to.default_content()


def wait(browser: Any, how: str, what: str) -> Any:
    """Return an element as soon as the page has it. Scripts may be off."""
    found = expected_conditions.visibility_of_element_located((how, what))
    return WebDriverWait(browser, 20, poll_frequency=0.05).until(found)


def click(browser: Any, how: str, what: str) -> None:
    wait(browser, how, what).click()


def press(browser: Any, key: str) -> None:
    codes = {"Tab": 9, "Enter": 13}
    more = {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        browser.execute_cdp_cmd(
            "Input.dispatchKeyEvent",
            {
                "type": kind,
                "key": key,
                "code": key,
                "windowsVirtualKeyCode": codes[key],
                **(more if kind == "keyDown" else {}),
            },
        )


# Which texts have a contrast below 4.5:1, as WCAG 2 computes it.
_FAINT_TEXTS = """
const parse = (color) => {
  const [r, g, b, a = 1] = color.match(/[0-9.]+/g).map(Number);
  return { r, g, b, a };
};
const luminance = ({ r, g, b }) => {
  const linear = [r, g, b].map((each) => {
    const part = each / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const back = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const color = parse(getComputedStyle(each).backgroundColor);
    if (color.a === 1) return color;
  }
  return { r: 255, g: 255, b: 255 };
};
const faint = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
  const front = luminance(parse(getComputedStyle(element).color));
  const behind = luminance(back(element));
  const contrast = (Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05);
  if (contrast < 4.5) faint.push([element.outerHTML, contrast]);
}
return faint;
"""
