from itertools import combinations

import pytest
from jinja2 import Environment

from jinja_fragcache.render.bodies import (
    body_digests,
    tag_names,
    token_texts,
    tokens_digest,
)


def digests(source: str) -> list[str]:
    """Return the digests of a template's bodies, in the order of their tags."""
    env = Environment(line_statement_prefix="#")
    tokens = list(env.lexer.tokenize(source))
    found = body_digests(tokens, tag_names(tokens), token_texts(tokens))
    names = {"cache", "cache_each"}
    assert all(tokens[index].value in names for index in found)
    return [found[index] for index in sorted(found)]


BODY = "{% cache 60, x %}a{{ b }}{% endcache %}"


@pytest.mark.parametrize(
    "source",
    [
        "{% cache 300, y, z %}a{{ b }}{% endcache %}",
        "other{% if q %}{% cache x %}a{{b}}{% endcache %}{% endif %}",
        "{% cache 60, x %}a{# comment #}{{ b }}{% endcache %}",
        "{% cache 60, {'a': x} -%} a{{ b }}{% endcache %}",
        "{% cache_each b in c, 60, x, b %}a{{ b }}{% endcache_each %}",
        "{% endcache %}{% cache 60, x %}a{{ b }}{% endcache %}",
        "{% cache 60, x %}a{{ b }}{% endcache %}{% cache 60, y %}",
    ],
)
def test_the_digest_is_that_of_the_body_alone(source: str) -> None:
    assert digests(source) == digests(BODY)


def test_other_bodies_have_other_digests() -> None:
    bodies = [
        "",
        "a",
        "a ",
        "{{ a }}",
        "{{ 'a' }}",
        "{% if a %}{% endif %}",
        "{% cache 60, x %}{% endcache %}",
        "{% cache 60, y %}{% endcache %}",
        "{% cache 60, x %}a{% endcache %}",
        "{% cache 60, x %}{% cache 60, x %}a{% endcache %}{% endcache %}",
        "{% cache 60, x %}{% endcache %}{% cache 60, x %}a{% endcache %}",
        "{% cache_each x in y, 60, z, x %}{% endcache_each %}",
    ]
    outer = [digests(f"{{% cache %}}{body}{{% endcache %}}")[0] for body in bodies]
    for one, other in combinations(outer, 2):
        assert one != other


def test_each_tag_in_a_body_has_its_own() -> None:
    outer, inner = digests("{% cache 60, y %}<" + BODY + ">{% endcache %}")
    assert [inner] == digests(BODY)
    assert outer != inner


def test_line_statements_have_bodies() -> None:
    (found,) = digests("# cache 60, x\na{{ b }}\n# endcache")
    (other,) = digests("# cache 60, x\na{{ c }}\n# endcache")
    assert found != other


def test_a_template_without_tags_has_none() -> None:
    assert digests("") == digests("text {{ x }} {% if y %}{% endif %}") == []


def test_deep_nesting_is_digested_once_for_each_tag() -> None:
    depth = 2000
    source = "{% cache 60, x %}" * depth + "{% endcache %}" * depth
    assert len(set(digests(source))) == depth
    assert tokens_digest([]) not in digests(source)
