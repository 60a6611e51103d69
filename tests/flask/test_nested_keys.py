"""What a helper's key is made of counts for the body that calls the helper."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import render_template_string, request, session

from tests.flask.support import Site

FRAGMENT = "{% cache 60, 'n' %}{{ helper() }}{% endcache %}"


def same() -> str:
    return "same"


def stored(site: Site, helper: Callable[[], str], around: Callable[..., Any]) -> int:
    """Return how many entries two requests store, of a helper and what is around."""
    site.app.debug = True
    site.app.jinja_env.globals["helper"] = helper
    site.app.add_url_rule("/", "view", around(site, helper))
    assert site.get("/?page=1", "/?page=1") == ["same", "same"]
    return site.cache.stats().stored


def fragment(site: Site, helper: Callable[[], str]) -> Any:
    return lambda: render_template_string(FRAGMENT)


def calling(helper: Callable[[], str]) -> Callable[[], str]:
    def call() -> str:
        return helper()

    return call


AROUND = {
    "fragment": fragment,
    "helper": lambda site, helper: site.cache.cached(key_prefix="o")(calling(helper)),
    "view": lambda site, helper: site.cache.cached()(calling(helper)),
    "memoize": lambda site, helper: site.cache.memoize()(calling(helper)),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("decorator", ["cached", "memoize"])
def test_a_helper_that_reads_nothing_can_be_called_in_any_body(
    site: Site, decorator: str, around: Any
) -> None:
    options = {"cached": {"key_prefix": "inner"}, "memoize": {}}[decorator]
    helper = getattr(site.cache, decorator)(60, **options)(same)
    assert stored(site, helper, around) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "reads request.path"),
        ({"key_prefix": "inner", "query_string": True}, "reads request.args"),
        ({"key_prefix": lambda: f"inner-{request.host}"}, "reads request.host"),
        ({"make_cache_key": lambda: f"{session.get('user')}"}, "reads session.user"),
    ],
)
def test_what_a_helper_s_key_shows_has_to_be_in_the_key_around(
    site: Site, options: Any, told: str
) -> None:
    helper = site.cache.cached(60, **options)(same)
    with pytest.raises(Exception, match=told):
        stored(site, helper, fragment)


def test_a_page_around_has_the_path_of_a_helper_in_its_key(site: Site) -> None:
    helper = site.cache.cached(60)(same)
    assert stored(site, helper, AROUND["view"]) >= 1
