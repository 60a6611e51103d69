import pytest

from tests.check.support import codes, findings, visits


def reads(templates: dict[str, str] | str) -> str:
    """Return what the fragments of a page read, each body in order."""
    found = []
    for visit in visits(templates):
        paths = [
            ".".join(each.path) + (f":{each.binding.kind}" if each.binding else "")
            for each in visit.body.reads.values()
            if each.path[0][0] != "|"
        ]
        found.append(" ".join(paths))
    return " / ".join(found)


def cached(body: str) -> str:
    return f"{{% cache 1, 'x' %}}{body}{{% endcache %}}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (cached("{{ a.b }}{{ c }}"), "a.b c"),
        ("{{ a }}", ""),
        (cached("{% for a in b %}{{ a }}{{ loop.index }}{{ c }}{% endfor %}"), "b c"),
        (cached("{% for a in b if a.x %}{% else %}{{ a }}{% endfor %}"), "b a"),
        (cached("{% set a = b %}{{ a }}"), "b"),
        (cached("{% set a %}{{ b }}{% endset %}{{ a }}"), "b"),
        (cached("{% with a = b %}{{ a }}{% endwith %}{{ a }}"), "b a"),
        (
            cached("{% if a %}{{ b }}{% elif c %}{% else %}{{ d }}{% endif %}"),
            "a c b d",
        ),
        (cached("{% macro m(a) %}{{ a }}{{ b }}{% endmacro %}"), ""),
        (cached("{% macro m(a) %}{{ a }}{{ b }}{% endmacro %}{{ m(c) }}"), "b c"),
        (cached("{% filter f(a) %}{{ b }}{% endfilter %}"), "a b"),
        (cached("{% call(a) m() %}{{ a }}{{ b }}{% endcall %}"), "m b"),
        (cached("a{% nocache %}{{ b }}{% endnocache %}{{ c }}"), "c"),
        (
            "{% for a in b %}" + cached("{{ a }}{{ loop.first }}") + "{% endfor %}",
            "a:loop loop.first:loop",
        ),
        ("{% set a = b %}" + cached("{{ a.c }}"), "a.c:set"),
        (
            "{% macro m(a) %}" + cached("{{ a }}{{ caller() }}") + "{% endmacro %}",
            "a:argument caller:argument",
        ),
        ("{% macro m(a) %}{{ a }}{{ b }}{% endmacro %}" + cached("{{ m(1) }}"), "b"),
        ("{% if x %}" + cached("{{ a }}") + "{% endif %}", "a"),
        (cached("{{ a }}" + cached("{{ b }}")), "a b / b"),
        ("{% nocache %}" + cached("{{ a }}") + "{% endnocache %}", "a"),
        (cached("{% nocache %}" + cached("{{ a }}") + "{% endnocache %}"), " / a"),
        (cached("{% set f = form %}{{ f.csrf_token }}"), "form f.csrf_token:set"),
    ],
)
def test_reads_of_one_template(source: str, expected: str) -> None:
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("templates", "expected"),
    [
        ({"page.html": cached("{% include 'a' %}"), "a": "{{ b }}"}, "b"),
        ({"page.html": cached("{% include ['z', 'a'] %}"), "a": "{{ b }}"}, "b"),
        ({"page.html": cached("{% include c %}"), "a": "{{ b }}"}, "c"),
        (
            {
                "page.html": "{% set b = 1 %}" + cached("{% include 'a' %}"),
                "a": "{{ b }}",
            },
            "b:set",
        ),
        (
            {
                "page.html": "{% set b = 1 %}"
                + cached("{% include 'a' without context %}"),
                "a": "{{ b }}",
            },
            "b",
        ),
        (
            {
                "page.html": "{% from 'm' import f as g %}" + cached("{{ g(a) }}"),
                "m": "{% macro f(x) %}{{ x }}{{ h(y) }}{% endmacro %}"
                "{% macro h(x) %}{{ z }}{% endmacro %}",
            },
            "z y a",
        ),
        (
            {
                "page.html": "{% set b = 1 %}{% import 'm' as m with context %}"
                + cached("{{ m.f() }}"),
                "m": "{% macro f() %}{{ b }}{% endmacro %}",
            },
            "b:set",
        ),
        (
            {
                "page.html": "{% set b = 1 %}{% import 'm' as m %}"
                + cached("{{ m.f() }}{{ m.nothing() }}"),
                "m": "{% macro f() %}{{ b }}{% endmacro %}",
            },
            "b",
        ),
        (
            {
                "page.html": "{% extends 'l' %}{% set s = 1 %}{{ no }}"
                "{% block a %}{{ p }}{{ super() }}{% endblock %}",
                "l": cached("{{ s }}{% block a %}{{ q }}{% endblock %}"),
            },
            "s:set p q",
        ),
        (
            {
                "page.html": "{% extends 'm' %}{% block a %}{{ p }}{% endblock %}",
                "m": "{% extends 'l' %}{% block a %}{{ no }}{% endblock %}",
                "l": cached("{{ self.a() }}") + "{% block a %}{{ q }}{% endblock %}",
            },
            "p",
        ),
        (
            {
                "page.html": "{% extends x %}{% block a %}"
                + cached("{{ p }}")
                + "{% endblock %}"
            },
            "p",
        ),
        (
            {
                "page.html": "{% extends 'l' if x else 'm' %}"
                "{% block a %}{{ p }}{% endblock %}",
                "l": cached("{% block a %}{% endblock %}"),
                "m": cached("m{% block a %}{% endblock %}"),
            },
            "p / p",
        ),
        (
            {
                "page.html": "{% for i in x %}{% block a scoped %}"
                + cached("{{ i }}")
                + "{% endblock %}{% endfor %}"
            },
            "i:loop",
        ),
        (
            {
                "page.html": "{% for i in x %}{% block a %}"
                + cached("{{ i }}")
                + "{% endblock %}{% endfor %}"
            },
            "i",
        ),
        ({"page.html": cached("{% include 'page.html' %}{{ a }}")}, "a"),
        (
            {
                "page.html": "{% import 'm' as m %}" + cached("{{ m.f(a) }}"),
                "m": "{% macro f(x) %}{{ f(x) }}{{ b }}{% endmacro %}",
            },
            "b a",
        ),
        (
            {
                "page.html": "{% for i in x %}{% include 'row' %}{% endfor %}",
                "row": cached("{{ i.name }}"),
            },
            "i.name:loop",
        ),
    ],
)
def test_reads_through_other_templates(
    templates: dict[str, str], expected: str
) -> None:
    assert reads(templates) == expected


def test_the_trail_names_each_step_from_the_tag() -> None:
    [visit] = visits(
        {
            "page.html": "{% include 'part' %}",
            "part": cached("{% include 'a' %}"),
            "a": "{% from 'm' import f %}\n{{ f() }}",
            "m": "{% macro f() %}\n\n{{ b }}{% endmacro %}",
        }
    )
    [seen] = visit.body.reads.values()
    assert seen.trail[visit.depth :] == ('include "a"', "macro f")
    assert (seen.template, seen.read.line) == ("m", 3)


def test_a_name_that_is_set_in_a_branch_depends_on_the_test() -> None:
    [visit] = visits(
        "{% set a = b %}{% if c %}{% set a = d %}{% else %}{% set a = e %}{% endif %}"
        + cached("{{ a }}")
    )
    [seen] = visit.body.reads.values()
    assert seen.binding
    sources = {".".join(each.path) for each in seen.binding.sources}
    assert sources == {"e", "c", "a"}


def test_a_namespace_is_made_from_all_that_is_set_in_it() -> None:
    [visit] = visits(
        "{% set ns = namespace(x=a) %}{% for i in b %}{% set ns.x = i %}{% endfor %}"
        + cached("{{ ns.x }}")
    )
    [seen] = visit.body.reads.values()
    assert seen.binding
    names = [each.path[0] for each in seen.binding.sources]
    assert names == ["namespace", "a", "i"]


def test_a_fragment_knows_what_is_around_it_and_whether_a_block_is_in_it() -> None:
    outer, inner = visits(cached("{% block a %}{% endblock %}" + cached("b")))
    assert inner.outer == (outer,)
    assert outer.body.has_block
    assert not inner.body.has_block


def test_keys_are_read_outside_of_their_fragment() -> None:
    outer, inner = visits(
        cached("{% cache 1, 'i', a.id, unless=b %}{{ c }}{% endcache %}")
    )
    assert [each.path for each in outer.body.reads.values()] == [
        ("a", "id"),
        ("b",),
        ("c",),
    ]
    assert [each.path for each in inner.key] == [("a", "id")]
    assert [each.path for each in inner.unless] == [("b",)]


MODULE = "{% set name = session.name %}{% set color = 'blue' %}"


def test_a_name_of_an_imported_module_is_made_from_what_the_module_reads() -> None:
    page = (
        "{% import 'm.html' as m with context %}{% cache 60, 'a' %}{{ m.name }}"
        "{{ m.color }}{% endcache %}"
    )
    assert codes({"page.html": page, "m.html": MODULE}) == ["FC001"]
    in_key = page.replace("'a'", "'a', m.name")
    assert not codes({"page.html": in_key, "m.html": MODULE})


@pytest.mark.parametrize(
    "addition",
    [
        "{% do found.append(session.name) %}",
        "{% set _ = found.append(session.name) %}",
        "{{ found.append(session.name) or '' }}",
        "{% for i in (1, 2) %}{% do found.extend([i, session.name]) %}{% endfor %}",
    ],
)
def test_a_list_is_made_from_what_is_put_into_it(addition: str) -> None:
    body = "{% cache 60, 'a' %}{{ found }}{% endcache %}"
    assert codes("{% set found = [] %}" + addition + body) == ["FC001"]
    assert not codes("{% set found = [] %}" + body)


def test_what_is_put_into_a_variable_of_the_page_leaves_it_what_it_is() -> None:
    body = "{% cache 60, 'a' %}{{ cart }}{% endcache %}"
    assert codes("{% do cart.add(item) %}" + body) == ["FC001"]
    own = "{% for row in rows %}{% do row.update(a=a) %}{% cache 60, 'a', row.id %}"
    assert not codes(own + "{{ row.title }}{% endcache %}{% endfor %}")


def test_whether_there_is_a_request_is_the_same_for_all() -> None:
    for name in ("request", "session", "g"):
        assert not codes(
            f"{{% cache 60, 'a' %}}{{{{ {name} is defined }}}}{{% endcache %}}"
        )
    tested = "{% cache 60, 'a' %}{{ session is none }}{% endcache %}"
    assert codes(tested) == ["FC001"]


def test_a_request_is_put_into_a_hole() -> None:
    [found] = findings("{% cache 60, 'a' %}{{ request }}{% endcache %}")
    assert found.remedy == "{% nocache %}{{ request }}{% endnocache %}"
