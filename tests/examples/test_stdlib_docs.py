import platform
import queue
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import library
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader
from library import Library, Module
from stdlib_docs import (
    LONGEST_NAME,
    LONGEST_NOTE,
    LONGEST_QUERY,
    MOST_FINDINGS,
    MOST_WORDS,
    NAME_COOKIE,
    NOTES_KEPT,
    Documentation,
    Note,
    Notes,
    cache,
    create_app,
    words_of,
)

from jinja_fragcache import MemoryStore, Stats, make_template_fragment_key
from tests.support import Clock

pytestmark = pytest.mark.slow

PATHS = [
    "/",
    "/modules/cmd",
    "/modules/json",
    "/modules/sys",
    "/search?q=json+loads",
    "/modules.json",
]


@pytest.fixture
def app() -> Flask:
    app = create_app()
    app.testing = True
    app.config["CACHE_IN_TESTING"] = True
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def searcher(app: Flask) -> FlaskClient:
    """Return a client of a small library, with the layout in the cache.

    So a later read of the library can only come from a search.
    """
    loaded = app.extensions["stdlib_docs"].library.by_name
    small = Library({name: loaded[name] for name in ("cmd", "json", "queue")})
    app.extensions["stdlib_docs"] = Documentation(small)
    client = app.test_client()
    show(client, "/cache")
    return client


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the calls of all functions that read the library."""
    counted: Counter[str] = Counter()

    def counting(name: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            counted[name] += 1
            return read(*arguments)

        return count

    for name, read in vars(library).copy().items():
        if name.startswith("read_"):
            monkeypatch.setattr(library, name, counting(name, read))
    return counted


def visitor(app: Flask, name: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie(NAME_COOKIE, name)
    return client


def show(client: FlaskClient, path: str, **arguments: str) -> str:
    response = client.get(path, query_string=arguments or None)
    assert response.status_code == 200
    return response.text


def write(client: FlaskClient, module: str, text: str) -> None:
    response = client.post(f"/modules/{module}/note", data={"text": text})
    assert response.status_code == 303
    assert response.location == f"/modules/{module}#notes"


def stats(app: Flask) -> Stats:
    with app.app_context():
        return cache.stats()


@pytest.mark.parametrize("path", PATHS)
def test_a_warm_page_is_the_same_and_reads_nothing(
    client: FlaskClient, path: str, reads: Counter[str]
) -> None:
    cold = show(client, path)
    assert reads.total() > 0
    reads.clear()
    assert show(client, path) == cold
    assert reads.total() == 0


def test_a_page_of_another_module_shares_the_layout_only(
    client: FlaskClient, app: Flask
) -> None:
    show(client, "/modules/cmd")
    before = stats(app)
    show(client, "/modules/queue")
    after = stats(app)
    assert after.hits - before.hits == 2
    assert after.misses - before.misses == 3


@pytest.fixture
def clock(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock by which the application's cache decides what is fresh."""
    clock = Clock()
    with app.app_context():
        monkeypatch.setattr(cache.fragment_cache.engine.context, "clock", clock)
    return clock


def sidebar(page: str) -> str:
    return page.partition("<aside")[2].partition("</aside>")[0]


def test_no_other_page_waits_while_one_reads_the_sidebar_again(
    client: FlaskClient, app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = show(client, "/cache")
    clock.now += 3600
    meanwhile: list[str] = []

    def largest(self: Library, _count: int) -> list[tuple[int, Module]]:
        meanwhile.append(show(app.test_client(), "/search"))
        return [(7, next(iter(self)))]

    monkeypatch.setattr(Library, "largest", largest)
    assert "7 lines" in sidebar(show(client, "/cache"))
    assert [sidebar(page) for page in meanwhile] == [sidebar(cold)]
    assert stats(app).stale == 1


def test_the_old_sidebar_is_served_for_a_day_if_reading_it_fails(
    client: FlaskClient,
    app: Flask,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cold = show(client, "/cache")

    def fail(*_: object) -> None:
        raise OSError("the files are gone")

    monkeypatch.setattr(Library, "largest", fail)
    clock.now += 3600 + 86399
    assert sidebar(show(client, "/cache")) == sidebar(cold)
    assert "the files are gone" in caplog.text
    assert stats(app).stale == 1
    clock.now += 1
    with pytest.raises(OSError, match="the files are gone"):
        client.get("/cache")


def test_the_index_has_a_row_for_every_module(client: FlaskClient, app: Flask) -> None:
    page = show(client, "/")
    loaded = app.extensions["stdlib_docs"].library
    assert page.count('<th scope="row">') == len(loaded) > 100
    assert all(f'href="/modules/{module.name}"' in page for module in loaded)


def test_a_module_page_shows_what_is_in_the_module(client: FlaskClient) -> None:
    page = show(client, "/modules/queue")
    assert "A multi-producer, multi-consumer queue." in page
    assert "<b>PriorityQueue</b>(maxsize=0)" in page
    assert "<b>put_nowait</b>(self, item)" in page
    assert "Exceptions" in page


def test_a_package_page_lists_its_modules(client: FlaskClient) -> None:
    assert "json.decoder" in show(client, "/modules/json")
    assert "Modules in this package" not in show(client, "/modules/cmd")


@pytest.mark.parametrize("name", ["argparse", "builtins", "os", "socket", "typing"])
def test_modules_of_all_kinds_have_a_page(client: FlaskClient, name: str) -> None:
    assert f"<h1><code>{name}</code></h1>" in show(client, f"/modules/{name}")


@pytest.mark.parametrize(
    "path", ["/modules/this", "/modules/nothing", "/modules/%3Cb%3E", "/nothing"]
)
def test_a_missing_page_is_shown_in_the_layout(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "Not found" in response.text
    assert "Largest modules" in response.text


def test_visitors_see_their_own_greeting_only(app: Flask) -> None:
    ada, bob, nobody = visitor(app, "Ada"), visitor(app, "Bob"), app.test_client()
    for _ in range(2):
        for client, own, others in (
            (ada, "Ada", ["Bob"]),
            (nobody, "Your name", ["Ada", "Bob", "Hello"]),
            (bob, "Bob", ["Ada"]),
        ):
            page = show(client, "/modules/cmd")
            assert own in page
            assert not [other for other in others if other in page]


def test_a_visitor_chooses_a_name_and_is_forgotten(client: FlaskClient) -> None:
    response = client.post("/name", data={"name": " Zoë & Co "}, follow_redirects=True)
    assert "Hello, <strong>Zoë &amp; Co</strong>" in response.text
    response = client.post("/name", follow_redirects=True)
    assert "Hello" not in response.text
    assert client.get_cookie(NAME_COOKIE) is None


def test_a_name_is_cut_where_it_is_chosen_and_where_it_is_read(app: Flask) -> None:
    client = app.test_client()
    client.post("/name", data={"name": "y" * 99})
    cookie = client.get_cookie(NAME_COOKIE)
    assert cookie is not None
    assert cookie.value == "y" * LONGEST_NAME
    greeting = f"<strong>{'z' * LONGEST_NAME}</strong>"
    assert greeting in show(visitor(app, "z" * 99), "/cache")


def test_a_note_shows_at_once_and_counts(app: Flask, reads: Counter[str]) -> None:
    ada, bob = visitor(app, "Ada"), visitor(app, "Bob")
    for client in (ada, bob):
        assert "Nobody has written" in show(client, "/modules/cmd")
    reads.clear()
    write(ada, "cmd", "Mind the prompt.")
    for client, count in ((ada, "1 note."), (bob, "0 notes.")):
        page = show(client, "/modules/cmd")
        assert "Mind the prompt." in page
        assert f"You have written {count}" in page
    assert reads.total() == 0


def test_a_note_invalidates_no_other_module_s_notes(
    client: FlaskClient, app: Flask
) -> None:
    show(client, "/modules/cmd")
    show(client, "/modules/queue")
    write(client, "cmd", "One.")
    before = stats(app)
    assert "One." not in show(client, "/modules/queue")
    assert stats(app).misses == before.misses
    assert "A visitor" in show(client, "/modules/cmd")
    assert stats(app).misses == before.misses + 1


def test_the_form_for_a_note_greets_each_visitor_and_is_not_stored(
    app: Flask, reads: Counter[str]
) -> None:
    ada, bob, nobody = visitor(app, "Ada"), visitor(app, "Bob"), app.test_client()
    show(ada, "/modules/cmd")
    before = stats(app)
    reads.clear()
    for client, label in (
        (bob, "Your note, Bob"),
        (nobody, "Your note"),
        (ada, "Your note, Ada"),
    ):
        assert f">{label}</label>" in show(client, "/modules/cmd")
    # The form is live, and the notes around it came from the cache: only Bob's greeting
    # was rendered.
    assert stats(app).misses == before.misses + 1
    assert reads.total() == 0
    with app.app_context():
        stored = cache.fragment_cache.get(make_template_fragment_key("notes", ["cmd"]))
    assert stored is not None
    assert "Nobody has written" in stored
    assert "<form" not in stored
    assert "Ada" not in stored


def test_a_note_updates_the_count_on_all_pages_with_notes_of_its_author(
    app: Flask,
) -> None:
    ada, bob = visitor(app, "Ada"), visitor(app, "Bob")
    write(ada, "cmd", "One.")
    write(bob, "queue", "Two.")
    assert "Ada, 1 note</footer>" in show(bob, "/modules/cmd")
    assert "Bob, 1 note</footer>" in show(bob, "/modules/queue")
    write(ada, "json", "Three.")
    before = stats(app)
    assert "Ada, 2 notes</footer>" in show(bob, "/modules/cmd")
    assert stats(app).misses == before.misses + 1
    # Ada has written nothing there, so it was not invalidated.
    assert "Bob, 1 note</footer>" in show(bob, "/modules/queue")
    assert stats(app).misses == before.misses + 1


def test_a_note_updates_the_count_of_its_module(app: Flask) -> None:
    client = app.test_client()
    for count in (0, 1, 2):
        heading = f'<h2 id="notes-title">Notes <small>{count}</small></h2>'
        assert heading in show(client, "/modules/cmd")
        write(client, "cmd", "Mind the prompt.")


def test_the_rows_of_a_letter_are_read_in_one_round_trip(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(client, "/")
    asked: list[int] = []
    get_many = MemoryStore.get_many

    def counting(self: MemoryStore, *keys: str) -> list[Any]:
        asked.append(len(keys))
        return get_many(self, *keys)

    monkeypatch.setattr(MemoryStore, "get_many", counting)
    show(client, "/")
    modules = app.extensions["stdlib_docs"].library
    letters = Counter(module.letter for module in modules)
    # A list of one row is read like a single fragment.
    rows = [letters[letter] for letter in sorted(letters)]
    assert asked == [count for count in rows if count > 1]


def test_a_deleted_row_is_rendered_alone(
    client: FlaskClient, app: Flask, reads: Counter[str]
) -> None:
    cold = show(client, "/")
    with app.app_context():
        assert cache.delete_fragment("module-row", ["queue"])
    before = stats(app)
    reads.clear()
    assert show(client, "/") == cold
    assert stats(app).misses == before.misses + 1
    assert reads["read_public_names"] == 1


@pytest.mark.parametrize("name", ["module.html", "layout.html"])
def test_an_edited_template_shows_at_once(app: Flask, name: str) -> None:
    folder = Path(app.root_path) / "templates"
    templates = {path.name: path.read_text("utf-8") for path in folder.glob("*.html")}
    app.jinja_loader = DictLoader(templates)
    app.jinja_env.auto_reload = True
    client = app.test_client()
    assert "Documentation of cmd" in show(client, "/modules/cmd")
    assert "Largest modules" in show(client, "/modules/cmd")
    edited = templates[name]
    edited = edited.replace("Documentation of", "All about")
    templates[name] = edited.replace("Largest modules", "Large modules")
    page = show(client, "/modules/cmd")
    assert ("All about cmd" in page) is (name == "module.html")
    assert ("Large modules" in page) is (name == "layout.html")


def test_notes_and_names_are_escaped(app: Flask) -> None:
    client = visitor(app, "<i>")
    write(client, "cmd", "<script>alert(1)</script>")
    for _ in range(2):
        page = show(client, "/modules/cmd")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<strong>&lt;i&gt;</strong>" in page
        assert "<script" not in page
        assert "<i>" not in page


def test_an_empty_note_is_ignored_and_a_long_one_is_cut(
    client: FlaskClient, app: Flask
) -> None:
    show(client, "/modules/cmd")
    before = stats(app)
    write(client, "cmd", "  ")
    show(client, "/modules/cmd")
    assert stats(app).misses == before.misses
    write(client, "cmd", "y" * 600)
    page = show(client, "/modules/cmd")
    assert page.count("<blockquote>") == 1
    assert "y" * LONGEST_NOTE in page
    assert "y" * (LONGEST_NOTE + 1) not in page


def test_a_note_on_an_unknown_module_is_not_found(client: FlaskClient) -> None:
    assert client.post("/modules/this/note", data={"text": "x"}).status_code == 404


def test_only_the_latest_notes_are_kept() -> None:
    notes = Notes()
    for number in range(NOTES_KEPT + 1):
        notes.add("cmd", Note("Ada", f"{number}"))
    kept = [note.text for note in notes.on("cmd")]
    assert kept[0] == f"{NOTES_KEPT}"
    assert kept[-1] == "1"
    assert notes.written_by("Ada") == NOTES_KEPT + 1
    assert notes.on("queue") == []


def test_a_preview_reads_again_and_does_not_use_the_cache(
    client: FlaskClient, app: Flask, reads: Counter[str]
) -> None:
    cached = show(client, "/modules/cmd")
    reads.clear()
    before = stats(app)
    for times in (1, 2):
        page = show(client, "/modules/cmd?preview=1")
        assert "A preview" in page
        assert "<b>Cmd</b>" in page
        assert reads["read_public_names"] == times
    after = stats(app)
    assert after.uncached - before.uncached == 2
    assert after.stored == before.stored
    assert show(client, "/modules/cmd") == cached


def findings(page: str) -> str:
    return page.partition('<main id="content">')[2].partition("</main>")[0]


def test_a_search_shows_names_and_where_they_are(searcher: FlaskClient) -> None:
    page = findings(show(searcher, "/search", q="loads JSON"))
    assert "<strong>2 results</strong>" in page
    assert "<strong>json</strong> and <strong>loads</strong>" in page
    assert '<a href="/modules/json#member-loads"><code>json.loads</code></a>' in page
    assert "Deserialize ``s``" in page
    assert '<a href="/modules/json"><code>json</code></a>' in page
    assert 'id="member-loads"' in show(searcher, "/modules/json")


@pytest.mark.parametrize("query", ["loads json", " JSON\tLoads  ", "loads json loads"])
def test_queries_with_the_same_words_share_a_result(
    searcher: FlaskClient, reads: Counter[str], query: str
) -> None:
    first = show(searcher, "/search", q="json loads")
    assert reads.total() > 0
    reads.clear()
    assert findings(show(searcher, "/search", q=query)) == findings(first)
    assert reads.total() == 0


def test_other_words_start_another_search(
    searcher: FlaskClient, reads: Counter[str]
) -> None:
    show(searcher, "/search", q="json loads")
    reads.clear()
    assert "queue.Queue.put" in show(searcher, "/search", q="queue put")
    assert reads.total() > 0


@pytest.mark.parametrize("path", ["/search", "/search?q=", "/search?q=+%0A"])
def test_an_empty_query_asks_for_words_and_searches_nothing(
    searcher: FlaskClient, reads: Counter[str], path: str
) -> None:
    assert "Write a name" in show(searcher, path)
    assert reads.total() == 0


def test_an_empty_result_is_cached_too(
    searcher: FlaskClient, reads: Counter[str]
) -> None:
    for read in (True, False):
        reads.clear()
        page = show(searcher, "/search", q="nowhere-at-all")
        assert "0 results" in page
        assert "Try fewer words" in page
        assert (reads.total() > 0) is read


def test_a_query_is_escaped(searcher: FlaskClient) -> None:
    for _ in range(2):
        page = show(searcher, "/search", q='<script>alert("1")</script>')
        assert 'value="&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;"' in page
        assert "<strong>&lt;script&gt;" in page
        assert "<script" not in page


def test_a_query_is_on_no_other_page(searcher: FlaskClient) -> None:
    show(searcher, "/search", q="nowhere-at-all")
    for path in ("/", "/search", "/cache", "/search?q=json", "/nothing"):
        assert "nowhere" not in searcher.get(path).text


def test_a_long_query_is_cut(searcher: FlaskClient, app: Flask) -> None:
    page = show(searcher, "/search", q="y" * 20_000)
    assert f'value="{"y" * LONGEST_QUERY}" maxlength="{LONGEST_QUERY}"' in page
    assert "y" * (LONGEST_QUERY + 1) not in page
    # The part that is cut off is not in the key.
    before = stats(app)
    show(searcher, "/search", q="y" * 30_000)
    assert stats(app).misses == before.misses


def test_of_many_results_the_best_are_shown(searcher: FlaskClient) -> None:
    page = show(searcher, "/search", q="e")
    assert page.count('<li class="member">') == MOST_FINDINGS
    assert f"the best {MOST_FINDINGS} of them here" in page
    assert f"<strong>{MOST_FINDINGS} results</strong>" not in page


@given(st.lists(st.text(alphabet="aB ß\t", min_size=1)), st.randoms())
def test_words_are_few_unique_and_sorted(words: list[str], random: Any) -> None:
    found = words_of(" ".join(words))
    assert len(found) <= MOST_WORDS
    assert list(found) == sorted(set(found))
    assert words_of(" ".join(found)) == found
    shuffled = random.sample(found, len(found))
    assert words_of("  ".join(shuffled).upper()) == found


def test_only_the_first_words_of_a_query_count() -> None:
    assert words_of("f e d c b a") == ("b", "c", "d", "e", "f")


def test_all_searches_can_be_deleted_and_nothing_else(
    searcher: FlaskClient, app: Flask, reads: Counter[str]
) -> None:
    show(searcher, "/modules.json")
    cold = show(searcher, "/search", q="json")
    show(searcher, "/search", q="queue")
    assert searcher.post("/cache/forget-searches").location == "/cache"
    before = stats(app)
    show(searcher, "/modules.json")
    assert stats(app).misses == before.misses
    reads.clear()
    for times, query in enumerate(("json", "queue"), start=1):
        page = show(searcher, "/search", q=query)
        assert stats(app).misses == before.misses + times
        assert query != "json" or page == cold
    assert reads.total() > 0


def test_all_modules_are_listed_as_json(client: FlaskClient, app: Flask) -> None:
    loaded = app.extensions["stdlib_docs"].library
    for _ in range(2):
        response = client.get("/modules.json")
        assert response.mimetype == "application/json"
        assert response.headers["Link"] == '</>; rel="alternate"; type="text/html"'
        answer = response.get_json()
        assert answer["python"] == platform.python_version()
        assert answer["count"] == len(answer["modules"]) == len(loaded)
        by_name = {module["name"]: module for module in answer["modules"]}
        assert by_name.keys() == loaded.by_name.keys()
        assert by_name["sys"]["lines"] is None
        assert by_name["queue"] == {
            "name": "queue",
            "about": "A multi-producer, multi-consumer queue.",
            "names": len(queue.__all__),
            "lines": loaded.get("queue").line_count(),
            "page": "/modules/queue",
        }


def test_every_page_links_to_the_list_and_has_the_search_form(
    client: FlaskClient,
) -> None:
    for path in ("/cache", "/search", "/nothing"):
        page = client.get(path).text
        assert '<a href="/modules.json" type="application/json">' in page
        assert '<form class="search" role="search" action="/search">' in page
        assert '<label for="q">' in page
        assert page.count('id="q"') == 1


def test_the_page_on_the_cache_shows_all_counters_and_the_latest_pages(
    client: FlaskClient, app: Flask
) -> None:
    assert "None yet" in show(client, "/cache")
    show(client, "/modules/cmd")
    client.get("/modules/nothing")
    page = show(client, "/cache")
    assert f'<td class="number">{stats(app).stored}</td>' in page
    rows = re.findall(r'<th scope="row">([\w ]+)</th>', page)
    assert sorted(row.lower().replace(" ", "_") for row in rows) == sorted(
        Stats().as_dict()
    )
    assert '<a href="/modules/cmd">/modules/cmd</a>' in page
    assert "/modules/nothing" not in page


def test_the_cache_can_be_cleared(client: FlaskClient, reads: Counter[str]) -> None:
    cold = show(client, "/modules/cmd")
    assert client.post("/cache/clear").location == "/cache"
    reads.clear()
    assert show(client, "/modules/cmd") == cold
    assert reads.total() > 0


def test_applications_share_nothing(app: Flask) -> None:
    write(app.test_client(), "cmd", "Only here.")
    other = create_app()
    other.testing = True
    other.config["CACHE_IN_TESTING"] = True
    assert "Only here." not in show(other.test_client(), "/modules/cmd")


@pytest.mark.parametrize("debug", [True, False])
def test_in_debug_mode_pages_have_the_overlay(
    monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    # As `flask run --debug` does.
    monkeypatch.setenv("FLASK_DEBUG", str(int(debug)))
    page = create_app().test_client().get("/cache").text
    assert ("/overlay.js" in page) is debug
    assert ("<!-- cache miss" in page) is debug
