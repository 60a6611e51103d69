import pytest
from flask import Flask, render_template_string

from jinja_fragcache import Cache, SettingError

SOURCE = "<p>{% cache 60, 'side' %}text{% endcache %}</p>"


def site(**config: object) -> Flask:
    app = Flask(__name__)
    cache = Cache(app, config={"CACHE_TYPE": "simple", **config})
    app.add_url_rule("/", "page", lambda: render_template_string(SOURCE))
    app.add_url_rule(
        "/cached", "cached", cache.cached()(lambda: render_template_string(SOURCE))
    )
    return app


@pytest.mark.parametrize("debug", [False, True])
def test_there_are_no_comments_unless_they_are_asked_for(debug: bool) -> None:
    app = site()
    app.debug = debug
    assert app.test_client().get("/").text == "<p>text</p>"


@pytest.mark.parametrize("value", [True, "true"])
def test_pages_have_comments(value: object) -> None:
    client = site(CACHE_DEBUG_COMMENTS=value).test_client()
    client.get("/")
    page = client.get("/").text
    assert page.startswith('<p><!-- cache hit "side" key=')
    assert page.count("<!-- ") == 2


def test_a_stored_view_has_none() -> None:
    client = site(CACHE_DEBUG_COMMENTS=True).test_client()
    assert client.get("/").text.count("<!-- ") == 2
    for _ in range(2):
        assert client.get("/cached").text == "<p>text</p>"


def test_a_value_that_says_neither_is_refused() -> None:
    with pytest.raises(SettingError, match="CACHE_DEBUG_COMMENTS"):
        site(CACHE_DEBUG_COMMENTS="perhaps")
