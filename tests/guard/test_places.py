from collections.abc import Callable

from jinja2 import DictLoader, Environment

from jinja_fragcache.guard.places import places

TEMPLATES = {
    "page.html": "\n{% include 'part.html' %}",
    "part.html": "\n\n{{ where() }}",
    "deep.html": "{% macro down(n) %}{{ down(n - 1) if n else where() }}{% endmacro %}"
    "{{ down(20) }}",
}


def found_in(name: str) -> tuple[str, ...]:
    found: list[tuple[str, ...]] = []
    where: Callable[[], None] = lambda: found.append(places())  # noqa: E731
    Environment(loader=DictLoader(TEMPLATES)).get_template(name).render(where=where)
    return found[0]


def test_the_templates_are_told_from_the_outermost_to_the_innermost() -> None:
    assert found_in("page.html") == ("page.html:2", "part.html:3")


def test_a_place_is_told_once() -> None:
    assert found_in("deep.html") == ("deep.html:1",)


def test_outside_of_templates_there_are_no_places() -> None:
    assert places() == ()
