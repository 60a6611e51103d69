"""The names that a key's expressions have, for the guard.

`user.id`, `request.args["page"]` and `session.get("cart")` name `user.id`,
`request.args.page` and `session.cart`. An expression names only what its value tells:
`session|length` names nothing, since two sessions may have the same length. (Its value
may still cover what gave it, see `guard.reads`.)
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from jinja2 import nodes

from jinja_fragcache.guard.watched import list_name
from jinja_fragcache.identities import OF_ROWS

# What functions return by another name than their own.
_FUNCTIONS = {
    "csrf_token": "csrf_token",
    "get_language": "language",
    "get_locale": "locale",
    "get_timezone": "timezone",
}
# Methods that return one item.
_OF_ITEMS = {"get", "getlist"}
# Filters whose result is another one for each other text or number.
_FILTERS = {
    *("e", "escape", "forceescape", "safe", "string", "tojson", "urlencode"),
}
_DEFAULTS = {"d", "default"}
# What visitors send in a URL, which is no secret to those who know it.
_OF_QUERY = {"request.args", "request.values", "request.query_params", "request.GET"}
# Mappings that have one value for each key, and all mappings.
_ONE_EACH = {"request.cookies", "request.COOKIES", "request.session", "session"}
_HEADERS = "request.headers"
_MAPPINGS = {
    *(*_ONE_EACH, *_OF_QUERY, "request.META"),
    *("request.POST", "request.form", _HEADERS),
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
        names = [*_if(node.test, node.expr1)]
        yield from _apart_from(names, [node.expr2] if node.expr2 else [])
    elif isinstance(node, nodes.Or):
        yield from _apart_from([*_names(node.left)], [node.right])
    elif isinstance(node, nodes.Filter) and node.name in _DEFAULTS and node.node:
        yield from _apart_from([*_names(node.node)], node.args[:1])
    elif isinstance(node, nodes.Concat):
        yield from _joined_names(node)
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
        case nodes.Filter(node=nodes.Expr() as given) if node.name in _FILTERS:
            return [given]
        case nodes.Filter(name="dictsort", node=nodes.Expr() as given, args=[]):
            return [given] if _dotted(given) in _ONE_EACH else []
        case nodes.Filter(name="list", node=nodes.Call() as given):
            # Of a mapping itself, it would be the keys.
            return [given]
        case _:
            return []


def _apart_from(names: list[str], others: Sequence[nodes.Expr]) -> list[str]:
    """Return those of some names whose values can't be taken for another value.

    Args:
        names: The names.
        others: What stands there in place of a value that is missing or false. Nothing
            stands for "" or None.
    """
    if not others:
        return names
    if not isinstance(others[0], nodes.Const):
        return []
    return [name for name in names if _is_apart(others[0].value, name)]


def _is_apart(other: object, name: str) -> bool:
    """Return whether a name does not have a value, unless that is missing or false.

    The user 1 must not get what nobody gets by `user.id or 1`.
    """
    root, _, attribute = name.rpartition(".")
    if not other or root in _OF_QUERY:
        return True
    return isinstance(other, str) and not other.isdigit() and attribute in OF_ROWS


def _joined_names(node: nodes.Concat) -> list[str]:
    """Return the names in what `~` joins.

    `first ~ last` says of two users with other names the same, `last ~ "-" ~ id` not.
    """
    parts = [*_flat(node)]
    for one, other in pairwise(parts):
        if not (isinstance(one, nodes.Const) or isinstance(other, nodes.Const)):
            return []
    return [name for part in parts for name in _names(part)]


def _flat(node: nodes.Concat) -> Iterator[nodes.Expr]:
    for each in node.nodes:
        if isinstance(each, nodes.Concat):
            yield from _flat(each)
        else:
            yield each


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
        return _item(called, call)
    if _tells_all(called, call):
        return _dotted(called.node)
    # The method `items` of a mapping tells nothing of its item `items`.
    return None if _dotted(called.node) in _MAPPINGS else _dotted(called)


def _item(called: nodes.Getattr, call: nodes.Call) -> str | None:
    first = call.args[0] if call.args else None
    mapping = _dotted(called.node)
    if mapping is None or not isinstance(first, nodes.Const):
        return None
    if called.attr == "getlist":
        key = str(first.value)
        return list_name(mapping, key.lower() if mapping == _HEADERS else key)
    name = _joined(called.node, first.value)
    if mapping in _OF_QUERY:
        return name
    options = {each.key: each.value for each in call.kwargs}
    others = [*call.args[1:], *filter(None, [options.pop("default", None)])]
    # What `type=int` makes of two texts may be the same.
    if name is None or options or len(others) > 1:
        return None
    return next(iter(_apart_from([name], others)), None)


def _tells_all(called: nodes.Getattr, call: nodes.Call) -> bool:
    """Return whether the result of a method tells all of its object."""
    if called.attr == "decode":
        return not (call.args or call.kwargs)
    # A query may have several values for one key, of which these show the first.
    options = {each.key: each.value for each in call.kwargs}
    match called.attr, options, call.args:
        case "items", {"multi": nodes.Const(value=True)}, []:
            return True
        case "to_dict", {"flat": nodes.Const(value=False)}, []:
            return True
        case "lists" | "multi_items", {}, []:
            return True
        case "items", _, []:
            return _dotted(called.node) in _ONE_EACH
    return False


def _joined(node: nodes.Expr, part: object) -> str | None:
    name = _dotted(node)
    if name is None:
        return None
    # The names of headers don't depend on case.
    shown = str(part).lower() if name == _HEADERS else part
    return f"{name}.{shown}"
