"""What a helper's key is made of counts for the body that calls the helper."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import render_template_string, request, session

from jinja_fragcache import UncoveredReadError
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
    with pytest.raises(UncoveredReadError, match=told):
        stored(site, helper, fragment)


def test_a_page_around_has_the_path_of_a_helper_in_its_key(site: Site) -> None:
    helper = site.cache.cached(60)(same)
    assert stored(site, helper, AROUND["view"]) >= 1


def show_user() -> str:
    return f"same{session.get('user', '')}"


@pytest.mark.parametrize(
    "helper",
    [
        lambda cache: cache.cached(key_prefix=lambda: f"in {session.get('user')}"),
        lambda cache: cache.cached(make_cache_key=lambda: f"{session.get('user')}"),
    ],
)
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_helper_is_named_on_the_way_to_what_was_read(
    site: Site, helper: Any, is_stored: bool
) -> None:
    helper = helper(site.cache)(show_user)
    if is_stored:
        with site.app.test_request_context():
            helper()
    way = r"session\.user \(a template from a string:1 > .*\.show_user\(\)\)"
    with pytest.raises(UncoveredReadError, match=way):
        stored(site, helper, fragment)


def test_a_function_of_which_the_key_lacks_something_is_told_by_its_line(
    site: Site,
) -> None:
    line = show_user.__code__.co_firstlineno
    helper = site.cache.cached(key_prefix="inner")(show_user)
    place = rf"{re.escape(__file__)}, line {line}, .*show_user\(\)"
    told = rf"{place}: .* session\.user \(.*call\(\)\), which"
    with pytest.raises(UncoveredReadError, match=told):
        stored(site, helper, AROUND["view"])
