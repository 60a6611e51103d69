"""What bodies need through other templates: includes, imports, blocks and parents.

Templates may be edited without those that name them being compiled again. So this is
found when a tag is rendered, and kept for as long as all sources are the same.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

from jinja2 import Environment, TemplateError

from jinja_fragcache.reads.marks import marking
from jinja_fragcache.reads.needing import (
    needs_of_block,
    needs_of_import,
    needs_of_include,
)
from jinja_fragcache.reads.needs import (
    BLOCK,
    CONTEXT,
    HERE,
    IMPORT,
    Needs,
    Other,
    Value,
    from_text,
)
from jinja_fragcache.reads.outline import Broken, Outline
from jinja_fragcache.reads.outlining import outline
from jinja_fragcache.remembered import Remembered

from .environment import Site, name_of
from .sources import sources_of

_ATTRIBUTE = "_fragment_cache_needed"
_MOST_REMEMBERED = 4096
_MOST_BYTES = 4 * 2**20


class Needed(NamedTuple):
    """What a body needs through other templates.

    Attributes:
        values: The values, each with its text in messages and keys, in their order.
        problem: Why that is not all, "" if it is.
        by_page: Whether it has a block in it, which may be another one on another page.
    """

    values: tuple[tuple[str, Value], ...] = ()
    problem: str = ""
    by_page: bool = False


class NeededOfOthers:
    """Finds what bodies need through other templates, and remembers it.

    Args:
        environment: The environment of all templates.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._known: Remembered[tuple[str | None, ...], Needed] = Remembered(
            _MOST_REMEMBERED, _MOST_BYTES
        )

    def __reduce__(self) -> tuple[type[Self], tuple[Environment]]:
        """Pickle and copy it without what is known."""
        return type(self), (self.environment,)

    def of(self, site: Site, needs: str, page: str | None) -> Needed:
        """Return what a body needs.

        Args:
            site: Where its tag stands.
            needs: What it needs, as `reads.needs.to_text` returns it.
            page: The name of the template whose blocks are rendered, None if it has no
                name.
        """
        template, _, own, references, *_ = site
        sources = sources_of(self.environment)
        digest = sources.whole_digest(template, own, references)
        of_page = None if page is None else sources.digest_of(page)
        known_by = (template, needs, digest, page, of_page)
        needed = self._known.get(known_by)
        if needed is None:
            finding = _Finding(self.environment)
            finding.add(from_text(needs).others, template, page)
            shown = {each.shown(): each for each in finding.values}
            values = tuple(sorted(shown.items()))
            needed = Needed(values, finding.problem, finding.by_page)
            self._known.add(known_by, needed)
        return needed


def problem_with(environment: Environment, template: str | None, needs: Needs) -> str:
    """Return why it is not known what a body needs, as far as its page doesn't matter.

    Args:
        environment: The environment of all templates.
        template: The name of the template with its tag.
        needs: What it needs.

    Returns:
        The place and what is there, "" if there is no problem.
    """
    if needs.problem is not None:
        return f"{name_of(template, needs.problem.line)}, {needs.problem.message}"
    finding = _Finding(environment)
    others = [each for each in needs.others if each.kind != BLOCK]
    finding.add(others, template, None)
    return finding.problem


class _Finding:
    """Goes through what other templates need.

    Attributes:
        values: The values that were found.
        problem: The first problem, "" if there is none.
        by_page: Whether there is a block in them.
    """

    def __init__(self, environment: Environment) -> None:
        self.values: set[Value] = set()
        self.problem = ""
        self.by_page = False
        self._environment = environment
        self._marking: Environment | None = None
        self._outlines: dict[str, Outline | None] = {}
        self._read_names: set[str] = set()
        self._done: set[tuple[str, Other]] = set()

    def add(
        self, others: Iterable[Other], template: str | None, page: str | None
    ) -> None:
        """Add what others need.

        Args:
            others: The others.
            template: The name of the template that uses them.
            page: The name of the template whose blocks are rendered.
        """
        # Those that only others may use come last.
        for other in sorted(others, key=lambda each: each.by):
            if other.by and other.by not in self._read_names:
                continue
            for name in self._names_of(other, template, page):
                read = self._outline(name)
                if read is None or (name, other) in self._done:
                    continue
                self._done.add((name, other))
                self._add(other, name, _needs_of(other, read), page)

    def _names_of(
        self, other: Other, template: str | None, page: str | None
    ) -> list[str]:
        """Return the names of the templates that something is in."""
        if other.kind == BLOCK:
            self.by_page = True
            return self._page(page)
        if template is None:
            return [*other.names]
        return [self._environment.join_path(name, template) for name in other.names]

    def _page(self, page: str | None) -> list[str]:
        """Return the names of a page's template and of all that it extends."""
        found: list[str] = []
        waiting = [] if page is None else [page]
        while waiting:
            name = waiting.pop()
            read = None if name in found else self._outline(name)
            if read is None:
                continue
            found.append(name)
            if read.extends_line:
                self._fail(
                    name,
                    read.extends_line,
                    "extends a template whose name is an expression",
                )
            waiting += [
                self._environment.join_path(each, name) for each in read.extends or ()
            ]
        return found

    def _add(self, other: Other, name: str, needs: Needs, page: str | None) -> None:
        if needs.problem is not None:
            self._fail(name, *needs.problem)
        for value in needs.values:
            self._read_names.add(value.name)
            if value.name in other.bound:
                continue
            place = HERE
            if value.name in other.hidden:
                place = CONTEXT
                if not other.is_clear:
                    problem = f"{name} reads {value.name}, which is hidden there"
                    self.problem = self.problem or problem
            if other.kind == BLOCK and not other.is_scoped:
                place = CONTEXT
            self.values.add(value._replace(place=place))
        inner = (
            each._replace(
                bound=tuple(sorted({*each.bound, *other.bound})),
                hidden=tuple(sorted({*each.hidden, *other.hidden})),
                is_clear=each.is_clear and other.is_clear,
                is_scoped=each.is_scoped and other.is_scoped,
            )
            for each in needs.others
        )
        self.add(inner, name, page)

    def _fail(self, template: str, line: int, message: str) -> None:
        self.problem = self.problem or f"{name_of(template, line)}, {message}"

    def _outline(self, name: str) -> Outline | None:
        """Return the outline of a template, None if it can't be rendered either."""
        if name not in self._outlines:
            self._outlines[name] = self._read(name)
        return self._outlines[name]

    def _read(self, name: str) -> Outline | None:
        loader = self._environment.loader
        if loader is None:
            return None
        try:
            source, _, _ = loader.get_source(self._environment, name)
        except (OSError, ValueError, TemplateError):
            # Whoever uses it gets the error, or leaves it out.
            return None
        except RuntimeError:
            self._fail(name, 1, "is a compiled template, which can't be read")
            return None
        if self._marking is None:
            self._marking = marking(self._environment)
        read = outline(source, name, self._marking, None)
        return None if isinstance(read, Broken) else read


def _needs_of(other: Other, read: Outline) -> Needs:
    if other.kind == BLOCK:
        return needs_of_block(read, other.names[0])
    if other.kind == IMPORT:
        return needs_of_import(read, other.macros)
    return needs_of_include(read)


def needed_of_others(environment: Environment) -> NeededOfOthers:
    """Return what finds what bodies in an environment need."""
    found: NeededOfOthers | None = getattr(environment, _ATTRIBUTE, None)
    # An overlaid environment has the attributes of the original.
    if found is None or found.environment is not environment:
        found = NeededOfOthers(environment)
        setattr(environment, _ATTRIBUTE, found)
    return found
