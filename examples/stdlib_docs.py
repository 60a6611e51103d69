"""A site that documents the standard library of the Python it runs on.

Run it with `flask --app examples/stdlib_docs.py run`. Everything slow on its pages
happens inside cache tags, so look for them in `templates/`:

- The sidebar in `layout.html` has grace periods: it says what happens after its
  timeout.
- The rows of `index.html` are a cached list.
- The notes in `module.html` have a hole for the form, and tags that `add_note`
  invalidates.

In this file, `look_up` is a search that is cached for each set of words, and
`list_modules` is a view that is cached as a whole.
"""

import platform
import secrets
import time
from collections import Counter, deque
from collections.abc import Mapping
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
INSPECTOR = "fragcache_inspector.page"
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
    """A note that a visitor wrote on a module."""

    author: str
    text: str


class Notes:
    """The notes of all visitors, kept in memory until the application ends."""

    def __init__(self) -> None:
        self._by_module: dict[str, deque[Note]] = {}
        self._written: Counter[str] = Counter()

    def add(self, module_name: str, note: Note) -> None:
        """Add a note, and drop the oldest one if the module has too many."""
        kept = self._by_module.setdefault(module_name, deque(maxlen=NOTES_KEPT))
        kept.appendleft(note)
        self._written[note.author] += 1

    def on(self, module_name: str) -> list[Note]:
        """Return the notes on a module, newest first."""
        return list(self._by_module.get(module_name, ()))

    def written_by(self, author: str) -> int:
        """Return the number of notes that a visitor has ever written."""
        return self._written[author]


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was shown, and how long it took."""

    path: str
    milliseconds: float


class Finding(TypedDict):
    """One result of a search, as texts, which are cheap to cache."""

    name: str
    module: str
    member: str
    about: str


class Findings(TypedDict):
    """The best matches of a search, and the total number of matches."""

    count: int
    nearest: list[Finding]


@dataclass(frozen=True, slots=True)
class Documentation:
    """The data that one application keeps besides its cache."""

    library: Library
    notes: Notes = field(default_factory=Notes)
    visits: deque[Visit] = field(default_factory=lambda: deque(maxlen=VISITS_KEPT))


def create_app(settings: Mapping[str, Any] | None = None) -> Flask:
    """Create the application, and import every module of the library.

    Args:
        settings: Settings of the cache, in place of those below.
    """
    app = Flask(__name__)
    # More than the longest note takes in any encoding.
    app.config["MAX_CONTENT_LENGTH"] = 16 * 1024
    # For the forms of the inspector. With several workers, they need the same one.
    app.secret_key = secrets.token_bytes()
    # Enough for the fragments of all pages. Old greetings and searches are evicted.
    defaults = {
        "CACHE_TYPE": "simple",
        "CACHE_THRESHOLD": 5000,
        # Only texts, numbers and lists of them are cached, so pickle is not needed.
        "CACHE_SERIALIZER": "json",
        # An edited template shows at once, and with `flask run --debug` even without a
        # restart.
        "CACHE_TEMPLATE_DIGEST": True,
        # In debug mode, an overlay shows what became of the fragments of each page.
        "CACHE_DEBUG_COMMENTS": app.debug,
        # The page about the cache links to it.
        "CACHE_INSPECTOR_ALLOW": is_on_this_machine,
    }
    cache.init_app(app, config={**defaults, **(settings or {})})
    app.extensions["stdlib_docs"] = Documentation(load_library())
    app.add_template_filter(summary)
    app.add_template_filter(counted)
    app.register_blueprint(pages)
    return app


def is_on_this_machine() -> bool:
    """Return whether the visitor uses the machine that the site runs on.

    The name of the host matters, too: a page of somebody else's may have one that leads
    to this machine.
    """
    names = {"localhost", "127.0.0.1"}
    return request.remote_addr == "127.0.0.1" and request.host.split(":")[0] in names


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 line", "2,630 lines"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def documentation() -> Documentation:
    """Return the data of the current application."""
    kept: Documentation = current_app.extensions["stdlib_docs"]
    return kept


def visitor() -> str:
    """Return the name that the visitor chose, or an empty text."""
    return request.cookies.get(NAME_COOKIE, "")[:LONGEST_NAME]


@pages.app_context_processor
def layout_values() -> dict[str, object]:
    """Return the variables of the layout. The library reads nothing until used."""
    kept = documentation()
    return {
        "library": kept.library,
        "notes": kept.notes,
        "visitor": visitor(),
        "longest_query": LONGEST_QUERY,
    }


@pages.before_request
def start_timer() -> None:
    """Record when work on a page starts."""
    g.started = time.perf_counter()


@pages.after_request
def note_visit(response: Response) -> Response:
    """Record how long a page took, for the page about the cache."""
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
    """Show a module: its documentation, its members, and the notes of visitors."""
    preview = "preview" in request.args
    return render_template("module.html", module=find_module(name), preview=preview)


@pages.post("/modules/<name>/note")
def add_note(name: str) -> Redirect:
    """Add a note, and invalidate every fragment that shows or counts it."""
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
    """Remember the visitor's name, or forget it if the field was empty."""
    response = redirect(url_for("pages.index"), HTTPStatus.SEE_OTHER)
    name = request.form.get("name", "").strip()[:LONGEST_NAME]
    if name:
        response.set_cookie(NAME_COOKIE, name, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(NAME_COOKIE, httponly=True, samesite="Lax")
    return response


@pages.get("/search")
def search() -> str:
    """Show everything with all words of a query in its name or documentation."""
    query = request.args.get("q", "").strip()[:LONGEST_QUERY]
    words = words_of(query)
    findings = look_up(words) if words else None
    return render_template("search.html", query=query, words=words, findings=findings)


@pages.get("/modules.json")
@cache.cached(timeout=3600)
def list_modules() -> tuple[dict[str, Any], dict[str, str]]:
    """List all modules as JSON, with their numbers of names and lines."""
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
    # The same list as a page for people (RFC 8288).
    link = f'<{url_for("pages.index")}>; rel="alternate"; type="text/html"'
    return answer, {"Link": link}


@pages.get("/cache")
def show_cache() -> str:
    """Show the counters of the cache, and how long the latest pages took."""
    return render_template(
        "cache.html",
        stats=cache.stats(),
        visits=documentation().visits,
        has_inspector=INSPECTOR in current_app.view_functions and is_on_this_machine(),
        inspector=INSPECTOR,
    )


@pages.post("/cache/clear")
def clear_cache() -> Redirect:
    """Clear the cache, so that the next pages are slow again."""
    cache.clear()
    return redirect(url_for("pages.show_cache"), HTTPStatus.SEE_OTHER)


@pages.post("/cache/forget-searches")
def forget_searches() -> Redirect:
    """Delete the cached results of all searches, and nothing else."""
    cache.delete_memoized(look_up)
    return redirect(url_for("pages.show_cache"), HTTPStatus.SEE_OTHER)


@pages.app_errorhandler(HTTPStatus.NOT_FOUND)
def show_missing(_error: Exception) -> tuple[str, int]:
    """Show the page for "404 Not Found"."""
    return render_template("missing.html"), HTTPStatus.NOT_FOUND


def find_module(name: str) -> Module:
    """Return a module, or abort the request with "404 Not Found"."""
    module = documentation().library.get(name)
    if module is None:
        abort(HTTPStatus.NOT_FOUND)
    return module


def words_of(query: str) -> tuple[str, ...]:
    """Return the different words of a query, sorted.

    So queries with the same words share one cached result.
    """
    words = dict.fromkeys(query.casefold().split())
    return tuple(sorted(islice(words, MOST_WORDS)))


# Visitors may search for anything. So queries and results have a maximum size, and the
# store first evicts the results that nobody has asked for again.
@cache.memoize(timeout=3600)
def look_up(words: tuple[str, ...]) -> Findings:
    """Search the library. This reads all of it, so it is slow."""
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
