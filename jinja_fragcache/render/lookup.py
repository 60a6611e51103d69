"""What compiled templates call.

A compiled template may come from a bytecode cache, so what stands in it are plain
values only. Each function here is a filter because the compiler calls filters directly,
where a call in a template goes through `context.call`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from secrets import token_hex
from typing import Any, NamedTuple

from jinja2 import (
    Environment,
    Template,
    TemplateNotFound,
    pass_context,
    pass_environment,
)
from jinja2.runtime import Context
from markupsafe import Markup

from jinja_fragcache.cache import FragmentCache, Unclear
from jinja_fragcache.engine.batch import Row
from jinja_fragcache.engine.dependencies import current_recording
from jinja_fragcache.engine.flow import Flow, bypass, remove, renew
from jinja_fragcache.engine.lookup import Found, FragmentRequest
from jinja_fragcache.engine.policy import normalize_window
from jinja_fragcache.entries.freshness import Windows, want
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.errors import (
    FragmentCacheError,
    FragmentTagError,
    KeyValueError,
    PolicyError,
    StoreError,
    TimeoutValueError,
)
from jinja_fragcache.keys.digests import code_digest, digest
from jinja_fragcache.keys.encoding import encode_text, encode_value
from jinja_fragcache.keys.fragment import (
    key_values,
    make_template_fragment_key,
    tag_names,
)
from jinja_fragcache.messages import describe
from jinja_fragcache.timeouts import normalize_timeout

from .sources import MISSING_TEMPLATE, sources_of

# Characters. A version is compared by its start line, so a long one is summed up.
_LONGEST_VERSION = 64
DELETE = "del"
# Under these names the functions stand among an environment's filters. No template can
# write a name with a space, so none can call them, not even in a sandbox.
LOOK_UP = "fragment_cache look_up"
LOOK_UP_KEYED = "fragment_cache look_up_keyed"
LOOK_UP_VARIED = "fragment_cache look_up_varied"
IS_ESCAPED = "fragment_cache is_escaped"
NOTE_PRINTING = "fragment_cache note_printing"
INCLUDE = "fragment_cache include_without_context"
NOTE_TEMPLATE = "fragment_cache note_template"
_WRAPPED = "_fragment_cache_of_bare_store"


class Miss(NamedTuple):
    """A fragment that has to be rendered, and what to do with its text."""

    cache: FragmentCache
    flow: Flow
    token: str = ""


@pass_context
def look_up(  # noqa: PLR0913, PLR0917 - called by compiled templates, by position
    context: Context,
    key: str,
    missed: list[Miss],
    escaped: bool,  # noqa: FBT001 - as above
    timeout: int | None,
    version: str | None,
    source: tuple[Any, ...] | None,
    windows: Windows | None = None,
    tags: tuple[str, ...] = (),
    filled: list[Pieces] | None = None,
    holes: tuple[int, ...] = (),
) -> str | Awaitable[str]:
    """Give a fragment's text, or put a `Miss` into `missed` and give nothing.

    Args:
        context: of the template that is rendered.
        key: the fragment's key.
        missed: an empty list.
        escaped: whether autoescape is on where the tag stands.
        timeout: seconds, 0 for ever, None for the cache's default.
        version: what the entry's has to be, None for none.
        source: the arguments of `Sources.whole_digest` for the template, if it is the
            cache that says whether the entry is bound to its source.
        windows: what may be done past its timeout, None for the cache's default.
        tags: the tags that it must have.
        filled: an empty list for a text with holes, which is not given then.
        holes: the numbers of the holes that it may have.

    Returns:
        The text. In an async environment whose store has to be waited for, an
        awaitable of it.
    """
    environment = context.environment
    cache = environment.fragment_cache  # type: ignore[attr-defined]
    if cache.__class__ is not FragmentCache:
        cache = fragment_cache_of(environment)
    if source is not None and cache.template_digest:
        version = sources_of(environment).whole_digest(*source)
    wanted = want(escaped, version)
    waits = cache.waits and environment.is_async
    stored = None
    if not (waits or tags or holes or current_recording() or key in cache.tagged_keys):
        answer: Any = cache.look_up(key, wanted)
        if answer.__class__ is not Unclear:
            text: str = answer
            return text
        stored = [answer.stored]
    asked = escaped, timeout, version, None, windows, tags, holes
    request = request_of(environment, key, *asked)
    give = partial(_text_or_miss, cache, request, missed, filled)
    return (
        _find_async(cache, request, give)
        if waits
        else give(cache.find(request, stored))
    )


async def _find_async(
    cache: FragmentCache, request: FragmentRequest, give: Callable[[Found], str]
) -> str:
    return give(await cache.find_async(request))


def _text_or_miss(
    cache: FragmentCache,
    request: FragmentRequest,
    missed: list[Miss],
    filled: list[Pieces] | None,
    found: Found,
) -> str:
    if not found.is_fresh:
        missed.append(_miss(cache, partial(renew, request, found), filled))
        return ""
    if filled is None:
        return str(found.value)
    filled.append(found.value)
    return ""


def _miss(cache: FragmentCache, flow: Flow, filled: list[Pieces] | None = None) -> Miss:
    return Miss(cache, flow, "" if filled is None else token_hex(16))


@pass_context
def look_up_keyed(  # noqa: PLR0913, PLR0917 - called by compiled templates, by position
    context: Context,
    name: Any,
    missed: list[Miss],
    escaped: bool,  # noqa: FBT001 - as above
    timeout: int | None,
    source: tuple[Any, ...],
    where: tuple[str | None, int],
    vary_on: Any,
) -> str | Awaitable[str]:
    """Do as `look_up`, for a tag whose key is all that only rendering tells.

    Args:
        context: of the template that is rendered.
        name: the fragment's name.
        missed: an empty list.
        escaped: whether autoescape is on where the tag stands.
        timeout: seconds, 0 for ever, None for the cache's default.
        source: the arguments of `Sources.whole_digest` for the template.
        where: the template and line of the tag.
        vary_on: the fragment's key values.

    Raises:
        FragmentTagError: the cache is strict and the key is refused.
    """
    try:
        key = make_template_fragment_key(name, vary_on)
        return look_up(context, key, missed, escaped, timeout, None, source)
    except KeyValueError as error:
        refuse(context.environment, where, error)
    return _uncached(context, missed, bypass, None)


@pass_context
def look_up_varied(  # noqa: PLR0913, PLR0917 - all that a tag can be told
    context: Context,
    key: str | None,
    missed: list[Miss],
    escaped: bool,  # noqa: FBT001 - called by compiled templates only
    timeout: Any,
    source: tuple[Any, ...],
    where: tuple[str | None, int],
    name: Any = None,
    vary_on: Any = (),
    *,
    unless: Any = None,
    by_page: bool = False,
    stale: Any = None,
    stale_if_error: Any = None,
    tags: Any = None,
    version: Any = None,
    template_digest: Any = None,
    filled: list[Pieces] | None = None,
    holes: tuple[int, ...] = (),
    rows: list[Row] | None = None,
    item: Any = None,
) -> str | Awaitable[str]:
    """Do as `look_up`, for a tag with values that only rendering tells.

    Args:
        context: of the template that is rendered.
        key: the fragment's key, or None to make it of `name` and `vary_on`.
        missed: an empty list.
        escaped: whether autoescape is on where the tag stands.
        timeout: any timeout, or `'del'`.
        source: the arguments of `Sources.whole_digest` for the template.
        where: the template and line of the tag.
        name: the fragment's name.
        vary_on: its key values.
        unless: whether to leave the store alone.
        by_page: whether the name of the page's template is one more key value.
        stale: for how many seconds past its timeout it is served while it is made anew.
        stale_if_error: for how many it is served if that fails.
        tags: its tags.
        version: what the entry is compared by.
        template_digest: whether the template's source is, too; None for what the cache
            does.
        filled: as for `look_up`.
        holes: as for `look_up`.
        rows: the rows of a list, to which this one is added in place of looking it up.
        item: what the row is made of.

    Raises:
        FragmentTagError: an option has a wrong value, or the cache is strict and the
            key is refused.
    """
    if unless:
        return _uncached(context, missed, bypass, filled)
    try:
        if by_page:
            vary_on = _with_page(context, vary_on)
        if key is None:
            key = make_template_fragment_key(name, vary_on)
        if isinstance(timeout, str) and timeout == DELETE:
            return _uncached(context, missed, partial(remove, key), filled)
        seconds = normalize_timeout(timeout)
        windows = _windows(context.environment, stale, stale_if_error)
        bound: tuple[Any, ...] | None = source
        if version is not None or template_digest is not None or by_page or holes:
            compared = version, template_digest, by_page, bool(holes)
            version, bound = _version(context, source, *compared), None
        labels = tag_names(tags)
        if rows is not None:
            asked = key, escaped, seconds, version, bound, windows, labels, holes
            rows.append(Row(item, request_of(context.environment, *asked)))
            return ""
        more = windows, labels, filled, holes
        return look_up(context, key, missed, escaped, seconds, version, bound, *more)
    except (KeyValueError, TimeoutValueError, PolicyError) as error:
        refuse(context.environment, where, error)
    return _uncached(context, missed, bypass, filled)


def request_of(  # noqa: PLR0913, PLR0917 - as look_up
    environment: Environment,
    key: str,
    escaped: bool,  # noqa: FBT001 - as look_up
    timeout: int | None,
    version: str | None,
    source: tuple[Any, ...] | None,
    windows: Windows | None,
    tags: tuple[str, ...],
    holes: tuple[int, ...],
) -> FragmentRequest:
    """Give what `look_up` asks for, from its arguments."""
    cache = fragment_cache_of(environment)
    if source is not None and cache.template_digest:
        version = sources_of(environment).whole_digest(*source)
    return FragmentRequest(
        key,
        want(escaped, version),
        timeout,
        cache.windows if windows is None else windows,
        tags,
        # Only a version can tell of templates.
        None if version is None else sources_of(environment).digest_of,
        holes,
    )


def refuse(
    environment: Environment, where: tuple[str | None, int], error: FragmentCacheError
) -> None:
    """Raise an error of a tag, or log why its fragment is not cached.

    Raises:
        FragmentTagError: an option has a wrong value, or the cache is strict and the
            key is refused.
    """
    if not isinstance(error, KeyValueError):
        more = " 'del' deletes the fragment."
        more = more if isinstance(error, TimeoutValueError) else ""
        raise FragmentTagError(f"{name_of(where)}: {error}{more}") from None
    cache = fragment_cache_of(environment)
    told = _not_cached(where, error)
    if isinstance(error, _UnnamedPageError):
        # Not the mistake of whoever wrote the tag, so no error in a strict cache.
        cache.warn_once(where, told)
    else:
        cache.refuse(where, FragmentTagError(told))


def _windows(
    environment: Environment, stale: Any, stale_if_error: Any
) -> Windows | None:
    if stale is None and stale_if_error is None:
        return None
    return fragment_cache_of(environment).policy.windows(
        normalize_window("stale", stale),
        normalize_window("stale_if_error", stale_if_error),
    )


def _version(  # noqa: PLR0913, PLR0917 - all that it is made of
    context: Context,
    source: tuple[Any, ...],
    version: Any,
    template_digest: Any,
    by_page: bool,  # noqa: FBT001 - passed on
    has_holes: bool,  # noqa: FBT001 - passed on
) -> str | None:
    """Give all that an entry is compared by, as one text.

    Raises:
        KeyValueError: the version does not say what it is.
        PolicyError: `template_digest` is neither true, false nor None.
    """
    parts = [] if version is None else [_version_text(version)]
    if _digests_template(context.environment, template_digest):
        parts.append(sources_of(context.environment).whole_digest(*source))
    if by_page:
        parts.append(_version_of_blocks(context))
    if has_holes:
        # Their numbers are those of this source.
        _, own, _ = source
        parts.append(own)
    if len(parts) > 1:
        return digest("".join(map(encode_text, parts)))
    return parts[0] if parts else None


def _digests_template(environment: Environment, told: Any) -> bool:
    if told is None:
        return fragment_cache_of(environment).template_digest
    if not isinstance(told, bool):
        raise PolicyError("template_digest", describe(told), "true or false")
    return told


def _version_text(version: Any) -> str:
    try:
        text = encode_value(version)
    except KeyValueError as error:
        raise KeyValueError(str(error).replace("A key value", "The version")) from None
    return text if len(text) <= _LONGEST_VERSION else digest(text)


def name_of(where: tuple[str | None, int]) -> str:
    """Write a place in a template, for a message."""
    template, line = where
    name = "a template from a string" if template is None else template
    return f"{name}, line {line}"


def _not_cached(where: tuple[str | None, int], error: KeyValueError) -> str:
    return f"{name_of(where)}: the fragment is not cached. {error}"


class _UnnamedPageError(KeyValueError):
    """A page that can't be told from another."""


def _with_page(context: Context, vary_on: Any) -> list[Any]:
    if context.name is None:
        raise _UnnamedPageError(
            "It has a block in it, so it differs from page to page, and the template of"
            " this page came from a string and has no name. Load the page through the"
            " environment's loader."
        )
    return [*key_values(vary_on), context.name]


def _version_of_blocks(context: Context) -> str:
    """Give a digest of what the page's blocks are compiled to.

    The same page may extend one layout now and another one next time, and it may be
    edited. An entry with other blocks is a miss then.
    """
    blocks = sorted(context.blocks.items())
    digests = [code_digest(block.__code__) for _, stack in blocks for block in stack]
    return digest("\n".join([*(name for name, _ in blocks), *digests]))


def _uncached(
    context: Context, missed: list[Miss], flow: Flow, filled: list[Pieces] | None
) -> str:
    cache = fragment_cache_of(context.environment)
    cache.count_uncached()
    missed.append(_miss(cache, flow, filled))
    return ""


def note_printing(text: str, printing: list[bool]) -> str:
    """Put a mark into `printing` if the output of the place where it stands is used.

    Args:
        text: what a piece of template text gave. Jinja skips it in a template that
            extends another, outside of blocks.
        printing: an empty list.
    """
    if text:
        printing.append(True)
    return ""


@pass_context
def note_template(context: Context, template: Any, parent: str | None = None) -> Any:
    """Note which template an expression names, and give what it came to.

    Args:
        context: of the template that is rendered.
        template: a template, a name, or several names of which the first that exists
            counts.
        parent: the name of the template in which the expression stands.
    """
    recording = current_recording()
    if recording is None:
        return template
    names = template if isinstance(template, (list, tuple)) else [template]
    environment = context.environment
    sources = sources_of(environment)
    for each in names:
        name = each.name if isinstance(each, Template) else each
        if not isinstance(name, str):
            continue
        if parent is not None and not isinstance(each, Template):
            name = environment.join_path(name, parent)
        found = sources.digest_of(name)
        recording.include({}, templates={name: found})
        if found != MISSING_TEMPLATE:
            break
    return template


def is_escaped(text: str) -> bool:
    """Tell whether a piece of a template's own text counts as escaped."""
    return isinstance(text, Markup)


@pass_environment
def include_without_context(
    environment: Environment,
    template: Any,
    parent: str | None,
    ignore_missing: bool,  # noqa: FBT001 - called by compiled templates only
) -> str:
    """Give what `{% include template without context %}` prints.

    Args:
        environment: the template's.
        template: a template, a name, or several names of which the first that exists
            counts.
        parent: the name of the template in which the tag stands.
        ignore_missing: whether there may be none.

    Raises:
        jinja2.TemplateNotFound: there is none.
    """
    try:
        found = environment.get_or_select_template(template, parent)
    except TemplateNotFound:
        if ignore_missing:
            return ""
        raise
    return str(found.module)


def fragment_cache_of(environment: Environment) -> FragmentCache:
    """Give an environment's FragmentCache, made of its store if it was given one bare.

    Raises:
        StoreError: `environment.fragment_cache` is neither.
    """
    given: Any = environment.fragment_cache  # type: ignore[attr-defined]
    if isinstance(given, FragmentCache):
        return given
    wrapped: FragmentCache | None = getattr(environment, _WRAPPED, None)
    if wrapped is None or wrapped.store is not given:
        if given is None:
            raise StoreError(
                "The environment's fragment_cache is None. Set"
                " env.fragment_cache = FragmentCache(), or to a store."
            )
        wrapped = FragmentCache(given)
        setattr(environment, _WRAPPED, wrapped)
    return wrapped


FILTERS: dict[str, Callable[..., Any]] = {
    LOOK_UP: look_up,
    LOOK_UP_KEYED: look_up_keyed,
    LOOK_UP_VARIED: look_up_varied,
    IS_ESCAPED: is_escaped,
    NOTE_PRINTING: note_printing,
    INCLUDE: include_without_context,
    NOTE_TEMPLATE: note_template,
}
