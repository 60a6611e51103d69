"""Finds the names that a part of a template reads from outside, or binds."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

from .parts import MACRO_NAMES, part_of


def free_names(body: Iterable[nodes.Node]) -> set[str]:
    """Return the names that statements read and do not bind first in every case."""
    return _FreeNames().statements(body, set())


def bound_names(body: Iterable[nodes.Node]) -> set[str]:
    """Return the names that statements bind in the scope that they are in."""
    names: set[str] = set()
    for node in body:
        match node:
            case nodes.If():
                names |= bound_names([*node.body, *node.elif_, *node.else_])
            case nodes.Assign() | nodes.AssignBlock():
                names |= stored_names(node.target)
            case nodes.Import():
                names.add(node.target)
            case nodes.FromImport():
                names.update(map(_imported_as, node.names))
            case nodes.Macro():
                names.add(node.name)
    return names


def stored_names(target: nodes.Node) -> set[str]:
    """Return the names that the target of a loop or an assignment assigns to."""
    # Scope.find_all finds the target itself as well, unlike target.find_all.
    names = nodes.Scope([target]).find_all(nodes.Name)
    return {name.name for name in names if name.ctx != "load"}


def _imported_as(name: str | tuple[str, str]) -> str:
    return name if isinstance(name, str) else name[1]


class _FreeNames:
    """Collects the names that are read without being bound before, scope by scope.

    `bound` are always the names that are bound where the node or scope begins.
    """

    def statements(self, body: Iterable[nodes.Node], bound: set[str]) -> set[str]:
        """Return the free names of a scope. Its own names end with it."""
        bound = set(bound)
        free: set[str] = set()
        for node in body:
            free |= self.node(node, bound)
            # A name that only one branch binds may be unbound after it.
            if not isinstance(node, nodes.If):
                bound |= bound_names([node])
        return free

    def node(self, node: nodes.Node, bound: set[str]) -> set[str]:
        """Return the free names of a node."""
        part = part_of(node)
        if part is None:
            return self._of_kind(node, bound)
        if part.free is None:
            # Found once, for all that may be bound around it.
            part.free = frozenset(self._of_kind(node, set()))
        return set(part.free - bound)

    def _of_kind(self, node: nodes.Node, bound: set[str]) -> set[str]:
        match node:
            case nodes.Name() | nodes.NSRef():
                reads = isinstance(node, nodes.NSRef) or node.ctx == "load"
                return {node.name} - bound if reads else set()
            case nodes.For():
                return self._for(node, bound)
            case nodes.With():
                inner = bound.union(*map(stored_names, node.targets))
                return self._all(node.values, bound) | self.statements(node.body, inner)
            case nodes.Macro() | nodes.CallBlock():
                inner = bound | {each.name for each in node.args}
                outside: list[nodes.Node] = [*node.defaults]
                if isinstance(node, nodes.CallBlock):
                    outside.append(node.call)
                else:
                    inner |= MACRO_NAMES
                return self._all(outside, bound) | self.statements(node.body, inner)
        return self._others(node, bound)

    def _for(self, node: nodes.For, bound: set[str]) -> set[str]:
        inner = bound | stored_names(node.target)
        free = self.node(node.iter, bound)
        if node.test is not None:
            free |= self.node(node.test, inner)
        free |= self.statements(node.body, inner | {"loop"})
        return free | self.statements(node.else_, bound)

    def _others(self, node: nodes.Node, bound: set[str]) -> set[str]:
        free: set[str] = set()
        for _, value in node.iter_fields():
            if isinstance(value, list) and all(
                isinstance(each, nodes.Stmt) for each in value
            ):
                free |= self.statements(value, bound)
            elif isinstance(value, list):
                free |= self._all(value, bound)
            elif isinstance(value, nodes.Node):
                free |= self.node(value, bound)
        return free

    def _all(self, several: Iterable[object], bound: set[str]) -> set[str]:
        free: set[str] = set()
        for each in several:
            if isinstance(each, nodes.Node):
                free |= self.node(each, bound)
        return free
