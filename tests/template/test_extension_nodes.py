"""Whatever nodes an extension makes, they print the same inside of a fragment."""

from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import Environment, nodes, pass_context
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context

from tests.support import environment

Body = list[nodes.Node]
Made = nodes.Node | list[nodes.Node]


def load(name: str) -> nodes.Name:
    return nodes.Name(name, "load")


def scope(extension: Extension) -> nodes.Expr:
    return extension.call_method("scope")


def overlay(extension: Extension, parser: Parser, body: Body) -> Made:
    return nodes.OverlayScope(scope(extension), body)


def overlay_twice(extension: Extension, parser: Parser, body: Body) -> Made:
    inner = nodes.OverlayScope(scope(extension), body)
    return [
        nodes.OverlayScope(scope(extension), [inner, nodes.Output([load("x")])]),
        nodes.Output([load("x")]),
    ]


def in_a_loop(extension: Extension, parser: Parser, body: Body) -> Made:
    items = nodes.List([nodes.Const(1), nodes.Const(2)])
    inner = nodes.OverlayScope(scope(extension), body)
    return nodes.For(nodes.Name("i", "store"), items, [inner], [], None, False)


def plain_scope(extension: Extension, parser: Parser, body: Body) -> Made:
    return nodes.Scope(body)


def scoped_modifier(extension: Extension, parser: Parser, body: Body) -> Made:
    option = nodes.Keyword("autoescape", nodes.Const(0))
    return nodes.ScopedEvalContextModifier([option], body)


def volatile_modifier(extension: Extension, parser: Parser, body: Body) -> Made:
    option = nodes.Keyword("autoescape", load("off"))
    return nodes.ScopedEvalContextModifier([option], body)


def call_block(extension: Extension, parser: Parser, body: Body) -> Made:
    return nodes.CallBlock(extension.call_method("around"), [], [], body)


def filter_block(extension: Extension, parser: Parser, body: Body) -> Made:
    return nodes.FilterBlock(body, nodes.Filter(None, "upper", [], [], None, None))


def assign_block(extension: Extension, parser: Parser, body: Body) -> Made:
    name = parser.free_identifier()
    return [nodes.AssignBlock(name, None, body), nodes.Output([name])]


def context_reference(extension: Extension, parser: Parser, body: Body) -> Made:
    arguments: list[nodes.Expr] = [nodes.ContextReference(), nodes.Const("x")]
    return [nodes.Output([extension.call_method("read", arguments)]), *body]


def derived_context(extension: Extension, parser: Parser, body: Body) -> Made:
    arguments: list[nodes.Expr] = [nodes.DerivedContextReference(), nodes.Const("i")]
    return [nodes.Output([extension.call_method("read", arguments)]), *body]


def imported(extension: Extension, parser: Parser, body: Body) -> Made:
    name = nodes.ImportedName("string.ascii_uppercase")
    return [nodes.Output([name, nodes.MarkSafe(load("x"))]), *body]


def marked(extension: Extension, parser: Parser, body: Body) -> Made:
    safe = nodes.MarkSafeIfAutoescape(load("x"))
    attribute = nodes.EnvironmentAttribute("block_start_string")
    of_extension = extension.attr("word")
    return [nodes.Output([safe, attribute, of_extension]), *body]


def include(extension: Extension, parser: Parser, body: Body) -> Made:
    names = nodes.List([nodes.Const("no"), nodes.Const("part")])
    return [
        nodes.Include(names, with_context, ignore, lineno=1)
        for with_context in (True, False)
        for ignore in (True, False)
    ]


def block(extension: Extension, parser: Parser, body: Body) -> Made:
    return nodes.Block("made", body, True, False)


MAKERS: list[Callable[[Extension, Parser, Body], Made]] = [
    overlay,
    overlay_twice,
    in_a_loop,
    plain_scope,
    scoped_modifier,
    volatile_modifier,
    call_block,
    filter_block,
    assign_block,
    context_reference,
    derived_context,
    imported,
    marked,
    include,
    block,
]


class NodeExtension(Extension):
    """Makes the nodes that `maker` returns."""

    tags = {"made"}  # noqa: RUF012 - this is how Jinja declares it
    maker: Callable[[Extension, Parser, Body], Made]
    word = "word"

    def parse(self, parser: Parser) -> Made:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endmade",), drop_needle=True)
        made = type(self).maker(self, parser, body)
        for node in made if isinstance(made, list) else [made]:
            node.set_lineno(line)
        return made

    def scope(self) -> dict[str, Any]:
        return {"x": "<overlaid>", "own": "own"}

    def around(self, caller: Callable[[], str]) -> Any:
        return caller()

    @staticmethod
    def read(context: Context, name: str) -> Any:
        return context.get(name, "-")


def make(maker: Any, source: str, *, enable_async: bool) -> Environment:
    kind = type("Made", (NodeExtension,), {"maker": staticmethod(maker)})
    templates = {"p": source, "part": "[{{ x }}{{ i }}]"}
    return environment(templates, extensions=[kind], enable_async=enable_async)


PLACES = [
    "{% for i in [1, 2] %}{% made %}{{ x }}{{ own }}{% endmade %}{{ x }}{% endfor %}",
    "{% made %}{{ x }}{{ i }}{{ own }}{% endmade %}{{ x }}",
    "{% made %}{% set x = 1 %}{% include 'part' %}{% endmade %}{{ x }}",
]


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("enable_async", [False, True])
def test_a_node_of_an_extension_prints_the_same(
    maker: Callable[..., Made], place: str, enable_async: bool
) -> None:
    if enable_async and maker is call_block:
        return  # The extension's own method would have to be a coroutine function.
    context = {"x": "<x>", "off": False}
    plain = make(maker, place, enable_async=enable_async)
    expected = plain.get_template("p").render(context)
    for tag in (
        "{% cache 300, 'x' %}BODY{% endcache %}",
        "{% cache 300, 'x' %}{% cache 300, 'y' %}BODY{% endcache %}{% endcache %}",
        "{% cache 300, 'x' %}{% nocache %}BODY{% endnocache %}{% endcache %}",
        "{% cache_each a in [1], 300, 'x', a %}BODY{% endcache_each %}",
    ):
        env = make(maker, tag.replace("BODY", place), enable_async=enable_async)
        template = env.get_template("p")
        assert [template.render(context) for _ in range(3)] == [expected] * 3, tag


def test_a_context_function_of_an_extension_is_called() -> None:
    @pass_context
    def who(context: Context) -> str:
        return str(context["x"])

    env = environment({"p": "{% cache 300, 'x' %}{{ who() }}{% endcache %}"})
    assert env.get_template("p").render(x=1, who=who) == "1"
