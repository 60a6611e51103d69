"""Notes that what a hole is rendered in must not be stored.

A hole belongs to one fragment, whose entry leaves it out. What is around that, such as
a fragment of another template, can't.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jinja2 import Environment
from jinja2.utils import internalcode

from jinja_fragcache.engine.dependencies import current_dependencies

from .environment import engine_of, name_of

Renders = TypeVar("Renders", bound=Callable[..., Any])
#: The holes of a fragment, in compiled templates: the name of their template, and the
#: number and the line of each.
PlacesOfHoles = tuple[str | None, tuple[tuple[int, int], ...]]


def note_live(environment: Environment, name: str | None, line: int) -> None:
    """Note that the bodies that are being rendered must not be stored.

    Args:
        environment: The template's.
        name: The template of the hole.
        line: The line of the hole.
    """
    dependencies = current_dependencies()
    if dependencies is not None:
        dependencies.make_live()
        engine_of(environment).warn_once(
            ("hole", (name, line)),
            f"{name_of(name, line)}: what is cached around this nocache tag is not"
            " stored, since it stands in another template, or in a macro, a block or a"
            " view. Put the nocache tag into the template of the cache tag, or leave"
            " out of the fragment what it stands in.",
        )


def noting(environment: Environment, holes: PlacesOfHoles, render: Renders) -> Renders:
    """Return a function that notes each hole that it renders.

    Args:
        environment: The template's.
        holes: Where the holes stand.
        render: Renders a hole. Its first argument is the number of the hole.
    """
    if current_dependencies() is None:
        return render
    name, lines = holes[0], dict(holes[1])

    @internalcode
    def noted(number: int, *arguments: Any) -> Any:
        note_live(environment, name, lines[number])
        return render(number, *arguments)

    return noted  # type: ignore[return-value]
