import pytest
from jinja2 import Environment, nodes

from jinja_fragcache.reads.expressions import reads_of

environment = Environment(extensions=["jinja2.ext.do"])


def expression(source: str) -> nodes.Node:
    output = environment.parse(f"{{{{ {source} }}}}").body[0]
    assert isinstance(output, nodes.Output)
    return output.nodes[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a", "a"),
        ("a.b.c", "a.b.c"),
        ("a['b'].c", "a.b.c"),
        ("a[0]", "a.0"),
        ("a[b].c", "a.c b"),
        ("a.b()", "a.b()"),
        ("a(b, c=d, *e, **f)", "a() b d e f"),
        ("request.args.get('page', d)", "request.args.page d"),
        ("request.args.getlist('tag')", 'request.args.getlist("tag")'),
        ("request.args.get(name)", "request.args.get() name"),
        ("get('x')", "get()"),
        ("a|attr('b')", "a.b"),
        ("a|upper", "|upper() a"),
        ("a|f(b)", "|f() a b"),
        ("a|length", "|length() a?"),
        ("a is defined", "a?"),
        ("not a", "a?"),
        ("a == b.c", "a? b.c?"),
        ("'a' in b.c", "b.c?"),
        ("'a' == f(b)", "f()? b"),
        ("'a' in b + c", "b? c?"),
        ("'next' in request.args", "request.args.next?"),
        ("'a' not in session", "session.a?"),
        ("a in session", "a? session?"),
        ("a if b else c", "b? a c"),
        ("a and b", "a? b"),
        ("a or b", "a b"),
        ("a ~ b + c", "a b c"),
        ("[a, {b: c}, (d,)]", "a b c d"),
        ("a[b:c]", "a b c"),
        ("f(a).b", "f.b() a"),
        ("1", ""),
    ],
)
def test_reads(source: str, expected: str) -> None:
    reads = reads_of(expression(source))
    shown = [
        ".".join(each.path) + "()" * each.is_called + "?" * each.is_partial
        for each in reads
    ]
    assert shown == expected.split()


@pytest.mark.parametrize(
    ("source", "is_external"),
    [
        ("url_for('a', _external=true)", True),
        ("url_for('a', _external=x)", True),
        ("url_for('a', _scheme='https')", True),
        ("url_for('a', _external=false)", False),
        ("url_for('a')", False),
        ("f('a', _external=true)", False),
    ],
)
def test_links_with_a_host(source: str, is_external: bool) -> None:
    assert reads_of(expression(source))[0].is_external is is_external


def test_the_line_is_that_of_the_name() -> None:
    [read] = reads_of(expression("\n\na.b"))
    assert read.line == 3
