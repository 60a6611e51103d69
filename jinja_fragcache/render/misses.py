"""Fragments that have to be rendered."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from jinja_fragcache.engine.engine import Engine
    from jinja_fragcache.engine.flow import Flow
    from jinja_fragcache.entries.pieces import Pieces


class Miss:
    """A fragment that has to be rendered: a miss, or a hit that is verified.

    It is false, so that a compiled template can tell it from a text.

    Args:
        engine: The engine of the cache.
        flow: Renders the fragment, and returns what to serve.
        token: The token in the marks of its holes, "" if it has none.

    Attributes:
        pieces: Its text, if it has holes and was rendered.
    """

    __slots__ = ("engine", "flow", "pieces", "token")

    def __init__(self, engine: Engine, flow: Flow, token: str = "") -> None:
        self.engine = engine
        self.flow = flow
        self.token = token
        self.pieces: Pieces | None = None

    def __bool__(self) -> bool:
        """Return false: there is no text."""
        return False


def miss(engine: Engine, flow: Flow, *, has_holes: bool) -> Miss:
    """Return a fragment that a flow renders."""
    return Miss(engine, flow, os.urandom(16).hex() if has_holes else "")


def pieces_of(found: Pieces | Miss) -> Pieces:
    """Return a text with holes that was found, or was rendered after that."""
    if not isinstance(found, Miss):
        return found
    # `call_blocks` has put them there.
    return cast("Pieces", found.pieces)


def printed(found: object) -> str:
    """Return a text that needs no rendering, "" if it has holes, which are next.

    Only other code generators than that of `template.code_generator` need it.
    """
    return found if isinstance(found, str) else ""
