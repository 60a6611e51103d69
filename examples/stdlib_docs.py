"""A site that documents the standard library of the Python it runs on.

Run it with `flask --app examples/stdlib_docs.py run`. What is costly on its pages is
read inside of cache tags, so look for those in `templates/`. The one around the sidebar
in `layout.html` says what happens when its time is over. The rows of `index.html` are
cached as a list. The notes in `module.html` have a hole for the form, and tags that
`add_note` invalidates. A search is a function that is cached for each set of words
(`look_up`), and the list for programs a view that is cached as a whole
(`list_modules`).
"""

import platform
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any, TypedDict

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from library import Library, Module, load_library, summary
from werkzeug.wrappers import Response as Redirect

from jinja_fragcache import Cache

NAME_COOKIE = "name"
LONGEST_NAME = 40
LONGEST_NOTE = 500
NOTES_KEPT = 50
VISITS_KEPT = 12
LONGEST_QUERY = 80
MOST_WORDS = 5
MOST_FINDINGS = 50

cache = Cache()
pages = Blueprint("pages", __name__)


@dataclass(frozen=True, slots=True)
class Note:
    """What a visitor wrote on a module."""

    author: str
    text: str


class Notes:
    """The notes of all visitors, kept until the application ends."""

    def __init__(self) -> None:
        self._by_module: dict[str, deque[Note]] = {}
        self._written: Counter[str] = Counter()

    def add(self, module_name: str, note: Note) -> None:
        """Keep a note, and forget the oldest if there are many on the module."""
        kept = self._by_module.setdefault(module_name, deque(maxlen=NOTES_KEPT))
        kept.appendleft(note)
        self._written[note.author] += 1

    def on(self, module_name: str) -> list[Note]:
        """Give the notes on a module, the newest first."""
        return list(self._by_module.get(module_name, ()))

    def written_by(self, author: str) -> int:
        """Count the notes that a visitor ever wrote."""
        return self._written[author]


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was shown, and how long making it took."""

    path: str
    milliseconds: float


class Finding(TypedDict):
    """What a search found, as it is cached: as texts."""

    name: str
    module: str
    member: str
    about: str


class Findings(TypedDict):
    """The nearest of what a search found, and how many there are in all."""

    count: int
    nearest: list[Finding]


@dataclass(frozen=True, slots=True)
class Documentation:
    """What one application keeps besides its cache."""

    library: Library
    notes: Notes = field(default_factory=Notes)
    visits: deque[Visit] = field(default_factory=lambda: deque(maxlen=VISITS_KEPT))


def create_app() -> Flask:
    """Make the application, with every module of the library imported."""
    app = Flask(__name__)
    # Longer than the longest note in every encoding.
    app.config["MAX_CONTENT_LENGTH"] = 16 * 1024
    # Enough for the fragments of all pages. Greetings and searches come and go.
    settings = {
        "CACHE_TYPE": "simple",
        "CACHE_THRESHOLD": 5000,
        # What is cached here is texts, numbers and lists of them: no need to pickle.
        "CACHE_SERIALIZER": "json",
        # Who edits a template sees it at once, with `flask run --debug` also without a
        # restart.
        "CACHE_TEMPLATE_DIGEST": True,
    }
    cache.init_app(app, config=settings)
    app.extensions["stdlib_docs"] = Documentation(load_library())
    app.add_template_filter(summary)
    app.add_template_filter(counted)
    app.register_blueprint(pages)
    return app


def counted(number: int, noun: str) -> str:
    """Write a number of things: "1 line", "2,630 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def documentation() -> Documentation:
    """Give what the current application keeps."""
    kept: Documentation = current_app.extensions["stdlib_docs"]
    return kept


def visitor() -> str:
    """Give the name that the visitor chose, or nothing."""
    return request.cookies.get(NAME_COOKIE, "")[:LONGEST_NAME]


@pages.app_context_processor
def layout_values() -> dict[str, object]:
    """Give what the layout needs. The library reads when it is asked, not before."""
    kept = documentation()
    return {
        "library": kept.library,
        "notes": kept.notes,
        "visitor": visitor(),
        "longest_query": LONGEST_QUERY,
    }


@pages.before_request
def start_timer() -> None:
    """Note when work on a page starts."""
    g.started = time.perf_counter()


@pages.after_request
def note_visit(response: Response) -> Response:
    """Note how long a page took, for the page on the cache."""
    shown = request.method == "GET" and response.status_code == HTTPStatus.OK
    if shown and request.endpoint != "pages.show_cache":
        milliseconds = (time.perf_counter() - g.started) * 1000
        documentation().visits.appendleft(Visit(request.path, milliseconds))
    return response


@pages.get("/")
def index() -> str:
    """Show the list of modules."""
    return render_template("index.html", python=platform)


@pages.get("/modules/<name>")
def show_module(name: str) -> str:
    """Show a module: what it is for, what is in it, and what visitors wrote."""
    preview = "preview" in request.args
    return render_template("module.html", module=find_module(name), preview=preview)


@pages.post("/modules/<name>/note")
def add_note(name: str) -> Redirect:
    """Keep a note, and invalidate what shows it or counts it, on whatever page."""
    module = find_module(name)
    text = request.form.get("text", "").strip()[:LONGEST_NOTE]
    if text:
        author = visitor()
        documentation().notes.add(name, Note(author, text))
        cache.invalidate_tags(f"notes:{name}", f"author:{author}")
    page = url_for("pages.show_module", name=module.name, _anchor="notes")
    return redirect(page, HTTPStatus.SEE_OTHER)


@pages.post("/name")
def choose_name() -> Redirect:
    """Remember the visitor's name, or forget it if none was written."""
    response = redirect(url_for("pages.index"), HTTPStatus.SEE_OTHER)
    name = request.form.get("name", "").strip()[:LONGEST_NAME]
    if name:
        response.set_cookie(NAME_COOKIE, name, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(NAME_COOKIE, httponly=True, samesite="Lax")
    return response


@pages.get("/search")
def search() -> str:
    """Show what has all words of a query in its name or documentation."""
    query = request.args.get("q", "").strip()[:LONGEST_QUERY]
    words = words_of(query)
    findings = look_up(words) if words else None
    return render_template("search.html", query=query, words=words, findings=findings)


@pages.get("/modules.json")
@cache.cached(timeout=3600)
def list_modules() -> tuple[dict[str, Any], dict[str, str]]:
    """List all modules for programs, with what can be counted in them."""
    modules = [
        {
            "name": module.name,
            "about": summary(module.documentation()),
            "names": len(module.members()),
            "lines": module.line_count(),
            "page": url_for("pages.show_module", name=module.name),
        }
        for module in documentation().library
    ]
    answer = {
        "python": platform.python_version(),
        "count": len(modules),
        "modules": modules,
    }
    # Where people find the same (RFC 8288).
    link = f'<{url_for("pages.index")}>; rel="alternate"; type="text/html"'
    return answer, {"Link": link}


@pages.get("/cache")
def show_cache() -> str:
    """Show what the cache has done, and how long the latest pages took."""
    return render_template(
        "cache.html", stats=cache.stats(), visits=documentation().visits
    )


@pages.post("/cache/clear")
def clear_cache() -> Redirect:
    """Empty the cache, so that the next pages are slow again."""
    cache.clear()
    return redirect(url_for("pages.show_cache"), HTTPStatus.SEE_OTHER)


@pages.post("/cache/forget-searches")
def forget_searches() -> Redirect:
    """Delete what was found for all queries, and nothing else."""
    cache.delete_memoized(look_up)
    return redirect(url_for("pages.show_cache"), HTTPStatus.SEE_OTHER)


@pages.app_errorhandler(HTTPStatus.NOT_FOUND)
def show_missing(_error: Exception) -> tuple[str, int]:
    """Say that there is no such page."""
    return render_template("missing.html"), HTTPStatus.NOT_FOUND


def find_module(name: str) -> Module:
    """Give a module, or end the request with the page for what is missing."""
    module = documentation().library.get(name)
    if module is None:
        abort(HTTPStatus.NOT_FOUND)
    return module


def words_of(query: str) -> tuple[str, ...]:
    """Give the words of a query in an order of their own, each once.

    So queries that ask for the same share what was found.
    """
    words = dict.fromkeys(query.casefold().split())
    return tuple(sorted(islice(words, MOST_WORDS)))


# Visitors may ask for anything. So what they ask and what they are given have a largest
# size, and the store throws out first what nobody asked for again.
@cache.memoize(timeout=3600)
def look_up(words: tuple[str, ...]) -> Findings:
    """Search the library, which means to read all of it."""
    found = documentation().library.search(words)
    nearest = [
        Finding(
            name=place.name,
            module=place.module_name,
            member=place.member_name,
            about=summary(place.documentation()),
        )
        for place in found[:MOST_FINDINGS]
    ]
    return Findings(count=len(found), nearest=nearest)
