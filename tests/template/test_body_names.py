import pytest

from jinja_fragcache.render.bodies import tag_names
from jinja_fragcache.template.body_names import body_names
from tests.support import environment


def names_in(source: str) -> list[str]:
    """Return the names in the body of each tag, in the order of the tags."""
    env = environment()
    tokens = [each for each in env._tokenize(source, None) if each.type != "initial"]
    found = body_names(tokens, tag_names(tokens))
    return [found[index] for index in sorted(found)]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("{{ cart }}", "cart"),
        ("{{ cart.total|money }}", "cart"),
        ("{% if cart and not user %}{% else %}{% endif %}", "cart user"),
        ("{{ f(named=cart) }}", "cart f"),
        ("{% for row in rows %}{{ row }}{% endfor %}", "-row rows"),
        ("{% set row, x = rows %}{{ row }}", "-row rows"),
        ("{% with row = rows %}{{ row }}{% endwith %}", "-row rows"),
        ("{% call(row) table(rows) %}{{ row }}{% endcall %}", "-row rows table"),
        ("{% call table(rows) %}{% endcall %}", "rows table"),
        ("{% cache_each row in rows, 60, 'r' %}{% endcache_each %}", "-row rows"),
        ("{% nocache %}{{ cart }}{% endnocache %}{{ user }}", "user"),
    ],
)
def test_the_names_that_a_body_reads(body: str, names: str) -> None:
    found = names_in("{% cache 60, 'n', key %}" + body + "{% endcache %}{{ after }}")
    assert found[0] == names


def test_a_nested_body_and_its_arguments_are_read_by_the_body_around() -> None:
    source = "{% cache 60, 'a' %}{{ x }}{% cache 60, 'b', key %}{{ y }}{% endcache %}"
    assert names_in(source + "{% endcache %}") == ["key x y", "y"]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("nav()", "-nav user"),
        ("nav(user)", "-nav"),
        ("nav(page, user)", "-nav"),
        ("nav(page=cart)", "-cart -nav user"),
        ("nav(page='a', user=cart)", "-cart -nav"),
    ],
)
def test_a_macro_that_a_body_names_is_in_the_body(head: str, names: str) -> None:
    macro = "{% macro " + head + " %}{{ user.name }}{% endmacro %}"
    assert names_in(macro + "{% cache 60, 'a' %}{{ nav() }}{% endcache %}") == [names]
    assert names_in(macro + "{% cache 60, 'a' %}x{% endcache %}{{ nav() }}") == [""]


def test_macros_may_call_one_another() -> None:
    source = "{% macro a() %}{{ b() }}{{ x }}{% endmacro %}"
    source += (
        "{% macro b() %}{{ a() }}{% macro c() %}{{ y }}{% endmacro %}{% endmacro %}"
    )
    assert names_in(source + "{% cache 60, 'n' %}{{ a() }}{% endcache %}") == [
        "-a -b x"
    ]


def test_a_tag_without_an_end_has_no_names() -> None:
    assert names_in("{% cache 60, 'a' %}{{ x }}") == []
