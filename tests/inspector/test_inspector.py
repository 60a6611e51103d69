import json
import os
import re
from html import unescape
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from markupsafe import Markup
from werkzeug.test import TestResponse

from jinja_fragcache import FragmentCache, make_template_fragment_key
from jinja_fragcache.inspector import wsgi_app
from jinja_fragcache.inspector.inspector import PAGES
from jinja_fragcache.stores import FileStore
from tests.inspector.support import NASTY, SECRET, Browser, Site, forms, rows, text_of
from tests.support import Counter, in_threads

PAGE = (
    "{% cache 300, 'side', user, tags=['users'] %}<p>{{ text }}</p>{% endcache %}"
    "{% cache 300, 'top' %}top{% endcache %}"
)
KEY = make_template_fragment_key("side", ["Ada"])
ENTRY = f"entry?key={KEY}"
SIDE = "fragment?kind=fragment&name=side"


def browser(site: Site, **more: Any) -> Browser:
    more.setdefault("debug", True)
    return Browser(wsgi_app(site.cache, **more))


@pytest.fixture
def site() -> Site:
    made = Site()
    # Before anything is rendered, so that it is counted.
    wsgi_app(made.cache, debug=True)
    return made


@pytest.fixture
def filled(site: Site) -> Site:
    for _ in range(4):
        site.render(PAGE, user="Ada", text="hello")
    site.render(PAGE, user="Bob", text="hello")
    return site


def test_each_name_has_its_figures(filled: Site) -> None:
    shown = {row[0].split()[0]: row for row in rows(browser(filled).get())}
    assert shown["side"][1:7] == ["60%", "3", "2", "0", "0", "0"]
    assert shown["top"][1:7] == ["80%", "4", "1", "0", "0", "0"]
    assert shown["side"][10:] == ["2", "no entry 2"]


def test_the_page_says_what_all_names_have_together(filled: Site) -> None:
    told = text_of(browser(filled).get().text)
    assert "Asked for 10 Hit ratio 70%" in told
    assert "Bodies ran 3 Errors 0 Workers 1" in told


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?sort=misses", ["side", "top"]),
        ("?sort=hits", ["top", "side"]),
        ("?sort=nothing", ["side", "top"]),
        ("?q=TO", ["top"]),
        ("?q=other", []),
    ],
)
def test_names_are_sorted_and_found(filled: Site, query: str, names: list[str]) -> None:
    shown = [row[0].split()[0] for row in rows(browser(filled).get(query))]
    found = [each for each in shown if each in {"side", "top"}]
    assert sorted(found) == sorted(names)
    if query != "?sort=nothing":
        assert found == names


def test_a_name_shows_the_keys_that_were_seen(filled: Site) -> None:
    found = {row[0]: row for row in rows(browser(filled).get(SIDE))}
    assert found["'Ada'"][1:3] == ["hit", "3"]
    assert found["'Bob'"][1:3] == ["miss", "0"]
    assert found["'Ada'"][6] == "users"


def test_an_entry_shows_its_text_and_tags(filled: Site) -> None:
    told = text_of(browser(filled).get(ENTRY).text)
    assert "State fresh" in told
    assert "Tags Tag State Action users current Invalidate" in told
    assert "<p>hello</p>" in told


def test_a_hole_is_shown_and_not_what_was_in_it(site: Site) -> None:
    source = (
        "{% cache 300, 'x' %}a{% nocache %}{{ user }}{% endnocache %}b{% endcache %}"
    )
    site.render(source, user="Ada")
    key = make_template_fragment_key("x")
    text = text_of(browser(site).get(f"entry?key={key}").text)
    assert "a{% nocache %}...{% endnocache %}b" in text
    assert "Ada" not in text


def test_what_is_not_there_is_not_found(filled: Site) -> None:
    look = browser(filled)
    for page in ("entry?key=other", "fragment?name=other", "other", "fragment"):
        assert look.get(page).status_code == HTTPStatus.NOT_FOUND


def test_the_settings_are_the_rules_of_the_cache(site: Site) -> None:
    found = {row[0]: row[1:] for row in rows(browser(site).get("settings"))}
    assert found["lock_timeout"] == ["10.0", "the same"]


def test_the_chart_has_its_figures_as_json(filled: Site) -> None:
    answer = browser(filled).get("figures.json")
    assert answer.mimetype == "application/json"
    told = json.loads(answer.text)
    assert (told["totals"]["hits"], told["totals"]["misses"]) == (7, 3)
    assert {each["name"] for each in told["names"]} == {"side", "top"}
    assert told["workers"] == 1


def test_looking_changes_no_figure(filled: Site) -> None:
    look = browser(filled)
    before, counted = look.get("figures.json").json, filled.cache.stats()
    for page in (*PAGES, SIDE, ENTRY, "entry?key=other"):
        look.get(page)
    assert look.get("figures.json").json == before
    assert filled.cache.stats() == counted


def test_an_entry_can_be_deleted(filled: Site) -> None:
    look = browser(filled)
    answer = look.send("delete", SIDE, key=KEY)
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert answer.location == f"/{SIDE}&done=delete"
    assert filled.cache.get(KEY) is None
    assert "The entry was deleted." in look.get(answer.location[1:]).text


def test_an_entry_can_be_deleted_on_its_own_page(filled: Site) -> None:
    answer = browser(filled).send("delete", ENTRY, key=KEY)
    assert answer.location == f"/entry?key={KEY.replace(':', '%3A')}&done=delete"
    assert filled.cache.get(KEY) is None


def test_a_tag_can_be_invalidated(filled: Site) -> None:
    assert (
        browser(filled).send("invalidate", tag="users").location == "/?done=invalidate"
    )
    assert filled.cache.get(KEY) is None
    assert filled.cache.get(make_template_fragment_key("top")) == "top"


def test_the_tag_of_an_entry_can_be_invalidated(filled: Site) -> None:
    look = browser(filled)
    look.send("invalidate", ENTRY, tag="users")
    assert "not served: invalidated by the tag users" in look.get(ENTRY).text


def test_all_can_be_cleared(filled: Site) -> None:
    browser(filled).send("clear")
    assert filled.cache.get(make_template_fragment_key("top")) is None


@pytest.mark.parametrize("tag", ["", " "])
def test_a_blank_tag_is_refused(filled: Site, tag: str) -> None:
    answer = browser(filled).send("invalidate", tag=tag)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "Send a tag in the field tag." in answer.text


def test_scripts_are_answered_as_json(filled: Site) -> None:
    look = browser(filled)
    token = forms(look.get().text)[-1].fields["csrf_token"]
    headers = {"Accept": "application/json", "X-CSRF-Token": token}
    assert look.post("delete", {"key": KEY}, headers).json == {"deleted": KEY}
    assert look.post("invalidate", {"tag": "a"}, headers).json == {"invalidated": "a"}
    assert look.post("clear", {}, headers).json == {"cleared": True}
    refused = look.post("delete", {}, headers)
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert refused.json == {
        "error": "Nothing was changed. Send the key of an entry in the field key."
    }


@pytest.mark.parametrize("action", ["delete", "invalidate", "clear"])
@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"csrf_token": ""}, {}),
        ({"csrf_token": "0" * 64}, {}),
        ({}, {"Origin": "http://evil.example"}),
        ({}, {"Origin": "http://localhost:3000"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_nothing_is_changed_for_another_page(
    filled: Site, action: str, fields: dict[str, str], headers: dict[str, str]
) -> None:
    look = browser(filled)
    token = forms(look.get().text)[-1].fields["csrf_token"]
    sent = {"csrf_token": token, "key": KEY, "tag": "users", **fields}
    answer = look.post(action, sent, headers)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "Nothing was changed." in answer.text
    assert filled.cache.get(KEY) == "<p>hello</p>"


def test_nothing_is_changed_with_the_token_of_another_browser(filled: Site) -> None:
    token = forms(browser(filled).get().text)[-1].fields["csrf_token"]
    other = browser(filled)
    other.get()
    answer = other.post("clear", {"csrf_token": token})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "another browser" in answer.text


@pytest.mark.parametrize("action", ["delete", "invalidate", "clear"])
def test_a_link_changes_nothing(filled: Site, action: str) -> None:
    look = browser(filled)
    token = forms(look.get().text)[-1].fields["csrf_token"]
    answer = look.get(f"{action}?csrf_token={token}&key={KEY}&tag=users")
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert "Send a form here, with POST." in answer.text
    assert filled.cache.get(KEY) == "<p>hello</p>"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_changes_anything(filled: Site, method: str) -> None:
    look = browser(filled)
    token = forms(look.get().text)[-1].fields["csrf_token"]
    answer = look.post("clear", {"csrf_token": token}, method=method)
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert filled.cache.get(KEY) == "<p>hello</p>"


def test_a_page_takes_no_form(site: Site) -> None:
    answer = browser(site).post("settings", {})
    assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]"])
def test_in_debug_this_machine_may_see_it(site: Site, host: str) -> None:
    app = wsgi_app(site.cache, debug=True)
    assert Browser(app, base=f"http://{host}").get().status_code == HTTPStatus.OK


@pytest.mark.parametrize("page", [*PAGES, "inspector.css"])
def test_in_debug_no_other_name_leads_to_it(site: Site, page: str) -> None:
    app = wsgi_app(site.cache, debug=True)
    answer = Browser(app, base="http://rebound.example").get(page)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "allow=" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("page", [*PAGES, "inspector.css"])
def test_who_is_not_allowed_sees_nothing(filled: Site, page: str) -> None:
    look = browser(filled, allow=lambda _: False, secret_key=SECRET)
    answer = look.get(page)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert answer.text == "You may not see this."
    told = look.get(page, {"Accept": "application/json"})
    assert told.json == {"error": "You may not see this."}


def test_who_is_not_allowed_changes_nothing(filled: Site) -> None:
    allowed = browser(filled, allow=lambda _: True, secret_key=SECRET)
    token = forms(allowed.get().text)[-1].fields["csrf_token"]
    other = browser(filled, allow=lambda _: False, secret_key=SECRET)
    answer = other.post("clear", {"csrf_token": token})
    assert answer.text == "You may not see this."
    assert filled.cache.get(KEY) == "<p>hello</p>"


def test_without_a_secret_key_nothing_can_be_changed_outside_of_debug(
    filled: Site,
) -> None:
    look = browser(filled, allow=lambda _: True)
    page = look.get()
    assert "Without a secret key, nothing can be deleted here." in page.text
    assert page.text.count(" disabled>") == 2
    token = forms(page.text)[-1].fields["csrf_token"]
    answer = look.post("clear", {"csrf_token": token})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "SECRET_KEY" in answer.text
    assert filled.cache.get(KEY) == "<p>hello</p>"


def test_all_workers_take_the_token_of_one(filled: Site) -> None:
    rules = {"allow": lambda _: True, "secret_key": SECRET}
    first, second = browser(filled, **rules), browser(filled, **rules)
    page = first.get()
    token = forms(page.text)[-1].fields["csrf_token"]
    second.take_cookie(page)
    answer = second.post("clear", {"csrf_token": token})
    assert answer.status_code == HTTPStatus.SEE_OTHER


def test_the_pages_have_all_headers_that_keep_them_apart(site: Site) -> None:
    look = browser(site)
    for page in (*PAGES, "other", "inspector.js"):
        headers = look.get(page).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_the_policy_allows_nothing_but_the_package_s_own_files(site: Site) -> None:
    look = browser(site)
    first, second = look.get(), look.get()
    policy = first.headers["Content-Security-Policy"]
    nonces = re.findall(r"'nonce-([\w-]+)'", policy)
    assert len(set(nonces)) == 1
    assert nonces[0] not in second.text
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for tag in re.findall(r"<(?:script|link|style)\b[^>]*>", first.text):
        assert f'nonce="{nonces[0]}"' in tag or 'href="data:,"' in tag
    assert not re.search(r"<[^>]* (on\w+|style)=", first.text)
    assert "://" not in re.sub(r"<pre.*?</pre>", "", first.text)


def test_nothing_of_the_application_is_read_as_html(site: Site) -> None:
    source = "{% cache 300, name, user, tags=[tag] %}{{ text }}<p>{% endcache %}"
    site.render(source, name=NASTY, user=NASTY, tag=NASTY, text=Markup(NASTY))
    look = browser(site)
    overview = look.get()
    name = look.get(link(overview, "fragment"))
    entry = look.get(link(name, "entry"))
    # All that is shown is there, as text.
    assert NASTY in text_of(name.text)
    assert f"{NASTY}<p>" in text_of(entry.text)
    asked = (
        "?q=",
        "?sort=",
        "?done=",
        "fragment?name=",
        "fragment?kind=",
        "entry?key=",
    )
    others = [look.get(f"{page}{quote(NASTY)}") for page in asked]
    for page in (overview, name, entry, *others):
        tags = re.findall(r"<(?:[^>\"]|\"[^\"]*\")*>", page.text)
        assert not [tag for tag in tags if "<script>" in tag or "alert" in tag[:8]]
        assert page.text.count("<script") == page.text.count("inspector.js")


def link(page: TestResponse, to: str) -> str:
    """Return the first link of a page that leads to another one."""
    found = re.search(rf'href="/({to}\?[^"]*)"', page.text)
    assert found is not None
    return unescape(found[1])


@pytest.mark.parametrize("page", ["", SIDE, ENTRY, "entry", "settings", "store", "no"])
def test_a_page_has_what_readers_without_eyes_need(filled: Site, page: str) -> None:
    text = browser(filled).get(page).text
    assert '<html lang="en">' in text
    assert re.search(r"<title>\S.*</title>", text)
    assert text.count("<h1") == 1
    assert '<a class="skip" href="#main">' in text
    assert '<main id="main"' in text
    labelled = set(re.findall(r'<label for="([^"]*)"', text))
    for tag in re.findall(r"<input[^>]*>", text):
        if 'type="hidden"' not in tag:
            assert re.search(r' id="([^"]*)"', tag)[1] in labelled  # type: ignore[index]
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        assert "<caption>" in table
        assert "<th>" not in table
        assert table.count("<th ") == table.count('<th scope="')
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    for named in re.findall(r'aria-labelledby="([^"]*)"', text):
        assert named in ids


def test_the_figures_are_of_all_workers_that_share_the_store(tmp_path: Path) -> None:
    sites = [Site(FileStore(str(tmp_path)), statistics=True) for _ in range(2)]
    for site in sites:
        site.render("{% cache 300, 'top' %}top{% endcache %}")
    sites[1].cache._worker_figures.flush(20)
    page = browser(sites[0]).get()
    told = text_of(page.text)
    assert "Asked for 2 Hit ratio 50%" in told
    assert "The figures above are of 2 workers." in told
    here = f"{os.getpid()} answers this page"
    found = [row[0] for row in rows(page) if row[0].startswith(str(os.getpid()))]
    assert found == [here, str(os.getpid())]


def test_figures_of_one_worker_say_so(site: Site) -> None:
    told = text_of(browser(site).get().text)
    assert "these are the figures of this one only" in told


def test_the_figures_are_what_was_rendered_under_load(site: Site) -> None:
    count, calls, threads = Counter(), 200, 4
    template = site.env.from_string(
        "{% cache 300, 'side', key %}{{ count() }}{% endcache %}"
    )

    def render(which: int) -> None:
        for number in range(calls):
            if number % 20 == which:
                site.cache.invalidate_tags("none")
                site.cache.delete_fragment("side", [number % 7])
            template.render(key=number % 7, count=count)

    in_threads(threads, render)
    told = browser(site).get("figures.json").json
    assert told is not None
    (side,) = told["names"]
    assert side["asked"] == calls * threads
    assert side["renders"] == count.calls
    stats = site.cache.stats()
    assert (side["hits"], side["misses"]) == (stats.hits, stats.misses)


def test_a_cache_of_its_own_has_no_figures_yet() -> None:
    page = Browser(wsgi_app(FragmentCache(), debug=True)).get()
    assert "Nothing was asked for" in page.text
