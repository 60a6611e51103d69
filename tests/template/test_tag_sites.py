import pytest
from jinja2 import Environment

from jinja_fragcache.template.tag_sites import SITE, Site, mark_sites


def sites(source: str) -> list[Site]:
    env = Environment()
    stream = env._tokenize(source, None)
    marked = mark_sites(stream)
    return [Site.from_text(token.value) for token in marked if token.type == SITE]


def test_only_the_names_of_cache_tags_get_a_site() -> None:
    source = "{{ cache }} {% set cache = 1 %} cache {% raw %}{% cache %}{% endraw %}"
    assert sites(source) == []
    assert len(sites(source + "{% cache %}{%- cache -%}{% endcache %}")) == 2


def test_positions_are_counted_for_each_line() -> None:
    source = "{% cache %}{% cache %}\n{% cache %}\n\n{% cache %}{% cache %}"
    assert [site.position for site in sites(source)] == [1, 2, 1, 1, 2]


def test_a_tag_after_extends_and_outside_of_blocks_may_not_print() -> None:
    source = (
        "{% cache %}{% extends 'x' %}{% cache %}{% block a %}{% cache %}"
        "{% block b %}{% endblock %}{% cache %}{% endblock %}{% cache %}"
    )
    flags = [site.may_not_print for site in sites(source)]
    assert flags == [False, True, False, False, True]


def test_the_digest_changes_with_the_source_but_not_with_comments() -> None:
    first = sites("{% cache %}a{% endcache %}")[0].digest
    assert first == sites("{%  cache  %}{# note #}a{% endcache %}")[0].digest
    assert first != sites("{% cache %}b{% endcache %}")[0].digest
    assert first != sites("{% cache 5 %}a{% endcache %}")[0].digest
    assert first != sites("{% cache %}a{% endcache %}\n.")[0].digest


def test_tokens_that_have_sites_already_are_left_unchanged() -> None:
    env = Environment()
    marked = list(mark_sites(env._tokenize("{% cache %}{% endcache %}", None)))
    assert list(mark_sites(marked)) == marked


@pytest.mark.parametrize(
    ("source", "skipped"),
    [
        ("{% extends 'a' %}TAG", True),
        ("{% set x = 1 %}{% extends 'a' %}{% set x = 1 %}TAG", True),
        ("{% extends 'a' %}{% if x %}{% for y in x %}TAG{% endfor %}{% endif %}", True),
        ("{% extends 'a' %}{% block b %}{% endblock %}TAG", True),
        ("{% extends 'a' %}{% block b %}TAG{% endblock %}", False),
        ("TAG{% extends 'a' %}", False),
        ("{% if x %}{% extends 'a' %}{% endif %}TAG", False),
        ("{% if x %}{% set y = 1 %}{% extends 'a' %}{% endif %}TAG", False),
        ("{% extends 'a' %}{% macro m() %}TAG{% endmacro %}", False),
        ("{% extends 'a' %}{% set x %}TAG{% endset %}", False),
        ("{% extends 'a' %}{% call m() %}{% if x %}TAG{% endif %}{% endcall %}", False),
        ("{% extends 'a' %}{% filter upper %}TAG{% endfilter %}", False),
        ("{% extends 'a' %}{% endif %}{% endfor %}TAG", True),
        ("", None),
    ],
)
def test_where_a_tag_is_known_to_print_nothing(
    source: str, skipped: bool | None
) -> None:
    found = sites(source.replace("TAG", "{% cache %}{% endcache %}"))
    assert [site.never_prints for site in found] == ([skipped] if source else [])
