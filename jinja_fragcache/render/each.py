"""What compiled templates call for lists; see `runtime`."""

from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Any, NamedTuple

from jinja2 import Environment, pass_context, pass_environment
from jinja2.runtime import Context

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.batch import Row
from jinja_fragcache.engine.dependencies import current_recording
from jinja_fragcache.engine.flow import bypass
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.fragment import make_template_fragment_key

from .lookup import Miss, fragment_cache_of, look_up_varied, refuse, request_of

ADD_ROW = "fragment_cache add_row"
LOOK_UP_KEYED_ROWS = "fragment_cache look_up_keyed_rows"
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


def add_row(vary_on: Any, given: list[tuple[Any, Any]], item: Any) -> str:
    """Add a row whose key values are all that only rendering tells.

    Args:
        vary_on: the row's key values.
        given: the items, each with its key values.
        item: what the row is made of.
    """
    given.append((item, vary_on))
    return ""


@pass_environment
def look_up_keyed_rows(  # noqa: PLR0913, PLR0917 - called by compiled templates, by position
    environment: Environment,
    given: list[tuple[Any, Any]],
    missed: list[MissedRows],
    name: str,
    escaped: bool,  # noqa: FBT001 - as above
    timeout: int | None,
    source: tuple[Any, ...],
    where: tuple[str | None, int],
) -> str | Awaitable[str]:
    """Do as `look_up_rows` for rows of which only the keys differ.

    It is the path of a list of hits: what each row costs, a page pays many times.

    Args:
        environment: the template's.
        given: the items, each with its key values.
        missed: an empty list.
        name: the name of all rows.
        escaped: whether autoescape is on where the tag stands.
        timeout: seconds, 0 for ever, None for the cache's default.
        source: the arguments of `Sources.whole_digest` for the template.
        where: the template and line of the tag.

    Raises:
        FragmentTagError: the cache is strict and a key is refused.
    """
    cache = fragment_cache_of(environment)
    # Of all rows, but for the key.
    asked = request_of(environment, "", escaped, timeout, None, source, None, (), ())
    stored: Any = None
    waits = cache.waits and environment.is_async
    keys = _keys(environment, name, given, where)
    if not (waits or current_recording() or cache.tagged_keys or None in keys):
        answer = cache.look_up_many(keys, asked.wanted)
        if isinstance(answer, str):
            return answer
        stored = answer.stored
    rows = [
        Row(item, flow=bypass) if key is None else Row(item, asked._replace(key=key))
        for (item, _), key in zip(given, keys, strict=True)
    ]
    if waits:
        return _look_up_rows_async(cache, rows, missed, None)
    return _texts_or_misses(cache, cache.find_rows(rows, stored), missed, None)


def _keys(
    environment: Environment,
    name: str,
    given: list[tuple[Any, Any]],
    where: tuple[str | None, int],
) -> list[Any]:
    """Give the key of each row, None for one that is refused."""
    try:
        return [make_template_fragment_key(name, vary_on) for _, vary_on in given]
    except KeyValueError:
        return [_key_or_none(environment, name, each, where) for _, each in given]


def _key_or_none(
    environment: Environment, name: str, vary_on: Any, where: tuple[str | None, int]
) -> str | None:
    try:
        return make_template_fragment_key(name, vary_on)
    except KeyValueError as error:
        refuse(environment, where, error)
    fragment_cache_of(environment).count_uncached()
    return None


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
    return _texts_or_misses(cache, cache.find_rows(rows), missed, filled)


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
    ADD_ROW: add_row,
    LOOK_UP_KEYED_ROWS: look_up_keyed_rows,
    ASK_FOR_ROW: ask_for_row,
    LOOK_UP_ROWS: look_up_rows,
}
