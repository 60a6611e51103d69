import pytest
from jinja2 import Environment, nodes

from jinja_fragcache.reads.writing import OTHER, write

environment = Environment()


def parsed(source: str) -> nodes.Expr:
    output = environment.parse(f"{{{{ {source} }}}}").body[0]
    assert isinstance(output, nodes.Output)
    expression = output.nodes[0]
    assert isinstance(expression, nodes.Expr)
    return expression


@pytest.mark.parametrize(
    "source",
    [
        "a",
        "300",
        "1.5",
        "true",
        "none",
        '"text"',
        '"it\'s \\"so\\""',
        '"a\\nb"',
        "a.b",
        "a[0]",
        'a["b"]',
        "a[1:2]",
        "a[::2]",
        "a(b, c=1)",
        "a(*b, **c)",
        "a|f",
        "a|f(1, x=2)",
        "a is defined",
        "a is divisibleby(3)",
        "[a, 1]",
        "(a, 1)",
        "(a,)",
        '{"a": 1}',
        "60 * 5",
        "(1 + 2) * 3",
        "-a",
        "not a",
        "(not a) and b",
        "a ~ b",
        "a == b",
        "a not in b",
        "a if b",
        "a if b else c",
        "(a if b else c) ~ d",
        "a is none",
    ],
)
def test_what_is_written_is_read_as_the_same(source: str) -> None:
    assert write(parsed(source)) == source
    assert parsed(write(parsed(source))) == parsed(source)


def test_what_is_in_no_template_is_written_as_dots() -> None:
    assert write(nodes.ContextReference()) == OTHER
