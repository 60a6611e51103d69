"""What the call blocks in compiled templates call, to render bodies and holes.

Jinja passes a body as `caller`. In an async environment that is a coroutine function,
so each method has a twin whose result is awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from jinja2 import Environment
from jinja2.utils import internalcode

from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.late import LateModule

from .misses import Miss, pieces_of, printed

if TYPE_CHECKING:
    from . import live_holes
    from .live_holes import PlacesOfHoles
    from .row_blocks import RowBody, RowHoles
    from .row_serving import FilledRows, MissedRows, Rows
    from .serving import Text
else:
    live_holes = LateModule(".live_holes", __package__)


class BodyRendering:
    """Base of the extension, with the methods that compiled call blocks call.

    Attributes:
        environment: That of the extension.
    """

    environment: Environment

    @staticmethod
    @internalcode
    def _render(found: Text | Miss, *, caller: Callable[[], str]) -> str:
        """Return a fragment's text, or put it into the miss if it may have holes."""
        if not isinstance(found, Miss):
            return printed(found)
        miss = found
        if not miss.token:
            return str(miss.engine.run(miss.flow, caller))

        @internalcode
        def render() -> Pieces:
            return Pieces.cut(caller(), miss.token)

        miss.pieces = miss.engine.run(miss.flow, render)
        return ""

    @staticmethod
    @internalcode
    async def _render_async(
        found: Text | Miss,
        *,
        caller: Callable[[], Awaitable[str]],
    ) -> str:
        if not isinstance(found, Miss):
            return printed(found)
        miss = found
        if not miss.token:
            return str(await miss.engine.run_async(miss.flow, caller))

        @internalcode
        async def render() -> Pieces:
            return Pieces.cut(await caller(), miss.token)

        miss.pieces = await miss.engine.run_async(miss.flow, render)
        return ""

    @internalcode
    def _fill(
        self, found: Pieces | Miss, holes: PlacesOfHoles, caller: Callable[[int], str]
    ) -> str:
        """Return a text with its holes filled."""
        caller = live_holes.noting(self.environment, holes, caller)
        parts = [
            each if isinstance(each, str) else str(caller(each))
            for each in pieces_of(found).parts()
        ]
        return "".join(parts)

    @internalcode
    async def _fill_async(
        self,
        found: Pieces | Miss,
        holes: PlacesOfHoles,
        caller: Callable[[int], Awaitable[str]],
    ) -> str:
        caller = live_holes.noting(self.environment, holes, caller)
        parts = [
            each if isinstance(each, str) else str(await caller(each))
            for each in pieces_of(found).parts()
        ]
        return "".join(parts)

    @staticmethod
    @internalcode
    def _render_rows(found: Rows, *, caller: RowBody[str]) -> str:
        """Return the text of a list, or put it into the miss if it may have holes."""
        from .row_blocks import render_rows  # noqa: PLC0415 - few templates have lists

        return render_rows(found, caller)

    @staticmethod
    @internalcode
    def _render_rows_async(
        found: Rows, *, caller: RowBody[Awaitable[str]]
    ) -> Awaitable[str]:
        from .row_blocks import render_rows_async  # noqa: PLC0415 - see above

        return render_rows_async(found, caller)

    @internalcode
    def _fill_rows(
        self,
        found: FilledRows | MissedRows,
        holes: PlacesOfHoles,
        caller: RowHoles[str],
    ) -> str:
        """Return the text of a list with its holes filled."""
        from .row_blocks import fill_rows  # noqa: PLC0415 - see above

        caller = live_holes.noting(self.environment, holes, caller)
        return fill_rows(found, caller)

    @internalcode
    def _fill_rows_async(
        self,
        found: FilledRows | MissedRows,
        holes: PlacesOfHoles,
        caller: RowHoles[Awaitable[str]],
    ) -> Awaitable[str]:
        from .row_blocks import fill_rows_async  # noqa: PLC0415 - see above

        return fill_rows_async(
            found, live_holes.noting(self.environment, holes, caller)
        )
