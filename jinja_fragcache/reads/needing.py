"""Finds what bodies need: the walk through one template.

It goes through the template as rendering would, and takes every branch. What other
templates read is not known here, because they may be edited without this one being
compiled again. So that is an `Other`, which `render.needed` looks into.

It errs on the side of more: a name that may be bound in the body, or not, is needed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from .bindings import Bound, Collected, Kind, Scope, block_scope
from .needs import (
    BLOCK,
    CONTEXT,
    EXTENDS,
    HERE,
    IMPORT,
    INCLUDE,
    Needs,
    Other,
    Problem,
    Value,
)
from .outline import (
    EVERYTHING,
    FILTER,
    Bind,
    Block,
    Branch,
    CallBlock,
    Fragment,
    Group,
    Hole,
    Import,
    Include,
    Loop,
    Macro,
    Outline,
    Read,
    Reads,
    Statement,
    Use,
)
from .paths import ATTRIBUTE

_Body = tuple[Statement, ...]


def needs_of_tags(outline: Outline) -> dict[tuple[int, int], Needs]:
    """Return what the bodies of the tags with `vary_on="auto"` need.

    Args:
        outline: The outline of the tags' template.

    Returns:
        The needs of each, by the tag's line and its position there.
    """
    walk = _Walk()
    walk.body(outline.body, walk.root)
    return {
        (tag.line, tag.position): walk.found[id(tag)]
        for tag in outline.tags
        if tag.is_auto and id(tag) in walk.found
    }


def needs_of_include(outline: Outline) -> Needs:
    """Return what a template needs that another one includes."""
    walk = _Walk(is_page=False)
    with walk.collecting(walk.root) as needs:
        walk.body(outline.body, walk.root)
        if outline.extends_line:
            walk.fail(
                outline.extends_line, "extends a template whose name is an expression"
            )
        if outline.extends:
            walk.add_other(Other(EXTENDS, outline.extends))
    return needs.needs()


def needs_of_import(outline: Outline, macros: Iterable[str]) -> Needs:
    """Return what some macros of a template need, or all of them.

    Args:
        outline: The outline of the template.
        macros: The names of the macros, none for all.
    """
    walk = _Walk(is_page=False)
    with walk.collecting(walk.root) as needs:
        walk.body(outline.body, walk.root)
        used = [*macros] or [*walk.root.names]
        walk.reads(tuple(Read((name,), 0) for name in used), walk.root)
    return needs.needs()


def needs_of_block(outline: Outline, name: str) -> Needs:
    """Return what a block of a template needs."""
    walk = _Walk()
    # What is set around it is in the context when the block is rendered.
    walk.body(outline.body, walk.root)
    with walk.collecting(walk.root) as needs:
        for block in outline.blocks:
            if block.name == name:
                walk.body(block.body, block_scope(walk.root, name))
    return needs.needs()


class _Walk:
    """The walk through one template.

    Args:
        is_page: Whether its blocks are those of the page, which may override them.

    Attributes:
        root: The scope of the template.
        found: What the tags need, by the ids of the tags.
    """

    def __init__(self, *, is_page: bool = True) -> None:
        self.root = Scope(None)
        self._is_page = is_page
        self.found: dict[int, Needs] = {}
        # The tags around it.
        self._open: set[int] = set()
        # The bodies around the present statement, the innermost last.
        self._bodies: list[Collected] = []

    @contextmanager
    def collecting(self, scope: Scope) -> Iterator[Collected]:
        """Collect what is needed meanwhile.

        Args:
            scope: The scope of the body.
        """
        collected = Collected(scope)
        self._bodies.append(collected)
        yield collected
        self._bodies.pop()

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Walk through something meanwhile that the bodies around don't read."""
        bodies = self._bodies
        self._bodies = [Collected(each.scope, each.called) for each in bodies]
        yield
        self._bodies = bodies

    def body(self, body: _Body, scope: Scope) -> None:
        """Walk through the statements of a scope."""
        scope.expect(body)
        for each in body:
            self._statement(each, scope)

    def fail(self, line: int, message: str) -> None:
        """Note that it is not known what the bodies around read."""
        for collected in self._bodies:
            if collected.problem is None:
                collected.problem = Problem(line, message)

    def add_other(self, other: Other) -> None:
        """Note that the bodies around use something else."""
        for collected in self._bodies:
            collected.others[other] = None

    def _statement(self, node: Statement, scope: Scope) -> None:
        match node:
            case Use():
                self.reads(node.reads, scope)
            case Bind():
                self.reads(node.reads, scope)
                self.body(node.body, Scope(scope))
                if not node.is_added:
                    self._bind(node.names, scope)
            case Branch():
                self._branch(node, scope)
            case Loop():
                self._loop(node, scope)
            case Group():
                self.body(node.body, Scope(scope))
            case Macro():
                scope.bind(node.name, Bound(Kind.MACRO, self._depth, node, scope))
                self._around_tags(node, scope)
            case CallBlock():
                self.reads(node.reads, scope)
                self.body(node.body, self._arguments(node.arguments, scope))
            case _:
                self._part(node, scope)

    def _part(self, node: Statement, scope: Scope) -> None:
        match node:
            case Include():
                self._include(node, scope)
            case Import():
                self._import(node, scope)
            case Block():
                self._block(node, scope)
            case Fragment():
                self._fragment(node, scope)
            case Hole():
                # What is in a hole is not stored with what is around it.
                with self._apart():
                    self.body(node.body, Scope(scope))

    @property
    def _depth(self) -> int:
        return len(self._bodies)

    def _bind(self, names: Iterable[str], scope: Scope) -> None:
        for name in names:
            scope.bind(name, Bound(Kind.VALUE, self._depth))

    def _arguments(self, names: Iterable[str], scope: Scope) -> Scope:
        inner = Scope(scope)
        self._bind(names, inner)
        return inner

    def _branch(self, node: Branch, scope: Scope) -> None:
        self.reads(node.reads, scope)
        before = scope.names
        after: list[dict[str, tuple[Bound | None, ...]]] = []
        for body in node.bodies:
            scope.names = {**before}
            self.body(body, scope)
            after.append(scope.names)
        scope.join(after)

    def _loop(self, node: Loop, scope: Scope) -> None:
        self.reads(node.reads, scope)
        inner = self._arguments((*node.names, "loop"), scope)
        self.reads(node.test, inner)
        self.body(node.body, inner)
        self.body(node.else_, Scope(scope))

    def _around_tags(self, node: Macro, scope: Scope) -> None:
        """Walk through a macro for the tags in it. Who calls it is not known here."""
        inner = self._arguments((*node.arguments, "varargs", "kwargs"), scope)
        inner.bind("caller", Bound(Kind.CALLER, 0))
        with self._apart():
            self.body(node.body, inner)

    def _fragment(self, node: Fragment, scope: Scope) -> None:
        self.reads((*node.tag.key, *node.tag.unless), scope)
        inner, tag = Scope(scope), id(node.tag)
        if tag in self._open:
            # A macro with the tag calls itself in the tag's body.
            self.body(node.body, inner)
            return
        self._open.add(tag)
        with self.collecting(inner) as collected:
            self.body(node.body, inner)
        self._open.remove(tag)
        self.found.setdefault(tag, collected.needs())

    def _include(self, node: Include, scope: Scope) -> None:
        self.reads(node.reads, scope)
        if not node.with_context or not self._bodies:
            return
        if not node.is_known:
            self.fail(node.line, "includes a template whose name is an expression")
        # The template may call the macros that it sees.
        for name, bound in scope.visible():
            if bound.kind is Kind.MACRO:
                self._call(bound)
            elif bound.kind is Kind.MODULE:
                self._use_module(bound, (), by=name)
        self._add_seeing(Other(INCLUDE, node.templates, node.line), scope)

    def _add_seeing(
        self, other: Other, scope: Scope, kept: frozenset[str] = frozenset()
    ) -> None:
        """Note that something that sees the names around it is used.

        Args:
            other: What is used.
            scope: The scope around it.
            kept: Names that mean something else by now.
        """
        for depth, collected in enumerate(self._bodies):
            hidden, is_clear = collected.scope.hidden_from(scope)
            collected.others[
                other._replace(
                    bound=tuple(sorted(scope.surely_bound(depth))),
                    hidden=tuple(sorted(hidden | kept)),
                    is_clear=is_clear and not kept,
                )
            ] = None

    def _import(self, node: Import, scope: Scope) -> None:
        bound = Bound(Kind.MODULE, self._depth, node, scope, scope.snapshot())
        if node.target is not None:
            scope.bind(node.target, bound)
        for name, as_ in node.names:
            scope.bind(as_, replace(bound, macro=name))

    def _block(self, node: Block, scope: Scope) -> None:
        inner = block_scope(scope if node.is_scoped else self.root, node.name)
        if not self._is_page:
            # All blocks of what it extends are walked through, too.
            self.body(node.body, inner)
            return
        self._use_block(node.name, scope, is_scoped=node.is_scoped)
        # For the tags in it.
        with self._apart():
            self.body(node.body, inner)

    def _use_block(self, name: str, scope: Scope, *, is_scoped: bool = False) -> None:
        if not self._is_page:
            return
        other = Other(BLOCK, (name,), is_scoped=is_scoped)
        if is_scoped:
            self._add_seeing(other, scope)
        else:
            self.add_other(other)

    def reads(self, reads: Reads, scope: Scope) -> None:
        """Note what is read, if that is in a body."""
        if self._bodies:
            for read in reads:
                self._read(read, scope)

    def _read(self, read: Read, scope: Scope) -> None:
        name = read.path[0]
        if name.startswith(FILTER):
            return
        if name == EVERYTHING:
            self.fail(read.line, "has a tag that may read any name")
            return
        bounds, is_free = scope.find(name)
        if name == "self" and is_free:
            for block in read.path[1:2]:
                self._use_block(block, scope)
            return
        for bound in bounds:
            self._use(bound, read.path, read.line)
        depths = [each.depth for each in bounds if each.kind is Kind.VALUE]
        # A macro's name is not needed, even if only a branch defines it.
        is_free = is_free and len(depths) == len(bounds)
        for number, collected in enumerate(self._bodies):
            # Values that are bound outside of this body.
            if is_free or any(depth <= number for depth in depths):
                self._need(collected, read, scope)

    def _need(self, collected: Collected, read: Read, scope: Scope) -> None:
        name = read.path[0]
        hidden, is_clear = collected.scope.hidden_from(scope)
        place = CONTEXT if name in hidden else HERE
        if name in hidden and not is_clear:
            self.fail(
                read.line, f"calls a macro that reads {name}, which is hidden there"
            )
        steps = read.steps
        if name == "loop" and read.path[1:2] == ("cycle",):
            steps = ((ATTRIBUTE, "index0"),)
        is_called = read.is_called and len(read.path) == 1
        collected.values[Value(name, steps, place, is_called)] = None

    def _use(self, bound: Bound, path: tuple[str, ...], line: int) -> None:
        """Note what the use of something needs that is no value."""
        match bound.kind:
            case Kind.MACRO:
                self._call(bound)
            case Kind.CALLER:
                self.fail(line, "prints caller(), whose text is that of another place")
            case Kind.SUPER:
                # All blocks of that name count.
                self._use_block(bound.macro, self.root)
            case Kind.MODULE:
                self._use_module(bound, path[1:2])

    def _use_module(self, bound: Bound, macros: tuple[str, ...], by: str = "") -> None:
        node = bound.node
        if not isinstance(node, Import) or not bound.scope:
            return
        if not node.is_known:
            self.fail(node.line, "imports a template whose name is an expression")
        self.reads(node.reads, bound.scope)
        if not node.with_context:
            # What a module is made without, its macros can't read.
            return
        macros = (bound.macro,) if bound.macro else macros
        other = Other(IMPORT, node.templates, node.line, macros=macros, by=by)
        changed = bound.scope.changed_since(bound.seen)
        self._add_seeing(other, bound.scope, changed)

    def _call(self, bound: Bound) -> None:
        """Walk through a macro that is called, once for each body."""
        node = bound.node
        new = [each for each in self._bodies if id(node) not in each.called]
        if not new or not isinstance(node, Macro) or bound.scope is None:
            return
        for each in new:
            each.called.add(id(node))
        inner = self._arguments((*node.arguments, "varargs", "kwargs"), bound.scope)
        self._bind(("caller",), inner)
        self.reads(node.reads, inner)
        self.body(node.body, inner)
