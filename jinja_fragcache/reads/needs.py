"""What the bodies of tags with `vary_on="auto"` read from outside: what they need."""

import json
from typing import Any, NamedTuple

from .paths import ATTRIBUTE, Steps

#: Where a value is read: where the tag stands, or from the context of its template,
#: because another name hides it there.
HERE, CONTEXT = "here", "context"
#: Kinds of `Other`.
INCLUDE, IMPORT, BLOCK, EXTENDS = "include", "import", "block", "extends"


class Value(NamedTuple):
    """A value that a body needs.

    Attributes:
        name: Its name.
        steps: The attributes and items that lead from there to the value.
        place: `HERE` or `CONTEXT`.
        is_called: Whether it is called, so that it is a function or a macro.
    """

    name: str
    steps: Steps = ()
    place: str = HERE
    is_called: bool = False

    def shown(self) -> str:
        """Return it as it is written in a template. No other value has the same."""
        parts = (
            f".{step}" if kind == ATTRIBUTE else f"[{step!r}]"
            for kind, step in self.steps
        )
        end = " of the page" if self.place == CONTEXT else ""
        return f"{self.name}{''.join(parts)}{end}"


class Other(NamedTuple):
    """What another template reads, or a block of the page that is rendered.

    Attributes:
        kind: How it is used.
        names: The names that it may have.
        line: The line.
        bound: The names that the body binds around it.
        hidden: The names that mean something else where the tag stands.
        is_clear: Whether what they mean here is what they mean in the context.
        macros: The macros of a module that are used, none for all.
        is_scoped: Whether it sees the names around it, and not the context's only.
        by: The name by which a template that is included may use it, "" if it is used
            anyway.
    """

    kind: str
    names: tuple[str, ...]
    line: int = 0
    bound: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    is_clear: bool = True
    macros: tuple[str, ...] = ()
    is_scoped: bool = True
    by: str = ""


class Problem(NamedTuple):
    """Why it is not known what a body reads.

    Attributes:
        line: The line, 0 if it is that of the tag.
        message: What is there, as the rest of a sentence.
    """

    line: int
    message: str


class Needs(NamedTuple):
    """What a body needs.

    Attributes:
        values: Values, each once, in the order in which they were found.
        others: What else it uses, each once.
        problem: Why that is not all, None if it is.
    """

    values: tuple[Value, ...] = ()
    others: tuple[Other, ...] = ()
    problem: Problem | None = None


def to_text(needs: Needs) -> str:
    """Return needs as a text, which a token or a constant can hold."""
    return json.dumps(needs)


def from_text(text: str) -> Needs:
    """Return the needs that `to_text` was called on."""
    loaded: list[Any] = json.loads(text)
    values, others, problem = loaded
    return Needs(
        tuple(
            Value(name, tuple((kind, step) for kind, step in steps), place, is_called)
            for name, steps, place, is_called in values
        ),
        tuple(
            Other._make(tuple(e) if isinstance(e, list) else e for e in each)
            for each in others
        ),
        problem and Problem(*problem),
    )
