import pytest
from jinja2 import Environment

from jinja_fragcache.remembered import size_of
from jinja_fragcache.template import tag_sites
from jinja_fragcache.template.tag_sites import SITE, Site, mark_sites
from tests.support import environment


def sites(source: str) -> list[Site]:
    env = Environment()
    stream = env._tokenize(source, None)
    marked = mark_sites(stream)
    return [Site.from_text(token.value) for token in marked if token.type == SITE]


def test_only_the_names_of_cache_tags_get_a_site() -> None:
    source = "{{ cache }} {% set cache = 1 %} cache {% raw %}{% cache %}{% endraw %}"
    assert sites(source) == []
    assert sites("{% 'cache' %}{% 300 %}{% ") == []
    assert len(sites(source + "{% cache %}{%- cache -%}{% endcache %}")) == 2


def test_positions_are_counted_for_each_line() -> None:
    source = "{% cache %}{% cache %}\n{% cache %}\n\n{% cache %}{% cache %}"
    assert [site.position for site in sites(source)] == [1, 2, 1, 1, 2]


def test_a_tag_after_extends_and_outside_of_blocks_never_prints() -> None:
    source = (
        "{% cache %}{% extends 'x' %}{% cache %}{% block a %}{% cache %}"
        "{% block b %}{% endblock %}{% cache %}{% endblock %}{% cache %}"
    )
    flags = [site.printing for site in sites(source)]
    assert flags == ["always", "never", "always", "always", "never"]


def test_the_digest_changes_with_the_source_but_not_with_comments() -> None:
    first = sites("{% cache %}a{% endcache %}")[0].whole.digest
    assert first == sites("{%  cache  %}{# note #}a{% endcache %}")[0].whole.digest
    assert first != sites("{% cache %}b{% endcache %}")[0].whole.digest
    assert first != sites("{% cache 5 %}a{% endcache %}")[0].whole.digest
    assert first != sites("{% cache %}a{% endcache %}\n.")[0].whole.digest


def test_tokens_that_have_sites_already_are_left_unchanged() -> None:
    env = Environment()
    marked = list(mark_sites(env._tokenize("{% cache %}{% endcache %}", None)))
    assert list(mark_sites(marked)) == marked


@pytest.mark.parametrize(
    ("source", "printing"),
    [
        ("{% extends 'a' %}TAG", "never"),
        ("{% set x = 1 %}{% extends 'a' %}{% set x = 1 %}TAG", "never"),
        (
            "{% extends 'a' %}{% if x %}{% for y in x %}TAG{% endfor %}{% endif %}",
            "never",
        ),
        ("{% extends 'a' %}{% filter upper %}TAG{% endfilter %}", "never"),
        ("{% extends 'a' %}{% nocache %}TAG{% endnocache %}", "never"),
        ("{% extends 'a' %}{% block b %}{% endblock %}TAG", "never"),
        ("{% extends 'a' %}{% endif %}{% endfor %}TAG", "never"),
        ("{% extends 'a' %}{% block b %}TAG{% endblock %}", "always"),
        ("TAG{% extends 'a' %}", "always"),
        ("{% extends 'a' %}{% macro m() %}TAG{% endmacro %}", "always"),
        ("{% extends 'a' %}{% set x %}TAG{% endset %}", "always"),
        (
            "{% extends 'a' %}{% call m() %}{% if x %}TAG{% endif %}{% endcall %}",
            "always",
        ),
        (
            "{% extends 'a' %}{% call m() %}{% own %}TAG{% endown %}{% endcall %}",
            "always",
        ),
        ("{% if x %}{% extends 'a' %}{% endif %}TAG", "unless_extended"),
        ("{% if x %}{% set y = 1 %}{% extends 'a' %}{% endif %}TAG", "unless_extended"),
        ("{% if x %}{% extends 'a' %}TAG{% endif %}", "unless_extended"),
        ("{% extends 'a' %}{% own %}TAG{% endown %}", "with_output"),
        (
            "{% extends 'a' %}{% own %}{% if x %}TAG{% endif %}{% endown %}",
            "with_output",
        ),
        ("{% own %}{% extends 'a' %}{% endown %}TAG", "with_output"),
        ("", None),
    ],
)
def test_when_a_tag_prints(source: str, printing: str | None) -> None:
    found = sites(source.replace("TAG", "{% cache %}{% endcache %}"))
    assert [site.printing for site in found if site.number == len(found) - 1] == (
        [printing] if source else []
    )


@pytest.mark.parametrize(
    ("source", "assigned"),
    [
        ("{% if a %}{% for b in c %}{{ d }}{% endfor %}{% endif %}", ()),
        ("{% set a = b %}{% set c, d = e %}{{ f }}", ("a", "b", "c", "d", "e")),
        ("{% set a %}{{ b }}{% endset %}", ("a",)),
        (
            "{% import a as b %}{% from c import d as e %}",
            ("a", "as", "b", "c", "d", "e", "import"),
        ),
        ("{% macro a(b) %}{{ c }}{% endmacro %}", ("a", "b")),
        ("{% set a = 1 %}{% own b %}{% endown %}", None),
        ("{% endless %}", None),
        ("{% 300 %}", None),
    ],
)
def test_the_names_that_may_be_assigned(source: str, assigned: object) -> None:
    (site,) = sites(source + "{% cache c, d %}{% endcache %}")
    assert site.whole.assigned == assigned


@pytest.mark.parametrize(
    ("source", "has_special_names"),
    [
        ("{{ a.b|c }}{% for d in e %}{% endfor %}{% macro f() %}{% endmacro %}", False),
        ("{{ 'caller' }}", True),
        ("{% macro a() %}{{ b(**kwargs) }}{% endmacro %}", True),
        ("{{ self.a() }}", True),
        ("{% own %}{% endown %}", True),
    ],
)
def test_the_names_that_matter_are_looked_for_unless_no_token_is_one(
    source: str, has_special_names: object
) -> None:
    (site,) = sites(source + "{% cache c, d %}{% endcache %}")
    assert site.whole.has_special_names is has_special_names


def test_what_tags_share_is_remembered_within_the_same_bytes() -> None:
    env = environment()
    for number in range(12):
        name = f"{number}" + "x" * 2**19
        source = "{% cache 300, 'k' %}{% include '" + name + "' %}{% endcache %}"
        env.parse(source)
    assert any(text.count(name) for text in tag_sites._known)
    assert sum(size_of(each) for each in tag_sites._known.items()) < 8 * 2**20
