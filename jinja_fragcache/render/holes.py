"""What compiled templates call for holes, `{% nocache %}`; see `lookup`.

(`template.holes` compiles the tag.)
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from jinja_fragcache.entries.pieces import Pieces, mark
from jinja_fragcache.errors import FragmentTagError

from .environment import name_of
from .functions import HOLE_MARK, HOLE_MARKS, NOTE_HOLE, UNAVAILABLE, FunctionName
from .live_holes import note_live
from .misses import Miss, pieces_of
from .row_serving import FilledRows, MissedRows, filled_rows
from .stand_in import StandIn


def hole_mark(number: int, miss: Miss | MissedRows) -> str:
    """Return the mark that is printed for a hole while its fragment is rendered.

    Args:
        number: The number of the hole.
        miss: The `Miss` of the fragment, or the `MissedRows` of a list.
    """
    return mark(miss.token, number)


def hole_marks(
    found: Pieces | Miss | FilledRows | MissedRows, around: Miss | MissedRows
) -> str:
    """Return the text of a fragment in another one, with the other's marks in it.

    Args:
        found: The text of the inner fragment or list, which has holes.
        around: The fragment or list around it, which is being rendered.
    """
    if isinstance(found, FilledRows | MissedRows):
        texts: list[Pieces] = filled_rows(found).values
    else:
        texts = [pieces_of(found)]
    parts = (part for text in texts for part in text.parts())
    return "".join(
        part if isinstance(part, str) else mark(around.token, part) for part in parts
    )


@pass_context
def note_hole(context: Context, place: tuple[str | None, int]) -> str:
    """Note that the bodies that are being rendered must not be stored.

    Args:
        context: The context of the template that is being rendered.
        place: The template and line of the hole.
    """
    note_live(context.environment, *place)
    return ""


@pass_context
def unavailable(context: Context, name: str, place: tuple[str | None, int]) -> Any:
    """Return the object that hides a name of the fragment's body in a hole.

    Args:
        context: The context of the template that is being rendered.
        name: The name.
        place: The template and line of the hole.
    """
    message = (
        f"{name_of(*place)}: a template that is included in this nocache tag uses"
        f" {name!r}, which is bound inside of the cached fragment around it. It is"
        " rendered for each request, and the rest of the fragment is not. Bind it in"
        " front of the fragment, or include the template without context."
    )
    return StandIn(partial(FragmentTagError, message))


FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {
    HOLE_MARK: hole_mark,
    HOLE_MARKS: hole_marks,
    NOTE_HOLE: note_hole,
    UNAVAILABLE: unavailable,
}
