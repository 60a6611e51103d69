"""What compiled templates call.

A compiled template may come from a bytecode cache, so what stands in it are plain
values only. Each function here is a filter because the compiler calls filters directly,
where a call in a template goes through `context.call`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateNotFound, pass_context, pass_environment
from jinja2.runtime import Context
from markupsafe import Markup

from .digests import code_digest, digest
from .errors import (
    FragmentTagError,
    KeyValueError,
    PolicyError,
    StoreError,
    TimeoutValueError,
)
from .flow import Flow, bypass, remove, renew
from .fragments import FragmentCache, Unclear
from .freshness import Wanted, Windows, want
from .keys import key_values, make_template_fragment_key
from .policy import normalize_window
from .request import FragmentRequest, assess
from .timeouts import normalize_timeout

DELETE = "del"
# Under these names the functions stand among an environment's filters. No template can
# write a name with a space, so none can call them, not even in a sandbox.
LOOK_UP = "fragment_cache look_up"
LOOK_UP_VARIED = "fragment_cache look_up_varied"
IS_ESCAPED = "fragment_cache is_escaped"
NOTE_PRINTING = "fragment_cache note_printing"
INCLUDE = "fragment_cache include_without_context"
_WRAPPED = "_fragment_cache_of_bare_store"


class Miss(NamedTuple):
    """A fragment that has to be rendered, and what to do with its text."""

    cache: FragmentCache
    flow: Flow


@pass_context
def look_up(  # noqa: PLR0913, PLR0917 - called by compiled templates, by position
    context: Context,
    key: str,
    missed: list[Miss],
    escaped: bool,  # noqa: FBT001 - as above
    timeout: int | None,
    version: str | None,
    windows: Windows | None = None,
) -> str | Awaitable[str]:
    """Give a fragment's text, or put a `Miss` into `missed` and give nothing.

    Args:
        context: of the template that is rendered.
        key: the fragment's key.
        missed: an empty list.
        escaped: whether autoescape is on where the tag stands.
        timeout: seconds, 0 for ever, None for the cache's default.
        version: digest of the template's source, or None.
        windows: what may be done past its timeout, None for the cache's default.

    Returns:
        The text. In an async environment whose store has to be waited for, an
        awaitable of it.
    """
    environment = context.environment
    cache = environment.fragment_cache  # type: ignore[attr-defined]
    if cache.__class__ is not FragmentCache:
        cache = fragment_cache_of(environment)
    wanted = want(escaped, version)
    if cache.waits and environment.is_async:
        return _look_up_async(cache, key, missed, wanted, timeout, windows)
    answer: Any = cache.look_up(key, wanted)
    if answer.__class__ is not Unclear:
        text: str = answer
        return text
    return _text_or_miss(cache, key, missed, wanted, timeout, windows, answer.stored)


async def _look_up_async(  # noqa: PLR0913, PLR0917 - as look_up
    cache: FragmentCache,
    key: str,
    missed: list[Miss],
    wanted: Wanted,
    timeout: int | None,
    windows: Windows | None,
) -> str:
    answer = await cache.look_up_async(key, wanted)
    if isinstance(answer, Unclear):
        stored = answer.stored
        return _text_or_miss(cache, key, missed, wanted, timeout, windows, stored)
    return answer


def _text_or_miss(  # noqa: PLR0913, PLR0917 - as look_up
    cache: FragmentCache,
    key: str,
    missed: list[Miss],
    wanted: Wanted,
    timeout: int | None,
    windows: Windows | None,
    stored: object,
) -> str:
    if windows is None:
        windows = cache.policy.windows(None, None)
    request = FragmentRequest(key, wanted, timeout, windows)
    found = assess(request, cache.guard, stored, {})
    if found.is_fresh:
        cache.guard.count_hit(key)
        return str(found.value)
    missed.append(Miss(cache, partial(renew, request, found)))
    return ""


@pass_context
def look_up_varied(  # noqa: PLR0913, PLR0917 - all that a tag can be told
    context: Context,
    key: str | None,
    missed: list[Miss],
    escaped: bool,  # noqa: FBT001 - called by compiled templates only
    timeout: Any,
    version: str | None,
    name: Any,
    vary_on: Any,
    by_page: bool,  # noqa: FBT001 - called by compiled templates only
    unless: Any,
    where: tuple[str | None, int],
    stale: Any = None,
    stale_if_error: Any = None,
) -> str | Awaitable[str]:
    """Do as `look_up`, for a tag with values that only rendering tells.

    Args:
        context: of the template that is rendered.
        key: the fragment's key, or None to make it of `name` and `vary_on`.
        missed: an empty list.
        escaped: whether autoescape is on where the tag stands.
        timeout: any timeout, or `'del'`.
        version: digest of the template's source, or None.
        name: the fragment's name.
        vary_on: its key values.
        by_page: whether the name of the page's template is one more key value.
        unless: whether to leave the store alone.
        where: the template and line of the tag.
        stale: for how many seconds past its timeout it is served while it is made anew.
        stale_if_error: for how many it is served if that fails.

    Raises:
        FragmentTagError: the timeout is none, or the cache is strict and the key is
            refused.
    """
    if unless:
        return _uncached(context, missed, bypass)
    try:
        if by_page:
            vary_on = _with_page(context, vary_on)
            version = _version_of_blocks(context, version)
        if key is None:
            key = make_template_fragment_key(name, vary_on)
        if isinstance(timeout, str) and timeout == DELETE:
            return _uncached(context, missed, partial(remove, key))
        seconds = normalize_timeout(timeout)
        windows = None
        if stale is not None or stale_if_error is not None:
            windows = _windows(context.environment, stale, stale_if_error)
        return look_up(context, key, missed, escaped, seconds, version, windows)
    except _UnnamedPageError as error:
        # Not the mistake of whoever wrote the tag, so no error in a strict cache.
        cache = fragment_cache_of(context.environment)
        cache.warn_once(where, _not_cached(where, error))
        return _uncached(context, missed, bypass)
    except KeyValueError as error:
        told = FragmentTagError(_not_cached(where, error))
        fragment_cache_of(context.environment).refuse(where, told)
        return _uncached(context, missed, bypass)
    except TimeoutValueError as error:
        raise FragmentTagError(
            f"{_name(where)}: {error} 'del' deletes the fragment."
        ) from None
    except PolicyError as error:
        raise FragmentTagError(f"{_name(where)}: {error}") from None


def _windows(environment: Environment, stale: Any, stale_if_error: Any) -> Windows:
    return fragment_cache_of(environment).policy.windows(
        normalize_window("stale", stale),
        normalize_window("stale_if_error", stale_if_error),
    )


def _name(where: tuple[str | None, int]) -> str:
    template, line = where
    name = "a template from a string" if template is None else template
    return f"{name}, line {line}"


def _not_cached(where: tuple[str | None, int], error: KeyValueError) -> str:
    return f"{_name(where)}: the fragment is not cached. {error}"


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


def _version_of_blocks(context: Context, version: str | None) -> str:
    """Add what the page's blocks are compiled to.

    The same page may extend one layout now and another one next time, and it may be
    edited. An entry with other blocks is a miss then.
    """
    blocks = sorted(context.blocks.items())
    digests = [code_digest(block.__code__) for _, stack in blocks for block in stack]
    text = "\n".join([str(version), *(name for name, _ in blocks), *digests])
    return digest(text)


def _uncached(context: Context, missed: list[Miss], flow: Flow) -> str:
    cache = fragment_cache_of(context.environment)
    cache.count_uncached()
    missed.append(Miss(cache, flow))
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
    LOOK_UP_VARIED: look_up_varied,
    IS_ESCAPED: is_escaped,
    NOTE_PRINTING: note_printing,
    INCLUDE: include_without_context,
}
