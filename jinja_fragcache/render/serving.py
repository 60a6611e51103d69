"""Serves what a tag asks for: its text, or what renders it."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from jinja2 import Environment

from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.engine import Engine, Undecided
from jinja_fragcache.engine.flow import renew
from jinja_fragcache.engine.lookup import NOT_READ, NOTHING, Found
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.late import LateModule

from .environment import Site
from .misses import Miss, miss

if TYPE_CHECKING:
    from jinja_fragcache.entries.entry import Body

    from . import uncached
    from .comments import Commented
else:
    uncached = LateModule(".uncached", __package__)

#: The text of a fragment, with or without holes.
Text = str | Pieces


def look_further(
    engine: Engine,
    environment: Environment,
    site: Site,
    escaped: bool,
    asked: FragmentSpec | uncached.Uncached,
    undecided: Undecided | None = None,
    *,
    has_holes: bool = False,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Look up what the fast path did not decide, or return the `Miss` of the rest.

    Args:
        engine: The engine of the cache.
        environment: The template's.
        site: Where the tag stands.
        escaped: Whether autoescape is on there.
        asked: The fragment; or why it is not cached.
        undecided: What the fast path found; None if it was not taken.
        has_holes: Whether the fragment has holes.
    """
    if engine.differs:
        return _look_further_differing(
            engine, environment, site, escaped, asked, has_holes=has_holes
        )
    if not isinstance(asked, FragmentSpec):
        return uncached.miss_of(environment, site, asked, has_holes=has_holes)
    if engine.blocks and environment.is_async:
        return _serve_async(engine, environment, site, asked)
    return _serve(engine, environment, site, asked, undecided)


def _look_further_differing(
    engine: Engine,
    environment: Environment,
    site: Site,
    escaped: bool,
    asked: FragmentSpec | uncached.Uncached,
    *,
    has_holes: bool,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `look_further`, for a cache with a `vary_on` of its own, or comments."""
    if engine.whole is not None and isinstance(asked, FragmentSpec):
        from .whole import vary  # noqa: PLC0415 - few caches need it

        asked = vary(environment, site, engine.whole, asked)
    commented = None
    if engine.comments is not None:
        from .comments import FRAGMENT, Commented  # noqa: PLC0415 - few caches need it

        commented = Commented(engine.comments, site, FRAGMENT, escaped=escaped)
    if not isinstance(asked, FragmentSpec):
        missed = uncached.miss_of(environment, site, asked, has_holes=has_holes)
        return missed if commented is None else _with_comments(commented, missed, None)
    if engine.blocks and environment.is_async:
        if commented is None:
            return _serve_async(engine, environment, site, asked)
        return _serve_commented_async(commented, engine, environment, site, asked)
    if commented is None:
        return _serve(engine, environment, site, asked)
    with commented.collecting():
        found = _serve(engine, environment, site, asked)
    return _with_comments(commented, found, asked.key)


async def _serve_commented_async(
    commented: Commented,
    engine: Engine,
    environment: Environment,
    site: Site,
    asked: FragmentSpec,
) -> Text | Miss:
    with commented.collecting():
        found = await _serve_async(engine, environment, site, asked)
    return _with_comments(commented, found, asked.key)


def _with_comments(
    commented: Commented, found: Text | Miss, key: str | None
) -> Text | Miss:
    if not isinstance(found, Miss):
        return commented.around(found, key)
    found.flow = partial(commented.flow, found.flow, key)
    return found


def _serve(
    engine: Engine,
    environment: Environment,
    site: Site,
    asked: FragmentSpec,
    undecided: Undecided | None = None,
) -> Text | Miss:
    """Look a fragment up, and serve it if it is fresh.

    Args:
        engine: The engine of the cache.
        environment: The template's.
        site: Where the tag stands.
        asked: The fragment.
        undecided: What the fast path found; None if it was not taken yet.
    """
    if undecided is None and _can_be_decided_early(engine, asked):
        text = engine.text(asked.key, asked.wanted)
        if not isinstance(text, Undecided):
            return text
        undecided = text
    if undecided is not None and undecided.stored is None:
        return Miss(engine, partial(renew, asked, NOTHING))
    stored = NOT_READ if undecided is None else undecided.stored
    found = engine.find(asked, stored)
    return text_or_miss(engine, environment, site, asked, found, undecided)


async def _serve_async(
    engine: Engine, environment: Environment, site: Site, asked: FragmentSpec
) -> Text | Miss:
    """Like `_serve`, but awaits the store."""
    undecided: Undecided | None = None
    if _can_be_decided_early(engine, asked):
        text = await engine.text_async(asked.key, asked.wanted)
        if not isinstance(text, Undecided):
            return text
        undecided = text
    stored = NOT_READ if undecided is None else undecided.stored
    found = NOTHING
    if stored is not None:
        found = await engine.find_async(asked, stored)
    return text_or_miss(engine, environment, site, asked, found, undecided)


def _can_be_decided_early(engine: Engine, asked: FragmentSpec) -> bool:
    """Return whether a hit needs the text only, and not tags, holes or the expiry."""
    return not (
        asked.tags
        or asked.holes
        or current_dependencies()
        or asked.key in engine.tagged_keys
        or not engine.breaker.is_closed
    )


def text_or_miss(
    engine: Engine,
    environment: Environment,
    site: Site,
    asked: FragmentSpec,
    found: Found,
    undecided: Undecided | None = None,
) -> Text | Miss:
    """Serve a fragment that was looked up, or return its `Miss`.

    Args:
        engine: The engine of the cache.
        environment: The template's.
        site: Where the tag stands.
        asked: The fragment.
        found: What was found.
        undecided: What the fast path found; None if it was not taken.
    """
    if found is NOTHING or not found.is_fresh:
        if asked.wanted.body is not None and _is_shared(
            environment, site, asked.wanted.body, found
        ):
            shared = uncached.Uncached.of_spec(uncached.Reason.KEY, asked)
            return uncached.miss_of(
                environment, site, shared, has_holes=bool(asked.holes)
            )
        return miss(engine, partial(renew, asked, found), has_holes=bool(asked.holes))
    if asked.verified_as:
        from jinja_fragcache.engine.verify import draw, verify  # noqa: PLC0415 - few do

        if draw(engine.context) if undecided is None else undecided.is_chosen:
            flow = partial(verify, asked, found)
            return miss(engine, flow, has_holes=bool(asked.holes))
    value: Text = found.value
    return value


def _is_shared(environment: Environment, site: Site, body: Body, found: Found) -> bool:
    # Here, because few tags have names that are no constants.
    from .shared_names import refuse_shared  # noqa: PLC0415

    return refuse_shared(environment, site, body, found.stored)
