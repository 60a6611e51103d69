"""The keys of a template that what a page is given may tell."""

import pytest

from jinja_fragcache.render.renderings import GIVEN_KEYS
from tests.support import environment

END = "{% endcache %}"


def given(source: str) -> object:
    env = environment({"page": source, "base": ""})
    return env.get_template("page").root_render_func.__globals__[GIVEN_KEYS]


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ('300, "a", user.id', (("user", "id"),)),
        ('300 "a" user["id"]', (("user", "id"),)),
        ('300, "a", rows[0].id, lang', (("rows", 0, "id"), ("lang",))),
        ('300, "a", "top", lang', (("", "top"), ("lang",))),
        ('300, "a", lang, stale=60', (("lang",),)),
        ('300, "a", lang, tags=[lang]', (("lang",),)),
        ('300, "a", vary_on=[lang]', (("lang",),)),
        ("seconds, 'a', lang", (("lang",),)),
    ],
)
def test_the_paths_of_key_values_are_noted(arguments: str, paths: object) -> None:
    assert given(f"{{% cache {arguments} %}}{END}") == (("a", paths),)


@pytest.mark.parametrize(
    "arguments",
    [
        '300, "a"',
        "300, name, lang",
        '300, "a", lang|lower',
        '300, "a", user.name()',
        '300, "a", user[lang]',
        '300, "a", rows[1.5]',
        '300, "a", true',
        '300, "a", lang, none',
        '300, "a", vary_on=values',
        '300, "a", lang, unless=lang',
        '300, "a", vary_on="auto"',
    ],
)
def test_other_keys_are_not_noted(arguments: str) -> None:
    assert given(f"{{% cache {arguments} %}}{{{{ x }}}}{END}") == ()


def test_the_page_that_a_fragment_with_a_block_has_in_its_key_is_not_known() -> None:
    source = '{% cache 300, "a", lang %}{% block b %}{% endblock %}{% endcache %}'
    assert given(source) == ()


def test_each_key_is_noted_once_and_not_those_of_rows() -> None:
    row = '{% cache_each i in [1], 300, "row", i %}{% endcache_each %}'
    tag = f'{{% cache 300, "a", lang %}}{END}'
    assert given(tag + tag + row) == (("a", (("lang",),)),)
