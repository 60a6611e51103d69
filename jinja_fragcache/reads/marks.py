"""Parses the package's tags to nodes that keep what the tag says.

The package's own extension compiles the tags away. To see them in a tree of nodes, this
one keeps their arguments beside their bodies, and changes nothing else.
"""

from dataclasses import dataclass

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from .arguments import AUTO, OPTIONS, Arguments, parse_arguments, tag_alone
from .heads import Each, check_row_key, parse_each

_MARK = "fragment_cache_mark"


@dataclass(slots=True)
class Mark:
    """What a tag says.

    Attributes:
        kind: The tag's name.
        line: The tag's line.
        arguments: Its arguments, None for a hole.
        each: The head of its loop, if it is a `cache_each`.
    """

    kind: str
    line: int
    arguments: Arguments | None = None
    each: Each | None = None


def mark_of(node: nodes.Node) -> Mark | None:
    """Return the mark of a node, None if it is not that of a tag of this package."""
    mark: Mark | None = getattr(node, _MARK, None)
    return mark


def body_of(node: nodes.Node) -> list[nodes.Node]:
    """Return what stands in a tag, from the node that has its mark."""
    children = [*node.iter_child_nodes()]
    mark = mark_of(node)
    return children[1:] if mark and mark.arguments else children


def marking(environment: Environment) -> Environment:
    """Return a copy of an environment that marks the package's tags."""
    copy = environment.overlay(extensions=[MarkingExtension])
    for name, extension in [*copy.extensions.items()]:
        if getattr(extension, "compiles_fragments", False):
            del copy.extensions[name]
    return copy


class MarkingExtension(Extension):
    """Parses `cache`, `cache_each` and `nocache` to marked nodes."""

    tags = {"cache", "cache_each", "nocache"}  # noqa: RUF012 - Jinja declares it so
    # After this package's extension, and after another one with a cache tag.
    priority = 2000

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse a tag to its end. Called by Jinja."""
        token = next(parser.stream)
        mark = Mark(token.value, token.lineno)
        if mark.kind == "nocache":
            parser.stream.skip_if("colon")
            return _marked(mark, _body(parser, "endnocache"))
        with tag_alone(parser):
            if mark.kind == "cache_each":
                mark.each = parse_each(parser)
            mark.arguments = parse_arguments(parser)
            if mark.each:
                check_row_key(parser, mark.arguments)
        if mark.each:
            return _loop(parser, mark, mark.each)
        return _marked(mark, _body(parser, "endcache"))


def _body(parser: Parser, end: str) -> list[nodes.Node]:
    return parser.parse_statements((f"name:{end}",), drop_needle=True)


def _loop(parser: Parser, mark: Mark, each: Each) -> nodes.Node:
    """Return the loop that a `cache_each` stands for, with a fragment in it."""
    end = "name:endcache_each"
    body = parser.parse_statements((end, "name:else"))
    else_: list[nodes.Node] = []
    if next(parser.stream).value == "else":
        else_ = parser.parse_statements((end,), drop_needle=True)
    return nodes.For(
        each.target,
        each.iterable,
        [_marked(mark, body)],
        else_,
        each.test,
        False,
        lineno=mark.line,
    )


def _marked(mark: Mark, body: list[nodes.Node]) -> nodes.Node:
    if mark.arguments:
        # The arguments stand in the tree, so that two bodies differ by those of the
        # tags in them, too.
        values = [getattr(mark.arguments, name) for name in OPTIONS]
        given = [value for value in values if value is not None]
        if mark.arguments.is_auto:
            given.append(nodes.Const(AUTO))
        body = [nodes.ExprStmt(nodes.List(given), lineno=mark.line), *body]
    node = nodes.Scope(body, lineno=mark.line)
    setattr(node, _MARK, mark)
    return node
