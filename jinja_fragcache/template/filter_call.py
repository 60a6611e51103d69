"""Calls of the functions in `render`, which are filters."""

from jinja2 import nodes


def filter_call(
    value: nodes.Expr | None,
    name: str,
    arguments: list[nodes.Expr],
    keywords: list[nodes.Keyword] | None = None,
) -> nodes.Filter:
    """Return a call of one of the functions in `render`."""
    return nodes.Filter(value, name, arguments, keywords or [], None, None)
