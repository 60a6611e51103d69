import pytest

from jinja_fragcache.reads.outline import (
    Bind,
    Block,
    Branch,
    Broken,
    CallBlock,
    Fragment,
    Group,
    Hole,
    Import,
    Include,
    Loop,
    Macro,
    Use,
)
from tests.check.support import outline_of, project_of


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("text", []),
        ("{{ a }}", [Use]),
        ("{% do f(a) %}", [Use]),
        ("{% set a = b %}", [Bind]),
        ("{% set a %}b{% endset %}", [Bind]),
        ("{% if a %}b{% endif %}", [Branch]),
        ("{% for a in b %}{% endfor %}", [Loop]),
        ("{% with a = b %}{% endwith %}", [Group]),
        ("{% filter upper %}{% endfilter %}", [Use, Group]),
        ("{% autoescape true %}{% endautoescape %}", [Group]),
        ("{% macro a() %}{% endmacro %}", [Macro]),
        ("{% call a() %}{% endcall %}", [CallBlock]),
        ("{% include 'a' %}", [Include]),
        ("{% import 'a' as b %}", [Import]),
        ("{% from 'a' import b %}", [Import]),
        ("{% block a %}{% endblock %}", [Block]),
        ("{% cache %}{% endcache %}", [Fragment]),
        ("{% nocache %}{% endnocache %}", [Hole]),
        ("{% cache_each a in b, 1, 'x', a %}{% endcache_each %}", [Loop]),
        ("{% trans a=b.c %}{{ a }}{% endtrans %}", [Use]),
    ],
)
def test_kinds_of_statements(source: str, kinds: list[type]) -> None:
    assert [type(each) for each in outline_of(source).body] == kinds


def test_a_tag_is_known_by_what_it_says() -> None:
    source = (
        '\n{% cache 60*5, "row" ~ "s", a.id, b, unless=c.d, version=e, tags=["t"], allow=["g.a"] %}'
        "{% endcache %}"
    )
    [tag] = outline_of(source).tags
    assert (tag.kind, tag.line, tag.position) == ("cache", 2, 1)
    assert (tag.name, tag.is_name_variable, tag.timeout) == ("rows", False, 300)
    assert [read.path for read in tag.key] == [("a", "id"), ("b",), ("e",)]
    assert [read.path for read in tag.unless] == [("c", "d")]
    assert tag.key_texts == ("a.id", "b")
    assert tag.allow == ("g.a",)
    assert dict(tag.options) == {
        "unless": "c.d",
        "tags": '["t"]',
        "version": "e",
        "allow": '["g.a"]',
    }


def test_a_name_and_key_values_that_come_from_variables() -> None:
    [tag] = outline_of("{% cache t, n, vary_on=v %}{% endcache %}").tags
    assert (tag.name, tag.is_name_variable, tag.timeout) == (None, True, None)
    assert (tag.key_texts, tag.vary_on_text) == (None, "v")
    assert [read.path for read in tag.key] == [("n",), ("v",)]


def test_the_head_of_a_list_is_kept_as_it_is_written() -> None:
    source = "{% cache_each a, b in c.d() if e, 1, 'x', a %}{% endcache_each %}"
    assert outline_of(source).tags[0].head == "a, b in c.d() if e"


def test_tags_are_in_their_order_and_counted_on_each_line() -> None:
    source = (
        "{% cache 1 %}{% cache 2 %}{% endcache %}{% endcache %}"
        "{% cache 3 %}{% endcache %}\n{% cache 4 %}{% endcache %}"
    )
    tags = outline_of(source).tags
    assert [(tag.timeout, tag.position) for tag in tags] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 1),
    ]


def test_a_body_has_the_same_digest_however_it_is_laid_out() -> None:
    def digest(body: str) -> str:
        return outline_of(f"{{% cache 1 %}}{body}{{% endcache %}}").tags[0].body

    assert digest("<p>  {{ a }}\n</p>") == digest("<p> {{a}} </p>{# x #}")
    assert digest("a") != digest("b")
    assert digest("{% cache 1, 'a' %}{% endcache %}") != digest(
        "{% cache 1, 'b' %}{% endcache %}"
    )


@pytest.mark.parametrize(
    ("source", "templates"),
    [
        ("'a'", ("a",)),
        ("['a', 'b']", ("a", "b")),
        ("'a' if x else 'b'", ("a", "b")),
        ("x or 'b'", ("b",)),
        ("x", ()),
    ],
)
def test_names_of_templates(source: str, templates: tuple[str, ...]) -> None:
    [include] = outline_of(f"{{% include {source} %}}").body
    assert isinstance(include, Include)
    assert include.templates == templates
    assert outline_of(f"{{% extends {source} %}}").extends == templates


def test_names_that_are_read_and_names_of_objects() -> None:
    outline = outline_of(
        "{{ a.id }}{{ b.name|upper }}{% if c %}{% for d in e %}{% endfor %}{% endif %}"
        "{% cache 1, 'x', f.title, g %}{{ h }}{% endcache %}"
    )
    assert outline.names == ("a", "b", "c", "e", "h")
    assert outline.identified == ("a", "f")


@pytest.mark.parametrize(
    ("source", "line", "told"),
    [
        ("\n{% if %}", 2, "Expected an expression"),
        ("{% nothing %}", 1, "unknown tag 'nothing'"),
        ("\n\n{% cache 300, 7 %}{% endcache %}", 3, "name"),
        ("{% cache 300, x=1 %}{% endcache %}", 1, "has no option 'x'"),
        (
            "{% for a in b %}{% cache %}{% break %}{% endcache %}{% endfor %}",
            1,
            "break",
        ),
        (
            "{% cache %}{% set a = 1 %}{% nocache %}{{ a }}{% endnocache %}{% endcache %}",
            1,
            "'a', which is bound",
        ),
    ],
)
def test_a_broken_template_tells_line_and_cause(
    source: str, line: int, told: str
) -> None:
    broken = project_of(source).templates["page.html"].read
    assert isinstance(broken, Broken)
    assert broken.line == line
    assert told in broken.message
    assert "\n" not in broken.message


def test_a_template_that_is_nested_too_deeply_is_broken() -> None:
    source = "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"
    broken = project_of(source).templates["page.html"].read
    assert broken == Broken(1, "It is nested too deeply.")
