"""What the guard tells to write works when it is pasted."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask, g, render_template, session
from jinja2 import DictLoader

from jinja_fragcache import Cache, UncoveredReadError
from jinja_fragcache.check.rules import ERROR, RULES
from tests.check.support import findings
from tests.flask.personal import (
    FUNCTIONS,
    NAMES,
    TEMPLATES,
    WAYS,
    PersonalSite,
    Way,
)

# What views have in their key, or what keeps their answers from being shared before.
OF_VIEWS = {
    *("g.user", "request.user", "request.headers.authorization", "request.path"),
    "request.view_args.who",
}
# What the check calls a leak. A note is none.
LEAKS = [code for code, rule in RULES.items() if rule.level == ERROR]
IN_KEYS = [way for way in WAYS if way.key and way.read not in {"tenant", "cart"}]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> PersonalSite:
    """Return a site in debug mode."""
    made = PersonalSite(Cache(), tmp_path_factory.mktemp("site"), debug=True)
    made.app.config["PROPAGATE_EXCEPTIONS"] = True
    return made


def told(site: PersonalSite, way: Way, who: str) -> str:
    with pytest.raises(UncoveredReadError) as caught:
        site.visit(way, "fragment", who, site.client(way, who))
    return str(caught.value)


@pytest.mark.parametrize("first", ["ann", "bob"])
@pytest.mark.parametrize("way", IN_KEYS, ids=lambda way: way.name)
def test_the_tag_of_the_message_keeps_each_user_s_text(
    site: PersonalSite, way: Way, first: str
) -> None:
    with site.app.app_context():
        site.cache.clear()
    name = f"fragment-{WAYS.index(way)}"
    loader: Any = site.app.jinja_loader
    source = loader.mapping[name]
    tag = re.search(r"Write (\{% cache .*? %\})", told(site, way, first))
    assert tag is not None
    try:
        page = re.sub(r"\{% cache .*? %\}", lambda _: tag[1], source)
        loader.mapping[name] = page
        told_by_check = findings({**TEMPLATES, "page.html": page}, LEAKS)
        assert not [each for each in told_by_check if each.template == "page.html"]
        before = site.cache.stats()
        users = ("ann", "bob", "ann", "bob")
        texts = [
            site.visit(way, "fragment", who, site.client(way, who)) for who in users
        ]
        assert texts[:2] == texts[2:]
        assert texts[0] != texts[1]
        after = site.cache.stats()
        assert (after.stored - before.stored, after.hits - before.hits) == (2, 2)
    finally:
        loader.mapping[name] = source


@pytest.mark.parametrize("form", ["helper", "view", "memoize"])
@pytest.mark.parametrize("way", IN_KEYS, ids=lambda way: way.name)
def test_the_key_of_the_message_keeps_each_user_s_text(
    site: PersonalSite, monkeypatch: pytest.MonkeyPatch, way: Way, form: str
) -> None:
    if form == "view" and (way.read in OF_VIEWS or way.enter == "remember"):
        pytest.skip("The guard has nothing to tell.")
    if form not in way.covered_in or "POST" in str(way.options("bob")):
        pytest.skip("It can't be in the key.")
    with pytest.raises(UncoveredReadError) as caught:
        site.visit(way, form, "ann", site.client(way, "ann"))
    found = re.search(r"Write (.*?)(?: \(from |, or allow=)", str(caught.value))
    assert found is not None, caught.value
    key = found[1].partition("make_cache_key=" if form == "view" else "key_prefix=")[2]
    if form == "memoize":
        arguments = re.search(r"\.\.\., (.*)\), with a parameter", found[1])
        assert arguments is not None
        key = f"lambda: [{arguments[1]}]"
    if "query_string=True" in found[1]:
        key = "lambda: repr(sorted(request.args.items()))"
    else:
        key = key.removesuffix(")") if form != "memoize" else key
    names = {**NAMES, **FUNCTIONS, "sha256": sha256}
    monkeypatch.setattr(site, "_value", lambda _: eval(key, names)())  # noqa: S307
    users = ("ann", "bob", "ann", "bob")
    before = site.cache.stats()
    texts = [
        site.visit(way, form, who, site.client(way, who), covered=True) for who in users
    ]
    assert texts[:2] == texts[2:]
    assert texts[0] != texts[1]
    after = site.cache.stats()
    assert (after.stored - before.stored, after.hits - before.hits) == (2, 2)


class Cart:
    """An object that nothing identifies."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __str__(self) -> str:
        return f"cart of {self.owner}"


def _remembering() -> dict[str, Any]:
    owner = session.get("name")
    return {"made": lambda: owner}


def make_page(source: str, given: Callable[[], dict[str, Any]] = dict) -> Flask:
    """Return an application in debug mode that shows one page for each `/<who>`."""
    app = Flask("page")
    app.secret_key, app.debug = "for tests", True
    app.jinja_loader = DictLoader({"page.html": source})
    app.context_processor(given)
    Cache(app, config={"CACHE_TYPE": "SimpleCache"})

    @app.route("/<who>")
    def page(who: str) -> str:
        session.update(name=who, csrf_token=f"token of {who}")
        return render_template("page.html")

    return app


def mended(source: str, message: str) -> str:
    """Return a page with the tag, or with the hole, that a message tells."""
    tag = re.search(r"Write (\{% cache .*? %\})", message)
    if tag:
        return re.sub(r"\{% cache .*? %\}", lambda _: tag[1], source)
    assert "Put it into {% nocache %}" in message
    start, body = re.findall(r"(.*? %\})(.*)\{% endcache %\}", source)[0]
    return f"{start}{{% nocache %}}{body}{{% endnocache %}}{{% endcache %}}"


TAG = "{% cache 300, 'x' %}"
PASTED: list[Any] = [
    pytest.param(TAG, "{{ request.view_args }}", dict, id="all arguments of a view"),
    pytest.param(
        "{% cache 300, 'x', vary_on=none %}", "{{ session.name }}", dict, id="no values"
    ),
    pytest.param(TAG, "{{ dict(session).name }}", dict, id="a session with a token"),
    pytest.param(
        TAG,
        "{{ made }}",
        lambda: {"made": Cart(session.get("name"))},
        id="an object without an identity",
    ),
    pytest.param(TAG, "{{ made() }}", _remembering, id="a closure"),
    pytest.param(
        TAG,
        "{{ made|list }}",
        lambda: {"made": (each for each in session["name"])},
        id="a generator",
    ),
    *(
        pytest.param(TAG, "{{ " + body + " }}", dict, id=body)
        for body in (
            "request.headers['User-Agent']",
            "request.query_string",
            "request.referrer",
            "request.get_data()",
            "request.accept_languages.best_match(['en', 'de'])",
            "request.user_agent.string",
            "request.blueprints",
            "session.permanent",
            "request.cookies.session",
            "request.url_rule",
            "request.full_path",
            "request.args",
        )
    ),
]


@pytest.mark.parametrize(("tag", "body", "given"), PASTED)
def test_what_the_message_tells_works_at_once(
    tag: str, body: str, given: Callable[[], dict[str, Any]]
) -> None:
    source = f"{tag}{body}{{% endcache %}}"
    with pytest.raises(UncoveredReadError) as caught:
        get_page(make_page(source, given), "ann")
    page = mended(source, str(caught.value))
    assert not findings(page, LEAKS)
    app = make_page(page, given)
    for who in ("ann", "bob", "ann"):
        assert get_page(app, who) == get_page(make_page(body, given), who)


def get_page(app: Flask, who: str) -> str:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app.test_client().get(f"/{who}").text


def test_an_object_that_notes_its_reads_is_told_without_the_attributes_of_rows() -> (
    None
):
    def given() -> dict[str, Any]:
        return {"made": g._get_current_object(), "name": session.get("name")}

    with pytest.raises(
        UncoveredReadError, match=r"Its body reads made \(page.html:1\),"
    ):
        get_page(make_page(f"{TAG}{{{{ made }}}}{{% endcache %}}", given), "ann")
