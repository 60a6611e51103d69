"""Finds what expressions read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

from .outline import ATTRIBUTE, EVERYTHING, FILTER, ITEM, Read
from .paths import all_of, is_bag

# Methods that read the item of a mapping that their first argument names.
_LOOK_UPS = {"get", "getlist", "get_all", "getall"}
# Filters whose result tells little of a value.
_PARTIAL_FILTERS = {"length", "count"}


def reads_of(*expressions: nodes.Node | None) -> tuple[Read, ...]:
    """Return what expressions read, each with its path."""
    return tuple(_all(expressions, is_partial=False))


@dataclass(slots=True)
class _Chain:
    """A name, with what is read of it.

    Attributes:
        read: The name and the path.
        others: Expressions that stand in it, such as the arguments of calls.
        is_plain: Whether nothing but attributes and constant items was read so far.
    """

    read: Read
    others: list[nodes.Node] = field(default_factory=list)
    is_plain: bool = True

    def then(self, name: str, step: tuple[str, str | int] | None = None) -> "_Chain":
        """Return the chain with one more name in its path.

        Args:
            name: The name.
            step: How it is read, None if not by itself.
        """
        read, is_plain = self.read, self.is_plain and step is not None
        steps = (*read.steps, step) if self.is_plain and step else read.steps
        read = read._replace(path=(*read.path, name), steps=steps)
        return _Chain(read, self.others, is_plain)


def _all(expressions: Iterable[nodes.Node | None], is_partial: bool) -> Iterator[Read]:
    for each in expressions:
        if each is not None:
            yield from _reads(each, is_partial)


def _reads(node: nodes.Node, is_partial: bool) -> Iterator[Read]:
    chain = _chain(node)
    if chain is not None:
        read = chain.read
        yield read._replace(is_partial=True) if is_partial else read
        yield from _all(chain.others, is_partial=False)
        return
    whole: list[nodes.Node | None] = []
    tested: list[nodes.Node | None] = []
    match node:
        case nodes.CondExpr():
            tested, whole = [node.test], [node.expr1, node.expr2]
        case nodes.And():
            tested, whole = [node.left], [node.right]
        case nodes.Compare(expr=nodes.Const(value=str() as item), ops=[operand]):
            yield from _membership(item, operand)
        case nodes.Compare() | nodes.Not() | nodes.Test():
            tested = [*node.iter_child_nodes()]
        case nodes.Filter():
            yield Read((FILTER + node.name,), node.lineno, is_called=True)
            tested, whole = [], [*node.iter_child_nodes()]
            if node.name in _PARTIAL_FILTERS:
                tested, whole = whole, tested
        case nodes.ContextReference() | nodes.DerivedContextReference():
            yield Read((EVERYTHING,), node.lineno)
        case _:
            whole = [*node.iter_child_nodes()]
    yield from _all(tested, is_partial=True)
    yield from _all(whole, is_partial)


def _membership(item: str, operand: nodes.Operand) -> Iterator[Read]:
    """Yield what `"next" in request.args` reads: this item, of some mappings."""
    chain = _chain(operand.expr)
    is_in = operand.op in {"in", "notin"}
    if chain is not None and is_in and is_bag(chain.read.path):
        chain = chain.then(item)
    if chain is None:
        yield from _reads(operand.expr, is_partial=True)
        return
    yield chain.read._replace(is_partial=True)
    yield from _all(chain.others, is_partial=False)


def _chain(node: nodes.Node | None) -> _Chain | None:
    """Return the chain that an expression is, None if it is another one."""
    match node:
        case nodes.Name(ctx="load"):
            return _Chain(Read((node.name,), node.lineno))
        case nodes.Getattr():
            base = _chain(node.node)
            return base and base.then(node.attr, (ATTRIBUTE, node.attr))
        case nodes.Getitem():
            return _item(node)
        case nodes.Filter(name="attr", args=[nodes.Const(value=str() as name)]):
            base = _chain(node.node)
            return base and base.then(name)
        case nodes.Call():
            base = _chain(node.node)
            return base and _call(node, base)
    return None


def _item(node: nodes.Getitem) -> _Chain | None:
    base = _chain(node.node)
    match node.arg:
        case nodes.Const(value=str() | int() as item):
            return base and base.then(str(item), (ITEM, item))
    if base is not None:
        base.others.append(node.arg)
        base.is_plain = False
    return base


def _call(node: nodes.Call, base: _Chain) -> _Chain:
    arguments: list[nodes.Node] = [*node.iter_child_nodes()]
    read = base.read
    if base.is_plain:
        # The object counts, since what its method returns is not known.
        read = read._replace(steps=read.steps[:-1])
    match node.args:
        case [nodes.Const(value=str() as item), *_] if (
            len(read.path) > 1 and read.path[-1] in _LOOK_UPS
        ):
            method = read.path[-1]
            step = item if method == "get" else all_of(method, item)
            read = read._replace(path=(*read.path[:-1], step))
        case _:
            is_external = read.path[-1] == "url_for" and _is_external(node)
            read = read._replace(is_called=True, is_external=is_external)
    # The first child is what is called.
    return _Chain(read, [*base.others, *arguments[1:]], is_plain=False)


def _is_external(node: nodes.Call) -> bool:
    for each in node.kwargs:
        is_off = isinstance(each.value, nodes.Const) and not each.value.value
        if each.key in {"_external", "_scheme"} and not is_off:
            return True
    return False
