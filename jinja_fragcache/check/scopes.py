"""Names that templates bind, and what the walk through them has seen of each read."""

from dataclasses import dataclass, field
from typing import Any

from jinja_fragcache.reads.outline import TRUTH, Macro, Read, Tag

#: Kinds of bindings.
SET, LOOP, ARGUMENT, MACRO, MODULE = "set", "loop", "argument", "macro", "module"


@dataclass(slots=True, eq=False)
class Binding:
    """Something that a template binds names to.

    Attributes:
        kind: How: `SET`, `LOOP` and so on.
        names: The names. Those of one loop or macro have one binding.
        template: The template that binds them.
        line: The line.
        level: How many fragments and values are around it. It is outside of a fragment
            if that is no more than the number of those around the fragment.
        sources: What a value is made from, for `SET`.
        is_branched: Whether it is bound in some cases only.
        target: The macro, or the module that is imported.
    """

    kind: str
    names: tuple[str, ...]
    template: str
    line: int
    level: int
    sources: "list[Seen]" = field(default_factory=list)
    is_branched: bool = False
    target: Any = None


class Scope:
    """Names and their bindings, in a scope around which there are others.

    Args:
        parent: The scope around it, None for that of a page.

    Attributes:
        names: The bindings of the names that are bound in it.
    """

    __slots__ = ("names", "parent")

    def __init__(self, parent: "Scope | None" = None) -> None:
        self.parent = parent
        self.names: dict[str, Binding] = {}

    def find(self, name: str) -> Binding | None:
        """Return the binding of a name, None if it is the page's or unknown."""
        scope: Scope | None = self
        while scope is not None:
            binding = scope.names.get(name)
            if binding is not None:
                return binding
            scope = scope.parent
        return None

    def bind(self, binding: Binding) -> None:
        """Bind the names of a binding."""
        for name in binding.names:
            self.names[name] = binding

    def branched(
        self,
        before: dict[str, Binding],
        tested: "Frame",
        template: str,
        trail: tuple[str, ...],
    ) -> None:
        """Let names that a branch has bound depend on what was tested.

        Args:
            before: The bindings of this scope in front of the branch.
            tested: What was tested.
            template: The template of the branch.
            trail: The steps that led there.
        """
        for name, binding in self.names.items():
            if before.get(name) is binding or binding.kind != SET:
                continue
            binding.is_branched = True
            tests = (seen.as_partial() for seen in tested.reads.values())
            binding.sources = [*binding.sources, *tests]
            old = before.get(name)
            if old is None and self.parent is not None:
                old = self.parent.find(name)
            if old is not None:
                read = Read((name,), binding.line)
                binding.sources.append(Seen(read, old, template, trail))


@dataclass(slots=True)
class BoundMacro:
    """A macro, with the scope that it is defined in."""

    macro: Macro
    scope: Scope
    template: str


@dataclass(slots=True)
class Module:
    """An imported template, with the scope of its names."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Seen:
    """A read, in the place where the walk came upon it.

    Attributes:
        read: The read.
        binding: What its name is bound to, None if it is a variable of the page.
        template: The template that it stands in.
        trail: The steps that led there, such as `include "row.html"`.
    """

    read: Read
    binding: Binding | None
    template: str
    trail: tuple[str, ...]

    @property
    def path(self) -> tuple[str, ...]:
        """The path of the read."""
        return self.read.path

    def as_partial(self) -> "Seen":
        """Return it as a read of which only a part counts, as in a test."""
        part = self.read.part or TRUTH
        return self.with_part(part, is_partial=True)

    def with_part(self, part: str, *, is_partial: bool) -> "Seen":
        """Return it as a read of which something else counts."""
        read = self.read._replace(is_partial=is_partial, part=part)
        return Seen(read, self.binding, self.template, self.trail)


@dataclass(slots=True, eq=False)
class Frame:
    """Collects what is read in a value or in the body of a fragment."""

    template: str
    reads: dict[tuple[Any, ...], Seen] = field(default_factory=dict)
    called: set[int] = field(default_factory=set)
    has_block: bool = False

    def add(self, seen: Seen) -> None:
        """Add a read, unless the same one was added before."""
        read = seen.read
        of = (read._replace(line=0), seen.binding)
        self.reads.setdefault(of, seen)


@dataclass(slots=True, eq=False)
class Visit:
    """A fragment, as the walk through one page came upon it.

    Attributes:
        page: The template that is rendered.
        template: The template of the tag.
        tag: The tag.
        depth: How many steps led to the tag.
        key: What the key reads.
        unless: What `unless` reads.
        outer: The fragments around it, the outermost first.
        body: What its body reads.
    """

    page: str
    template: str
    tag: Tag
    depth: int
    key: list[Seen]
    unless: list[Seen]
    outer: "tuple[Visit, ...]"
    body: Frame
