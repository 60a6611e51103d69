from jinja_fragcache.check.reach import Reach
from tests.check.support import project_of

TEMPLATES = {
    "a": "{% include 'b' %}",
    "b": "{% include 'a' %}{% include 'c' %}",
    "c": "{% cache %}{% endcache %}",
    "d": "{% extends 'c' %}",
    "e": "{% include 'f' without context %}",
    "f": "text",
}


def reach(roots: dict[str, str] | None = None) -> Reach:
    return Reach(project_of(TEMPLATES).outlines(), roots or {})


def test_templates_from_which_a_fragment_is_reached() -> None:
    assert {name for name in TEMPLATES if reach().reaches(name)} == {"a", "b", "c", "d"}
    assert not reach().reaches("nothing")


def test_templates_that_are_included_with_their_context() -> None:
    assert reach().included() == {"a", "b", "c"}


def test_of_two_templates_with_one_name_the_one_in_the_same_folder_is_meant() -> None:
    outlines = project_of({"a": "", "x/a": "", "x/b": "", "c": ""}).outlines()
    known = Reach(outlines, {"a": "w", "c": "w", "x/a": "x", "x/b": "x"})
    assert known.resolve("x/b", "a") == "x/a"
    assert known.resolve("c", "a") == "a"
    assert known.resolve("x/b", "c") == "c"
    assert known.resolve("c", "nothing") is None


def test_statements_that_matter_outside_of_fragments() -> None:
    source = (
        "{{ a }}{% set b = 1 %}{% if x %}{% set c = 1 %}{% endif %}"
        "{% for d in e %}{{ d }}{% endfor %}{% for d in e %}{% cache %}{% endcache %}"
        "{% endfor %}{% if x %}{{ y }}{% endif %}"
    )
    known = Reach(project_of(source).outlines(), {})
    body = known.outlines["page.html"].body
    assert [known.matters(each) for each in body] == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]
