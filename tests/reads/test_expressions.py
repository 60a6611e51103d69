import pytest
from jinja2 import Environment, nodes

from jinja_fragcache.reads.expressions import reads_of, refusals_of

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
        ("session.pop('x', d)", "session.x d"),
        ("session.setdefault('x', d)", "session.x d"),
        ("session.items()", "session"),
        ("request.args.to_dict()", "request.args"),
        ("session.cart.values()", "session.cart"),
        ("a.items()", "a.items()"),
        ("session.items", "session.items"),
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
    ("source", "expected"),
    [
        ("a.b", "a.b="),
        ("[a, {'x': b}, c.id ~ '-' ~ d]", "a= b= c.id= d="),
        ("[c ~ '-' ~ d]", 'c=c~"-"~d! d=c~"-"~d!'),
        ("c ~ d", "c=c~d d=c~d"),
        ("a|string", "|string= a="),
        ("a|lower", "|lower= a=a|lower!"),
        ("a|f", "|f= a=a|f!"),
        ("a|first", "|first= a=a|first"),
        ("a|default(b)", "|default= a=a|default(b)! b=a|default(b)!"),
        ("a|default('')", "|default= a="),
        ("a.get('b', 1)", 'a.b=a.get("b",1)!'),
        ("a.get('b', none)", "a.b="),
        ("f(a)", "f= a=f(a)!"),
        ("f(a|first)", "f= |first= a=f(a|first)!"),
        ("a[b].c", "a.c=a[b].c! b=a[b].c!"),
        ("session.items()|list", "|list= session="),
        ("session.keys()|list", "|list= session=session.keys()!"),
        ("a % 2", "a=a%2"),
        ("a == b", "a=a==b b=a==b"),
        ("a is none", "a=?"),
        ("not a", "a=?"),
        ("a or b", "a=aorb b=aorb"),
        ("a or 1", "a=aor1"),
        ("a or 0", "a="),
        ("a and a.b", "a=? a.b="),
        ("a.b if a else 0", "a=? a.b="),
        ("a.b if a.c else 0", "a.c=? a.b=a.bifa.celse0"),
        ("[a.b, c] if a", "a=? a.b= c=[a.b,c]ifa"),
        ("a and [a.b, c]", "a=? a.b= c=aand[a.b,c]"),
        ("not (a or b == c)", "a=? b=b==c c=b==c"),
    ],
)
def test_how_much_of_a_value_an_expression_tells(source: str, expected: str) -> None:
    shown = [
        f"{'.'.join(each.path)}={each.part.replace(' ', '')}{'!' * each.is_opaque}"
        for each in reads_of(expression(source))
    ]
    assert shown == expected.split()


@pytest.mark.parametrize(
    ("source", "chosen"),
    [
        ("[a.b, c] if a", "c"),
        ("a and c", "c"),
        ("c if a else d", "c d"),
        ("c if c else 'x'", ""),
        ("c or 'x'", ""),
    ],
)
def test_what_counts_only_under_a_condition(source: str, chosen: str) -> None:
    reads = reads_of(expression(source))
    shown = [".".join(each.path) for each in reads if each.is_chosen]
    assert shown == chosen.split()


@pytest.mark.parametrize(
    ("source", "whole"),
    [
        ("a or b", "a b"),
        ("a and b", ""),
        ("not a", ""),
        ("a.is_anonymous", ""),
        ("not a.is_anonymous", "a.is_anonymous"),
        ("a == 1 or b", "b"),
    ],
)
def test_what_is_the_same_where_a_condition_is_false(source: str, whole: str) -> None:
    condition = expression(source)
    assert isinstance(condition, nodes.Expr)
    reads = refusals_of(condition)
    assert [".".join(r.path) for r in reads if not r.part] == whole.split()


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
