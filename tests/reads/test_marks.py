import pytest
from jinja2 import Environment, TemplateSyntaxError, nodes

from jinja_fragcache import FragmentCacheExtension
from jinja_fragcache.reads.marks import body_of, mark_of, marking

environment = Environment(extensions=[FragmentCacheExtension])
marked = marking(environment)


def tags(source: str) -> list[nodes.Node]:
    return [
        each for each in marked.parse(source).find_all(nodes.Scope) if mark_of(each)
    ]


def test_a_tag_keeps_its_arguments_and_its_body() -> None:
    [tag] = tags('\n{% cache 300, "a", x.id, stale=60 %}b{% endcache %}')
    mark = mark_of(tag)
    assert mark
    assert mark.arguments
    assert (mark.kind, mark.line) == ("cache", 2)
    assert mark.arguments.name == nodes.Const("a")
    assert mark.arguments.stale == nodes.Const(60)
    [output] = body_of(tag)
    assert isinstance(output, nodes.Output)


def test_a_list_is_a_loop_with_a_fragment_in_it() -> None:
    tree = marked.parse(
        '{% cache_each a, b in c if d, 300, "x", a %}{{ b }}{% else %}e{% endcache_each %}'
    )
    loop = tree.body[0]
    assert isinstance(loop, nodes.For)
    assert (loop.iter, loop.test) == (nodes.Name("c", "load"), nodes.Name("d", "load"))
    assert loop.else_
    mark = mark_of(loop.body[0])
    assert mark
    assert mark.kind == "cache_each"


def test_a_hole_has_no_arguments() -> None:
    [tag] = tags("{% nocache %}a{% endnocache %}")
    mark = mark_of(tag)
    assert mark
    assert mark.arguments is None
    assert len(body_of(tag)) == 1


def test_bodies_differ_by_the_arguments_of_tags_in_them() -> None:
    one = marked.parse("{% cache 1 %}a{% endcache %}")
    other = marked.parse("{% cache 2 %}a{% endcache %}")
    assert repr(one) != repr(other)


@pytest.mark.parametrize(
    "source",
    [
        "{% cache 300, nothing=1 %}{% endcache %}",
        "{% cache 300 %}",
        "{% cache_each a in b, 300, 'x' %}{% endcache_each %}",
    ],
)
def test_wrong_tags_are_syntax_errors(source: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        marked.parse(source)


def test_the_environment_itself_is_unchanged() -> None:
    assert "FragmentCacheExtension" in str(environment.extensions)
    assert environment.from_string("{% cache 1 %}a{% endcache %}").render() == "a"


def test_tags_of_another_extension_with_the_name_are_read_as_this_ones() -> None:
    other = marking(Environment(extensions=["jinja2.ext.do"]))
    [tag] = other.parse("{% cache 300, 'a' %}{% endcache %}").find_all(nodes.Scope)
    assert mark_of(tag)
