"""Which templates and statements lead to fragments, so that the others are skipped."""

from collections.abc import Iterator, Mapping

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
    Outline,
    Statement,
    Use,
)

_Body = tuple[Statement, ...]


class Reach:
    """Tells which templates and statements lead to fragments.

    Args:
        outlines: The outlines of the templates, by their names.
        roots: The folders of the templates. Of several templates with one name, those
            after the first have the folder in front of their names.
    """

    def __init__(
        self, outlines: Mapping[str, Outline], roots: Mapping[str, str]
    ) -> None:
        self.outlines = outlines
        self._roots = roots
        # Statements don't change, and live as long as the outlines.
        self._holding: dict[int, bool] = {}
        self._reaching = self._find_reaching()

    def reaches(self, name: str) -> bool:
        """Return whether a fragment is in a template, or in one that it names."""
        return name in self._reaching

    def resolve(self, naming: str, name: str) -> str | None:
        """Return the template that another one means by a name, None if there is none.

        Args:
            naming: The template that names it.
            name: The name.
        """
        own = f"{self._roots.get(naming)}/{name}"
        if own in self.outlines:
            return own
        return name if name in self.outlines else None

    def included(self) -> set[str]:
        """Return the templates that others include, with their context."""
        return {
            name
            for including, outline in self.outlines.items()
            for named in _included(outline.body, with_context=True)
            if (name := self.resolve(including, named)) and name != including
        }

    def _find_reaching(self) -> set[str]:
        """Return the templates from which a fragment is reached."""
        naming: dict[str, list[str]] = {}
        for name, outline in self.outlines.items():
            for named in (*(outline.extends or ()), *_included(outline.body)):
                naming.setdefault(self.resolve(name, named) or "", []).append(name)
        waiting = [name for name, outline in self.outlines.items() if outline.tags]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += naming.get(name, [])
        return found

    def matters(self, node: Statement) -> bool:
        """Return whether a statement outside of fragments has to do with any."""
        if isinstance(node, Bind | Import | Macro):
            return True
        if isinstance(node, Branch):
            return any(self.matters(each) for body in node.bodies for each in body)
        return self.holds(node)

    def holds(self, node: Statement) -> bool:
        """Return whether a statement leads to a fragment, or to a namespace."""
        if isinstance(node, Fragment | Include | Block):
            return True
        if isinstance(node, Bind):
            # An attribute of a namespace, which outlives the loop that sets it.
            return node.is_added
        if isinstance(node, Use | Import):
            return False
        known = self._holding.get(id(node))
        if known is None:
            known = any(self.holds(each) for body in _bodies(node) for each in body)
            self._holding[id(node)] = known
        return known


def _bodies(node: Statement) -> Iterator[_Body]:
    match node:
        case Branch():
            yield from node.bodies
        case Loop():
            yield node.body
            yield node.else_
        case Group() | Macro() | CallBlock() | Hole() | Block() | Fragment() | Bind():
            yield node.body


def _included(body: _Body, *, with_context: bool = False) -> Iterator[str]:
    for node in body:
        if isinstance(node, Include) and (node.with_context or not with_context):
            yield from node.templates
        for inner in _bodies(node):
            yield from _included(inner, with_context=with_context)
