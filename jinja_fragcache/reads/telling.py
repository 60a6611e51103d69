"""What the value of an expression tells of the values in it.

`[user.id, lang]` and `user.name|string` tell what they are made from. `user|length`
tells less: two users may have the same. So a key with it covers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from jinja2 import nodes

from jinja_fragcache.identities import OF_ROWS
from jinja_fragcache.list_names import list_name

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
# Objects whose texts tell less than what can be read of them, as `<Request 'http://a/'
# [GET]>` does.
_SHORT_TEXTS = {"g", "request"}
_DEFAULTS = {"d", "default"}
# What visitors send in a URL, which is no secret to those who know it.
_OF_QUERY = {
    *("request.args", "request.values", "request.query_params", "request.GET"),
    "request.query",
}
# Mappings that have one value for each key, and all mappings.
_ONE_EACH = {
    *("request.cookies", "request.COOKIES", "request.session", "session"),
    *("request.path_params", "request.resolver_match.kwargs", "request.view_args"),
}
_HEADERS = "request.headers"
# Mappings whose values are texts that a visitor chooses.
_OF_TEXTS = {
    *("request.COOKIES", "request.META", "request.POST", "request.cookies"),
    *("request.form", _HEADERS),
}
_MAPPINGS = {
    *(*_ONE_EACH, *_OF_QUERY, "request.META"),
    *("request.POST", "request.form", _HEADERS),
}
# Attributes that are numbers, or texts that nobody chooses.
_NUMBERS = {"guid", "id", "pk", "uuid"}
# What is false for all who are not logged in.
_OF_USERS = {"is_anonymous", "is_authenticated"}


def told_by(node: nodes.Expr, *, joined: bool = False) -> Iterator[nodes.Expr]:
    """Yield the expressions whose values the value of an expression tells.

    That is the expression itself if it consists of no others, or tells less of them.

    Args:
        node: The expression.
        joined: Whether to yield also what `~` joins with other values. Different values
            may be the same text there.
    """
    if dotted_name(node) is not None:
        yield node
    elif isinstance(node, nodes.And):
        yield from _if(node.left, node.right, joined=joined)
    elif isinstance(node, nodes.CondExpr):
        told = [*_if(node.test, node.expr1, joined=joined)]
        yield from _apart_from(told, [node.expr2] if node.expr2 else [])
    elif isinstance(node, nodes.Or):
        yield from _apart_from([*told_by(node.left, joined=joined)], [node.right])
    elif isinstance(node, nodes.Filter) and node.name in _DEFAULTS and node.node:
        told = [*told_by(node.node, joined=joined)]
        yield from _apart_from(told, _default_of(node))
    elif isinstance(node, nodes.Concat):
        yield from _told_by_texts(_told_by_joined(node, joined=joined))
    else:
        parts = _parts(node)
        if not parts:
            yield node
        for part in parts:
            told_of_part = told_by(part, joined=joined)
            is_text = isinstance(node, nodes.Filter)
            yield from _told_by_texts(told_of_part) if is_text else told_of_part


def _told_by_texts(told: Iterable[nodes.Expr]) -> Iterator[nodes.Expr]:
    """Yield what is told by a text that some expressions make."""
    return (each for each in told if dotted_name(each) not in _SHORT_TEXTS)


def tells_parts(node: nodes.Expr) -> bool:
    """Return whether the value of an expression tells that of one in it."""
    return any(each is not node for each in told_by(node, joined=True))


def joins_texts(node: nodes.Expr) -> bool:
    """Return whether `~` joins values in it, and others may give the same text.

    "a-b" and "c" do, where "a" and "b-c" were. A text and numbers beside it don't.
    """
    if not isinstance(node, nodes.Concat):
        return False
    values = [each for each in _flat(node) if not isinstance(each, nodes.Const)]
    return sum(not _is_number(dotted_name(each)) for each in values) > 1


def told_if_false(condition: nodes.Expr) -> Iterator[nodes.Expr]:
    """Yield the expressions that are the same wherever a condition is false."""
    if isinstance(condition, nodes.Or):
        yield from told_if_false(condition.left)
        yield from told_if_false(condition.right)
        return
    is_negated = isinstance(condition, nodes.Not)
    asked = condition.node if isinstance(condition, nodes.Not) else condition
    name = dotted_name(asked)
    if name is not None and name.endswith(".is_anonymous") is is_negated:
        yield asked


def whose(name: str) -> str:
    """Return whose attribute tells whether somebody is logged in, or the name."""
    root, _, part = name.rpartition(".")
    return root if part in _OF_USERS else name


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
            return [given] if dotted_name(given) in _ONE_EACH else []
        case nodes.Filter(name="list", node=nodes.Call() as given):
            # Of a mapping itself, it would be the keys.
            return [given]
        case _:
            return []


def _default_of(node: nodes.Filter) -> list[nodes.Expr]:
    """Return what `default` puts in place of a value, nothing for ""."""
    if node.dyn_args or node.dyn_kwargs:
        return [node]  # It may be anything.
    named = [each.value for each in node.kwargs if each.key == "default_value"]
    return [*node.args[:1], *named]


def _apart_from(
    told: list[nodes.Expr], others: Sequence[nodes.Expr]
) -> list[nodes.Expr]:
    """Return what a value tells if it can't be taken for another value, else nothing.

    Args:
        told: What the value tells.
        others: What stands there in place of a value that is missing or false. Nothing
            stands for "" or None.
    """
    names = [name for each in told if (name := dotted_name(each)) is not None]
    return told if _are_apart(others, names) else []


def _are_apart(others: Sequence[nodes.Expr], names: Iterable[str]) -> bool:
    """Return whether no name has the value that stands there in place of it."""
    if not others:
        return True
    other = others[0]
    if not isinstance(other, nodes.Const):
        return False
    return all(_is_apart(other.value, name) for name in names)


def _is_apart(other: object, name: str) -> bool:
    """Return whether a name does not have a value, unless that is missing or false.

    The user 1 must not get what nobody gets by `user.id or 1`.
    """
    root, _, attribute = name.rpartition(".")
    if root in _OF_QUERY:
        return True
    if not other:
        # The key of 0 is that of "0", which is a value, and not false.
        is_zero = not isinstance(other, str | bool) and other is not None
        return not (is_zero and root in _OF_TEXTS)
    return isinstance(other, str) and not other.isdigit() and attribute in OF_ROWS


def _told_by_joined(node: nodes.Concat, *, joined: bool) -> Iterator[nodes.Expr]:
    """Yield what the parts tell that `~` joins.

    `"user-" ~ id` is another text for each id. `last ~ "-" ~ first` may be the same for
    two users, if one of the names has a "-", and `last ~ first` for many.
    """
    parts = [*_flat(node)]
    for one, other in pairwise(parts):
        if not (isinstance(one, nodes.Const) or isinstance(other, nodes.Const)):
            return
    values = [part for part in parts if not isinstance(part, nodes.Const)]
    if len(values) == 1 or joined:
        for part in values:
            yield from told_by(part, joined=joined)


def _is_number(name: str | None) -> bool:
    """Return whether a name is that of a number, or of a text as plain as that."""
    attribute = (name or "").rpartition(".")[2]
    return attribute in _NUMBERS or attribute.endswith("_id")


def _flat(node: nodes.Concat) -> Iterator[nodes.Expr]:
    for each in node.nodes:
        if isinstance(each, nodes.Concat):
            yield from _flat(each)
        else:
            yield each


def _if(
    condition: nodes.Expr, value: nodes.Expr, *, joined: bool
) -> Iterator[nodes.Expr]:
    """Yield what a value tells that is there if its own object is.

    `user.id if user else none` tells who the user is. `user.id if user.is_admin else
    none` does not tell the users that are no admins apart.
    """
    asked = dotted_name(condition)
    if asked is not None:
        own = f"{whose(asked)}."
        for each in told_by(value, joined=joined):
            if f"{dotted_name(each)}.".startswith(own):
                yield each


def dotted_name(node: nodes.Expr) -> str | None:
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
        return dotted_name(called.node)
    # The method `items` of a mapping tells nothing of its item `items`.
    return None if dotted_name(called.node) in _MAPPINGS else dotted_name(called)


def _item(called: nodes.Getattr, call: nodes.Call) -> str | None:
    first = call.args[0] if call.args else None
    mapping = dotted_name(called.node)
    if mapping is None or not isinstance(first, nodes.Const):
        return None
    if called.attr == "getlist":
        key = str(first.value)
        shown = key.lower() if mapping == _HEADERS else key
        return list_name(mapping, shown)
    name = _joined(called.node, first.value)
    if mapping in _OF_QUERY:
        return name
    options = {each.key: each.value for each in call.kwargs}
    others = [*call.args[1:], *filter(None, [options.pop("default", None)])]
    # What `type=int` makes of two texts may be the same.
    if name is None or options or len(others) > 1:
        return None
    return name if _are_apart(others, [name]) else None


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
            return dotted_name(called.node) in _ONE_EACH
    return False


def _joined(node: nodes.Expr, part: object) -> str | None:
    name = dotted_name(node)
    if name is None:
        return None
    # The names of headers don't depend on case.
    shown = str(part).lower() if name == _HEADERS else part
    return f"{name}.{shown}"
