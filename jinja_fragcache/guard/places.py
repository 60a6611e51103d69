"""Where in the templates something is read."""

import sys
from types import FrameType

_MOST_FRAMES = 200
_MOST_PLACES = 8


def places() -> tuple[str, ...]:
    """Return the templates and lines that the running code stands in.

    Returns:
        From the outermost to the innermost, each once: `("home.html:3", "a.html:1")`
    """
    found: list[str] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as `logging` does
    for _ in range(_MOST_FRAMES):
        if frame is None:
            break
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(frame.f_lineno)
            place = f"{template.name or 'a template from a string'}:{line}"
            if place not in found:
                found.append(place)
        frame = frame.f_back
    return tuple(reversed(found[:_MOST_PLACES]))
