"""Which names a piece of a template takes from outside, and which it binds."""

from collections.abc import Iterable, Iterator

from jinja2 import nodes

_OF_MACROS = {"caller", "kwargs", "varargs"}


def free_names(body: Iterable[nodes.Node]) -> set[str]:
    """Give the names that a piece of a template reads, and does not surely bind."""
    return _Reading().statements(body, set())


def bound_names(body: Iterable[nodes.Node]) -> set[str]:
    """Give the names that statements bind in the scope in which they stand."""
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
    """Give the names that are assigned to in the target of a loop or assignment."""
    return {name.name for name in _names(target) if name.ctx != "load"}


def _imported_as(name: str | tuple[str, str]) -> str:
    return name if isinstance(name, str) else name[1]


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


class _Reading:
    """Finds the names that are read and not bound before, scope by scope."""

    def statements(self, body: Iterable[nodes.Node], bound: set[str]) -> set[str]:
        """Go through a scope. What it binds is not seen behind it."""
        bound = set(bound)
        free: set[str] = set()
        for node in body:
            free |= self.node(node, bound)
            # What only one branch binds may be unbound behind it.
            if not isinstance(node, nodes.If):
                bound |= bound_names([node])
        return free

    def node(self, node: nodes.Node, bound: set[str]) -> set[str]:
        """Give the names that a node reads."""
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
                inner = bound | _OF_MACROS | {each.name for each in node.args}
                outside = [*node.defaults]
                if isinstance(node, nodes.CallBlock):
                    outside.append(node.call)
                    inner = bound | {each.name for each in node.args}
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
