"""What bodies need. Each case is a template, and the values that its tag's key has."""

import pytest
from jinja2 import Environment

from jinja_fragcache.reads.marks import marking
from jinja_fragcache.reads.needing import (
    needs_of_block,
    needs_of_import,
    needs_of_include,
    needs_of_tags,
)
from jinja_fragcache.reads.needs import Needs
from jinja_fragcache.reads.outline import Outline
from jinja_fragcache.reads.outlining import outline

TAG = '{% cache 9, "n", vary_on="auto" %}'
END = "{% endcache %}"


def outlined(source: str) -> Outline:
    read = outline(source, "page.html", marking(Environment()), None)
    assert isinstance(read, Outline)
    return read


def needs(source: str) -> Needs:
    """Return what the first tag's body needs."""
    found = needs_of_tags(outlined(source))
    return found[min(found)]


def values(needed: Needs) -> str:
    return " ".join(sorted(each.shown() for each in needed.values))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("text", ""),
        ("{{ a }}{{ a }}", "a"),
        ("{{ a.b.c }}", "a.b.c"),
        ("{{ a['b'][0].c }}", "a['b'][0].c"),
        ("{{ a[b].c }}", "a b"),
        ("{{ a.b.upper() }}", "a.b"),
        ("{{ a.b()|join(c) }}", "a c"),
        ("{{ f(a) }}", "a f"),
        ("{% if a.b and c %}{{ d }}{% endif %}", "a.b c d"),
        ("{% for a in b if a.c %}{{ a }}{{ loop.index }}{% endfor %}", "b"),
        ("{% for a in b %}{% else %}{{ a }}{% endfor %}", "a b"),
        ("{% set a = b %}{{ a }}", "b"),
        ("{{ a }}{% set a = 1 %}{{ a }}", "a"),
        ("{% if a %}{% set b = 1 %}{% endif %}{{ b }}", "a b"),
        ("{% if a %}{% set b = 1 %}{% else %}{% set b = 2 %}{% endif %}{{ b }}", "a"),
        ("{% set a %}{{ b }}{% endset %}{{ a }}", "b"),
        ("{% with a = b %}{{ a }}{% endwith %}{{ c }}", "b c"),
        ("{% filter f(a) %}{{ b }}{% endfilter %}", "a b"),
        ("{% macro m(a, b=c) %}{{ a }}{{ d }}{% endmacro %}{{ m(e) }}", "c d e"),
        ("{% macro m() %}{{ a }}{% endmacro %}", ""),
        ("{% call(a) m(b) %}{{ a }}{{ c }}{% endcall %}", "b c m"),
        ("{% nocache %}{{ a }}{% endnocache %}{{ b }}", "b"),
        ("{% cache 9, 'x', a, unless=b %}{{ c }}{% endcache %}", "a b c"),
        ("{% cache_each a in b, 9, 'x', a.c %}{{ a.d }}{% endcache_each %}", "b"),
        ("{{ a.b is defined }}{{ c == d }}", "a.b c d"),
    ],
)
def test_a_body_needs_what_it_reads_from_outside(body: str, expected: str) -> None:
    needed = needs(TAG + body + END)
    assert values(needed) == expected
    assert needed.problem is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"{{% set a = 1 %}}{TAG}{{{{ a }}}}{END}", "a"),
        (f"{{% for a in b %}}{TAG}{{{{ a.c }}}}{END}{{% endfor %}}", "a.c"),
        (
            f"{{% for a in b %}}{TAG}{{{{ loop.cycle(1, 2) }}}}{END}{{% endfor %}}",
            "loop.index0",
        ),
        (f"{{% macro m(a) %}}{TAG}{{{{ a }}}}{END}{{% endmacro %}}", "a"),
        (f"{{% macro m() %}}{{{{ a }}}}{{% endmacro %}}{TAG}{{{{ m() }}}}{END}", "a"),
        (
            f"{{% macro m() %}}{{{{ a }}}}{{% endmacro %}}{{% for a in b %}}{TAG}"
            f"{{{{ m() }}}}{{{{ a }}}}{END}{{% endfor %}}",
            "a a of the page",
        ),
        (
            f"{{% macro m() %}}{{{{ n() }}}}{{% endmacro %}}"
            f"{{% macro n() %}}{{{{ a }}}}{{{{ m() }}}}{{% endmacro %}}{TAG}{{{{ m() }}}}{END}",
            "a",
        ),
        (
            f"{{% macro m(a) %}}{TAG}{{{{ m(b) }}}}{{{{ a }}}}{END}{{% endmacro %}}",
            "a b",
        ),
        (
            f"{{% cache 1, 'x' %}}{{% set a = b %}}{{% macro m() %}}{TAG}{{{{ a }}}}{END}"
            f"{{% endmacro %}}{{% endcache %}}",
            "a",
        ),
        (
            "{% set a = 1 %}{% cache_each b in c, 9, vary_on='auto' %}{{ b.d }}"
            "{{ a }}{{ loop.first }}{% endcache_each %}",
            "a b.d loop.first",
        ),
    ],
)
def test_names_that_the_template_binds_around_the_tag(
    source: str, expected: str
) -> None:
    assert values(needs(source)) == expected


@pytest.mark.parametrize(
    ("body", "line", "problem"),
    [
        ("\n{% include a %}", 2, "includes a template whose name is an expression"),
        ("{% import a as b %}{{ b.c() }}", 1, "imports a template whose name is"),
        ("{% from a import b %}{{ b() }}", 1, "imports a template whose name is"),
    ],
)
def test_templates_that_only_rendering_names_are_a_problem(
    body: str, line: int, problem: str
) -> None:
    found = needs(TAG + body + END).problem
    assert found is not None
    assert found.line == line
    assert found.message.startswith(problem)


def test_the_text_of_a_caller_around_is_a_problem() -> None:
    source = f"{{% macro m() %}}{TAG}{{{{ caller() }}}}{END}{{% endmacro %}}"
    found = needs(source).problem
    assert found is not None
    assert found.message.startswith("prints caller()")


def test_a_name_that_is_hidden_from_the_tag_is_a_problem() -> None:
    source = (
        "{% with a = 1 %}{% macro m() %}{{ a }}{% endmacro %}"
        f"{{% for a in b %}}{TAG}{{{{ m() }}}}{END}{{% endfor %}}{{% endwith %}}"
    )
    found = needs(source).problem
    assert found is not None
    assert found.message == "calls a macro that reads a, which is hidden there"


@pytest.mark.parametrize(
    ("source", "kind", "names", "bound"),
    [
        (f"{TAG}{{% include 'x' %}}{END}", "include", ("x",), ()),
        (f"{TAG}{{% include ['x', 'y'] %}}{END}", "include", ("x", "y"), ()),
        (f"{TAG}{{% set a = 1 %}}{{% include 'x' %}}{END}", "include", ("x",), ("a",)),
        (
            f"{{% set b = 1 %}}{TAG}{{% for a in b %}}{{% include 'x' %}}{{% endfor %}}{END}",
            "include",
            ("x",),
            ("a", "loop"),
        ),
        (
            f"{TAG}{{% from 'x' import m with context %}}{{{{ m() }}}}{END}",
            "import",
            ("x",),
            ("m",),
        ),
        (f"{TAG}{{% block x %}}{{% endblock %}}{END}", "block", ("x",), ()),
        (f"{TAG}{{{{ self.x() }}}}{END}", "block", ("x",), ()),
    ],
)
def test_what_other_templates_read_is_found_later(
    source: str, kind: str, names: tuple[str, ...], bound: tuple[str, ...]
) -> None:
    [other] = needs(source).others
    assert (other.kind, other.names, other.bound) == (kind, names, bound)


@pytest.mark.parametrize(
    "body",
    [
        "{% include 'x' without context %}",
        "{% import 'x' as m %}{{ m.a() }}",
        "{% nocache %}{% include 'x' %}{% endnocache %}",
    ],
)
def test_what_does_not_see_the_context_is_not_needed(body: str) -> None:
    assert needs(TAG + body + END) == Needs()


def test_the_needs_of_an_included_template() -> None:
    needed = needs_of_include(
        outlined("{% set a = b %}{{ a }}{% block x %}{{ c }}{% endblock %}")
    )
    assert values(needed) == "b c"
    [other] = needs_of_include(outlined("{% extends 'x' %}")).others
    assert other.names == ("x",)
    assert needs_of_include(outlined("{% extends x %}")).problem is not None


def test_the_needs_of_macros() -> None:
    read = outlined(
        "{% macro m() %}{{ a }}{% endmacro %}{% macro n() %}{{ b }}{% endmacro %}"
    )
    assert values(needs_of_import(read, ["m"])) == "a"
    assert values(needs_of_import(read, [])) == "a b"


def test_the_needs_of_a_block() -> None:
    read = outlined(
        "{% set a = 1 %}{% block x %}{{ a }}{{ super() }}{% endblock %}"
        "{% block y %}{{ b }}{% endblock %}"
    )
    needed = needs_of_block(read, "x")
    assert values(needed) == "a"
    assert [other.kind for other in needed.others] == ["block"]


@pytest.mark.parametrize(
    "source",
    [
        f"{{% macro m() %}}{TAG}{{{{ n() }}}}{END}{{% endmacro %}}"
        "{% macro n() %}{{ a }}{% endmacro %}",
        "{% if b %}{% macro m() %}{{ a }}{% endmacro %}{% endif %}"
        f"{TAG}{{{{ m() }}}}{END}",
    ],
)
def test_macros_that_are_defined_later_or_in_a_branch_are_known(source: str) -> None:
    assert values(needs(source)) == "a"


def test_a_macro_that_leads_back_to_itself_is_walked_through_once() -> None:
    source = (
        "{% macro m() %}{% macro n() %}{{ a }}{% include 'x' %}{% endmacro %}"
        f"{TAG}{{{{ b }}}}{{% include 'x' %}}{END}{{% endmacro %}}"
    )
    assert values(needs(source)) == "a b"
