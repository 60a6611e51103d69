"""What the call blocks in compiled templates call, to render bodies and holes.

Jinja passes a body as `caller`. In an async environment that is a coroutine function,
so each method has a twin that is one, too.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, cast

from jinja2 import Undefined
from jinja2.runtime import LoopContext
from jinja2.utils import internalcode

from jinja_fragcache.entries.pieces import Pieces

from .misses import Miss
from .row_serving import FilledRows, MissedRows, Rows
from .serving import Text


class BodyRendering:
    """Base of the extension, with the methods that compiled call blocks call."""

    @staticmethod
    @internalcode
    def _render(found: Text | Miss, *, caller: Callable[[], str]) -> str:
        """Return a fragment's text, or put it into the miss if it may have holes."""
        if not isinstance(found, Miss):
            return _text(found)
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
            return _text(found)
        miss = found
        if not miss.token:
            return str(await miss.engine.run_async(miss.flow, caller))

        @internalcode
        async def render() -> Pieces:
            return Pieces.cut(await caller(), miss.token)

        miss.pieces = await miss.engine.run_async(miss.flow, render)
        return ""

    @staticmethod
    @internalcode
    def _fill(found: Pieces | Miss, caller: Callable[[int], str]) -> str:
        """Return a text with its holes filled."""
        parts = [
            each if isinstance(each, str) else str(caller(each))
            for each in _pieces(found).parts()
        ]
        return "".join(parts)

    @staticmethod
    @internalcode
    async def _fill_async(
        found: Pieces | Miss, caller: Callable[[int], Awaitable[str]]
    ) -> str:
        parts = [
            each if isinstance(each, str) else str(await caller(each))
            for each in _pieces(found).parts()
        ]
        return "".join(parts)

    @staticmethod
    @internalcode
    def _render_rows(
        found: Rows,
        *,
        caller: Callable[[Any, LoopContext], str],
    ) -> str:
        """Return the text of a list, or put it into the miss if it may have holes."""
        if not isinstance(found, MissedRows):
            return _text(found)
        missed, engine, token = found, found.engine, found.token
        items = [row.item for row in missed.rows]
        loops = Loops(items)

        @internalcode
        def render(number: int) -> str | Pieces:
            text = str(caller(items[number], loops.at(number)))
            return Pieces.cut(text, token) if token else text

        values = engine.run(missed.flow, render)
        return _text_of_rows(missed, items, values)

    @staticmethod
    @internalcode
    async def _render_rows_async(
        found: Rows,
        *,
        caller: Callable[[Any, LoopContext], Awaitable[str]],
    ) -> str:
        if not isinstance(found, MissedRows):
            return _text(found)
        missed, engine, token = found, found.engine, found.token
        items = [row.item for row in missed.rows]
        loops = Loops(items)

        @internalcode
        async def render(number: int) -> str | Pieces:
            text = str(await caller(items[number], loops.at(number)))
            return Pieces.cut(text, token) if token else text

        values = await engine.run_async(missed.flow, render)
        return _text_of_rows(missed, items, values)

    @staticmethod
    @internalcode
    def _fill_rows(
        found: FilledRows | MissedRows, caller: Callable[[int, Any, LoopContext], str]
    ) -> str:
        """Return the text of a list with its holes filled."""
        parts = [
            each if isinstance(each, str) else str(caller(each, *row))
            for each, row in _parts_of_rows(*_filled(found))
        ]
        return "".join(parts)

    @staticmethod
    @internalcode
    async def _fill_rows_async(
        found: FilledRows | MissedRows,
        caller: Callable[[int, Any, LoopContext], Awaitable[str]],
    ) -> str:
        parts = [
            each if isinstance(each, str) else str(await caller(each, *row))
            for each, row in _parts_of_rows(*_filled(found))
        ]
        return "".join(parts)


class Loops:
    """The `loop` of rows, as in a for loop over all items.

    Args:
        items: The items.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items
        self._loop = LoopContext(items, Undefined)

    def at(self, number: int) -> LoopContext:
        """Return the `loop` of an item. For rows in order it is always the same object.

        Args:
            number: The item's place, from 0.
        """
        if number < self._loop.index0:
            # An earlier row, which another caller was to make and did not.
            self._loop = LoopContext(self._items, Undefined)
        while self._loop.index0 < number:
            next(self._loop)
        return self._loop


def _text(found: Text | FilledRows) -> str:
    """Return a text that needs no rendering, "" if it has holes, which are next.

    Only other code generators than that of `template.code_generator` need it.
    """
    return found if isinstance(found, str) else ""


def _pieces(found: Pieces | Miss) -> Pieces:
    if isinstance(found, Pieces):
        return found
    # `_render` has put them there.
    return cast("Pieces", found.pieces)


def _filled(found: FilledRows | MissedRows) -> FilledRows:
    if isinstance(found, FilledRows):
        return found
    # `_render_rows` has put them there.
    return cast("FilledRows", found.filled)


def _text_of_rows(missed: MissedRows, items: list[Any], values: list[Any]) -> str:
    if not missed.token:
        return "".join(values)
    missed.filled = FilledRows(items, values)
    return ""


def _parts_of_rows(
    items: Sequence[Any], values: Sequence[Pieces]
) -> Iterator[tuple[str | int, tuple[Any, LoopContext]]]:
    """Iterate over pieces and holes of all texts, with their row's item and loop."""
    loops = Loops(items)
    for number, pieces in enumerate(values):
        row = items[number], loops.at(number)
        for each in pieces.parts():
            yield each, row
