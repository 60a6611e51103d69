"""Makes the nodes that call functions of `render`, and other expressions for them."""

from __future__ import annotations

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.render.functions import FunctionName


def filter_call(
    value: nodes.Expr | None,
    name: FunctionName,
    arguments: list[nodes.Expr],
    keywords: list[nodes.Keyword] | None = None,
) -> nodes.Filter:
    """Return the node that calls a function of `render`, which is a filter.

    Args:
        value: The first argument, in front of the `|`; None in a filter block.
        name: The name of the filter.
        arguments: The other positional arguments.
        keywords: The keyword arguments.
    """
    return nodes.Filter(value, name, arguments, keywords or [], None, None)


def python_expression(parser: Parser, code: str) -> nodes.InternalName:
    """Return an expression that is written into the compiled template as it is.

    It is one node, and each node costs time wherever Jinja goes through the template.

    Args:
        parser: The parser of the template.
        code: Python code that reads nothing but names of the compiled template.
    """
    node = parser.free_identifier()
    node.name = code
    return node
