"""Makes the nodes that call functions of `render`, which are filters."""

from jinja2 import nodes

from jinja_fragcache.render.functions import FunctionName


def filter_call(
    value: nodes.Expr | None,
    name: FunctionName,
    arguments: list[nodes.Expr],
    keywords: list[nodes.Keyword] | None = None,
) -> nodes.Filter:
    """Return the node that calls a function of `render`.

    Args:
        value: The first argument, in front of the `|`; None in a filter block.
        name: The name of the filter.
        arguments: The other positional arguments.
        keywords: The keyword arguments.
    """
    return nodes.Filter(value, name, arguments, keywords or [], None, None)
