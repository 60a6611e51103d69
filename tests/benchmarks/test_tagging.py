import pytest
from jinja2 import Environment
from jinja2.lexer import Token

from benchmarks.transparency.tagging import KEY, Way, add_tags

ENV = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.loopcontrols"])


def tokens(source: str) -> list[Token]:
    return [*ENV._tokenize(source, None)]


def values(source: list[Token]) -> list[tuple[str, str]]:
    return [(token.type, str(token.value)) for token in source]


def check(source: str, way: Way, tagged: str) -> None:
    tagged = tagged.replace("<c>", f"{{% cache vary_on=0|{KEY} %}}")
    tagged = tagged.replace("</c>", "{% endcache %}")
    tagged = tagged.replace("<n>", "{% nocache %}").replace("</n>", "{% endnocache %}")
    assert values(add_tags(ENV, tokens(source), way)) == values(tokens(tagged))


@pytest.mark.parametrize(
    ("source", "tagged"),
    [
        ("", ""),
        ("text", "text"),
        ("a {{ (b, c) }} d", "a <c>{{ (b, c) }}</c> d"),
        ("{{ a }}{{ b }}", "<c>{{ a }}</c><c>{{ b }}</c>"),
        (
            "{% if a %}{{ b }}{% else %}{{ c }}{% endif %}",
            "<c>{% if a %}<c>{{ b }}</c>{% else %}<c>{{ c }}</c>{% endif %}</c>",
        ),
        (
            "{% block a %}{% include b %}{% endblock %}",
            "<c>{% block a %}<c>{% include b %}</c>{% endblock %}</c>",
        ),
        ("{% trans %}{{ a }}{% endtrans %}", "<c>{% trans %}{{ a }}{% endtrans %}</c>"),
    ],
)
def test_a_cache_tag_is_around_each_statement_that_prints(
    source: str, tagged: str
) -> None:
    check(source, Way.CACHE, tagged)


@pytest.mark.parametrize(
    "source",
    [
        "{% set a = 1 %}",
        "{% if a %}{% set b = 1 %}{% endif %}",
        "{% import a as b %}",
        "{% if a %}{% extends b %}{% endif %}",
        "{% macro a() %}{% endmacro %}",
    ],
)
@pytest.mark.parametrize("way", Way)
def test_what_the_template_needs_after_a_statement_stays_outside(
    source: str, way: Way
) -> None:
    check(source, way, source)


def test_no_tag_is_around_what_leaves_a_loop() -> None:
    check(
        "{% for a in b %}{% if a %}{% break %}{% endif %}{{ a }}{% endfor %}",
        Way.CACHE,
        "<c>{% for a in b %}{% if a %}{% break %}{% endif %}<c>{{ a }}</c>"
        "{% endfor %}</c>",
    )


def test_statements_that_follow_each_other_are_holes_of_one_fragment() -> None:
    check(
        "{{ a }} {{ b }}{% set c = 1 %}{% if a %}.{{ c }}{% endif %}",
        Way.NOCACHE,
        "<c><n>{{ a }}</n> <n>{{ b }}</n></c>{% set c = 1 %}"
        "<c><n>{% if a %}.<c><n>{{ c }}</n></c>{% endif %}</n></c>",
    )


@pytest.mark.parametrize(
    ("source", "tagged"),
    [
        (
            "{% for a, b in c if a %}{{ b }}{% else %}-{% endfor %}",
            (
                "{% cache_each a, b in c if a, vary_on=0|KEY %}{{ b }}"
                "{% else %}-{% endcache_each %}"
            ),
        ),
        (
            "{% for a in b: %}{% endfor %}",
            "{% cache_each a in b, vary_on=0|KEY: %}{% endcache_each %}",
        ),
        (
            "{% for a in b recursive %}{% endfor %}",
            "{% for a in b recursive %}{% endfor %}",
        ),
        ("{% for a in b, c %}{% endfor %}", "{% for a in b, c %}{% endfor %}"),
        (
            "{% for a in b %}{% continue %}{% endfor %}",
            "{% for a in b %}{% continue %}{% endfor %}",
        ),
        ("{{ a }}", "{{ a }}"),
    ],
)
def test_a_loop_becomes_a_list(source: str, tagged: str) -> None:
    check(source, Way.CACHE_EACH, tagged.replace("KEY", KEY))


@pytest.mark.parametrize("source", ["{% if %}", "{% no %}", "{{ }}", "{{ a", "{% for"])
def test_mistakes_are_left_to_jinja(source: str) -> None:
    given = tokens(source)
    assert add_tags(ENV, given, Way.CACHE) == given


def test_an_expression_alone_gets_no_tag() -> None:
    given = [*ENV._tokenize("a + 1", None, state="variable")]
    assert add_tags(ENV, given, Way.CACHE) == given


def test_tags_have_the_line_of_their_statement() -> None:
    tagged = add_tags(ENV, tokens("\n{{ a }}\n{% if b %}\n{% endif %}"), Way.CACHE)
    lines = [token.lineno for token in tagged if token.value in {"cache", "endcache"}]
    assert lines == [2, 2, 3, 4]
