"""The names that a key's expressions have, for the guard.

`user.id`, `request.args["page"]` and `session.get("cart")` name `user.id`,
`request.args.page` and `session.cart`.
"""

from collections.abc import Iterable, Iterator

from jinja2 import nodes

# What functions return by another name than their own.
_FUNCTIONS = {"get_locale": "locale", "csrf_token": "csrf_token"}


def key_names(expressions: Iterable[nodes.Expr]) -> list[str]:
    """Return the dotted names in expressions, each once, in their order."""
    found = [name for each in expressions for name in _names(each)]
    return list(dict.fromkeys(found))


def _names(node: nodes.Node) -> Iterator[str]:
    name = _dotted(node)
    if name is not None:
        yield name
        return
    for child in node.iter_child_nodes():
        yield from _names(child)


def _dotted(node: nodes.Node) -> str | None:
    """Return the dotted name that a node is, None for any other expression."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return _joined(node.node, node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return _joined(node.node, node.arg.value)
    return _called(node) if isinstance(node, nodes.Call) else None


def _called(call: nodes.Call) -> str | None:
    """Return the dotted name of what a call returns, None for any other call."""
    called, first = call.node, call.args[0] if call.args else None
    if isinstance(called, nodes.Name):
        return _FUNCTIONS.get(called.name)
    if (
        isinstance(called, nodes.Getattr)
        and called.attr in {"get", "getlist"}
        and isinstance(first, nodes.Const)
    ):
        return _joined(called.node, first.value)
    return None


def _joined(node: nodes.Node, part: object) -> str | None:
    name = _dotted(node)
    if name is None:
        return None
    # The names of headers don't depend on case.
    shown = str(part).lower() if name == "request.headers" else part
    return f"{name}.{shown}"
