"""Where other values may give the same key, they are compared before it is served."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from flask import render_template_string, request, session

from jinja_fragcache.engine.noted_reads import note_read
from tests.flask.support import Site

Visitor = dict[str, Any]
NAMES: list[Visitor] = [{"n": "ann"}, {"n": "Ann"}]


PAIRS: list[Visitor] = [{"a": "x", "b": "y-z"}, {"a": "x-y", "b": "z"}]


def name() -> str:
    return str(session.get("n"))


def within(function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a view that is not the function itself."""

    def view() -> Any:
        return function()

    return view


def view(site: Site, key: Callable[[], str]) -> Callable[[], Any]:
    return site.cache.cached(60, make_cache_key=key)(name)


def helper(site: Site, key: Callable[[], str]) -> Callable[[], Any]:
    return within(site.cache.cached(60, key_prefix=key)(name))


def fragment(site: Site, key: Callable[[], str]) -> Callable[[], Any]:
    source = "{% cache 60, 'x' %}{{ session.n }}{% endcache %}"
    return lambda: render_template_string(source)


def page(source: str) -> Any:
    return lambda *_: lambda: render_template_string(source)


PLACES = [view, helper, fragment]


def answers(
    place: Any, key: Callable[[], str], visitors: list[Visitor], times: int = 1
) -> tuple[list[str], Site]:
    """Return what each visitor gets, and the site."""
    site = Site(CACHE_VARY_ON=lambda: [key()]) if place is fragment else Site()
    site.app.add_url_rule("/", "view", place(site, key))
    found = []
    for visitor in visitors * times:
        client = site.app.test_client()
        with client.session_transaction() as opened:
            opened.update(visitor)
        found.append(client.get("/?q=a").text)
    return found, site


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("key", "visitors"),
    [
        (lambda: "menu-" + session["n"].lower(), NAMES),
        (lambda: "menu-" + session["n"].casefold(), NAMES),
        (lambda: f"{session['n'].lower()}", NAMES),
        (lambda: "menu-" + session["n"].strip(), [{"n": "ann"}, {"n": "ann "}]),
        (lambda: "menu-" + session["n"].split("@")[0], [{"n": "ann"}, {"n": "ann@x"}]),
        (lambda: "menu-" + session["n"][:3], [{"n": "ann"}, {"n": "anna"}]),
        (
            lambda: hashlib.sha256(session["n"].lower().encode()).hexdigest(),
            NAMES,
        ),
        (lambda: str(dict(session)).lower(), NAMES),
        (lambda: "menu-" + str(len(session["n"])), [{"n": "3"}, {"n": "5"}]),
    ],
)
def test_another_value_that_gives_the_same_key_is_not_served_its_text(
    place: Any, key: Callable[[], str], visitors: list[Visitor]
) -> None:
    found, _ = answers(place, key, visitors, times=2)
    assert found == [visitor["n"] for visitor in visitors] * 2


@pytest.mark.parametrize("place", [view, helper])
def test_who_has_no_value_is_not_served_the_text_of_who_has_the_default(
    place: Any,
) -> None:
    visitors: list[Visitor] = [{}, {"n": "guest"}]
    found, _ = answers(place, lambda: f"p/{session.get('n', 'guest')}", visitors)
    assert found == ["None", "guest"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "key",
    [
        lambda: f"menu-{session['n']}",
        lambda: session["n"],
        lambda: repr(["menu", session.get("n")]),
        lambda: repr(dict(session)),
        lambda: hashlib.sha256(session["n"].encode()).hexdigest(),
        lambda: f"{request.path}-{session['n']}",
    ],
)
def test_the_same_value_is_served_from_the_cache(
    place: Any, key: Callable[[], str]
) -> None:
    found, site = answers(place, key, [{"n": "ann"}, {"n": "bob"}], times=2)
    assert found == ["ann", "bob"] * 2
    assert (site.cache.stats().stored, site.cache.stats().hits) == (2, 2)


def both() -> str:
    return f"{session['a']}|{session['b']}"


@pytest.mark.parametrize("is_view", [True, False])
def test_two_values_in_one_text_are_compared(is_view: bool) -> None:
    def place(site: Site, key: Callable[[], str]) -> Callable[[], Any]:
        if is_view:
            return site.cache.cached(60, make_cache_key=key)(both)
        return within(site.cache.cached(60, key_prefix=key)(both))

    found, _ = answers(place, lambda: f"{session['a']}-{session['b']}", PAIRS)
    assert found == ["x|y-z", "x-y|z"]


@pytest.mark.parametrize(
    "key",
    ["session.a ~ '-' ~ session.b", "[session.a ~ '-' ~ session.b]", "session.a, 'b'"],
)
@pytest.mark.parametrize("inner", ["{{ session.a }}", "{% cache 60, 'i', session.a %}"])
def test_two_values_that_a_tag_joins_are_compared(key: str, inner: str) -> None:
    if inner.startswith("{%"):
        inner += "{{ session.a }}{% endcache %}"
    source = f"{{% cache 60, 'x', {key} %}}{inner}{{% endcache %}}"
    one, other = PAIRS
    found, site = answers(page(source), str, [one, one, other, other])
    assert found == ["x", "x", "x-y", "x-y"]
    assert site.cache.stats().hits >= 2


def test_values_that_are_set_above_and_joined_are_compared() -> None:
    source = (
        "{% set a = session.a %}{% set b = session.b %}"
        "{% cache 60, 'x', a ~ '-' ~ b %}{{ a }}|{{ b }}{% endcache %}"
    )
    one, other = PAIRS
    found, site = answers(page(source), str, [one, one, other])
    assert found == ["x|y-z", "x|y-z", "x-y|z"]
    assert site.cache.stats().hits == 1


def test_values_of_a_nested_fragment_that_a_key_has_by_chance_are_compared() -> None:
    source = (
        "{% cache 60, 'x', request.args.q %}"
        "{% cache 60, 'y', session.n %}{{ session.n }}{% endcache %}{% endcache %}"
    )
    found, _ = answers(page(source), str, [{"n": "a"}, {"n": "b"}])
    assert found == ["a", "b"]


def test_only_whether_something_is_there_is_compared_if_only_that_was_read() -> None:
    def shown() -> str:
        return f"{'vip' in session}"

    def key() -> str:
        return "menu-" + ("a" if "vip" in session and "admin" in session else "b")

    found, site = answers(
        lambda site, key: within(site.cache.cached(60, key_prefix=key)(shown)),
        key,
        [{"vip": "x"}, {"vip": "y"}, {}],
    )
    assert found == ["True", "True", "False"]
    assert site.cache.stats().hits == 1


def test_what_can_not_be_read_again_is_compared_with_what_the_key_function_read() -> (
    None
):
    def tenant() -> str:
        found = str(dict(session)["n"])
        note_read("tenant_of_tests", found)
        return found

    def place(site: Site, key: Callable[[], str]) -> Callable[[], Any]:
        function = site.cache.cached(60, key_prefix=key, allow=["session"])(tenant)
        return within(function)

    found, site = answers(place, lambda: "m-" + tenant().lower(), NAMES[:1] * 2 + NAMES)
    assert found == ["ann", "ann", "ann", "Ann"]
    assert site.cache.stats().hits == 2
