"""What call blocks in compiled templates call: it has their bodies rendered.

A body is what Jinja calls the `caller`. In an async environment it is a coroutine
function, and so is what calls it.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

from jinja2 import Undefined
from jinja2.runtime import LoopContext
from jinja2.utils import internalcode

from jinja_fragcache.engine.batch import renew_many
from jinja_fragcache.entries.pieces import Pieces

from .each import FilledRows, MissedRows
from .lookup import Miss


class BodyRendering:
    """The methods that call blocks call, as methods of the extension."""

    @staticmethod
    @internalcode
    def _render(
        missed: list[Miss],
        filled: list[Pieces] | None = None,
        *,
        caller: Callable[[], str],
    ) -> str:
        """Give a fragment's text, or put it into `filled` if it may have holes."""
        cache, flow, token = missed[0]
        if filled is None:
            return str(cache.run(flow, caller))

        @internalcode
        def render() -> Pieces:
            return Pieces.cut(caller(), token)

        filled.append(cache.run(flow, render))
        return ""

    @staticmethod
    @internalcode
    async def _render_async(
        missed: list[Miss],
        filled: list[Pieces] | None = None,
        *,
        caller: Callable[[], Awaitable[str]],
    ) -> str:
        cache, flow, token = missed[0]
        if filled is None:
            return str(await cache.run_async(flow, caller))

        @internalcode
        async def render() -> Pieces:
            return Pieces.cut(await caller(), token)

        filled.append(await cache.run_async(flow, render))
        return ""

    @staticmethod
    @internalcode
    def _fill(filled: list[Pieces], caller: Callable[[int], str]) -> str:
        """Give a text with its holes filled."""
        parts = [
            each if isinstance(each, str) else str(caller(each))
            for each in filled[0].parts()
        ]
        return "".join(parts)

    @staticmethod
    @internalcode
    async def _fill_async(
        filled: list[Pieces], caller: Callable[[int], Awaitable[str]]
    ) -> str:
        parts = [
            each if isinstance(each, str) else str(await caller(each))
            for each in filled[0].parts()
        ]
        return "".join(parts)

    @staticmethod
    @internalcode
    def _render_rows(
        missed: list[MissedRows],
        filled: list[FilledRows] | None = None,
        *,
        caller: Callable[[Any, LoopContext], str],
    ) -> str:
        """Give the text of a list, or put it into `filled` if it may have holes."""
        cache, rows, items, token = missed[0]
        loops = Loops(items)

        @internalcode
        def render(number: int) -> str | Pieces:
            text = str(caller(items[number], loops.at(number)))
            return Pieces.cut(text, token) if token else text

        values = cache.run(partial(renew_many, rows), render)
        return _text_of_rows(items, values, filled)

    @staticmethod
    @internalcode
    async def _render_rows_async(
        missed: list[MissedRows],
        filled: list[FilledRows] | None = None,
        *,
        caller: Callable[[Any, LoopContext], Awaitable[str]],
    ) -> str:
        cache, rows, items, token = missed[0]
        loops = Loops(items)

        @internalcode
        async def render(number: int) -> str | Pieces:
            text = str(await caller(items[number], loops.at(number)))
            return Pieces.cut(text, token) if token else text

        values = await cache.run_async(partial(renew_many, rows), render)
        return _text_of_rows(items, values, filled)

    @staticmethod
    @internalcode
    def _fill_rows(
        filled: list[FilledRows], caller: Callable[[int, Any, LoopContext], str]
    ) -> str:
        """Give the text of a list with its holes filled."""
        parts = [
            each if isinstance(each, str) else str(caller(each, *row))
            for each, row in _parts_of_rows(*filled[0])
        ]
        return "".join(parts)

    @staticmethod
    @internalcode
    async def _fill_rows_async(
        filled: list[FilledRows],
        caller: Callable[[int, Any, LoopContext], Awaitable[str]],
    ) -> str:
        parts = [
            each if isinstance(each, str) else str(await caller(each, *row))
            for each, row in _parts_of_rows(*filled[0])
        ]
        return "".join(parts)


class Loops:
    """Gives the `loop` of rows, as a for loop over all items has it.

    Args:
        items: the items.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items
        self._loop = LoopContext(items, Undefined)

    def at(self, number: int) -> LoopContext:
        """Give it for an item. For rows in their order it is one and the same.

        Args:
            number: the item's place, from 0.
        """
        if number < self._loop.index0:
            # For a row that others were to make, and did not.
            self._loop = LoopContext(self._items, Undefined)
        while self._loop.index0 < number:
            next(self._loop)
        return self._loop


def _text_of_rows(
    items: list[Any], values: list[Any], filled: list[FilledRows] | None
) -> str:
    if filled is None:
        return "".join(values)
    filled.append(FilledRows(items, values))
    return ""


def _parts_of_rows(
    items: Sequence[Any], values: Sequence[Pieces]
) -> Iterator[tuple[str | int, tuple[Any, LoopContext]]]:
    """Give pieces and holes of all texts, each with its row's item and loop."""
    loops = Loops(items)
    for number, pieces in enumerate(values):
        row = items[number], loops.at(number)
        for each in pieces.parts():
            yield each, row
