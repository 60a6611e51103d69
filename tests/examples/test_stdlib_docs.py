from collections import Counter
from collections.abc import Callable
from typing import Any

import library
import pytest
from flask import Flask
from flask.testing import FlaskClient
from stdlib_docs import (
    LONGEST_NAME,
    LONGEST_NOTE,
    NAME_COOKIE,
    NOTES_KEPT,
    Note,
    Notes,
    cache,
    create_app,
)

from jinja_fragcache import Stats

PATHS = ["/", "/modules/cmd", "/modules/json", "/modules/sys"]


@pytest.fixture
def app() -> Flask:
    app = create_app()
    app.testing = True
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


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


def show(client: FlaskClient, path: str) -> str:
    response = client.get(path)
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
def test_modules_of_all_sorts_have_a_page(client: FlaskClient, name: str) -> None:
    assert f"<h1><code>{name}</code></h1>" in show(client, f"/modules/{name}")


@pytest.mark.parametrize(
    "path", ["/modules/this", "/modules/nothing", "/modules/%3Cb%3E", "/nothing"]
)
def test_what_is_missing_has_a_page_in_the_layout(
    client: FlaskClient, path: str
) -> None:
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


def test_a_note_drops_no_other_module_s_notes(client: FlaskClient, app: Flask) -> None:
    show(client, "/modules/cmd")
    show(client, "/modules/queue")
    write(client, "cmd", "One.")
    before = stats(app)
    assert "One." not in show(client, "/modules/queue")
    assert stats(app).misses == before.misses
    assert "A visitor" in show(client, "/modules/cmd")
    assert stats(app).misses == before.misses + 1


def test_notes_and_names_are_escaped(app: Flask) -> None:
    client = visitor(app, "<i>")
    write(client, "cmd", "<script>alert(1)</script>")
    for _ in range(2):
        page = show(client, "/modules/cmd")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<strong>&lt;i&gt;</strong>" in page
        assert "<script" not in page
        assert "<i>" not in page


def test_an_empty_note_is_none_and_a_long_one_is_cut(
    client: FlaskClient, app: Flask
) -> None:
    write(client, "cmd", "  ")
    assert stats(app).deleted == 0
    write(client, "cmd", "y" * 600)
    page = show(client, "/modules/cmd")
    assert page.count("<blockquote>") == 1
    assert "y" * LONGEST_NOTE in page
    assert "y" * (LONGEST_NOTE + 1) not in page


def test_a_note_on_no_module_is_not_kept(client: FlaskClient) -> None:
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


def test_a_preview_reads_anew_and_leaves_the_cache_alone(
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


def test_the_page_on_the_cache(client: FlaskClient, app: Flask) -> None:
    assert "None yet" in show(client, "/cache")
    show(client, "/modules/cmd")
    client.get("/modules/nothing")
    page = show(client, "/cache")
    assert f'<td class="number">{stats(app).stored}</td>' in page
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
    assert "Only here." not in show(other.test_client(), "/modules/cmd")
