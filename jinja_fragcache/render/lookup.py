"""What compiled templates call to look fragments up.

Compiled templates may come from a bytecode cache, so they contain plain constants only.
Each function here is a filter, because the compiler calls filters directly, while a
call in a template goes through `context.call`. Filters' names contain a space, so that
no template can call them, not even in a sandbox.

What is known when a template is compiled comes as two tuples, `spec` and `site`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import Any, NamedTuple

from jinja2 import Environment, pass_context
from jinja2.runtime import Context

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.engine import Engine, Undecided
from jinja_fragcache.engine.flow import Flow, bypass, remove, renew
from jinja_fragcache.engine.lookup import NOTHING, Found
from jinja_fragcache.engine.policy import normalize_grace
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.freshness import GracePeriods, want
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.errors import KeyValueError, PolicyError, TimeoutValueError
from jinja_fragcache.keys.fragment import make_template_fragment_key, tag_names
from jinja_fragcache.timeouts import normalize_timeout

from .environment import Site, engine_of, refuse
from .sources import sources_of
from .versions import source_digest, version_of, with_page

DELETE = "del"
FRAGMENT = "fragment_cache fragment"
NAMED_FRAGMENT = "fragment_cache named_fragment"
FRAGMENT_WITH_OPTIONS = "fragment_cache fragment_with_options"

#: Whether autoescape is on where the tag stands; the timeout: seconds, 0 for never
#: expires, None for the cache's default; and the version that an entry must have, None
#: if the cache decides whether it is bound to its template's source.
Spec = tuple[bool, Any, str | None]


class Miss(NamedTuple):
    """A fragment that has to be rendered.

    Attributes:
        engine: Of the cache.
        flow: What is done with its text.
        token: What its holes are marked with, "" if it has none.
    """

    engine: Engine
    flow: Flow
    token: str = ""


@pass_context
def fragment(
    context: Context, key: str, missed: list[Miss], spec: Spec, site: Site
) -> str | Awaitable[str]:
    """Return a fragment's text, or put a `Miss` into `missed` and return nothing.

    Args:
        context: Of the template that is rendered.
        key: The fragment's key.
        missed: An empty list.
        spec: The fragment.
        site: Where the tag stands.

    Returns:
        The text; in an async environment whose store may block, an awaitable of it.
    """
    environment = context.environment
    cache: Any = environment.fragment_cache  # type: ignore[attr-defined]
    engine: Engine = (
        cache.engine if cache.__class__ is FragmentCache else engine_of(environment)
    )
    escaped, timeout, version = spec
    if version is None and engine.template_digest:
        version = source_digest(environment, site)
    wanted = want(escaped, version)
    stored: list[object] | None = None
    awaits = engine.blocks and environment.is_async
    if not (awaits or current_dependencies() or key in engine.tagged_keys):
        answer: Any = engine.text(key, wanted)
        if answer.__class__ is not Undecided:
            text: str = answer
            return text
        stored = [answer.stored]
    asked = FragmentSpec(
        key,
        wanted,
        timeout,
        engine.grace,
        digest_of=None if version is None else sources_of(environment).digest_of,
    )
    if awaits:
        return _serve_async(engine, asked, missed)
    return _serve(engine, asked, missed, stored=stored)


@pass_context
def named_fragment(
    context: Context,
    name: Any,
    missed: list[Miss],
    spec: Spec,
    site: Site,
    vary_on: Any,
) -> str | Awaitable[str]:
    """Like `fragment`, with the key computed at render time.

    Args:
        context: Of the template that is rendered.
        name: The fragment's name.
        missed: An empty list.
        spec: The fragment.
        site: Where the tag stands.
        vary_on: The fragment's key values.

    Raises:
        FragmentTagError: If the key is refused and the cache is strict.
    """
    try:
        key = make_template_fragment_key(name, vary_on)
    except KeyValueError as error:
        refuse(context.environment, site, error)
        return _uncached(context.environment, bypass, missed)
    return fragment(context, key, missed, spec, site)


@dataclass(slots=True)
class TagOptions:
    """The options of a tag that only rendering tells.

    Attributes:
        unless: Whether to leave the store alone.
        by_page: Whether the text depends on the page that is rendered.
        stale: For how many seconds it is served after its timeout, while one caller
            renders it again.
        stale_if_error: The same, if rendering it again fails.
        tags: Its tags.
        version: What the entry is compared by.
        template_digest: Whether it is bound to the template's source; None for what the
            cache does.
        holes: The numbers of the holes that it may have.
    """

    unless: Any = None
    by_page: bool = False
    stale: Any = None
    stale_if_error: Any = None
    tags: Any = None
    version: Any = None
    template_digest: Any = None
    holes: tuple[int, ...] = ()


@pass_context
def fragment_with_options(
    context: Context,
    key: str | None,
    missed: list[Miss],
    spec: Spec,
    site: Site,
    name: Any = None,
    vary_on: Any = (),
    *,
    filled: list[Pieces] | None = None,
    **options: Any,
) -> str | Awaitable[str]:
    """Like `fragment`, for a tag with options that only rendering tells.

    Args:
        context: Of the template that is rendered.
        key: The fragment's key, or None to make it of `name` and `vary_on`.
        missed: An empty list.
        spec: The fragment. Its timeout may be any value, or `'del'`.
        site: Where the tag stands.
        name: The fragment's name.
        vary_on: Its key values.
        filled: An empty list for a text with holes, which is not returned then.
        options: Those of `TagOptions`.

    Raises:
        FragmentTagError: If an option has a wrong value; or if the key is refused and
            the cache is strict.
    """
    asked = resolve(context, key, spec, site, name, vary_on, TagOptions(**options))
    environment = context.environment
    if not isinstance(asked, FragmentSpec):
        return _uncached(environment, asked, missed, filled)
    engine = engine_of(environment)
    if engine.blocks and environment.is_async:
        return _serve_async(engine, asked, missed, filled)
    return _serve(engine, asked, missed, filled)


def resolve(
    context: Context,
    key: str | None,
    spec: Spec,
    site: Site,
    name: Any,
    vary_on: Any,
    options: TagOptions,
) -> FragmentSpec | Flow:
    """Return the fragment that a tag asks for, or the flow of one that is not cached.

    Args:
        context: Of the template that is rendered.
        key: As for `fragment_with_options`, like those that follow.
        spec: The same.
        site: The same.
        name: The same.
        vary_on: The same.
        options: The tag's options.

    Raises:
        FragmentTagError: If an option has a wrong value; or if the key is refused and
            the cache is strict.
    """
    if options.unless:
        return bypass
    environment = context.environment
    engine = engine_of(environment)
    escaped, timeout, version = spec
    try:
        if options.by_page:
            vary_on = with_page(context, vary_on)
        if key is None:
            key = make_template_fragment_key(name, vary_on)
        if isinstance(timeout, str) and timeout == DELETE:
            return partial(remove, key)
        if version is None:
            version = version_of(
                context,
                site,
                options.version,
                options.template_digest,
                by_page=options.by_page,
                has_holes=bool(options.holes),
            )
        return FragmentSpec(
            key,
            want(escaped, version),
            normalize_timeout(timeout),
            _grace(engine, options),
            tag_names(options.tags),
            # Only an entry with a version may be bound to templates.
            None if version is None else sources_of(environment).digest_of,
            options.holes,
        )
    except (KeyValueError, TimeoutValueError, PolicyError) as error:
        refuse(environment, site, error)
    return bypass


def _grace(engine: Engine, options: TagOptions) -> GracePeriods:
    if options.stale is None and options.stale_if_error is None:
        return engine.grace
    return engine.policy.grace(
        normalize_grace("stale", options.stale),
        normalize_grace("stale_if_error", options.stale_if_error),
    )


def _serve(
    engine: Engine,
    asked: FragmentSpec,
    missed: list[Miss],
    filled: list[Pieces] | None = None,
    stored: list[object] | None = None,
) -> str:
    """Look a fragment up, and serve it if it is fresh.

    Args:
        engine: Of the cache.
        asked: The fragment.
        missed: As for `fragment_with_options`.
        filled: The same.
        stored: What the store returned, in a list; None if it was not asked yet.
    """
    if stored is None and _can_be_decided_early(engine, asked):
        text = engine.text(asked.key, asked.wanted)
        if not isinstance(text, Undecided):
            return text
        stored = [text.stored]
    found = NOTHING if stored == [None] else engine.find([asked], stored)[0]
    return _text_or_miss(engine, asked, missed, filled, found)


async def _serve_async(
    engine: Engine,
    asked: FragmentSpec,
    missed: list[Miss],
    filled: list[Pieces] | None = None,
) -> str:
    stored: list[object] | None = None
    if _can_be_decided_early(engine, asked):
        text = await engine.text_async(asked.key, asked.wanted)
        if not isinstance(text, Undecided):
            return text
        stored = [text.stored]
    found = NOTHING
    if stored != [None]:
        (found,) = await engine.find_async([asked], stored)
    return _text_or_miss(engine, asked, missed, filled, found)


def _can_be_decided_early(engine: Engine, asked: FragmentSpec) -> bool:
    """Return whether the fragment's own text is all that a hit needs."""
    return not (
        asked.tags
        or asked.holes
        or current_dependencies()
        or asked.key in engine.tagged_keys
    )


def _text_or_miss(
    engine: Engine,
    asked: FragmentSpec,
    missed: list[Miss],
    filled: list[Pieces] | None,
    found: Found,
) -> str:
    if found is NOTHING or not found.is_fresh:
        token = "" if filled is None else token_hex(16)
        missed.append(Miss(engine, partial(renew, asked, found), token))
        return ""
    if filled is None:
        return str(found.value)
    filled.append(found.value)
    return ""


def _uncached(
    environment: Environment,
    flow: Flow,
    missed: list[Miss],
    filled: list[Pieces] | None = None,
) -> str:
    engine = engine_of(environment)
    engine.count_uncached()
    missed.append(Miss(engine, flow, "" if filled is None else token_hex(16)))
    return ""


FRAGMENT_FILTERS: dict[str, Callable[..., Any]] = {
    FRAGMENT: fragment,
    NAMED_FRAGMENT: named_fragment,
    FRAGMENT_WITH_OPTIONS: fragment_with_options,
}
