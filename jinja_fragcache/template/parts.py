"""The parts of a template that this extension has finished, and what is known of them.

Fragments may be nested. What has to be known of a fragment's body, or of a hole, is
found out once, when its tag is parsed, and is kept at its node for the fragments around
it. So the time that it takes to compile a template is linear in its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from jinja2 import nodes

_PART = "fragment_cache_part"
_HOLE = "fragment_cache_hole"
#: The parameter that tells a call block which hole to render. It starts with a digit,
#: so that no template can use this name.
WHICH = "0hole"
#: Jinja binds these in the body of every macro.
MACRO_NAMES = frozenset({"caller", "kwargs", "varargs"})
_PAGE_NAMES = ("self", "super")
#: The names of which a fragment has to know whether its body reads them.
SPECIAL_NAMES = MACRO_NAMES.union(_PAGE_NAMES)
# Where statements have others.
_INNER = ("body", "elif_", "else_")
#: Most nodes are of these types, and there is nothing in them.
LEAVES = {nodes.Name, nodes.Const, nodes.TemplateData, nodes.InternalName}


class CallBlockKind(Enum):
    """What a call block of a fragment renders: its body, or the holes of one."""

    BODY = "body"
    BODY_WITH_HOLES = "body with holes"
    HOLES = "holes"


class Facts:
    """What a fragment has to know of the nodes in it.

    Attributes:
        depends_on_page: Whether what they print depends on which template extends this
            one: there is a block, or one is called by `self` or `super`.
        passes_context: Whether they include or import a template with its context.
        leaves_loop: Whether there is a `{% break %}` or `{% continue %}`.
        needs_mending: Whether there is a node that can't be compiled in a function.
        has_holes: Whether there is a hole.
        has_loops: Whether there is a loop.
        macro_names: Those of `MACRO_NAMES` that are read, and not set before.
    """

    __slots__ = (
        "depends_on_page",
        "has_holes",
        "has_loops",
        "leaves_loop",
        "macro_names",
        "needs_mending",
        "passes_context",
    )

    def __init__(self) -> None:
        self.depends_on_page = self.passes_context = self.leaves_loop = False
        self.needs_mending = self.has_holes = self.has_loops = False
        self.macro_names: set[str] = set()

    def add(self, other: Facts) -> None:
        """Add what is known of some of the nodes, but for the names."""
        self.depends_on_page |= other.depends_on_page
        self.passes_context |= other.passes_context
        self.leaves_loop |= other.leaves_loop
        self.needs_mending |= other.needs_mending
        self.has_holes |= other.has_holes
        self.has_loops |= other.has_loops


class Holes:
    """The holes that were taken out of a fragment's body: none, until some are added.

    Attributes:
        lines: The lines of their tags, by the numbers of these among all of this
            extension's tags in the template, from 0.
        body: The nodes that render the hole that is asked for.
        reads: The names that the holes read from the scope around them, each with the
            line of the hole.
        seen: The names that have to be known where the fragment stands.
        kept: What is read of the function around the holes, with the names that stand
            for it.
        facts: What is known of the nodes in the holes.
    """

    __slots__ = ("body", "facts", "kept", "lines", "reads", "seen")

    def __init__(self) -> None:
        self.lines: dict[int, int] = {}
        self.body: list[nodes.Node] = []
        self.reads: dict[str, int] = {}
        self.seen: list[nodes.Expr] = []
        self.kept: list[tuple[nodes.Expr, nodes.InternalName]] = []
        self.facts = Facts()

    def printed(self) -> list[nodes.Node]:
        """Return the nodes that render holes in a function of their own.

        One hole needs no test which it is, and no other scope. All nodes are gone
        through a dozen times while a template is compiled.
        """
        match self.body:
            case [nodes.If(body=[nodes.Scope(body=body)])]:
                return body
        return self.body

    def add(self, other: Holes) -> None:
        """Add holes."""
        self.lines |= other.lines
        self.body += other.body
        self.reads = {**other.reads, **self.reads}
        self.seen += other.seen
        self.kept += other.kept
        self.facts.add(other.facts)


class Part:
    """A node that is finished, with all that stands in it.

    Args:
        facts: What is known of the nodes in it.
        free: The names that it reads from outside, None if they were not asked for yet.
        holes: The holes that it renders, None if it renders none.
        line: The line of their fragment.
        bound: The names that it binds around them.
        kind: What it renders, None if it is no call block.
    """

    __slots__ = ("bound", "facts", "free", "holes", "kind", "line")

    def __init__(
        self,
        facts: Facts,
        free: frozenset[str] | None = None,
        *,
        holes: Holes | None = None,
        line: int = 0,
        bound: frozenset[str] = frozenset(),
        kind: CallBlockKind | None = None,
    ) -> None:
        self.facts = facts
        self.free = free
        self.holes = holes
        self.line = line
        self.bound = bound
        self.kind = kind


def finish(node: nodes.Node, part: Part) -> None:
    """Note what is known of a node."""
    setattr(node, _PART, part)


def part_of(node: nodes.Node) -> Part | None:
    """Return what is known of a node, None if it is not finished."""
    part: Part | None = getattr(node, _PART, None)
    return part


def note_hole(node: nodes.Scope, number: int, variables: str | None) -> None:
    """Note that a scope is the content of a hole.

    Args:
        node: The scope.
        number: The number of the hole's tag.
        variables: The `Site.variables` of the tag.
    """
    setattr(node, _HOLE, (number, variables))


def hole_of(node: nodes.Node) -> tuple[int, str | None] | None:
    """Return what was noted of the hole that a node is the content of, None if of none.

    Returns:
        The number of its tag, and the tag's `Site.variables`.
    """
    noted: tuple[int, str | None] | None = getattr(node, _HOLE, None)
    return noted


def own_nodes(
    body: Iterable[nodes.Node], *, into_blocks: bool = True
) -> Iterator[nodes.Node]:
    """Iterate over all nodes of a body, in their order.

    Finished parts are among them, but of what stands in these, only the calls of call
    blocks, which are evaluated around them.

    Args:
        body: The body.
        into_blocks: Whether what stands in a `{% block %}` is one of them, too.
    """
    waiting = [*body]
    waiting.reverse()
    while waiting:
        node = waiting.pop()
        yield node
        if type(node) in LEAVES:
            continue
        if part_of(node) is not None:
            if isinstance(node, nodes.CallBlock):
                waiting.append(node.call)
        elif into_blocks or not isinstance(node, nodes.Block):
            waiting.extend(reversed([*node.iter_child_nodes()]))


def facts_of(body: Iterable[nodes.Node], *, has_special_names: bool = True) -> Facts:
    """Return what a fragment has to know of its body.

    Args:
        body: The body.
        has_special_names: Whether one of `SPECIAL_NAMES` may be in it. If not, its
            expressions are not looked at.
    """
    facts = Facts()
    if not has_special_names:
        for statement in _own_statements(body):
            _add_statement(facts, statement, has_special_names=False)
        return facts
    unset = set(MACRO_NAMES)
    for node in own_nodes(body, into_blocks=False):
        if isinstance(node, nodes.Name):
            facts.depends_on_page |= node.name in _PAGE_NAMES
            if node.ctx != "load":
                unset.discard(node.name)
            elif node.name in unset:
                facts.macro_names.add(node.name)
        elif isinstance(node, nodes.Stmt):
            _add_statement(facts, node, has_special_names=True)
    return facts


def _own_statements(body: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Iterate over the statements of a body that may be facts, as `own_nodes` does."""
    waiting = [*body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, nodes.Output):
            continue
        yield node
        if part_of(node) is None and not isinstance(node, nodes.Block):
            for name in _INNER:
                waiting += getattr(node, name, ())


def _add_statement(facts: Facts, node: nodes.Node, *, has_special_names: bool) -> None:
    part = part_of(node)
    if part is not None:
        facts.depends_on_page |= part.facts.depends_on_page
        facts.passes_context |= part.facts.passes_context
        facts.has_holes |= part.holes is not None
        return
    match node:
        case nodes.Scope():
            facts.has_holes |= hole_of(node) is not None
        case nodes.Block():
            facts.add(facts_of(node.body, has_special_names=has_special_names))
            facts.depends_on_page = True
        case nodes.Include() | nodes.Import() | nodes.FromImport():
            facts.passes_context |= node.with_context
            facts.needs_mending |= not node.with_context
        case nodes.OverlayScope():
            facts.needs_mending = True
        case nodes.For():
            facts.has_loops = True
        case nodes.Break() | nodes.Continue():
            facts.leaves_loop = True
