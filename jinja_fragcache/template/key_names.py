"""The names that a key's expressions have, for the guard.

`user.id`, `request.args["page"]` and `session.get("cart")` name `user.id`,
`request.args.page` and `session.cart`. An expression names only what its value tells:
`session|length` names nothing, since two sessions may have the same length. (Its value
may still cover what gave it, see `guard.reads`.)
"""

from collections.abc import Iterable, Iterator

from jinja2 import nodes

# What functions return by another name than their own.
_FUNCTIONS = {
    "csrf_token": "csrf_token",
    "get_language": "language",
    "get_locale": "locale",
    "get_timezone": "timezone",
}
# Methods that return one item, and those whose result tells all of the object.
_OF_ITEMS = {"get", "getlist"}
_OF_ALL = {"casefold", "decode", "items", "lower", "strip", "to_dict", "upper"}
# Filters whose result tells what they were given, but for white space or case.
_FILTERS = {
    *("capitalize", "d", "default", "dictsort", "e", "escape", "forceescape", "int"),
    *("items", "join", "list", "lower", "safe", "sort", "string", "title", "tojson"),
    *("trim", "upper", "urlencode"),
}
# What is false for all who are not logged in.
_OF_USERS = {"is_anonymous", "is_authenticated"}


def key_names(expressions: Iterable[nodes.Expr]) -> list[str]:
    """Return the dotted names in expressions, each once, in their order."""
    found = [name for each in expressions for name in _names(each)]
    return list(dict.fromkeys(found))


def names_if_false(condition: nodes.Expr) -> list[str]:
    """Return the dotted names of what is the same wherever a condition is false.

    Where `unless=current_user.is_authenticated` is false, nobody is logged in.
    """
    if isinstance(condition, nodes.Or):
        return [*names_if_false(condition.left), *names_if_false(condition.right)]
    if isinstance(condition, nodes.Not):
        name = _dotted(condition.node)
        return [_user(name)] if name and name.endswith(".is_anonymous") else []
    name = _dotted(condition)
    return [] if name is None or name.endswith(".is_anonymous") else [_user(name)]


def _user(name: str) -> str:
    """Return whose attribute tells whether somebody is logged in, or the name."""
    root, _, part = name.rpartition(".")
    return root if part in _OF_USERS else name


def _names(node: nodes.Expr) -> Iterator[str]:
    name = _dotted(node)
    if name is not None:
        yield name
    elif isinstance(node, nodes.And):
        yield from _if(node.left, node.right)
    elif isinstance(node, nodes.CondExpr):
        if node.expr2 is None or isinstance(node.expr2, nodes.Const):
            yield from _if(node.test, node.expr1)
    else:
        for part in _parts(node):
            yield from _names(part)


def _parts(node: nodes.Expr) -> list[nodes.Expr]:
    """Return the expressions whose values an expression's value tells."""
    match node:
        case nodes.List() | nodes.Tuple():
            return node.items
        case nodes.Dict():
            return [pair.value for pair in node.items]
        case nodes.Concat():
            return node.nodes
        case nodes.Filter(node=nodes.Expr() as given) if node.name in _FILTERS:
            return [given]
        case nodes.Or(right=nodes.Const()):
            return [node.left]
        case _:
            return []


def _if(condition: nodes.Expr, value: nodes.Expr) -> Iterator[str]:
    """Yield the names of a value that is there if its own object is.

    `user.id if user else none` tells who the user is. `user.id if user.is_admin else
    none` does not tell the users that are no admins apart.
    """
    asked = _dotted(condition)
    if asked is not None:
        own = f"{_user(asked)}."
        yield from (name for name in _names(value) if f"{name}.".startswith(own))


def _dotted(node: nodes.Expr) -> str | None:
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
    called = call.node
    if isinstance(called, nodes.Name):
        return _FUNCTIONS.get(called.name)
    if not isinstance(called, nodes.Getattr):
        return None
    if called.attr in _OF_ITEMS:
        first = call.args[0] if call.args else None
        if isinstance(first, nodes.Const):
            return _joined(called.node, first.value)
        return None
    if called.attr in _OF_ALL:
        return _dotted(called.node)
    return _dotted(called)


def _joined(node: nodes.Expr, part: object) -> str | None:
    name = _dotted(node)
    if name is None:
        return None
    # The names of headers don't depend on case.
    shown = str(part).lower() if name == "request.headers" else part
    return f"{name}.{shown}"
