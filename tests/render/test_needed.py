"""What bodies need through other templates."""

from jinja_fragcache.reads.needs import (
    BLOCK,
    IMPORT,
    INCLUDE,
    Needs,
    Other,
    Problem,
    to_text,
)
from jinja_fragcache.render.needed import needed_of_others, problem_with
from tests.support import environment

SITE = ("page", 1, "digest", '["inner"]', "", "")


def names(templates: dict[str, str], *others: Other, page: str | None = None) -> str:
    needs = to_text(Needs(others=others))
    needed = needed_of_others(environment(templates)).of(SITE, needs, page)
    return needed.problem or " ".join(shown for shown, _ in needed.values)


def test_includes_are_followed_to_their_ends() -> None:
    templates = {
        "inner": "{{ b }}{% set c = 1 %}{% include 'more' %}",
        "more": "{{ a }}{{ c }}{{ d }}{% include 'inner' %}",
    }
    assert names(templates, Other(INCLUDE, ("inner",))) == "a b d"
    assert names(templates, Other(INCLUDE, ("inner",), bound=("d",))) == "a b"
    assert names(templates, Other(INCLUDE, ("none",))) == ""


def test_names_that_are_hidden_are_those_of_the_context() -> None:
    other = Other(INCLUDE, ("inner",), hidden=("a",))
    assert names({"inner": "{{ a }}"}, other) == "a of the page"
    unclear = names({"inner": "{{ a }}"}, other._replace(is_clear=False))
    assert unclear == "inner reads a, which is hidden there"


def test_a_module_counts_where_an_included_template_uses_it() -> None:
    module = Other(IMPORT, ("lib",), by="m")
    lib = "{% macro f() %}{{ x }}{% endmacro %}"
    include = Other(INCLUDE, ("inner",), bound=("m",))
    assert names({"lib": lib, "inner": "{{ m.f() }}"}, module, include) == "x"
    assert names({"lib": lib, "inner": "{{ n }}"}, module, include) == "n"


def test_blocks_are_those_of_the_page_and_its_parents() -> None:
    templates = {
        "child": "{% extends 'base' %}{% block x %}{{ a }}{{ super() }}{% endblock %}",
        "base": "{% block x %}{{ b }}{% endblock %}",
    }
    block = Other(BLOCK, ("x",), is_scoped=False)
    assert names(templates, block, page="child") == "a of the page b of the page"
    assert names(templates, block, page="base") == "b of the page"
    other = {"page": "{% extends a %}"}
    assert names(other, block, page="page").startswith("page, line 1, extends")


def test_what_other_templates_need_is_found_once_for_the_same_sources() -> None:
    templates = {"inner": "{{ a }}"}
    env = environment({})
    env.loader.mapping = templates  # type: ignore[union-attr]
    needed = needed_of_others(env)
    needs = to_text(Needs(others=(Other(INCLUDE, ("inner",)),)))
    first = needed.of(SITE, needs, None)
    assert needed.of(SITE, needs, None) is first
    templates["inner"] = "{{ b }}"
    assert [shown for shown, _ in needed.of(SITE, needs, None).values] == ["b"]
    assert needed_of_others(env) is needed
    assert needed_of_others(env.overlay()) is not needed


def test_problems_name_their_places() -> None:
    env = environment({"inner": "\n{% include a %}"})
    own = Needs(problem=Problem(3, "is wrong"))
    assert problem_with(env, "page", own) == "page, line 3, is wrong"
    others = Needs(others=(Other(INCLUDE, ("inner",)),))
    found = problem_with(env, "page", others)
    assert found == "inner, line 2, includes a template whose name is an expression"
    assert problem_with(env, "page", Needs()) == ""
