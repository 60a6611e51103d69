import pytest
from jinja2 import Environment, nodes

from jinja_fragcache.reads.telling import dotted_name, tells_parts, told_by


def expression(source: str) -> nodes.Expr:
    listed = Environment().parse("{{ [" + source + "] }}").find(nodes.List)
    assert listed is not None
    return listed.items[0]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("a.b", ["a.b"]),
        ("[a, b|string]", ["a", "b"]),
        ("[a, b|upper]", ["a", None]),
        ("request|string", []),
        ("'a' ~ g", []),
        ("[g, request.args]|e", ["request.args"]),
        ("[g, a]", ["g", "a"]),
        ("a|first", [None]),
        ("f(a)", [None]),
        ("a if b", []),
        ("[a.b, c] if a", ["a.b"]),
        ("a.id|default", ["a.id"]),
        ("a.id|default(default_value='')", ["a.id"]),
        ("a.id|default(default_value='guest')", ["a.id"]),
        ("a.id|default('', boolean=true)", ["a.id"]),
        ("a.id|default(1)", []),
        ("a.id|default(default_value=1)", []),
        ("a.id|default(boolean=true, default_value=b)", []),
        ("a.id|d(*b)", []),
        ("a.id|d(**b)", []),
        # The key of 0 is that of a cookie "0".
        ("request.cookies.get('a', 0)", [None]),
        ("request.headers.a|default(0)", []),
        ("request.cookies.a or 0", []),
        ("request.cookies.a or ''", ["request.cookies.a"]),
        ("session.get('a', 0)", ["session.a"]),
        ("session|dictsort", ["session"]),
        ("request.path_params|dictsort", ["request.path_params"]),
        ("request.args|dictsort", [None]),
        (
            "request.view_args|dictsort if request.view_args else none",
            ["request.view_args"],
        ),
    ],
)
def test_the_expressions_that_a_value_tells(
    source: str, told: list[str | None]
) -> None:
    assert [dotted_name(each) for each in told_by(expression(source))] == told


@pytest.mark.parametrize(
    ("source", "tells"),
    [("[a]", True), ("a.b if a", True), ("a.b", False), ("a % 2", False)],
)
def test_whether_a_value_tells_that_of_another_one(source: str, tells: bool) -> None:
    assert tells_parts(expression(source)) is tells
