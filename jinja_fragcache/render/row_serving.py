"""Serves the rows of a list: their text, or what renders those that are missing."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

from jinja2 import Environment

from jinja_fragcache.engine.batch import Row, renew_rows
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.flow import Flow
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.observe.events import Reason

from .comments import ROW, Commented
from .environment import Site, engine_of
from .shared_names import refuse_shared
from .uncached import Uncached, flow_uncached
from .whole import vary_rows


@dataclass(slots=True, eq=False)
class MissedRows:
    """The rows of a list, of which some have to be rendered.

    It is false, so that a compiled template can tell it from a text.

    Attributes:
        engine: The engine of the cache.
        rows: All rows of the list.
        flow: Renders those that are missing, and returns the texts of all.
        token: The token in the marks of their holes, "" if they have none.
        filled: The texts of the rows, if they have holes and were rendered.
    """

    engine: Engine
    rows: list[Row]
    flow: Flow
    token: str
    filled: "FilledRows | None" = None

    def __bool__(self) -> bool:
        """Return false: there is no text."""
        return False


class FilledRows(NamedTuple):
    """The items of a list's rows, and the text with holes of each."""

    items: list[Any]
    values: list[Any]


#: The rows of a list after they were looked up: their text, or what is missing.
Rows = str | FilledRows | MissedRows


def filled_rows(found: FilledRows | MissedRows) -> FilledRows:
    """Return the texts with holes that were found, or were rendered after that."""
    if isinstance(found, FilledRows):
        return found
    # `row_blocks` has put them there.
    return cast("FilledRows", found.filled)


def serve_differing_rows(
    environment: Environment,
    site: Site,
    rows: list[Row],
    *,
    escaped: bool,
    has_holes: bool = False,
) -> Rows:
    """Look rows up, and serve them, for a cache that `differs`.

    Args:
        environment: The template's.
        site: Where the tag stands.
        rows: The rows.
        escaped: Whether autoescape is on there.
        has_holes: Whether the rows have holes.
    """
    engine, commented = _prepare(environment, site, rows, escaped=escaped)
    keys = _keys_of(rows)
    with commented.collecting() if commented else nullcontext():
        engine.find_rows(rows)
    refuse_shared_rows(environment, rows, site)
    return _texts_with_comments(engine, rows, keys, commented, has_holes=has_holes)


async def serve_differing_rows_async(
    environment: Environment,
    site: Site,
    rows: list[Row],
    *,
    escaped: bool,
    has_holes: bool = False,
) -> Rows:
    """Like `serve_differing_rows`, but awaits the store."""
    engine, commented = _prepare(environment, site, rows, escaped=escaped)
    keys = _keys_of(rows)
    with commented.collecting() if commented else nullcontext():
        await engine.find_rows_async(rows)
    refuse_shared_rows(environment, rows, site)
    return _texts_with_comments(engine, rows, keys, commented, has_holes=has_holes)


def _prepare(
    environment: Environment, site: Site, rows: list[Row], *, escaped: bool
) -> tuple[Engine, Commented | None]:
    """Give rows the key values of the whole cache; return what comments on them."""
    engine = engine_of(environment)
    if engine.whole is not None:
        vary_rows(environment, site, engine.whole, rows)
    if engine.comments is None:
        return engine, None
    return engine, Commented(engine.comments, site, ROW, escaped=escaped)


def _keys_of(rows: Sequence[Row]) -> list[str | None]:
    return [None if row.spec is None else row.spec.key for row in rows]


def _texts_with_comments(
    engine: Engine,
    rows: list[Row],
    keys: Sequence[str | None],
    commented: Commented | None,
    *,
    has_holes: bool,
) -> Rows:
    found = texts_or_misses(engine, rows, has_holes=has_holes)
    if commented is None:
        return found
    if isinstance(found, MissedRows):
        found.flow = partial(commented.flow_of_rows, found.flow, keys)
        return found
    for row, key in zip(rows, keys, strict=True):
        row.value = commented.around(row.value, key)
    return texts_or_misses(engine, rows, has_holes=has_holes)


def refuse_shared_rows(
    environment: Environment, rows: Sequence[Row], site: Site
) -> None:
    """Let rows be uncached under whose keys other tags have stored their text."""
    for row in rows:
        spec, found = row.spec, row.found
        if row.value is not MISSING or spec is None or found is None:
            continue
        if refuse_shared(environment, site, spec.wanted.body, found.stored):
            shared = Uncached.of_spec(Reason.KEY, spec)
            row.spec, row.flow = None, flow_uncached(environment, site, shared)


def texts_or_misses(
    engine: Engine, rows: list[Row], *, has_holes: bool = False
) -> Rows:
    """Return the text of all rows, or `MissedRows`."""
    values = [row.value for row in rows]
    if MISSING in values:
        token = os.urandom(16).hex() if has_holes else ""
        return MissedRows(engine, rows, partial(renew_rows, rows), token)
    if has_holes:
        return FilledRows([row.item for row in rows], values)
    return "".join(values)
