"""What tracebacks show of mistakes in templates: the templates, and none of our files.

The message of such an error says what is wrong, where, and what to write. Jinja leaves
functions of its own out by their code (`internalcode`). Here that would hide what is
needed to find a fault of this package, so it depends on the error.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

_PACKAGE = str(Path(__file__).parents[1])


def without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this package.

    Args:
        traceback: That of a `FragmentCacheError`.
    """
    kept: list[TracebackType] = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            kept.append(traceback)
        traceback = traceback.tb_next
    shown: TracebackType | None = None
    for each in reversed(kept):
        shown = TracebackType(shown, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return shown
