"""What compiled templates call to look up fragments whose tags have options.

These are filters, as those of `lookup` are. Options are passed as keyword arguments,
because each tag has only some.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from jinja2.runtime import Context

from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.expiry import keep_out_of_store
from jinja_fragcache.engine.flow import Flow, bypass, remove, renew
from jinja_fragcache.engine.lookup import Found, decide_tagged
from jinja_fragcache.engine.policy import normalize_grace
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.freshness import WANTED, GracePeriods
from jinja_fragcache.errors import KeyValueError, PolicyError, TimeoutValueError
from jinja_fragcache.keys.beside import version_key
from jinja_fragcache.keys.fragment import make_template_fragment_key, tag_names
from jinja_fragcache.late import LateModule
from jinja_fragcache.timeouts import NEVER_EXPIRES, normalize_timeout

from .environment import engine_of, refuse
from .functions import FunctionName
from .lookup import Spec, asked_of
from .misses import Miss
from .serving import Text, look_further, text_or_miss
from .sources import sources_of
from .tag_guard import TagGuard, explained, verified_as
from .versions import source_digest, version_of, with_page

if TYPE_CHECKING:
    from . import uncached
else:
    uncached = LateModule(".uncached", __package__)

DELETE = "del"
FRAGMENT_WITH_OPTIONS = FunctionName("fragment_with_options")
#: With tags, and no other options.
TAGGED_FRAGMENT = FunctionName("tagged_fragment")


class TagOptions:
    """The options of a tag, with values that are known only at render time.

    Args:
        unless: Whether to render without the store.
        by_page: Whether the text depends on the page that is rendered.
        stale: Seconds after its timeout during which the fragment is served while one
            caller renders it again; None for the cache's default.
        stale_if_error: Seconds after its timeout during which the fragment is served if
            rendering it again fails; None for the cache's default.
        tags: The fragment's tags, None for none.
        version: A value that the entry is compared by, None for none.
        template_digest: Whether the entry is bound to its template's source; None for
            the cache's default.
        holes: The numbers of the holes that the fragment may have.
        body: As for `lookup.fragment`.
    """

    __slots__ = (
        "body",
        "by_page",
        "holes",
        "stale",
        "stale_if_error",
        "tags",
        "template_digest",
        "unless",
        "version",
    )

    def __init__(
        self,
        *,
        unless: Any = None,
        by_page: bool = False,
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
        version: Any = None,
        template_digest: Any = None,
        holes: tuple[int, ...] = (),
        body: str | None = None,
    ) -> None:
        self.unless = unless
        self.by_page = by_page
        self.stale = stale
        self.stale_if_error = stale_if_error
        self.tags = tags
        self.version = version
        self.template_digest = template_digest
        self.holes = holes
        self.body = body


@pass_context
def tagged_fragment(
    context: Context,
    key: str | None,
    spec: Spec,
    escaped: bool,
    name: Any,
    vary_on: Any,
    tags: Any,
    body: str | None = None,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `lookup.fragment`, for a tag with tags, and no other options.

    Args:
        context: The context of the template that is being rendered.
        key: As for `fragment_with_options`.
        spec: The constants of the tag.
        escaped: As for `lookup.fragment`.
        name: The fragment's name.
        vary_on: The fragment's key values.
        tags: The fragment's tags.
        body: As for `lookup.fragment`.

    Raises:
        FragmentTagError: As for `lookup.fragment`.
    """
    environment = context.environment
    engine = engine_of(environment)
    try:
        if key is None:
            key = make_template_fragment_key(name, vary_on)
        named = tag_names(tags)
    except KeyValueError:
        # The same again, which refuses it.
        options = {"tags": tags, "body": body}
        return fragment_with_options(
            context, None, spec, escaped, name, vary_on, **options
        )
    site = spec[2]
    version = source_digest(environment, site) if engine.template_digest else None
    wanted = WANTED[escaped, version, body]
    read: Sequence[Any] = ()
    found: Found | None = None
    if not (
        (engine.blocks and environment.is_async)
        or engine.policy.verify
        or current_dependencies()
        or key in engine.tagged_keys
    ):
        keys = (
            [key, version_key(named[0])]
            if len(named) == 1
            else [key, *map(version_key, named)]
        )
        read = engine.context.store.read_all_now(keys)
        answer = decide_tagged(read, wanted, named, engine.stats, engine.clock)
        if isinstance(answer, str):
            return answer
        found = answer
    asked = asked_of(context, engine, key, wanted, spec, vary_on, named)
    if found is not None:
        return Miss(engine, partial(renew, asked, found))
    if not read:
        return look_further(engine, environment, site, escaped, asked)
    stored, *versions = read
    found = engine.find(asked, stored, dict(zip(named, versions, strict=False)))
    return text_or_miss(engine, environment, site, asked, found)


@pass_context
def fragment_with_options(
    context: Context,
    key: str | None,
    spec: Spec,
    escaped: bool,
    name: Any = None,
    vary_on: Any = (),
    **options: Any,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `lookup.fragment`, for a tag with the options of `TagOptions`.

    The text of a fragment with holes is `Pieces`.

    Args:
        context: The context of the template that is being rendered.
        key: The fragment's key, or None to make it of `name` and `vary_on`.
        spec: The constants of the tag. Here the timeout need not be one: it may be any
            value that a user wrote, also `'del'`.
        escaped: As for `lookup.fragment`.
        name: The fragment's name.
        vary_on: The fragment's key values.
        options: The fields of `TagOptions`.

    Raises:
        FragmentTagError: If an option has a wrong value; or if the key is refused and
            the cache is strict.
    """
    given = TagOptions(**options)
    environment = context.environment
    engine = engine_of(environment)
    asked = resolve(context, engine, key, spec, escaped, name, vary_on, given)
    return look_further(
        engine,
        environment,
        spec[2],
        escaped,
        asked,
        has_holes=bool(given.holes),
    )


def resolve(
    context: Context,
    engine: Engine,
    key: str | None,
    spec: Spec,
    escaped: bool,
    name: Any,
    vary_on: Any,
    options: TagOptions,
) -> FragmentSpec | uncached.Uncached:
    """Return the fragment that a tag asks for.

    Args:
        context: The context of the template that is being rendered.
        engine: The engine of the cache.
        key: As for `fragment_with_options`.
        spec: As for `fragment_with_options`.
        escaped: As for `fragment_with_options`.
        name: As for `fragment_with_options`.
        vary_on: As for `fragment_with_options`.
        options: The tag's options.

    Returns:
        The fragment; or why it is not cached.

    Raises:
        FragmentTagError: If an option has a wrong value; or if the key is refused and
            the cache is strict.
    """
    if options.unless:
        keep_out_of_store()
        return uncached.Uncached(uncached.Reason.UNLESS, key, name, vary_on)
    environment = context.environment
    timeout, version, site, grace = spec
    flow: Flow = bypass
    try:
        if options.by_page:
            vary_on = with_page(context, vary_on)
        if key is None:
            key = make_template_fragment_key(name, vary_on)
        if isinstance(timeout, str) and timeout == DELETE:
            flow = partial(remove, key)
            tags = tag_names(options.tags)
            return uncached.Uncached(
                uncached.Reason.DELETED, key, name, vary_on, flow, tags
            )
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
            WANTED[escaped, version, options.body],
            normalize_timeout(timeout),
            engine.policy.grace(*grace) if grace else _grace(engine, options),
            tag_names(options.tags),
            # Only an entry with a version may be bound to templates.
            None if version is None else sources_of(environment).digest_of,
            options.holes,
            TagGuard(context, site, vary_on) if engine.policy.guard else None,
            verified_as(engine.policy, site),
            site,
            vary_on,
        )
    except (KeyValueError, TimeoutValueError, PolicyError) as error:
        refuse(environment, site, explained(error, site, vary_on))
    known = _tags_and_timeout(timeout, options)
    return uncached.Uncached(uncached.Reason.KEY, key, name, (), flow, *known)


def _tags_and_timeout(
    timeout: Any, options: TagOptions
) -> tuple[tuple[str, ...], int | None]:
    """Return what a tag says of its entry, as far as its values are allowed."""
    tags: tuple[str, ...] = ()
    seconds: int | None = NEVER_EXPIRES
    with suppress(KeyValueError):
        tags = tag_names(options.tags)
    with suppress(TimeoutValueError):
        seconds = normalize_timeout(timeout)
    return tags, seconds


def _grace(engine: Engine, options: TagOptions) -> GracePeriods:
    if options.stale is None and options.stale_if_error is None:
        return engine.grace
    return engine.policy.grace(
        normalize_grace("stale", options.stale),
        normalize_grace("stale_if_error", options.stale_if_error),
    )


OPTIONS_FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {
    FRAGMENT_WITH_OPTIONS: fragment_with_options,
    TAGGED_FRAGMENT: tagged_fragment,
}
