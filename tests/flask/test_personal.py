"""No way in which a page can be personal shows one user's text to another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask_caching
import pytest
from flask import Flask, current_app, g, render_template_string, session
from flask_babel import Babel, gettext
from flask_login import LoginManager

from jinja_fragcache import Cache, UncoveredReadError
from tests.flask.personal import ANN, BOB, FORMS, WAYS, PersonalSite, User, Way

# Whose text is another each time, also for the same user.
TOKENS = ("csrf_token", "flashed messages")
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
forms = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> PersonalSite:
    return PersonalSite(Cache(), tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def strict_site(tmp_path_factory: pytest.TempPathFactory) -> PersonalSite:
    return PersonalSite(Cache(), tmp_path_factory.mktemp("strict"), debug=True)


@pytest.fixture(scope="module")
def uncached(tmp_path_factory: pytest.TempPathFactory) -> PersonalSite:
    folder = tmp_path_factory.mktemp("uncached")
    return PersonalSite(Cache(), folder, CACHE_TYPE="null", CACHE_NO_NULL_WARNING=True)


def both(site: PersonalSite, way: Way, form: str, **options: Any) -> list[str]:
    """Return what the two users see, one after the other."""
    return [
        site.visit(way, form, who, site.client(way, who), **options)
        for who in (ANN, BOB)
    ]


@ways
@forms
def test_the_second_user_never_sees_the_text_of_the_first(
    site: PersonalSite, uncached: PersonalSite, way: Way, form: str
) -> None:
    expected = both(uncached, way, form)
    assert expected[0] != expected[1]
    shown = both(site, way, form)
    if way.read in TOKENS:
        assert shown[0] != shown[1]
    else:
        assert shown == expected


# A view that is not a GET is not cached, others have what they show in their key,
# which is the path, and of these the answer tells that it is for one user: it sets a
# cookie, or the session was used.
OTHER_VIEWS = {
    *("request.form.q", "request.json", "request.data", "request.method"),
    *("request.path", "request.view_args.who"),
    *(
        "csrf_token",
        "flashed messages",
        "g.user",
        "request.user",
        "request.headers.authorization",
    ),
}


def is_error(way: Way, form: str) -> bool:
    """Return whether what is not in the key is an error in a strict cache."""
    is_other = way.read in OTHER_VIEWS or way.enter == "remember" or "pop" in way.name
    return form != "view" or not is_other


@ways
@forms
def test_in_debug_mode_it_is_an_error_that_names_what_was_read(
    strict_site: PersonalSite, way: Way, form: str
) -> None:
    if not is_error(way, form):
        texts = both(strict_site, way, form)
        assert texts[0] != texts[1]
        return
    with pytest.raises(UncoveredReadError) as raised:
        both(strict_site, way, form)
    assert way.read in str(raised.value)
    if form == "fragment":
        assert f"{form}-{WAYS.index(way)}, line 1: the fragment" in str(raised.value)
    else:
        assert "(): the value is not cached. Its body reads" in str(raised.value)


COVERED = [way for way in WAYS if way.key]


@pytest.mark.parametrize("way", COVERED, ids=lambda way: way.name)
@forms
def test_with_it_in_the_key_both_texts_are_cached(
    strict_site: PersonalSite, uncached: PersonalSite, way: Way, form: str
) -> None:
    if form not in way.covered_in:
        with pytest.raises(UncoveredReadError):
            both(strict_site, way, form, covered=True)
        return
    expected = both(uncached, way, form, covered=True)
    assert both(strict_site, way, form, covered=True) == expected
    before = strict_site.cache.stats()
    hits, stored = before.hits, before.stored
    assert both(strict_site, way, form, covered=True) == expected
    after = strict_site.cache.stats()
    assert (after.hits - hits, after.stored - stored) == (2, 0)


# What is the same for all users.
QUIET = {
    "a connection in `g`": "{{ g.db and 1 }}",
    "`config`": "{{ config.DEBUG }}",
    "`url_for` to a path": "{{ url_for('enter', who='x') }}",
    "`url_for` to a static file": "{{ url_for('static', filename='a.css') }}",
    "a constant of a context processor": "{{ site }}",
    "an object that the application holds": "{{ shop.name }}",
    "a function of a context processor": "{{ money(5) }}",
    "a global": "{{ range(3)|list }}",
    "a variable of the page": "{{ title }}",
    "a hole": "{% nocache %}{{ current_user.name }}{% endnocache %}",
    "Flask-Babel without a function that selects": "{{ _('Hello') }}",
}


@pytest.fixture(scope="module")
def plain_site() -> tuple[Flask, Cache]:
    app = Flask(__name__)
    app.secret_key = "for tests"
    app.debug = True
    app.extensions["shop"] = Shop()
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    Babel(app)
    LoginManager(app).user_loader(User)
    app.jinja_env.globals["_"] = gettext
    app.context_processor(names)
    app.add_url_rule("/enter/<who>", "enter", str)

    @app.before_request
    def connect() -> None:
        g.db = object()
        g.user = session.get("name")

    for number, body in enumerate(QUIET.values()):
        tag = f"{{% cache 300, 'quiet-{number}' %}}{body}{{% endcache %}}"
        helper = cache.cached(key_prefix=f"h{number}")(showing(body))
        app.add_url_rule(f"/fragment/{number}", f"f{number}", showing(tag))
        app.add_url_rule(f"/helper/{number}", f"h{number}", helper)
    return app, cache


def showing(source: str) -> Callable[[], str]:
    return lambda: render_template_string(source, title="Title")


class Shop:
    name = "Shop"


def names() -> dict[str, Any]:
    return {
        "site": "Shop",
        "shop": current_app.extensions["shop"],
        "money": lambda number: f"{number} EUR",
        "cart": session.get("cart"),
    }


@pytest.mark.parametrize("form", ["fragment", "helper"])
@pytest.mark.parametrize("name", QUIET)
def test_what_is_the_same_for_all_is_stored_without_a_warning(
    plain_site: tuple[Flask, Cache],
    name: str,
    form: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if form == "helper" and name == "a hole":
        pytest.skip("A function has no holes.")
    app, cache = plain_site
    before = cache.stats().stored
    url = f"/{form}/{list(QUIET).index(name)}"
    assert app.test_client().get(url).status_code == 200
    assert cache.stats().stored == before + 1
    assert caplog.records == []


def test_the_endpoint_is_in_the_key_of_a_fragment_without_a_name(
    plain_site: tuple[Flask, Cache],
) -> None:
    app, cache = plain_site
    before = cache.stats().stored
    with app.test_request_context():
        render_template_string("{% cache 300 %}{{ request.endpoint }}{% endcache %}")
    assert cache.stats().stored == before + 1


HEAD = "| what is shown | fragment | view | helper | memoize | with Flask-Caching |"
PAGE = Path(__file__).parents[2] / "docs" / "guard.md"


@pytest.fixture(scope="module")
def other_site(tmp_path_factory: pytest.TempPathFactory) -> PersonalSite:
    return PersonalSite(flask_caching.Cache(), tmp_path_factory.mktemp("other"))


def leaks(site: PersonalSite, way: Way, form: str) -> bool:
    """Return whether the second user is shown the text of the first."""
    first, second = both(site, way, form)
    return first == second


def outcome(site: PersonalSite, way: Way, form: str) -> str:
    before = site.cache.stats().stored
    assert not leaks(site, way, form)
    return "in its key" if site.cache.stats().stored > before else "not stored"


def told(leaking: list[str]) -> str:
    """Return what the table says of Flask-Caching."""
    if len(leaking) == len(FORMS):
        return "all four leak"
    return f"{', '.join(leaking)} leak" if leaking else "none leaks"


@pytest.mark.filterwarnings("ignore")  # Flask-Caching's own.
def test_the_documentation_has_the_table_of_all_ways(
    tmp_path: Path, other_site: PersonalSite
) -> None:
    ours = PersonalSite(Cache(), tmp_path)
    rows = [HEAD, "|---|---|---|---|---|---|"]
    number = 0
    for way in WAYS:
        leaking = [form for form in FORMS if leaks(other_site, way, form)]
        number += len(leaking)
        cells = [way.name, *(outcome(ours, way, form) for form in FORMS), told(leaking)]
        rows.append(f"| {' | '.join(cells)} |")
    page = PAGE.read_text("utf-8")
    readme = (PAGE.parents[1] / "README.md").read_text("utf-8")
    assert f"[{len(WAYS)} ways to be personal]" in readme
    assert "\n".join(rows) in page
    total = len(WAYS) * len(FORMS)
    assert f"with Flask-Caching in {number} of {total} cases, here in none" in page
