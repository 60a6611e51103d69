"""Holes: what a `{% nocache %}` in a cached fragment becomes.

A hole is taken out of the fragment's body, which keeps a mark in its place, and is
rendered in the scope around the fragment whenever that is printed. So it can't use what
is bound inside of the body.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import NamedTuple

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.render.holes import HOLE_MARK, NOTE_HOLE, UNAVAILABLE

from .arguments import example, written
from .names import bound_names, free_names, stored_names

#: No template can write a name that begins with a digit.
WHICH = "0hole"
_HOLE = "fragment_cache_hole"
_OURS = "fragment_cache_is_ours"


class Hole(NamedTuple):
    """A hole.

    Attributes:
        number: which of the template's tags it is.
        line: where it stands.
        content: what is rendered in it.
    """

    number: int
    line: int
    content: list[nodes.Node]


def make_hole(
    parser: Parser, number: int, line: int, content: list[nodes.Node]
) -> nodes.Node:
    """Make the node of a `{% nocache %}`.

    As it is, it notes that something is rendered that may not be stored, and renders
    its content: so it does where no fragment of the same template is around it.
    """
    where = nodes.Const((parser.name, line))
    note = nodes.ExprStmt(nodes.Filter(where, NOTE_HOLE, [], [], None, None))
    return _hole_node(Hole(number, line, [note, *content]))


def _hole_node(hole: Hole) -> nodes.Scope:
    node = nodes.Scope(deepcopy(hole.content), lineno=hole.line)
    # What is made of its nodes for one fragment is wrong for one around that.
    setattr(node, _HOLE, hole)
    return node


def own_call_block(block: nodes.CallBlock) -> nodes.CallBlock:
    """Mark a call block of this extension's, which prints what is printed in it."""
    setattr(block, _OURS, True)
    return block


def take_holes(
    parser: Parser, body: list[nodes.Node], missed: nodes.Expr
) -> list[Hole]:
    """Take the holes out of a fragment's body, and leave marks in their places.

    Args:
        parser: parses the template.
        body: the fragment's. It is changed.
        missed: the list of the fragment's `Miss` at run time.

    Raises:
        jinja2.TemplateSyntaxError: one of them can't be taken out.
    """
    taking = _Taking(parser, missed)
    body[:] = taking.scope(body, frozenset(), ())
    return taking.holes


def hole_body(holes: Iterable[Hole]) -> list[nodes.Node]:
    """Give the body of a call block that renders the hole whose number it is given."""
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


def holes_keywords(filled: nodes.Expr, holes: Iterable[Hole]) -> list[nodes.Keyword]:
    """Give what tells a look-up of holes.

    Args:
        filled: the list that a text with holes is put into at run time.
        holes: the holes that it may have.
    """
    numbers = nodes.Const(tuple(hole.number for hole in holes))
    return [nodes.Keyword("filled", filled), nodes.Keyword("holes", numbers)]


class _Taking:
    """Goes through a body and takes its holes out."""

    def __init__(self, parser: Parser, missed: nodes.Expr) -> None:
        self._parser = parser
        self._missed = missed
        self.holes: list[Hole] = []

    def scope(
        self,
        body: Iterable[nodes.Node],
        bound: frozenset[str],
        modifiers: tuple[nodes.ScopedEvalContextModifier, ...],
    ) -> list[nodes.Node]:
        """Go through a scope.

        Args:
            body: what stands in it.
            bound: the names that are bound around it, inside of the fragment.
            modifiers: the `{% autoescape %}` blocks around it, inside of the fragment.
        """
        body = list(body)
        bound |= bound_names(body)
        return [self._node(node, bound, modifiers) for node in body]

    def _node(
        self,
        node: nodes.Node,
        bound: frozenset[str],
        modifiers: tuple[nodes.ScopedEvalContextModifier, ...],
    ) -> nodes.Node:
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
            case nodes.CallBlock() if hasattr(node, _OURS):
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
        modifiers: tuple[nodes.ScopedEvalContextModifier, ...],
    ) -> nodes.Node:
        content = deepcopy(hole.content)
        for modifier in reversed(modifiers):
            options = deepcopy(modifier.options)
            content = [nodes.ScopedEvalContextModifier(options, content)]
        self._check_names(hole, content, bound)
        if bound and _takes_context(content):
            content = self._without(bound, hole, content)
        self.holes.append(Hole(hole.number, hole.line, content))
        number = nodes.Const(hole.number)
        mark = nodes.Filter(number, HOLE_MARK, [self._missed], [], None, None)
        return nodes.FilterBlock([], mark, lineno=hole.line)

    def _check_names(
        self, hole: Hole, content: list[nodes.Node], bound: frozenset[str]
    ) -> None:
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

    def _without(
        self, bound: frozenset[str], hole: Hole, content: list[nodes.Node]
    ) -> list[nodes.Node]:
        """Let an included template that uses a name of the body's say so."""
        names = sorted(name for name in bound if name.isidentifier())
        where = nodes.Const((self._parser.name, hole.line))
        values: list[nodes.Expr] = [
            nodes.Filter(nodes.Const(name), UNAVAILABLE, [where], [], None, None)
            for name in names
        ]
        targets: list[nodes.Expr] = [nodes.Name(name, "param") for name in names]
        return [nodes.With(targets, values, content)]

    def _refuse_holes(self, node: nodes.Node) -> None:
        for each in node.find_all(nodes.Scope):
            hole = getattr(each, _HOLE, None)
            if hole is not None:
                nocache = written(self._parser, "nocache")
                self._parser.fail(
                    f"{nocache} stands in a filter, set, macro or call"
                    " block of a cached fragment, where what is printed may be changed"
                    f" before it is shown. Move it out of that block, or that block out"
                    " of the fragment.",
                    hole.line,
                )


def _takes_context(content: Iterable[nodes.Node]) -> bool:
    """Tell whether a template is rendered in it that sees the names around it."""
    kinds = (nodes.Include, nodes.Import, nodes.FromImport)
    return any(
        node.with_context
        for top in content
        for node in (top, *top.find_all(kinds))
        if isinstance(node, kinds)
    )
