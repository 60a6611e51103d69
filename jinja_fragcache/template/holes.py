"""Compile time of `{% nocache %}`: holes are taken out of a fragment's body.

The body keeps a mark in the place of a hole. The hole's content is rendered in the
scope around the fragment, each time that the fragment is printed, so it can't use names
that are bound inside of the body. The functions that the compiled template calls are in
`render.holes`.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import NamedTuple

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.render.holes import HOLE_MARK, NOTE_HOLE, UNAVAILABLE

from .arguments import example, written
from .filter_call import filter_call
from .names import bound_names, free_names, stored_names

#: The parameter that tells a call block which hole to render. It starts with a digit,
#: so that no template can use this name.
WHICH = "0hole"
# Attributes of nodes: the `Hole` that a scope stands for, and whether a call block was
# made by this extension.
_HOLE = "fragment_cache_hole"
_IS_OWN = "fragment_cache_is_own"
_Modifiers = tuple[nodes.ScopedEvalContextModifier, ...]


class Hole(NamedTuple):
    """The content of a `{% nocache %}` tag.

    Attributes:
        number: The number of the tag among all of this extension's tags in the
            template, from 0.
        line: The line of the tag.
        content: The nodes to render in the hole.
    """

    number: int
    line: int
    content: list[nodes.Node]


def make_hole(
    parser: Parser, number: int, line: int, content: list[nodes.Node]
) -> nodes.Node:
    """Make the node of a `{% nocache %}` tag.

    It renders the content, and notes that what is being rendered may not be stored.
    That is what happens if no fragment of the same template is around the tag. If there
    is one, `take_holes` replaces the node.
    """
    where = nodes.Const((parser.name, line))
    note = nodes.ExprStmt(filter_call(where, NOTE_HOLE, []))
    return _hole_node(Hole(number, line, [note, *content]))


def _hole_node(hole: Hole) -> nodes.Scope:
    # A copy, because the nodes are changed for the fragment around them, and a fragment
    # around that needs them unchanged.
    node = nodes.Scope(deepcopy(hole.content), lineno=hole.line)
    setattr(node, _HOLE, hole)
    return node


def own_call_block(block: nodes.CallBlock) -> nodes.CallBlock:
    """Mark a call block as one of this extension's, which prints its body unchanged."""
    setattr(block, _IS_OWN, True)
    return block


def take_holes(
    parser: Parser, body: list[nodes.Node], missed: nodes.Expr
) -> list[Hole]:
    """Take the holes out of a fragment's body, and leave marks in their places.

    Args:
        parser: The parser of the template.
        body: The body of the fragment, which is changed in place.
        missed: The name of the list that holds the fragment's `Miss` at render time.

    Raises:
        jinja2.TemplateSyntaxError: If a hole can't be taken out.
    """
    taker = _HoleTaker(parser, missed)
    body[:] = taker.scope(body, frozenset(), ())
    return taker.holes


def hole_body(holes: Iterable[Hole]) -> list[nodes.Node]:
    """Make the body of a call block that renders the hole with the number `WHICH`."""
    which = nodes.Name(WHICH, "load")
    return [
        nodes.If(
            nodes.Compare(which, [nodes.Operand("eq", nodes.Const(hole.number))]),
            [_hole_node(hole)],
            [],
            [],
        )
        for hole in holes
    ]


class _HoleTaker:
    """Takes the holes out of a fragment's body.

    Args:
        parser: The parser of the template.
        missed: The name of the list that holds the fragment's `Miss` at render time.

    Attributes:
        holes: The holes that were taken out so far.
    """

    def __init__(self, parser: Parser, missed: nodes.Expr) -> None:
        self._parser = parser
        self._missed = missed
        self.holes: list[Hole] = []

    def scope(
        self,
        body: Iterable[nodes.Node],
        bound: frozenset[str],
        modifiers: _Modifiers,
    ) -> list[nodes.Node]:
        """Return the nodes of a scope, with marks in place of its holes.

        Args:
            body: The nodes.
            bound: The names that are bound around the scope, inside of the fragment.
            modifiers: The `{% autoescape %}` blocks around the scope, inside of the
                fragment.
        """
        body = list(body)
        bound |= bound_names(body)
        return [self._node(node, bound, modifiers) for node in body]

    def _node(
        self,
        node: nodes.Node,
        bound: frozenset[str],
        modifiers: _Modifiers,
    ) -> nodes.Node:
        """Return a node, changed in place, or the mark that replaces it."""
        hole = getattr(node, _HOLE, None)
        if hole is not None:
            return self._take(hole, bound, modifiers)
        match node:
            case nodes.If():
                for part in ("body", "elif_", "else_"):
                    inside = [
                        self._node(each, bound, modifiers)
                        for each in getattr(node, part)
                    ]
                    setattr(node, part, inside)
            case nodes.For():
                inner = bound | stored_names(node.target) | {"loop"}
                node.body = self.scope(node.body, inner, modifiers)
                node.else_ = self.scope(node.else_, bound, modifiers)
            case nodes.With():
                inner = bound.union(*map(stored_names, node.targets))
                node.body = self.scope(node.body, inner, modifiers)
            case nodes.ScopedEvalContextModifier():
                node.body = self.scope(node.body, bound, (*modifiers, node))
            case nodes.Scope():
                node.body = self.scope(node.body, bound, modifiers)
            case nodes.CallBlock() if hasattr(node, _IS_OWN):
                inner = bound | {each.name for each in node.args}
                node.body = self.scope(node.body, inner, modifiers)
            case (
                nodes.FilterBlock()
                | nodes.AssignBlock()
                | nodes.Macro()
                | nodes.CallBlock()
            ):
                self._refuse_holes(node)
        return node

    def _take(
        self,
        hole: Hole,
        bound: frozenset[str],
        modifiers: _Modifiers,
    ) -> nodes.Node:
        """Take a hole out, and return the mark that replaces it."""
        content = deepcopy(hole.content)
        for modifier in reversed(modifiers):
            options = deepcopy(modifier.options)
            content = [nodes.ScopedEvalContextModifier(options, content)]
        self._check_names(hole, content, bound)
        if bound and _passes_context(content):
            content = self._hide_names(bound, hole, content)
        self.holes.append(Hole(hole.number, hole.line, content))
        mark = filter_call(nodes.Const(hole.number), HOLE_MARK, [self._missed])
        return nodes.FilterBlock([], mark, lineno=hole.line)

    def _check_names(
        self, hole: Hole, content: list[nodes.Node], bound: frozenset[str]
    ) -> None:
        """Refuse a hole that reads a name bound inside of the fragment."""
        used = sorted(free_names(content) & bound)
        if not used:
            return
        name, nocache = used[0], written(self._parser, "nocache")
        shown = example(self._parser, '300, "row", item.id')
        self._parser.fail(
            f"{nocache} uses {name!r}, which is bound inside of the cached fragment"
            " around it. It is rendered for each request, and the rest of the fragment"
            f" is not. Bind {name!r} in front of the fragment and pass what identifies"
            f" it as a key value, as in {shown}, or move {nocache} out of the"
            " fragment.",
            hole.line,
        )

    def _hide_names(
        self, bound: frozenset[str], hole: Hole, content: list[nodes.Node]
    ) -> list[nodes.Node]:
        """Hide names that the body binds from templates that the hole includes.

        Which names these read is not known here. So each name stands for an object
        that raises an error when an included template uses it.
        """
        names = sorted(name for name in bound if name.isidentifier())
        where = nodes.Const((self._parser.name, hole.line))
        values: list[nodes.Expr] = [
            filter_call(nodes.Const(name), UNAVAILABLE, [where]) for name in names
        ]
        targets: list[nodes.Expr] = [nodes.Name(name, "param") for name in names]
        return [nodes.With(targets, values, content)]

    def _refuse_holes(self, node: nodes.Node) -> None:
        """Refuse holes in a node that may change what it prints."""
        for each in node.find_all(nodes.Scope):
            hole = getattr(each, _HOLE, None)
            if hole is not None:
                nocache = written(self._parser, "nocache")
                self._parser.fail(
                    f"{nocache} is in a filter, set, macro or call block of a cached"
                    " fragment, which may change what is printed before it is shown."
                    " Move it out of that block, or that block out of the fragment.",
                    hole.line,
                )


def _passes_context(content: Iterable[nodes.Node]) -> bool:
    """Return whether the content includes or imports a template with its context."""
    kinds = (nodes.Include, nodes.Import, nodes.FromImport)
    return any(
        node.with_context
        for node in nodes.Scope(list(content)).find_all(kinds)
        if isinstance(node, kinds)
    )
