import pytest

from jinja_fragcache import make_template_fragment_key
from jinja_fragcache.inspector import wsgi_app
from tests.inspector.support import Browser, Site, forms, rows, text_of
from tests.support import RecordingStore

KEY = make_template_fragment_key("x")


DOWN = ConnectionError("no answer of redis://user:hunter2@host")


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore()


@pytest.fixture
def site(store: RecordingStore) -> Site:
    return Site(store)


@pytest.fixture
def look(site: Site) -> Browser:
    return Browser(wsgi_app(site.cache, debug=True))


def render(site: Site) -> None:
    site.render("{% cache 60, 'x' %}text{% endcache %}")


def test_a_store_that_answers_is_shown_with_what_is_in_it() -> None:
    site = Site()
    look = Browser(wsgi_app(site.cache, debug=True))
    render(site)
    told = text_of(look.get("store").text)
    assert "Answers yes" in told
    assert "Circuit breaker closed all calls are made Entries 1" in told
    assert "Where the memory of this process" in told


def test_a_store_that_fails_is_shown_without_its_login(
    site: Site, store: RecordingStore, look: Browser
) -> None:
    store.errors["get"] = DOWN
    render(site)
    page = look.get("store")
    told = text_of(page.text)
    assert "The store does not answer." in told
    assert "no answer of redis://...@host" in told
    assert "Circuit breaker open one call each 1 s" in told
    assert "hunter2" not in page.text
    found = dict(row for row in rows(page))
    assert found["Reads and writes that failed"] == "1"


def test_looking_finds_out_that_a_store_answers_again(
    site: Site, store: RecordingStore, look: Browser
) -> None:
    store.errors["get"] = DOWN
    render(site)
    store.errors.clear()
    told = text_of(look.get("store").text)
    assert "The store had failed, and answers again" in told
    assert "Circuit breaker closed" in text_of(look.get("store").text)


def test_an_entry_that_can_not_be_read_is_an_error_that_says_so(
    store: RecordingStore, look: Browser
) -> None:
    store.errors["get"] = DOWN
    page = look.get(f"entry?key={KEY}")
    assert page.status_code == 502
    assert "The store could not read" in text_of(page.text)


def test_an_entry_that_can_not_be_deleted_may_still_be_served(
    site: Site, store: RecordingStore, look: Browser
) -> None:
    render(site)
    token = forms(look.get().text)[-1].fields["csrf_token"]
    store.errors["delete"] = DOWN
    answer = look.post("delete", {"csrf_token": token, "key": KEY})
    assert answer.status_code == 502
    assert "What it holds may still be served." in text_of(answer.text)


def test_only_the_beginning_of_a_long_text_is_shown(site: Site, look: Browser) -> None:
    site.render("{% cache 60, 'x' %}{{ 'a' * 300000 }}{% endcache %}")
    page = look.get(f"entry?key={KEY}")
    assert "The first 200,000 of 300,000 characters." in text_of(page.text)
    assert page.text.count("a" * 200_000) == 1
    assert "a" * 200_001 not in page.text


def test_what_is_no_entry_is_told(store: RecordingStore, look: Browser) -> None:
    store.set(KEY, "\x1enot a header\n", timeout=60)
    assert "it can't be read, so it is a miss" in text_of(
        look.get(f"entry?key={KEY}").text
    )
