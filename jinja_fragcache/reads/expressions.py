"""Finds what expressions read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from jinja2 import nodes

from jinja_fragcache.list_names import all_of

from .outline import EVERYTHING, FILTER, TRUTH, Read
from .paths import ATTRIBUTE, ITEM, is_bag
from .telling import dotted_name, joins_texts, tells_parts, told_by, told_if_false
from .writing import write

# Methods that read the item of a mapping that their first argument names.
_LOOK_UPS = {"get", "getlist", "get_all", "getall", "pop", "setdefault"}
# Those whose result is one value, and those that read all items.
_OF_ONE = {"get", "pop", "setdefault"}
_OF_ALL = {"copy", "items", "keys", "lists", "listvalues", "to_dict", "values"}
# Filters whose result tells little of a value.
_PARTIAL_FILTERS = {"length", "count"}
# Filters and tests whose result tells less than a value. Others may tell all of it.
_LOSSY_FILTERS = {
    *_PARTIAL_FILTERS,
    *("abs", "first", "last", "max", "min", "random", "round", "sum", "truncate"),
    *("wordcount",),
}
_OF_TRUTH = {"defined", "none", "undefined"}
# What a framework gives to all templates, if to any.
_GIVEN_TO_ALL = [nodes.Name(name, "load") for name in ("g", "request", "session")]


class _Use(NamedTuple):
    """What of a value counts where it stands. See `Read` for each."""

    is_partial: bool = False
    part: str = ""
    is_opaque: bool = False

    def of(self, node: nodes.Node, *, is_opaque: bool = False) -> "_Use":
        """Return what counts of the values in an expression that tells less of them."""
        if self.part not in {"", TRUTH}:
            return self
        return self._replace(part=write(node), is_opaque=is_opaque)

    def tested(self) -> "_Use":
        """Return what counts of a value that is tested."""
        return self._replace(is_partial=True, part=self.part or TRUTH)


_WHOLE = _Use()


def reads_of(*expressions: nodes.Node | None) -> tuple[Read, ...]:
    """Return what expressions read, each with its path."""
    return tuple(_all(expressions, _WHOLE))


def tests_of(*expressions: nodes.Node | None) -> tuple[Read, ...]:
    """Return what expressions read that are only tested, like `reads_of`."""
    return tuple(_all(expressions, _Use(part=TRUTH)))


def refusals_of(condition: nodes.Expr | None) -> tuple[Read, ...]:
    """Return what an `unless` reads, whole where it is the same if that is false."""
    if condition is None:
        return ()
    told = [*told_if_false(condition)]
    others = _all([condition], _WHOLE.of(condition))
    paths = {read.path for read in reads_of(*told)}
    return (*reads_of(*told), *(read for read in others if read.path not in paths))


@dataclass(slots=True)
class _Chain:
    """A name, with what is read of it.

    Attributes:
        read: The name and the path.
        others: Expressions that stand in it, such as the arguments of calls.
        is_plain: Whether nothing but attributes and constant items was read so far.
        is_known: Whether it reads no item whose name is an expression, or that another
            value may stand for.
    """

    read: Read
    others: list[nodes.Node] = field(default_factory=list)
    is_plain: bool = True
    is_known: bool = True

    def then(self, name: str, step: tuple[str, str | int] | None = None) -> "_Chain":
        """Return the chain with one more name in its path.

        Args:
            name: The name.
            step: How it is read, None if not by itself.
        """
        read, is_plain = self.read, self.is_plain and step is not None
        steps = (*read.steps, step) if self.is_plain and step else read.steps
        read = read._replace(path=(*read.path, name), steps=steps)
        return _Chain(read, self.others, is_plain, self.is_known)


def _all(expressions: Iterable[nodes.Node | None], use: _Use) -> Iterator[Read]:
    for each in expressions:
        if each is not None:
            yield from _reads(each, use)


def _reads(node: nodes.Node, use: _Use) -> Iterator[Read]:
    chain = _chain(node)
    if chain is not None:
        tells_less = chain.others or not chain.is_known
        inner = use.of(node, is_opaque=True) if tells_less else use
        own = use if chain.is_known else inner
        yield chain.read._replace(**own._asdict())
        yield from _all(chain.others, inner._replace(is_partial=False))
        return
    match node:
        case nodes.CondExpr():
            yield from _reads(node.test, use.tested())
            yield from _chosen(node, node.test, [node.expr1, node.expr2], use)
        case nodes.And():
            yield from _both(node, use)
        case nodes.Not():
            yield from _reads(node.node, use.tested())
        case nodes.Compare() | nodes.Test():
            yield from _tested(node, use)
        case nodes.Filter():
            yield from _filtered(node, use)
        case nodes.ContextReference() | nodes.DerivedContextReference():
            yield Read((EVERYTHING,), node.lineno)
        case nodes.Or() if use.part == TRUTH:
            yield from _all(node.iter_child_nodes(), use)
        case nodes.Expr() if not tells_parts(node) or joins_texts(node):
            inner = use.of(node, is_opaque=tells_parts(node))
            yield from _all(node.iter_child_nodes(), inner)
        case _:
            yield from _all(node.iter_child_nodes(), use)


def _both(node: nodes.And, use: _Use) -> Iterator[Read]:
    yield from _reads(node.left, use.tested())
    if use.part == TRUTH:
        yield from _reads(node.right, use)
    else:
        yield from _chosen(node, node.left, [node.right], use)


def _chosen(
    node: nodes.Expr,
    condition: nodes.Expr,
    values: Iterable[nodes.Expr | None],
    use: _Use,
) -> Iterator[Read]:
    """Yield what the values read of which a condition chooses one.

    `[user.id, lang] if user` tells the user, and not the language where there is none.
    """
    told = [*_all(told_by(node), use)] if tells_parts(node) else []
    yield from told
    whole = {read.path for read in told}
    tested = {read.path for read in reads_of(condition)}
    for read in _all(values, use.of(node)):
        if read.path not in whole:
            yield read._replace(is_chosen=read.path not in tested)


def _tested(node: nodes.Compare | nodes.Test, use: _Use) -> Iterator[Read]:
    if isinstance(node, nodes.Test) and node.name in _OF_TRUTH:
        if node.name != "none" and node.node in _GIVEN_TO_ALL:
            return
        yield from _all(node.iter_child_nodes(), use.tested())
        return
    match node:
        case nodes.Compare(expr=nodes.Const(value=str() as item), ops=[operand]):
            yield from _membership(item, operand, use.of(node))
        case _:
            use = use.of(node)._replace(is_partial=True)
            yield from _all(node.iter_child_nodes(), use)


def _filtered(node: nodes.Filter, use: _Use) -> Iterator[Read]:
    yield Read((FILTER + node.name,), node.lineno, is_called=True)
    is_lossy = node.name in _LOSSY_FILTERS
    inner = use.of(node, is_opaque=not is_lossy)
    given = use if tells_parts(node) else inner
    if node.name in _PARTIAL_FILTERS:
        given = given._replace(is_partial=True)
    arguments = [each for each in node.iter_child_nodes() if each is not node.node]
    yield from _all([node.node], given)
    yield from _all(arguments, inner)


def _membership(item: str, operand: nodes.Operand, use: _Use) -> Iterator[Read]:
    """Yield what `"next" in request.args` reads: this item, of some mappings."""
    chain = _chain(operand.expr)
    is_in = operand.op in {"in", "notin"}
    use = use._replace(is_partial=True)
    if chain is not None and is_in and is_bag(chain.read.path):
        chain = chain.then(item)
    if chain is None:
        yield from _reads(operand.expr, use)
        return
    yield chain.read._replace(**use._asdict())
    yield from _all(chain.others, use._replace(is_partial=False))


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
        base.is_plain = base.is_known = False
    return base


def _call(node: nodes.Call, base: _Chain) -> _Chain:
    arguments: list[nodes.Node] = [*node.iter_child_nodes()]
    read, is_known = base.read, base.is_known
    *path, method = read.path
    if base.is_plain:
        # The object counts, since what its method returns is not known.
        read = read._replace(steps=read.steps[:-1])
    match node.args:
        case [] if path and is_bag(read.path) and method in _OF_ALL:
            # A query's `items` show only the first of several values.
            is_known &= dotted_name(node) == ".".join(path)
            read = read._replace(path=(*path,))
        case [nodes.Const(value=str() as item), *_] if path and method in _LOOK_UPS:
            is_one = method in _OF_ONE
            # With `get("user", 1)`, the user 1 has the value of nobody.
            is_known &= not is_one or dotted_name(node) is not None
            read = read._replace(path=(*path, item if is_one else all_of(method, item)))
        case _:
            is_external = method == "url_for" and _is_external(node)
            read = read._replace(is_called=True, is_external=is_external)
    # The first child is what is called.
    others = [*base.others, *arguments[1:]]
    return _Chain(read, others, is_plain=False, is_known=is_known)


def _is_external(node: nodes.Call) -> bool:
    for each in node.kwargs:
        is_off = isinstance(each.value, nodes.Const) and not each.value.value
        if each.key in {"_external", "_scheme"} and not is_off:
            return True
    return False
