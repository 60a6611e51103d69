"""Renders the bodies and holes of a list's rows, for the methods of `call_blocks`."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from jinja2 import Undefined
from jinja2.runtime import LoopContext
from jinja2.utils import internalcode

from jinja_fragcache.entries.pieces import Pieces

from .misses import printed
from .row_serving import FilledRows, MissedRows, Rows, filled_rows

T = TypeVar("T")
#: Renders the body of a row, of its item and its `loop`.
RowBody = Callable[[Any, LoopContext], T]
#: Renders a hole of a row, of its number, the item and the `loop`.
RowHoles = Callable[[int, Any, LoopContext], T]


@internalcode
def render_rows(found: Rows, caller: RowBody[str]) -> str:
    """Return the text of a list, or put it into the miss if it may have holes."""
    if not isinstance(found, MissedRows):
        return printed(found)
    missed, engine, token = found, found.engine, found.token
    items = [row.item for row in missed.rows]
    loops = Loops(items)

    @internalcode
    def render(number: int) -> str | Pieces:
        text = str(caller(items[number], loops.at(number)))
        return Pieces.cut(text, token) if token else text

    values = engine.run(missed.flow, render)
    return _text_of_rows(missed, items, values)


@internalcode
async def render_rows_async(found: Rows, caller: RowBody[Awaitable[str]]) -> str:
    """Like `render_rows`, but awaits the bodies and the store."""
    if not isinstance(found, MissedRows):
        return printed(found)
    missed, engine, token = found, found.engine, found.token
    items = [row.item for row in missed.rows]
    loops = Loops(items)

    @internalcode
    async def render(number: int) -> str | Pieces:
        text = str(await caller(items[number], loops.at(number)))
        return Pieces.cut(text, token) if token else text

    values = await engine.run_async(missed.flow, render)
    return _text_of_rows(missed, items, values)


@internalcode
def fill_rows(found: FilledRows | MissedRows, caller: RowHoles[str]) -> str:
    """Return the text of a list with its holes filled."""
    parts = [
        each if isinstance(each, str) else str(caller(each, *row))
        for each, row in _parts_of_rows(*filled_rows(found))
    ]
    return "".join(parts)


@internalcode
async def fill_rows_async(
    found: FilledRows | MissedRows,
    caller: RowHoles[Awaitable[str]],
) -> str:
    """Like `fill_rows`, but awaits the holes."""
    parts = [
        each if isinstance(each, str) else str(await caller(each, *row))
        for each, row in _parts_of_rows(*filled_rows(found))
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
