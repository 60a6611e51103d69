"""Where in the templates, and in which cached functions, something is read."""

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

_MOST_FRAMES = 200
_MOST_PLACES = 8
# Methods whose running tells a place, and what returns it for their object.
_told_by: dict[CodeType, Callable[[Any], str]] = {}


def tell_places(method: Any, name: Callable[[Any], str]) -> None:
    """Let what runs a function of the user's be among the places.

    Args:
        method: The method that runs it.
        name: Takes the method's object, and returns what messages call the function.
    """
    _told_by[method.__code__] = name


def places() -> tuple[str, ...]:
    """Return the templates with lines, and the functions, that the code stands in.

    Returns:
        From the outermost to the innermost, each once:
        `("home.html:3", "shop.menu()", "a.html:1")`
    """
    found: list[str] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as `logging` does
    for _ in range(_MOST_FRAMES):
        if frame is None:
            break
        place = _place_of(frame)
        if place is not None and place not in found:
            found.append(place)
        frame = frame.f_back
    return tuple(reversed(found[:_MOST_PLACES]))


def _place_of(frame: FrameType) -> str | None:
    name = _told_by.get(frame.f_code)
    if name is not None:
        return name(frame.f_locals["self"])
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return None
    line = template.get_corresponding_lineno(frame.f_lineno)
    return f"{template.name or 'a template from a string'}:{line}"
