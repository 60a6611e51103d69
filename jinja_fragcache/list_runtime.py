"""What compiled templates call for lists; see `runtime`."""

from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Any, NamedTuple

from jinja2 import Environment, pass_context, pass_environment
from jinja2.runtime import Context

from .fragments import UNREAD, FragmentCache
from .recording import current_recording
from .rows import Row
from .runtime import Miss, fragment_cache_of, look_up_varied

ASK_FOR_ROW = "fragment_cache ask_for_row"
LOOK_UP_ROWS = "fragment_cache look_up_rows"


class MissedRows(NamedTuple):
    """The rows of a list, of which some have to be rendered."""

    cache: FragmentCache
    rows: list[Row]
    items: list[Any]
    token: str


class FilledRows(NamedTuple):
    """The rows of a list, with what stands for each of them."""

    items: list[Any]
    values: list[Any]


@pass_context
def ask_for_row(
    context: Context, item: Any, rows: list[Row], *arguments: Any, **options: Any
) -> str:
    """Add a row to those of a list.

    Args:
        context: of the template that is rendered.
        item: what the row is made of.
        rows: the list.
        arguments: those of `look_up_varied` behind `missed`.
        options: as for `look_up_varied`.
    """
    uncached: list[Miss] = []
    look_up_varied(context, None, uncached, *arguments, rows=rows, item=item, **options)
    rows += [Row(item, flow=miss.flow) for miss in uncached]
    return ""


@pass_environment
def look_up_rows(
    environment: Environment,
    rows: list[Row],
    missed: list[MissedRows],
    filled: list[FilledRows] | None = None,
) -> str | Awaitable[str]:
    """Give the text of all rows, or put them into `missed` and give nothing.

    Args:
        environment: the template's.
        rows: the rows.
        missed: an empty list.
        filled: an empty list for rows with holes, which are not given then.
    """
    cache = fragment_cache_of(environment)
    if cache.waits and environment.is_async:
        return _look_up_rows_async(cache, rows, missed, filled)
    stored: object = UNREAD
    if filled is None and current_recording() is None:
        answer = cache.look_up_rows(rows)
        if isinstance(answer, str):
            return answer
        stored = answer.stored
    return _texts_or_misses(cache, cache.find_rows(rows, stored), missed, filled)


async def _look_up_rows_async(
    cache: FragmentCache,
    rows: list[Row],
    missed: list[MissedRows],
    filled: list[FilledRows] | None,
) -> str:
    found = await cache.find_rows_async(rows)
    return _texts_or_misses(cache, found, missed, filled)


def _texts_or_misses(
    cache: FragmentCache,
    rows: list[Row],
    missed: list[MissedRows],
    filled: list[FilledRows] | None,
) -> str:
    values = [row.found.value for row in rows if row.found and row.found.is_fresh]
    items = [row.item for row in rows]
    if len(values) < len(rows):
        token = "" if filled is None else token_hex(16)
        missed.append(MissedRows(cache, rows, items, token))
    elif filled is None:
        return "".join(values)
    else:
        filled.append(FilledRows(items, values))
    return ""


LIST_FILTERS: dict[str, Callable[..., Any]] = {
    ASK_FOR_ROW: ask_for_row,
    LOOK_UP_ROWS: look_up_rows,
}
