"""Walks through pages as rendering would, and notes what fragments read.

It goes into includes, macros, blocks and parents, and takes every branch once. Outside
of fragments, it only looks for fragments, and for names that they may read.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from jinja_fragcache.reads.outline import (
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
    Read,
    Reads,
    Statement,
    Use,
)

from .reach import Reach
from .scopes import (
    ARGUMENT,
    LOOP,
    MACRO,
    MODULE,
    SET,
    Binding,
    BoundMacro,
    Frame,
    Module,
    Scope,
    Seen,
    Visit,
)
from .vocabulary import TOKEN_ATTRIBUTES

_Body = tuple[Statement, ...]
# Each override of a block, with the template that it stands in. The last one to extend
# comes first.
_Blocks = dict[str, list[tuple[str, Block]]]


def visits_of(page: str, reach: Reach) -> list[Visit]:
    """Return the fragments of a page, each as often as it is reached.

    Args:
        page: The name of the template that is rendered.
        reach: Knows all templates.
    """
    if not reach.reaches(page):
        return []
    walk = _Walk(page, reach)
    walk.template(page, Scope())
    return walk.visits


class _Walk:
    """The walk through one page.

    Attributes:
        visits: The fragments that were found.
    """

    def __init__(self, page: str, reach: Reach) -> None:
        self.visits: list[Visit] = []
        self._page = page
        self._reach = reach
        self._outlines = reach.outlines
        self._template = page
        self._trail: tuple[str, ...] = ()
        self._frames: list[Frame] = []
        # The fragments among the frames.
        self._around: list[Visit] = []
        self._blocks: _Blocks = {}
        # The scope of the template that is rendered, or included.
        self._page_scope = Scope()
        self._open: list[str] = []

    def template(self, name: str, scope: Scope) -> None:
        """Walk through a template, or what it extends."""
        if name in self._open or name not in self._outlines:
            return
        self._open.append(name)
        with self._at(name, blocks={}, page_scope=scope):
            self._extending(name, scope)
        self._open.pop()

    def _extending(self, name: str, scope: Scope) -> None:
        outline = self._outlines[name]
        for block in outline.blocks:
            self._blocks.setdefault(block.name, []).append((name, block))
        if outline.extends is None:
            self._body(outline.body, scope)
            return
        self._names_only(outline.body, scope)
        known = [
            each for each in self._named(outline.extends) if each not in self._open
        ]
        for parent in known:
            self._open.append(parent)
            blocks = {name: [*of] for name, of in self._blocks.items()}
            with self._at(parent, blocks=blocks, page_scope=scope):
                self._extending(parent, scope)
            self._open.pop()
        if not known:
            # Nothing is known of where the blocks are printed.
            for block_name in [*self._blocks]:
                self._block(block_name, scope, 0)

    def _named(self, names: Iterable[str]) -> list[str]:
        """Return the templates that the one that the walk is in means by names."""
        found = (self._reach.resolve(self._template, name) for name in names)
        return [name for name in found if name is not None]

    @contextmanager
    def _at(
        self,
        template: str,
        step: str = "",
        blocks: _Blocks | None = None,
        page_scope: Scope | None = None,
    ) -> Iterator[None]:
        """Let the walk go on in another template."""
        before = self._template, self._trail, self._blocks, self._page_scope
        self._template = template
        if step:
            self._trail = (*self._trail, step)
        if blocks is not None:
            self._blocks = blocks
        if page_scope is not None:
            self._page_scope = page_scope
        yield
        self._template, self._trail, self._blocks, self._page_scope = before

    @contextmanager
    def _collecting(self) -> Iterator[Frame]:
        """Collect what is read meanwhile, as the frames around do, too."""
        frame = Frame(self._template)
        self._frames.append(frame)
        yield frame
        self._frames.pop()

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Walk through something meanwhile that is no part of what is around it."""
        before = self._frames, self._around
        self._frames, self._around = [], []
        yield
        self._frames, self._around = before

    def _names_only(self, body: _Body, scope: Scope) -> None:
        """Bind what a template that extends another binds outside of its blocks."""
        for each in body:
            if isinstance(each, Bind | Import | Macro):
                self._statement(each, scope)
            elif isinstance(each, Branch):
                for inner in each.bodies:
                    self._names_only(inner, scope)

    def _body(self, body: _Body, scope: Scope) -> None:
        for each in body:
            self._statement(each, scope)

    def _statement(self, node: Statement, scope: Scope) -> None:
        if not self._frames and not self._reach.matters(node):
            return
        match node:
            case Use():
                self._reads(node.reads, scope)
            case Bind():
                self._bind(node, scope)
            case Branch():
                self._branch(node, scope)
            case Loop():
                self._loop(node, scope)
            case Group():
                self._body(node.body, Scope(scope))
            case Macro():
                self._macro(node, scope)
            case CallBlock():
                self._reads(node.reads, scope)
                inner = self._arguments(node.arguments, node.line, scope)
                self._body(node.body, inner)
            case _:
                self._parts(node, scope)

    def _parts(self, node: Statement, scope: Scope) -> None:
        match node:
            case Include():
                self._include(node, scope)
            case Import():
                self._import(node, scope)
            case Block():
                self._note_block()
                self._block(node.name, scope if node.is_scoped else None, 0)
            case Fragment():
                self._fragment(node, scope)
            case Hole():
                # What is in a hole is not stored with what is around it.
                with self._apart():
                    self._body(node.body, Scope(scope))

    def _fragment(self, node: Fragment, scope: Scope) -> None:
        tag = node.tag
        with self._collecting() as key:
            self._reads(tag.key, scope)
        with self._collecting() as unless:
            self._reads(tag.unless, scope)
        body = Frame(self._template)
        visit = Visit(
            page=self._page,
            template=self._template,
            tag=tag,
            depth=len(self._trail),
            key=[*key.reads.values()],
            unless=[*unless.reads.values()],
            outer=tuple(self._around),
            body=body,
        )
        self.visits.append(visit)
        self._frames.append(body)
        self._around.append(visit)
        self._body(node.body, Scope(scope))
        self._around.pop()
        self._frames.pop()

    def _bind(self, node: Bind, scope: Scope) -> None:
        with self._collecting() as made:
            self._reads(node.reads, scope)
            self._body(node.body, Scope(scope))
        sources = [*made.reads.values()]
        before = scope.find(node.names[0]) if node.names else None
        if node.is_added and before is not None and before.kind == SET:
            before.sources += sources
            return
        if node.is_added:
            read = Read((node.names[0],), node.line)
            sources.append(Seen(read, before, self._template, self._trail))
        level = len(self._frames)
        scope.bind(Binding(SET, node.names, self._template, node.line, level, sources))

    def _branch(self, node: Branch, scope: Scope) -> None:
        with self._collecting() as tested:
            self._reads(node.reads, scope)
        for body in node.bodies:
            before = {**scope.names}
            self._body(body, scope)
            scope.branched(before, tested, self._template, self._trail)

    def _loop(self, node: Loop, scope: Scope) -> None:
        self._reads(node.reads, scope)
        inner = Scope(scope)
        for names in (node.names, ("loop",)):
            level = len(self._frames)
            inner.bind(Binding(LOOP, names, self._template, node.line, level))
        self._reads(node.test, inner)
        self._body(node.body, inner)
        self._body(node.else_, Scope(scope))

    def _arguments(self, names: Iterable[str], line: int, scope: Scope) -> Scope:
        inner = Scope(scope)
        level = len(self._frames)
        inner.bind(Binding(ARGUMENT, tuple(names), self._template, line, level))
        return inner

    def _macro(self, node: Macro, scope: Scope) -> None:
        bound = BoundMacro(node, scope, self._template)
        names, level = (node.name,), len(self._frames)
        binding = Binding(MACRO, names, self._template, node.line, level)
        binding.target = bound
        scope.bind(binding)
        if self._reach.holds(node):
            # For the fragments in it. What calls it is not known here.
            with self._apart():
                self._macro_body(bound)

    def _macro_body(self, bound: BoundMacro) -> None:
        macro = bound.macro
        with self._at(bound.template):
            self._reads(macro.reads, bound.scope)
            names = (*macro.arguments, "caller", "varargs", "kwargs")
            self._body(macro.body, self._arguments(names, macro.line, bound.scope))

    def _call(self, bound: BoundMacro) -> None:
        """Walk through a macro that is called, once for what collects reads."""
        frame = self._frames[-1]
        if id(bound.macro) in frame.called:
            return
        frame.called.add(id(bound.macro))
        with self._at(bound.template, f"macro {bound.macro.name}"):
            self._macro_body(bound)

    def _include(self, node: Include, scope: Scope) -> None:
        self._reads(node.reads, scope)
        for name in self._named(node.templates):
            if self._frames or self._reach.reaches(name):
                with self._at(self._template, f'include "{name}"'):
                    self.template(name, Scope(scope if node.with_context else None))

    def _import(self, node: Import, scope: Scope) -> None:
        for name in self._named(node.templates):
            if name in self._open:
                continue
            self._open.append(name)
            module = Scope(scope if node.with_context else None)
            with self._apart(), self._at(name, blocks={}, page_scope=module):
                self._names_only(self._outlines[name].body, module)
            self._open.pop()
            if node.target is not None:
                names, level = (node.target,), len(self._frames)
                binding = Binding(MODULE, names, self._template, node.line, level)
                binding.target = Module(module)
                scope.bind(binding)
            for imported, as_ in node.names:
                found = module.names.get(imported)
                if found is not None:
                    scope.names[as_] = found
            return

    def _note_block(self) -> None:
        for frame in self._frames:
            # Of a block in another template, the package knows nothing.
            frame.has_block |= frame.template == self._template

    def _block(self, name: str, scope: Scope | None, number: int) -> None:
        overrides = self._blocks.get(name, [])
        if number >= len(overrides):
            return
        template, block = overrides[number]
        place = f"block:{name}:{number}:{template}"
        if place in self._open:
            return
        self._open.append(place)
        inner = Scope(scope or self._page_scope)
        inner.names["super"] = Binding(
            MACRO, (), template, 0, 0, target=(name, number + 1)
        )
        step = f"block {name}" if self._frames else ""
        with self._at(template, step):
            self._body(block.body, inner)
        self._open.pop()

    def _reads(self, reads: Reads, scope: Scope) -> None:
        if not self._frames:
            return
        for read in reads:
            self._read(read, scope)

    def _read(self, read: Read, scope: Scope) -> None:
        root = read.path[0]
        binding = scope.find(root)
        if root == "self" and len(read.path) > 1:
            self._note_block()
            self._block(read.path[1], None, 0)
            return
        if binding is not None and binding.kind in {MACRO, MODULE}:
            self._use_macro(read, binding)
            return
        self._note(read, binding)

    def _note(self, read: Read, binding: Binding | None) -> None:
        """Let the frames that a read is of have it."""
        # Whatever form it is of, a token is for one visitor.
        is_token = read.path[-1] in TOKEN_ATTRIBUTES and len(read.path) > 1
        level = binding.level if binding and not is_token else 0
        seen = Seen(read, binding, self._template, self._trail)
        for frame in self._frames[level:]:
            frame.add(seen)

    def _use_macro(self, read: Read, binding: Binding) -> None:
        target = binding.target
        if isinstance(target, Module):
            found = target.scope.names.get(read.path[1]) if len(read.path) > 1 else None
            if found is not None and found.sources:
                self._note(read, found)
            target = found and found.target
        if isinstance(target, BoundMacro):
            self._call(target)
        elif isinstance(target, tuple):
            self._note_block()
            self._block(target[0], None, target[1])
