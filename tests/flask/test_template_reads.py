"""What templates read through what Flask gives them is noted."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    flash,
    g,
    get_flashed_messages,
    render_template,
    render_template_string,
    request,
    session,
    url_for,
)
from jinja2 import DictLoader
from jinja2.runtime import Context

from jinja_fragcache.flask.template_reads import watch_app
from jinja_fragcache.render import tag_guard
from tests.flask.support import Site


def stored(site: Site, body: str, **options: Any) -> int:
    """Return how many entries a request stores for a fragment with a body."""
    before = site.cache.stats().stored
    source = "{% cache 60, 'n' %}" + body + "{% endcache %}"
    with site.app.test_request_context(**options):
        session["cart"] = 3
        render_template_string(source)
    return site.cache.stats().stored - before


@pytest.fixture(autouse=True)
def route(site: Site) -> None:
    site.app.add_url_rule("/page", "page", lambda: "")


@pytest.mark.parametrize(
    ("body", "options", "expected"),
    [
        ("{{ url_for('page') }}", {}, 1),
        ("{{ url_for('page', _external=true) }}", {}, 0),
        ("{{ url_for('page', next='//x') }}", {}, 1),
        ("{{ url_for('page') }}", {"base_url": "http://localhost/root"}, 0),
        ("{{ get_flashed_messages() }}", {}, 0),
        ("{{ config.DEBUG }}", {}, 1),
    ],
)
def test_functions_of_flask_that_show_the_request_are_noted(
    site: Site, body: str, options: dict[str, Any], expected: int
) -> None:
    assert stored(site, body, **options) == expected


@pytest.mark.parametrize(
    ("body", "is_named"),
    [
        ("{{ url_for('.page') }}", True),
        ("{{ url_for('.page') }}", False),
        ("{{ request.endpoint }}", False),
        ("{{ request.blueprint }}", False),
        ("{{ request.blueprints[0] }}", False),
    ],
)
def test_a_template_of_several_pages_shows_each_its_own(
    site: Site, body: str, is_named: bool
) -> None:
    tag = "{% cache 60, 'n' %}" if is_named else "{% cache 60 %}"
    templates = {"kept": tag + body + "{% endcache %}", "plain": body}
    site.app.jinja_env.loader = DictLoader(templates)

    for name in ("posts", "users"):
        blueprint = Blueprint(name, __name__, url_prefix=f"/{name}")
        blueprint.add_url_rule("/", "page", lambda: render_template(request.args["of"]))
        site.app.register_blueprint(blueprint)
    expected = site.get("/posts/?of=plain", "/users/?of=plain")
    assert expected[0] != expected[1]
    for _ in range(2):
        assert site.get("/posts/?of=kept", "/users/?of=kept") == expected
    assert site.get("/users/?of=kept") == expected[1:]
    # Two pages in turn replace each other's entry.
    assert (site.cache.stats().stored, site.cache.stats().hits) == (4, 1)


def test_what_url_defaults_read_shows_in_the_url(site: Site) -> None:
    site.app.add_url_rule("/<language>/page", "localized", lambda: "")

    @site.app.url_defaults
    def add_language(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "localized":
            values["language"] = g.language

    source = "{% cache 60, 'n' %}{{ url_for(page) }}{% endcache %}"
    with site.app.test_request_context():
        g.language = "de"
        assert render_template_string(source, page="localized") == "/de/page"
        assert site.cache.stats().stored == 0
        assert render_template_string(source, page="page") == "/page"
        assert site.cache.stats().stored == 1


@pytest.mark.parametrize(
    "shown",
    [
        "{{ messages[0] }}",
        "{% for message in messages %}{{ message }}{% endfor %}",
        "{% if messages %}new{% endif %}",
        "{{ messages }}",
        "{{ messages|join }}",
    ],
)
def test_messages_that_are_asked_for_before_the_body_are_noted(
    site: Site, shown: str
) -> None:
    source = "{% with messages = get_flashed_messages() %}{% cache 60, 'n' %}"
    with site.app.test_request_context():
        flash("Hello")
        render_template_string(f"{source}{shown}{{% endcache %}}{{% endwith %}}")
    assert site.cache.stats().stored == 0


@pytest.mark.parametrize(
    "method", ["session.get", "g.get", "request.args.getlist", "request.view_args.get"]
)
def test_a_method_that_the_template_took_before_the_body_notes_what_it_reads(
    site: Site, method: str
) -> None:
    source = (
        f"{{% for read in [{method}] %}}{{% cache 60, 'n' %}}{{{{ read('cart') }}}}"
        "{% endcache %}{% endfor %}"
    )

    @site.app.get("/of/<cart>")
    def of_cart(cart: str) -> str:
        session["cart"] = g.cart = cart
        return render_template_string(source)

    ann, bob = site.get("/of/ann?cart=ann", "/of/bob?cart=bob")
    assert ("ann" in ann, "bob" in bob) == (True, True)
    assert site.cache.stats().stored == 0


def cart() -> dict[str, Any]:
    return {"site": "Shop", "cart": session["cart"]}


def late(site: Site) -> None:
    site.app.template_context_processors[None].append(cart)


def early(site: Site) -> None:
    site.app.context_processor(cart)


@pytest.mark.parametrize("add", [early, late])
def test_a_name_that_a_context_processor_made_of_the_session_is_noted(
    site: Site, add: Callable[[Site], None]
) -> None:
    add(site)
    assert stored(site, "{{ site }}") == 1
    site.cache.clear()
    assert stored(site, "{{ cart }}") == 0


def test_a_name_that_the_view_gives_itself_is_not_the_processor_s(site: Site) -> None:
    site.app.context_processor(cart)
    source = "{% cache 60, 'n' %}{{ cart }}{% endcache %}"
    with site.app.test_request_context():
        session["cart"] = 3
        assert render_template_string(source, cart="all") == "all"
    assert site.cache.stats().stored == 1


def test_a_template_that_a_body_includes_is_seen(site: Site) -> None:
    site.app.context_processor(cart)
    included = site.app.jinja_env.from_string("{{ cart }}")
    site.app.jinja_env.globals["included"] = included
    assert stored(site, "{% include included %}") == 0


def test_an_application_is_watched_once(site: Site) -> None:
    wrapped = site.app.url_for
    watch_app(site.app)
    assert site.app.url_for == wrapped


def test_outside_of_bodies_the_functions_are_as_before() -> None:
    app = Flask(__name__)
    app.secret_key = "for tests"
    app.add_url_rule("/page", "page", lambda: "")
    watch_app(app)
    with app.test_request_context():
        assert url_for("page") == "/page"
        assert get_flashed_messages() == []
        assert render_template_string("{{ url_for('page') }}") == "/page"


@pytest.mark.parametrize(
    "source",
    [
        "{% macro shown() %}{{ cart }}{% endmacro %}<<{{ shown() }}>>",
        "{% import 'macros' as macros with context %}<<{{ macros.shown() }}>>",
        "{% extends 'layout' %}{% block main %}<<{{ super() }}>>{% endblock %}",
    ],
)
def test_a_name_that_is_read_in_a_macro_or_in_super_is_seen(
    site: Site, source: str
) -> None:
    site.app.context_processor(cart)
    site.app.jinja_env.loader = DictLoader(
        {
            "macros": "{% macro shown() %}{{ cart }}{% endmacro %}",
            "layout": "{% block main %}{{ cart }}{% endblock %}",
            "page": source.replace("<<", "{% cache 60, 'n' %}").replace(
                ">>", "{% endcache %}"
            ),
        }
    )
    with site.app.test_request_context():
        session["cart"] = 3
        assert render_template("page") == "3"
    assert site.cache.stats().stored == 0


def test_a_class_of_contexts_of_the_application_is_kept() -> None:
    class Own(Context):
        def resolve_or_missing(self, key: str) -> Any:
            return "own" if key == "cart" else super().resolve_or_missing(key)

    app = Flask(__name__)
    app.jinja_env.context_class = Own
    watch_app(app)
    with app.test_request_context():
        assert render_template_string("{{ cart }}") == "own"


SET = "{% set u = session.cart %}"


@pytest.mark.parametrize("is_around", [False, True])
@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ("session.cart", "session.cart"),
        ("session['cart']", "u"),
        ("session.get('cart')", "session.get('cart')"),
        ("session.cart|default(0)", "u"),
        ("session|length", "session|dictsort"),
        ("request.args.page or 1", "request.args.get('page')"),
        ("request.args.get('page', 1)", "u"),
        ("request.cookies.theme", "request.cookies.theme"),
        ("request.headers['X-User']", "request.headers['X-User']"),
        ("g.theme.name", "g.theme.name"),
        ("namespace(c=session.cart)", "session.cart"),
        ("'cart' in session", "session.cart"),
        ("'cart' not in session", "u"),
        ("name in session", "session|dictsort"),
        ("session.items()|list", "session|dictsort"),
        ("request.args.getlist('page')", "u"),
    ],
)
def test_what_is_set_above_a_tag_is_read_by_its_body(
    site: Site, expression: str, key: str, *, is_around: bool
) -> None:
    above = f"{{% set u = {expression} %}}"
    if is_around:
        above = f"{{% with u = {expression} %}}"
    entries, headers = [], {"X-User": "ann", "Cookie": "theme=dark"}
    for tag in ("{% cache 60, 'n' %}", "{% cache 60, 'n', " + key + " %}"):
        before = site.cache.stats().stored
        with site.app.test_request_context("/?page=2", headers=headers):
            session["cart"] = 3
            g.theme = {"name": "dark"}
            end = "{% endwith %}" if is_around else ""
            source = above + tag + "{{ u }}{% endcache %}" + end
            render_template_string(source, name="cart")
        entries.append(site.cache.stats().stored - before)
    assert entries == [0, 1]


CHOSEN = "{% set u = 'a' %}{% if X %}{% set u = 'b' %}{% endif %}"
ELSE = "{% if 0 %}{% elif X %}{% set u = 'a' %}{% else %}{% set u = 'b' %}{% endif %}"


@pytest.mark.parametrize("above", [CHOSEN, ELSE])
@pytest.mark.parametrize(
    ("condition", "key"),
    [
        ("session.cart == 3", "session.cart"),
        ("not session.cart", "u"),
        ("'cart' in session", "session.cart"),
        ("session", "session|dictsort"),
        ("g.user.is_admin", "g.user.id"),
        ("request.args.get('page') == '2'", "request.args.get('page')"),
    ],
)
def test_what_decides_what_is_set_above_is_read_by_the_body(
    site: Site, above: str, condition: str, key: str
) -> None:
    entries = []
    for tag in ("{% cache 60, 'n' %}", "{% cache 60, 'n', " + key + " %}"):
        before = site.cache.stats().stored
        with site.app.test_request_context("/?page=2"):
            session["cart"] = 3
            g.user = SimpleNamespace(id=1, is_admin=True)
            source = above.replace("X", condition) + tag + "{{ u }}{% endcache %}"
            render_template_string(source)
        entries.append(site.cache.stats().stored - before)
    assert entries == [0, 1]


@pytest.mark.parametrize(
    "source",
    [
        # The body does not read it.
        SET + "{% cache 60, 'n' %}text{% endcache %}",
        SET + "{% cache 60, 'n' %}{% set u = 1 %}{% endcache %}",
        # It is the same for all.
        "{% set u = config.DEBUG %}{% cache 60, 'n' %}{{ u }}{% endcache %}",
        "{% set u = g.db %}{% cache 60, 'n' %}{{ u }}{% endcache %}",
        "{% set u = post.author.name %}{% cache 60, 'n' %}{{ u }}{% endcache %}",
        # It may be read.
        SET + "{% cache 60, 'n', allow=['session.cart'] %}{{ u }}{% endcache %}",
        SET + "{% cache 60, 'n', vary_on='auto' %}{{ u }}{% endcache %}",
        SET + "{% cache 60, 'n' %}{% nocache %}{{ u }}{% endnocache %}{% endcache %}",
    ],
)
def test_other_names_above_a_tag_are_no_read(site: Site, source: str) -> None:
    with site.app.test_request_context():
        session["cart"] = 3
        g.db = object()
        render_template_string(source, post={"author": {"name": "Ann"}})
    assert site.cache.stats().stored == 1


def test_what_is_set_above_a_tag_is_read_again_on_a_miss_only(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(tag_guard, "_read_again", lambda path, _: read.append(path))
    source = "{% set u = session.cart %}{% cache 60, 'n' %}{{ u }}{% endcache %}"
    for _ in range(3):
        with site.app.test_request_context():
            render_template_string(source)
    assert read == ["session.cart"]
    assert site.cache.stats().hits == 2


def test_properties_of_users_are_not_read_again(site: Site) -> None:
    class User:
        reads = 0

        @property
        def orders(self) -> str:
            User.reads += 1
            return "none"

    source = "{% set u = g.user.orders %}{% cache 60, 'n' %}{{ u }}{% endcache %}"
    with site.app.test_request_context():
        g.user = User()
        render_template_string(source)
    assert (User.reads, site.cache.stats().stored) == (1, 0)


LIST = "{% cache_each row in rows, 60, 'n', row %}{{ row }}{{ u }}{% endcache_each %}"


@pytest.mark.parametrize(
    "source",
    [
        SET + LIST,
        SET + "{% macro m() %}{{ u }}{% endmacro %}"
        "{% cache 60, 'n' %}{{ m() }}{% endcache %}",
        SET + "{% block b %}{% cache 60, 'n' %}{{ u }}{% endcache %}{% endblock %}",
        SET + "{% cache 60, 'n' %}{% cache 60, 'm' %}{{ u }}{% endcache %}"
        "{% endcache %}",
    ],
)
def test_what_is_set_above_counts_in_rows_macros_blocks_and_nested_bodies(
    site: Site, source: str
) -> None:
    with site.app.test_request_context():
        session["cart"] = 3
        render_template_string(source, rows=[1, 2])
    assert site.cache.stats().stored == 0
