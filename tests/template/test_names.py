import pytest
from jinja2 import Environment

from jinja_fragcache.template.names import bound_names, free_names

env = Environment(extensions=["jinja2.ext.do"])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a }}{{ b.c }}{{ d['e'] }}{{ f(g, h=i) }}", "abdfgi"),
        ("{% set a = a %}{{ a }}", "a"),
        ("{% set a = 1 %}{{ a }}", ""),
        ("{{ a }}{% set a = 1 %}", "a"),
        ("{% if x %}{% set a = 1 %}{{ a }}{% endif %}{{ a }}", "xa"),
        ("{% for a in b %}{{ a }}{{ loop.index }}{% endfor %}", "b"),
        ("{% for a in a %}{% endfor %}{{ a }}", "a"),
        ("{% for a, b in c if a and d %}{{ b }}{% else %}{{ b }}{% endfor %}", "cdb"),
        ("{% for a in b %}{% set c = a %}{% endfor %}{{ c }}", "bc"),
        ("{% with a = b, c = a %}{{ a }}{{ c }}{% endwith %}{{ c }}", "bac"),
        (
            "{% macro m(a, b=c) %}{{ a }}{{ b }}{{ caller() }}{{ d }}{% endmacro %}",
            "cd",
        ),
        ("{% macro m() %}{% endmacro %}{{ m() }}", ""),
        ("{% call(a) m(b) %}{{ a }}{{ c }}{% endcall %}", "mbc"),
        ("{% filter f(a) %}{{ b }}{% set c = 1 %}{% endfilter %}{{ c }}", "abc"),
        ("{% set a %}{{ b }}{% endset %}{{ a }}", "b"),
        ("{% set a | f(b) %}{% endset %}", "b"),
        ("{% set n.a = b %}", "nb"),
        ("{% import a as b %}{{ b.c() }}", "a"),
        ("{% from a import b, c as d %}{{ b }}{{ c }}{{ d }}", "ac"),
        ("{% include a %}{% include [b, 'x'] %}", "ab"),
        ("{% autoescape a %}{{ b }}{% endautoescape %}", "ab"),
        ("{% do a.append(b) %}", "ab"),
        ("{{ a is b(c) }}{{ a ~ d if e else f }}{{ a[g:h] }}", "acdefgh"),
        ("{% block x %}{{ a }}{% endblock %}", "a"),
    ],
)
def test_a_name_that_is_read_and_not_bound_before_is_free(
    source: str, expected: str
) -> None:
    assert free_names(env.parse(source).body) == set(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a }}{% set b = 1 %}{% set c, (d, e) = 1 %}{% set f.g = 1 %}", "bcde"),
        ("{% set a %}{% endset %}{% macro b(c) %}{% endmacro %}", "ab"),
        ("{% import 'x' as a %}{% from 'x' import b, c as d %}", "abd"),
        ("{% if x %}{% set a = 1 %}{% elif y %}{% set b = 1 %}{% endif %}", "ab"),
        ("{% if x %}{% else %}{% set a = 1 %}{% endif %}", "a"),
        ("{% for a in b %}{% set c = 1 %}{% endfor %}", ""),
        ("{% with a = 1 %}{% set b = 1 %}{% endwith %}", ""),
    ],
)
def test_a_scope_binds_the_names_that_are_set_in_it(source: str, expected: str) -> None:
    assert bound_names(env.parse(source).body) == set(expected)
