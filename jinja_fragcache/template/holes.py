"""Compile time of `{% nocache %}`: holes are taken out of a fragment's body.

The body keeps a mark in the place of a hole. The hole's content is rendered in the
scope around the fragment, each time that the fragment is printed, so it can't use names
that are bound inside of the body. The functions that the compiled template calls are in
`render.holes`.

A hole in a fragment inside of another fragment is a hole of the outer one, too. So its
content moves on to the outer one, and what rendered it prints the outer one's mark.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.reads.arguments import example, written
from jinja_fragcache.render.functions import (
    HOLE_MARK,
    HOLE_MARKS,
    NOTE_HOLE,
    UNAVAILABLE,
)

from .body import (
    keep_names,
    keep_surroundings,
    mend,
    names_from_outside,
)
from .filter_call import filter_call
from .names import bound_names, free_names, stored_names
from .parts import (
    WHICH,
    Holes,
    Part,
    facts_of,
    finish,
    hole_of,
    note_hole,
    own_nodes,
    part_of,
)
from .tag_sites import Site

_Modifiers = tuple[nodes.ScopedEvalContextModifier, ...]


def make_hole(
    parser: Parser, site: Site, line: int, content: list[nodes.Node]
) -> nodes.Node:
    """Make the node of a `{% nocache %}` tag.

    It renders the content, and notes that what is being rendered may not be stored.
    That is what happens if no fragment of the same template is around the tag. If there
    is one, `take_holes` replaces the node.

    Args:
        parser: The parser of the template.
        site: What is known of the tag's place.
        line: The line of the tag.
        content: What stands in the tag.
    """
    content = keep_surroundings(parser, content, site)
    where = nodes.Const((parser.name, line))
    note = nodes.ExprStmt(filter_call(where, NOTE_HOLE, []), lineno=line)
    node = nodes.Scope([note, *content], lineno=line)
    note_hole(node, site.number, site.variables)
    return node


def take_holes(
    parser: Parser, body: list[nodes.Node], miss: nodes.Expr, site: Site
) -> Holes:
    """Take the holes out of a fragment's body, and leave marks in their places.

    Args:
        parser: The parser of the template.
        body: The body of the fragment, which is changed in place.
        miss: The name of the fragment's miss.
        site: Where the fragment's tag stands.

    Raises:
        jinja2.TemplateSyntaxError: If a hole can't be taken out.
    """
    taker = _HoleTaker(parser, miss, site)
    body[:] = taker.scope(body, frozenset(), ())
    return taker.holes


class _HoleTaker:
    """Takes the holes out of a fragment's body.

    Args:
        parser: The parser of the template.
        miss: The name of the fragment's miss.
        site: Where the fragment's tag stands.

    Attributes:
        holes: The holes that were taken out so far.
    """

    def __init__(self, parser: Parser, miss: nodes.Expr, site: Site) -> None:
        self._parser = parser
        self._miss = miss
        self._whole = site.whole
        self.holes = Holes()

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
        hole = hole_of(node)
        if hole is not None:
            return self._replace(node, *hole, bound, modifiers)
        part = part_of(node)
        if part is not None:
            return self._take_over(node, part, bound, modifiers)
        match node:
            case nodes.If():
                for name in ("body", "elif_", "else_"):
                    inside = [
                        self._node(each, bound, modifiers)
                        for each in getattr(node, name)
                    ]
                    setattr(node, name, inside)
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
            case (
                nodes.FilterBlock()
                | nodes.AssignBlock()
                | nodes.Macro()
                | nodes.CallBlock()
            ):
                self._refuse_holes(node)
        return node

    def _replace(
        self,
        node: nodes.Node,
        number: int,
        variables: str | None,
        bound: frozenset[str],
        modifiers: _Modifiers,
    ) -> nodes.Node:
        """Take a hole out, and return the mark that replaces it."""
        # What fills the holes also notes that they are rendered.
        _, *content = node.iter_child_nodes()
        free = frozenset(free_names(content))
        has_special_names = self._whole.has_special_names
        facts = facts_of(content, has_special_names=has_special_names)
        if facts.needs_mending:
            mend(self._parser, content)
        seen = names_from_outside(content, self._whole.assigned)
        kept = keep_names(self._parser, content, facts, variables)
        inner = nodes.Scope(content, lineno=node.lineno)
        finish(inner, Part(facts, free))
        asked = nodes.Operand("eq", nodes.Const(number))
        test = nodes.Compare(nodes.Name(WHICH, "load"), [asked])
        body: list[nodes.Node] = [nodes.If(test, [inner], [], [], lineno=node.lineno)]
        holes = Holes()
        holes.lines, holes.body = {number: node.lineno}, body
        holes.reads = dict.fromkeys(free, node.lineno)
        holes.seen, holes.kept, holes.facts = seen, kept, facts
        self._take(holes, bound, modifiers, node.lineno)
        mark = filter_call(nodes.Const(number), HOLE_MARK, [self._miss])
        return nodes.FilterBlock([], mark, lineno=node.lineno)

    def _take_over(
        self,
        node: nodes.Node,
        part: Part,
        bound: frozenset[str],
        modifiers: _Modifiers,
    ) -> nodes.Node:
        """Take over the holes of a fragment inside of this one.

        What rendered them is replaced by what prints marks of this one.
        """
        if part.holes is None or not isinstance(node, nodes.CallBlock):
            return node
        bound |= part.bound
        self._take(part.holes, bound, modifiers, part.line)
        marks = filter_call(node.call.args[0], HOLE_MARKS, [self._miss])
        return nodes.FilterBlock([], marks, lineno=part.line)

    def _take(
        self, holes: Holes, bound: frozenset[str], modifiers: _Modifiers, line: int
    ) -> None:
        for modifier in reversed(modifiers):
            options = deepcopy(modifier.options)
            holes.reads = {**dict.fromkeys(free_names(options), line), **holes.reads}
            holes.body = [
                nodes.ScopedEvalContextModifier(options, holes.body, lineno=line)
            ]
        self._check_names(holes, bound)
        if bound and holes.facts.passes_context:
            holes.body = self._hide_names(bound, holes, line)
        self.holes.add(holes)

    def _check_names(self, holes: Holes, bound: frozenset[str]) -> None:
        """Refuse a hole that reads a name bound inside of the fragment."""
        used = sorted(holes.reads.keys() & bound)
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
            holes.reads[name],
        )

    def _hide_names(
        self, bound: frozenset[str], holes: Holes, line: int
    ) -> list[nodes.Node]:
        """Hide names that the body binds from templates that the hole includes.

        Which names these read is not known here. So each name stands for an object
        that raises an error when an included template uses it.
        """
        names = sorted(name for name in bound if name.isidentifier())
        where = nodes.Const((self._parser.name, line))
        values: list[nodes.Expr] = [
            filter_call(nodes.Const(name), UNAVAILABLE, [where]) for name in names
        ]
        targets: list[nodes.Expr] = [nodes.Name(name, "param") for name in names]
        return [nodes.With(targets, values, holes.body, lineno=line)]

    def _refuse_holes(self, node: nodes.Node) -> None:
        """Refuse holes in a node that may change what it prints."""
        line = next(_hole_lines(node.iter_child_nodes()), None)
        if line is not None:
            nocache = written(self._parser, "nocache")
            self._parser.fail(
                f"{nocache} is in a filter, set, macro or call block of a cached"
                " fragment, which may change what is printed before it is shown."
                " Move it out of that block, or that block out of the fragment.",
                line,
            )


def _hole_lines(body: Iterable[nodes.Node]) -> Iterator[int]:
    for node in own_nodes(body):
        part = part_of(node)
        if hole_of(node) is not None:
            yield node.lineno
        elif part is not None and part.holes is not None:
            yield part.line
