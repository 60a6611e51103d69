"""Writes expressions as they stand in templates."""

from __future__ import annotations

from jinja2 import nodes

from jinja_fragcache.messages import quoted

_OPERATORS = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gteq": ">=",
    "lt": "<",
    "lteq": "<=",
    "in": "in",
    "notin": "not in",
}
#: Stands for what can't be written.
OTHER = "..."


def write(node: nodes.Node | None) -> str:  # noqa: PLR0911 - one for each kind
    """Return the text of an expression. What is in no template is written as `...`."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Const():
            return _constant(node.value)
        case nodes.Getattr():
            return f"{_inner(node.node)}.{node.attr}"
        case nodes.Getitem():
            return f"{_inner(node.node)}[{write(node.arg)}]"
        case nodes.Call():
            return f"{_inner(node.node)}({_arguments(node)})"
        case nodes.Filter() | nodes.Test():
            return _filter(node)
        case nodes.List() | nodes.Tuple():
            return _sequence(node)
        case nodes.Dict():
            return "{" + ", ".join(map(_pair, node.items)) + "}"
    return _operation(node)


def _constant(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _operation(node: nodes.Node | None) -> str:  # noqa: PLR0911 - one for each kind
    match node:
        case nodes.BinExpr():
            return f"{_inner(node.left)} {node.operator} {_inner(node.right)}"
        case nodes.Not():
            return f"not {_inner(node.node)}"
        case nodes.UnaryExpr():
            return f"{node.operator}{_inner(node.node)}"
        case nodes.Concat():
            return " ~ ".join(map(_inner, node.nodes))
        case nodes.Compare():
            rest = (f"{_OPERATORS[op.op]} {_inner(op.expr)}" for op in node.ops)
            return " ".join([_inner(node.expr), *rest])
        case nodes.CondExpr():
            text = f"{write(node.expr1)} if {write(node.test)}"
            return text if node.expr2 is None else f"{text} else {write(node.expr2)}"
        case nodes.Slice():
            parts = [node.start, node.stop, *([node.step] if node.step else [])]
            return ":".join("" if part is None else write(part) for part in parts)
    return OTHER


def _inner(node: nodes.Node | None) -> str:
    """Write an expression as a part of another one."""
    is_joined = isinstance(
        node,
        nodes.BinExpr | nodes.UnaryExpr | nodes.Concat | nodes.Compare | nodes.CondExpr,
    )
    return f"({write(node)})" if is_joined else write(node)


def _sequence(node: nodes.List | nodes.Tuple) -> str:
    items = ", ".join(map(write, node.items))
    if isinstance(node, nodes.List):
        return f"[{items}]"
    return f"({items},)" if len(node.items) == 1 else f"({items})"


def _pair(pair: nodes.Pair) -> str:
    return f"{write(pair.key)}: {write(pair.value)}"


def _filter(node: nodes.Filter | nodes.Test) -> str:
    arguments = _arguments(node)
    called = f"{node.name}({arguments})" if arguments else node.name
    if isinstance(node, nodes.Test):
        return f"{_inner(node.node)} is {called}"
    return f"{_inner(node.node)}|{called}"


def _arguments(node: nodes.Call | nodes.Filter | nodes.Test) -> str:
    named = [f"{each.key}={write(each.value)}" for each in node.kwargs]
    many = [f"*{_inner(node.dyn_args)}"] if node.dyn_args else []
    pairs = [f"**{_inner(node.dyn_kwargs)}"] if node.dyn_kwargs else []
    return ", ".join([*map(write, node.args), *many, *named, *pairs])
