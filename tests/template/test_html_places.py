import pytest

from jinja_fragcache.reads.html import DATA, UNKNOWN

from .test_tag_sites import sites

FRAGMENT = "{% cache 60 %}x{% endcache %}"


def place(source: str) -> str:
    (site,) = sites(source.replace("HERE", FRAGMENT))
    return site.html


@pytest.mark.parametrize(
    "source",
    [
        "<p>HERE",
        "<p>{{ x }}HERE",
        "<a title='{{ x }}'>HERE",
        "<a {% if x %}class='a'{% endif %}>HERE",
        "{% if x %}<p>{% endif %}HERE",
        "{% if x %}<p>{% elif y %}<b>{% else %}z{% endif %}HERE",
        "{% for x in y %}<p>HERE</p>{% else %}<b>{% endfor %}",
        "{% if x %}<p>HERE{% else %}<script>{% endif %}",
        "<body>{% block a %}HERE{% endblock %}",
        "{% extends 'x' %}{% block a %}<p>HERE{% endblock %}",
        "{% set x %}<script>{% endset %}<p>HERE",
        "{% macro x() %}<script>{% endmacro %}<p>HERE",
        "<p>{% raw %}{% cache %}{% endraw %}HERE",
        "<p>{% with x = 1 %}{% autoescape true %}HERE{% endautoescape %}{% endwith %}",
        "<p>{% include 'x' %}HERE",
    ],
)
def test_a_fragment_stands_between_elements(source: str) -> None:
    assert place(source) == DATA


@pytest.mark.parametrize(
    "source",
    [
        "HERE<p>",
        "text {{ x }} HERE",
        "{% extends 'x' %}<p>{% block a %}HERE{% endblock %}",
        "{% extends 'x' %}{% block a %}<p>{% endblock %}{% block b %}HERE{% endblock%}",
        "{% set x %}<p>{% endset %}HERE",
        "{# <p> #}HERE",
    ],
)
def test_a_template_may_not_show_where_its_fragment_stands(source: str) -> None:
    assert place(source) == UNKNOWN


@pytest.mark.parametrize(
    "source",
    [
        "<p class='HERE'>",
        "<p HERE>",
        "<script>HERE</script>",
        "<title>{% block title %}HERE{% endblock %}</title>",
        "<textarea>{% if x %}HERE{% endif %}</textarea>",
        "<!-- HERE -->",
        "<p>{% set x %}HERE{% endset %}",
        "<p>{% macro x() %}HERE{% endmacro %}",
        "<p>{% call x() %}HERE{% endcall %}",
        "<p>{% filter upper %}HERE{% endfilter %}",
        "<p>{% unknown %}HERE{% endunknown %}",
        "<p>{% block a %}HERE{% endblock %}<a title='{{ self.a() }}'>",
        "<p>{% if x %}<a title='{% endif %}HERE",
        "<p>{% if x %}<a title='{% else %}<p>{% endif %}HERE",
        "<p>{% for x in y %}HERE<a title='{% endfor %}",
        "<p>{% for x in y %}<a title='{% endfor %}HERE",
        "<{{ tag }}>HERE",
    ],
)
def test_in_doubt_there_is_no_comment(source: str) -> None:
    assert place(source) not in {DATA, UNKNOWN}


def test_a_fragment_in_a_fragment_and_a_hole_follow_the_text() -> None:
    source = (
        "{% cache %}<p>{% cache %}<a title='{% nocache %}{% cache %}{% endcache %}"
        "{% endnocache %}'>{% endcache %}{% cache %}{% endcache %}{% endcache %}"
    )
    places = [site.html for site in sites(source)]
    assert [each in {DATA, UNKNOWN} for each in places] == [
        True,
        True,
        False,
        False,
        True,
    ]
