"""What templates read through what Flask gives them is noted."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import (
    Flask,
    get_flashed_messages,
    render_template,
    render_template_string,
    session,
    url_for,
)
from jinja2 import DictLoader
from jinja2.runtime import Context

from jinja_fragcache.flask.template_reads import watch_app
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
