"""What compiled templates call for the rows of `{% cache_each %}`; see `lookup`.

(`template.each` compiles the tag.)
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from jinja2 import Environment, pass_context, pass_environment
from jinja2.runtime import Context

from jinja_fragcache.engine.batch import Row
from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.freshness import WANTED, Wanted
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.fragment import (
    KEYS_OF_ONE_VALUE,
    make_template_fragment_key,
)
from jinja_fragcache.observe.events import Reason

from .environment import Site, engine_of, refuse
from .functions import (
    ADD_ROW_WITH_OPTIONS,
    ADD_TO_ROWS,
    ITEMS,
    ROWS,
    ROWS_OF_ONE_VALUE,
    ROWS_WITH_OPTIONS,
    FunctionName,
)
from .items import items
from .lookup import Spec, asked_of
from .options import TagOptions, resolve
from .row_serving import (
    Rows,
    refuse_shared_rows,
    serve_differing_rows,
    serve_differing_rows_async,
    texts_or_misses,
)
from .tag_guard import explained
from .uncached import Uncached, flow_uncached
from .versions import source_digest

_PLAIN_TYPES = {str, int}
# The items of rows, and their key values.
_Given = tuple[list[Any], Iterable[Any]]


@pass_context
def rows(
    context: Context,
    given: list[Any],
    spec: Spec,
    escaped: bool,
    name: str,
) -> Rows | Awaitable[Rows]:
    """Return the text of all rows, or `MissedRows`.

    Args:
        context: The context of the template that is being rendered.
        given: The item of each row, followed by its key values.
        spec: The constants of the tag, the same for all rows.
        escaped: Whether autoescape is on where the tag stands.
        name: The fragment name of all rows.

    Returns:
        The text; in an async environment whose store may block, an awaitable of it.

    Raises:
        FragmentTagError: If a key is refused and the cache is strict.
    """
    vary_on = given[1::2]
    keys = _keys(context.environment, name, vary_on, spec[2])
    return _keyed_rows(context, spec, name, escaped, (given[::2], vary_on), keys)


@pass_context
def rows_of_one_value(
    context: Context,
    given: list[Any],
    spec: Spec,
    escaped: bool,
    name: str,
) -> Rows | Awaitable[Rows]:
    """Like `rows`, for rows with one key value.

    Most lists are so, and mostly of hits. So everything that is done for each row
    counts.

    Args:
        context: As for `rows`.
        given: The item of each row, followed by its key value.
        spec: As for `rows`.
        escaped: As for `rows`.
        name: As for `rows`.
    """
    values = given[1::2]
    keys: list[Any] = []
    if {*map(type, values)} <= _PLAIN_TYPES:
        # No `suppress`, which calls three functions.
        try:
            keys = list(map(KEYS_OF_ONE_VALUE[name].__getitem__, values))
        except KeyValueError:
            keys = []
    if not keys:
        lists = [[each] for each in values]
        keys = _keys(context.environment, name, lists, spec[2])
    # Of each row a tuple, which is not made for a list of hits: it does not read them.
    vary_on = zip(values, strict=False)
    return _keyed_rows(context, spec, name, escaped, (given[::2], vary_on), keys)


def _keyed_rows(
    context: Context,
    spec: Spec,
    name: str,
    escaped: bool,
    given: _Given,
    keys: list[Any],
) -> Rows | Awaitable[Rows]:
    environment = context.environment
    engine = engine_of(environment)
    _, version, site, _ = spec
    if version is None and engine.template_digest:
        version = source_digest(environment, site)
    wanted = WANTED[escaped, version, None]
    if engine.blocks and environment.is_async:
        return _keyed_rows_async(context, spec, name, wanted, given, keys)
    if not _can_be_decided_early(engine, keys):
        asked = _asked(context, spec, wanted)
        listed = _listed(environment, name, asked, given, keys)
        if engine.differs:
            return serve_differing_rows(environment, site, listed, escaped=escaped)
        engine.find_rows(listed)
        return texts_or_misses(engine, listed)
    if not keys:
        return ""
    texts, stored = engine.texts(keys, wanted)
    if isinstance(texts, str):
        return texts
    asked = _asked(context, spec, wanted)
    listed, undecided = _undecided(asked, given, keys, texts, stored)
    engine.find_rows(listed, undecided)
    return texts_or_misses(engine, listed)


async def _keyed_rows_async(
    context: Context,
    spec: Spec,
    name: str,
    wanted: Wanted,
    given: _Given,
    keys: list[Any],
) -> Rows:
    environment = context.environment
    engine = engine_of(environment)
    if not _can_be_decided_early(engine, keys):
        asked = _asked(context, spec, wanted)
        listed = _listed(environment, name, asked, given, keys)
        if engine.differs:
            return await serve_differing_rows_async(
                environment, spec[2], listed, escaped=wanted.escaped
            )
        await engine.find_rows_async(listed)
        return texts_or_misses(engine, listed)
    if not keys:
        return ""
    texts, stored = await engine.texts_async(keys, wanted)
    if isinstance(texts, str):
        return texts
    asked = _asked(context, spec, wanted)
    listed, undecided = _undecided(asked, given, keys, texts, stored)
    await engine.find_rows_async(listed, undecided)
    return texts_or_misses(engine, listed)


def _asked(context: Context, spec: Spec, wanted: Wanted) -> FragmentSpec:
    """Return what is asked for in each row, without its key and key values."""
    return asked_of(context, engine_of(context.environment), "", wanted, spec, ())


def _can_be_decided_early(engine: Engine, keys: Sequence[str | None]) -> bool:
    """Return whether a hit needs the texts only, and not the tags and the expiry."""
    return not (current_dependencies() or engine.tagged_keys or None in keys)


def _listed(
    environment: Environment,
    name: str,
    asked: FragmentSpec,
    given: _Given,
    keys: Sequence[str | None],
) -> list[Row]:
    refused = Uncached(Reason.KEY, name=name, timeout=asked.timeout)
    site: Any = asked.site
    return [
        Row(item, flow=flow_uncached(environment, site, refused))
        if key is None
        else Row(item, _row_spec(asked, key, vary_on))
        for item, vary_on, key in zip(*given, keys, strict=True)
    ]


def _row_spec(asked: FragmentSpec, key: str, vary_on: Any) -> FragmentSpec:
    guard: Any = asked.guard
    if guard is None:
        return asked._replace(key=key, values=vary_on)
    return asked._replace(key=key, values=vary_on, guard=guard.for_row(vary_on))


def _undecided(
    asked: FragmentSpec,
    given: _Given,
    keys: Sequence[str],
    texts: Sequence[str | None],
    stored: Sequence[object],
) -> tuple[list[Row], list[object]]:
    """Return all rows, and what the store returned for the undecided ones."""
    listed = [
        Row(item, _row_spec(asked, key, vary_on))
        if text is None
        else Row(item, value=text)
        for item, vary_on, key, text in zip(*given, keys, texts, strict=True)
    ]
    pairs = zip(texts, stored, strict=True)
    return listed, [each for text, each in pairs if text is None]


def _keys(
    environment: Environment, name: str, vary_on: list[Any], site: Site
) -> list[Any]:
    """Return the key of each row, None for one that is refused."""
    try:
        return [make_template_fragment_key(name, each) for each in vary_on]
    except KeyValueError:
        return [_key_or_none(environment, name, each, site) for each in vary_on]


def _key_or_none(
    environment: Environment, name: str, vary_on: Any, site: Site
) -> str | None:
    try:
        return make_template_fragment_key(name, vary_on)
    except KeyValueError as error:
        refuse(environment, site, explained(error, site, vary_on))
    return None


@pass_context
def add_row_with_options(
    context: Context,
    item: Any,
    rows: list[Row],
    spec: Spec,
    escaped: bool,
    name: Any,
    vary_on: Any,
    **options: Any,
) -> str:
    """Add a row to a list whose rows may differ in their name or options, too.

    Args:
        context: The context of the template that is being rendered.
        item: The row's item.
        rows: The rows so far.
        spec: As for `fragment_with_options`.
        escaped: As for `fragment_with_options`.
        name: As for `fragment_with_options`.
        vary_on: As for `fragment_with_options`.
        options: The fields of `TagOptions`.

    Raises:
        FragmentTagError: If an option has a wrong value; or if the key is refused and
            the cache is strict.
    """
    engine, given = engine_of(context.environment), TagOptions(**options)
    asked = resolve(context, engine, None, spec, escaped, name, vary_on, given)
    if isinstance(asked, FragmentSpec):
        rows.append(Row(item, asked))
    else:
        flow = flow_uncached(context.environment, spec[2], asked)
        rows.append(Row(item, flow=flow))
    return ""


@pass_environment
def rows_with_options(
    environment: Environment,
    rows: list[Row],
    site: Site,
    escaped: bool,
    *,
    has_holes: bool = False,
) -> Rows | Awaitable[Rows]:
    """Like `rows`, for rows that `add_row_with_options` has added.

    Args:
        environment: The template's.
        rows: The rows.
        site: Where the tag stands.
        escaped: Whether autoescape is on where the tag stands.
        has_holes: Whether the rows have holes. Their texts are `FilledRows` then.
    """
    engine = engine_of(environment)
    if engine.blocks and environment.is_async:
        return _rows_with_options_async(
            environment, rows, site, escaped=escaped, has_holes=has_holes
        )
    if engine.differs:
        return serve_differing_rows(
            environment, site, rows, escaped=escaped, has_holes=has_holes
        )
    engine.find_rows(rows)
    refuse_shared_rows(environment, rows, site)
    return texts_or_misses(engine, rows, has_holes=has_holes)


async def _rows_with_options_async(
    environment: Environment,
    rows: list[Row],
    site: Site,
    *,
    escaped: bool,
    has_holes: bool,
) -> Rows:
    engine = engine_of(environment)
    if engine.differs:
        return await serve_differing_rows_async(
            environment, site, rows, escaped=escaped, has_holes=has_holes
        )
    await engine.find_rows_async(rows)
    refuse_shared_rows(environment, rows, site)
    return texts_or_misses(engine, rows, has_holes=has_holes)


FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {
    ITEMS: items,
    # Adds the item of a row, and then its key values, to a list whose rows differ only
    # in these. No function of Python's, and no tuple of both, because each row of a
    # list of hits calls it.
    ADD_TO_ROWS: list.append,
    ROWS: rows,
    ROWS_OF_ONE_VALUE: rows_of_one_value,
    ADD_ROW_WITH_OPTIONS: add_row_with_options,
    ROWS_WITH_OPTIONS: rows_with_options,
}
