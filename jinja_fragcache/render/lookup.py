"""What compiled templates call to look fragments up.

Compiled templates may come from a bytecode cache, so they contain plain constants only.
Each function here is a filter, because the compiler calls filters directly, while a
call in a template goes through `context.call`. No template's text can name them, not
even in a sandbox (see `functions`).

What is known when a template is compiled is passed as one tuple of constants, `Spec`.
Whether the text is escaped is passed beside it, because only Jinja's compiler knows.
Options that only some tags have are passed as keyword arguments.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.engine import NOT_STORED, Engine, Undecided
from jinja_fragcache.engine.expiry import keep_out_of_store
from jinja_fragcache.engine.flow import remove, renew
from jinja_fragcache.engine.lookup import NOTHING
from jinja_fragcache.engine.policy import normalize_grace
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.freshness import PLAIN, WANTED, GracePeriods
from jinja_fragcache.errors import KeyValueError, PolicyError, TimeoutValueError
from jinja_fragcache.keys.fragment import (
    KEYS_OF_ONE_VALUE,
    make_template_fragment_key,
    tag_names,
)
from jinja_fragcache.observe.events import Reason
from jinja_fragcache.timeouts import normalize_timeout

from .environment import Site, engine_of, refuse
from .functions import FunctionName
from .misses import Miss, Uncached
from .serving import Text, look_further
from .sources import sources_of
from .tag_guard import TagGuard, explained, verified_as
from .versions import source_digest, version_of, with_page

DELETE = "del"
#: With a constant key, which the code generator notes.
FRAGMENT = FunctionName("fragment")
#: With a constant name and one key value.
FRAGMENT_OF_ONE_VALUE = FunctionName("fragment_of_one_value")
#: With a name and key values.
NAMED_FRAGMENT = FunctionName("named_fragment")
FRAGMENT_WITH_OPTIONS = FunctionName("fragment_with_options")

#: The constants of a tag: the timeout in seconds, 0 for never expires, None for the
#: cache's default; the version that an entry must have; and where the tag stands. If
#: the version is None, the cache decides whether the entry is bound to its template's
#: source.
Spec = tuple[Any, str | None, Site]
# In place of a key value, where the key is complete.
_IN_KEY: Any = object()
_new: Any = tuple.__new__


@pass_context
def fragment(
    context: Context,
    key: str,
    spec: Spec,
    escaped: bool,
    value: Any = _IN_KEY,
    vary_on: Any = (),
    body: tuple[str, str] | None = None,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Return a fragment's text, or a `Miss`.

    Args:
        context: The context of the template that is being rendered.
        key: The fragment's key; its name if there is a `value`.
        spec: The constants of the tag.
        escaped: Whether autoescape is on where the tag stands.
        value: The only key value, unless the key is complete; in an async environment,
            perhaps an awaitable of it.
        vary_on: The key values that a complete key was made of.
        body: The fields of the tag's `Body`; None if its name is a constant.

    Returns:
        The text or the `Miss`; in an async environment whose store may block, an
        awaitable of it.

    Raises:
        FragmentTagError: If the key is refused and the cache is strict.
    """
    environment = context.environment
    if value is not _IN_KEY:
        # Not in a filter of its own, because a hit calls as little as possible.
        if type(value) is not str and type(value) is not int:
            return _fragment_of_other_value(context, key, spec, escaped, value)
        key = KEYS_OF_ONE_VALUE[key][value]
    cache: Any = environment.fragment_cache  # type: ignore[attr-defined]
    engine: Engine = (
        cache.engine if cache.__class__ is FragmentCache else engine_of(environment)
    )
    timeout, version, site = spec
    if version is None and engine.template_digest:
        version = source_digest(environment, site)
    if escaped and version is None and body is None:
        wanted = PLAIN
    else:
        wanted = WANTED[escaped, version, body]
    undecided: Undecided | None = None
    awaits = engine.blocks and environment.is_async
    if not (awaits or current_dependencies() or key in engine.tagged_keys):
        answer: Any = engine.text(key, wanted)
        if answer.__class__ is not Undecided:
            text: str = answer
            return text
        undecided = answer
    elif engine.near and awaits and not current_dependencies():
        near = engine.near_text(key, wanted)
        if near is not None:
            return near
    values = vary_on if value is _IN_KEY else [value]
    policy = engine.policy
    # Every miss makes one, so without the call that `FragmentSpec(...)` is.
    asked: FragmentSpec = _new(
        FragmentSpec,
        (
            key,
            wanted,
            timeout,
            engine.grace,
            (),
            None if version is None else sources_of(environment).digest_of,
            (),
            TagGuard(context, site, values) if policy.guard else None,
            verified_as(policy, site) if policy.verify else None,
            site,
            values,
        ),
    )
    if undecided is NOT_STORED:
        return Miss(engine, partial(renew, asked, NOTHING))
    return look_further(engine, environment, site, escaped, asked, undecided)


def _fragment_of_other_value(
    context: Context, name: str, spec: Spec, escaped: bool, value: Any
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `fragment`, with one key value that is no text or whole number."""
    if context.environment.is_async and isawaitable(value):
        return _fragment_of_awaited(context, name, spec, escaped, value)
    return named_fragment(context, name, spec, escaped, [value])


async def _fragment_of_awaited(
    context: Context, name: str, spec: Spec, escaped: bool, value: Awaitable[Any]
) -> Text | Miss:
    found = named_fragment(context, name, spec, escaped, [await value])
    return await found if isawaitable(found) else found


@pass_context
def named_fragment(
    context: Context,
    name: Any,
    spec: Spec,
    escaped: bool,
    vary_on: Any,
    body: tuple[str, str] | None = None,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `fragment`, with any name and any key values.

    Args:
        context: The context of the template that is being rendered.
        name: The fragment's name.
        spec: The constants of the tag.
        escaped: Whether autoescape is on where the tag stands.
        vary_on: The key values.
        body: As for `fragment`.
    """
    try:
        key = make_template_fragment_key(name, vary_on)
    except KeyValueError as error:
        environment, site = context.environment, spec[2]
        refuse(environment, site, explained(error, site, vary_on))
        refused = Uncached(Reason.KEY, name=name)
        mine = engine_of(environment)
        return look_further(mine, environment, site, escaped, refused)
    return fragment(context, key, spec, escaped, _IN_KEY, vary_on, body)


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
        body: As for `fragment`.
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
        body: tuple[str, str] | None = None,
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
def fragment_with_options(
    context: Context,
    key: str | None,
    spec: Spec,
    escaped: bool,
    name: Any = None,
    vary_on: Any = (),
    **options: Any,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `fragment`, for a tag with the options of `TagOptions`.

    The text of a fragment with holes is `Pieces`.

    Args:
        context: The context of the template that is being rendered.
        key: The fragment's key, or None to make it of `name` and `vary_on`.
        spec: The constants of the tag. Here the timeout need not be one: it may be any
            value that a user wrote, also `'del'`.
        escaped: As for `fragment`.
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
) -> FragmentSpec | Uncached:
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
        return Uncached(Reason.UNLESS, key, name, vary_on)
    environment = context.environment
    timeout, version, site = spec
    try:
        if options.by_page:
            vary_on = with_page(context, vary_on)
        if key is None:
            key = make_template_fragment_key(name, vary_on)
        if isinstance(timeout, str) and timeout == DELETE:
            flow = partial(remove, key)
            return Uncached(Reason.DELETED, key, name, vary_on, flow)
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
            _grace(engine, options),
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
    return Uncached(Reason.KEY, key, name)


def _grace(engine: Engine, options: TagOptions) -> GracePeriods:
    if options.stale is None and options.stale_if_error is None:
        return engine.grace
    return engine.policy.grace(
        normalize_grace("stale", options.stale),
        normalize_grace("stale_if_error", options.stale_if_error),
    )


FRAGMENT_FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {
    FRAGMENT: fragment,
    FRAGMENT_OF_ONE_VALUE: fragment,
    NAMED_FRAGMENT: named_fragment,
    FRAGMENT_WITH_OPTIONS: fragment_with_options,
}
