"""Scopes and the names in them, for the walk that finds what bodies need."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from .needs import Needs, Other, Problem, Value
from .outline import Bind, Branch, Import, Macro, Statement

_Names = dict[str, tuple["Bound | None", ...]]


class Kind(Enum):
    """What a name is bound to."""

    VALUE = "value"
    MACRO = "macro"
    MODULE = "module"
    CALLER = "caller"
    SUPER = "super"


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """What a name may be bound to.

    Attributes:
        kind: What it is.
        depth: How many bodies are around the statement that binds it.
        node: The macro or the import.
        scope: The scope that it stands in.
        seen: The names that an imported template has seen.
        macro: The name of an imported macro, or of the block of a `super`.
    """

    kind: Kind
    depth: int
    node: Macro | Import | None = None
    scope: "Scope | None" = None
    seen: "_Names | None" = None
    macro: str = ""


class Scope:
    """A scope of a template.

    Args:
        parent: The scope around it, None for that of the template.

    Attributes:
        names: What its names may be bound to so far. None stands for what the name is
            around the scope.
    """

    __slots__ = ("_expected", "_stored", "names", "parent")

    def __init__(self, parent: "Scope | None") -> None:
        self.parent = parent
        self.names: _Names = {}
        # All names that it binds, sooner or later.
        self._stored: set[str] = set()
        # Macros that are called before the walk comes upon them, from other macros.
        self._expected: dict[str, Bound] = {}

    def bind(self, name: str, bound: Bound) -> None:
        """Bind a name."""
        self.names[name] = (bound,)
        self._stored.add(name)

    def expect(self, body: Iterable[Statement]) -> None:
        """Note what statements in this scope will bind."""
        for each in body:
            if isinstance(each, Macro):
                self._expected[each.name] = Bound(Kind.MACRO, 0, each, self)
                self._stored.add(each.name)
            elif isinstance(each, Bind):
                self._stored.update(() if each.is_added else each.names)
            elif isinstance(each, Import):
                self._stored.update(as_ for _, as_ in each.names)
                self._stored.update(filter(None, (each.target,)))
            elif isinstance(each, Branch):
                for inner in each.bodies:
                    self.expect(inner)

    def find(self, name: str) -> tuple[list[Bound], bool]:
        """Return what a name may be bound to, and whether it may be unbound."""
        found: list[Bound] = []
        scope: Scope | None = self
        while scope is not None:
            bounds = scope.names.get(name, (None,))
            found += [each for each in bounds if each is not None]
            if None not in bounds:
                return found, False
            expected = scope._expected.get(name)  # noqa: SLF001 - of the same class
            if expected is not None:
                found.append(expected)
            scope = scope.parent
        return found, True

    def join(self, branches: list[_Names]) -> None:
        """Let names be what any of the branches of an `{% if %}` binds them to."""
        names = {name for branch in branches for name in branch}
        self.names = {
            name: tuple(
                dict.fromkeys(
                    bound for branch in branches for bound in branch.get(name, (None,))
                )
            )
            for name in names
        }

    def chain(self) -> Iterator["Scope"]:
        """Iterate over this scope and those around it, from the inside."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def visible(self) -> Iterator[tuple[str, Bound]]:
        """Iterate over all names that are visible here, and what they are bound to."""
        names = {name for scope in self.chain() for name in scope.names}
        for name in sorted(names):
            for bound in self.find(name)[0]:
                yield name, bound

    def surely_bound(self, depth: int) -> set[str]:
        """Return the visible names that a body binds, or that are macros and modules.

        What these read is found by itself. A name is one of them whatever is rendered.

        Args:
            depth: How many other bodies are around the body.
        """
        names = {name for scope in self.chain() for name in scope.names}
        found = set()
        for name in names:
            bounds, is_free = self.find(name)
            known = (
                each.depth > depth or each.kind in {Kind.MACRO, Kind.MODULE}
                for each in bounds
            )
            if not is_free and all(known):
                found.add(name)
        return found

    def hidden_from(self, other: "Scope") -> tuple[set[str], bool]:
        """Return the names that mean something else in this scope than in another one.

        Args:
            other: A scope in this one, or around it; or in one that is around it, as
                that of a macro is.

        Returns:
            The names, and whether they are the template's own around this scope, so
            that its context has them.
        """
        around = {id(scope): scope for scope in self.chain()}
        base = next(scope for scope in other.chain() if id(scope) in around)
        hidden: set[str] = set()
        for scope in self.chain():
            if scope is base:
                break
            hidden |= scope._stored  # noqa: SLF001 - of the same class
        return hidden, base.parent is None

    def snapshot(self) -> _Names:
        """Return what the visible names may be bound to now."""
        found: _Names = {}
        for scope in self.chain():
            for name, bounds in scope.names.items():
                found.setdefault(name, bounds)
        return found

    def changed_since(self, seen: _Names | None) -> frozenset[str]:
        """Return the names that were bound to something else since a snapshot."""
        now = self.snapshot()
        return frozenset(
            name
            for name, bounds in now.items()
            if seen is not None and not _are_same(bounds, seen.get(name))
        )


def block_scope(parent: Scope, name: str) -> Scope:
    """Return the scope of a block's body."""
    scope = Scope(parent)
    scope.bind("super", Bound(Kind.SUPER, 0, macro=name))
    return scope


class Collected:
    """What was found of one body so far.

    Args:
        scope: The scope of the body.
        called: The macros that need not be walked through for it, by their ids.

    Attributes:
        values: The values that it needs.
        others: What it needs through other templates.
        problem: Why that is not all, if it is not.
    """

    def __init__(self, scope: Scope, called: Iterable[int] = ()) -> None:
        self.scope = scope
        self.values: dict[Value, None] = {}
        self.others: dict[Other, None] = {}
        self.problem: Problem | None = None
        # The macros that were walked through for it.
        self.called: set[int] = {*called}

    def needs(self) -> Needs:
        """Return all of it."""
        return Needs((*self.values,), (*self.others,), self.problem)


def _are_same(
    bounds: tuple[Bound | None, ...], others: tuple[Bound | None, ...] | None
) -> bool:
    if others is None or len(bounds) != len(others):
        return False
    return all(one is other for one, other in zip(bounds, others, strict=True))
