"""What compiled templates call.

A compiled template may come from a bytecode cache, so what stands in it are plain
values only. Each function here is a filter because the compiler calls filters directly,
where a call in a template goes through `context.call`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateNotFound, pass_context
from jinja2.runtime import Context

from .errors import FragmentTagError, KeyValueError, StoreError, TimeoutValueError
from .flow import Flow, bypass, remove, renew
from .fragments import FragmentCache, place
from .freshness import Wanted, want
from .keys import key_values, make_template_fragment_key
from .timeouts import normalize_timeout

DELETE = "del"
# Under these names the functions stand among an environment's filters.
LOOK_UP = "fragment_cache.look_up"
LOOK_UP_VARIED = "fragment_cache.look_up_varied"
NOTE_PRINTING = "fragment_cache.note_printing"
INCLUDE = "fragment_cache.include_without_context"
_WRAPPED = "_fragment_cache_of_bare_store"


class Miss(NamedTuple):
    """A fragment that has to be rendered, and what to do with its text."""

    cache: FragmentCache
    flow: Flow

    def render(self, body: Callable[[], str]) -> str:
        """Render it."""
        return self.cache.run(self.flow, body)

    async def render_async(self, body: Callable[[], Awaitable[str]]) -> str:
        """Render it, awaiting the body."""
        return await self.cache.run_async(self.flow, body)


@pass_context
def look_up(
    context: Context,
    key: str,
    missed: list[Miss],
    timeout: int | None,
    version: str | None,
) -> str | Awaitable[str]:
    """Give a fragment's text, or put a `Miss` into `missed` and give nothing.

    Args:
        context: of the template that is rendered.
        key: the fragment's key.
        missed: an empty list.
        timeout: seconds, 0 for ever, None for the cache's default.
        version: digest of the template's source, or None.

    Returns:
        The text. In an async environment whose store has to be waited for, an
        awaitable of it.
    """
    environment = context.environment
    cache = environment.fragment_cache  # type: ignore[attr-defined]
    if cache.__class__ is not FragmentCache:
        cache = fragment_cache_of(environment)
    wanted = want(context.eval_ctx.autoescape, version)
    if cache.waits and environment.is_async:
        return _look_up_async(cache, key, missed, timeout, wanted)
    text: str | None = cache.look_up(key, wanted)
    if text is None:
        missed.append(Miss(cache, renew(key, wanted, timeout)))
        return ""
    return text


async def _look_up_async(
    cache: FragmentCache,
    key: str,
    missed: list[Miss],
    timeout: int | None,
    wanted: Wanted,
) -> str:
    text = await cache.look_up_async(key, wanted)
    if text is None:
        missed.append(Miss(cache, renew(key, wanted, timeout)))
        return ""
    return text


@pass_context
def look_up_varied(  # noqa: PLR0913, PLR0917 - all that a tag can be told
    context: Context,
    key: str | None,
    missed: list[Miss],
    timeout: Any,
    version: str | None,
    name: Any,
    vary_on: Any,
    by_page: bool,  # noqa: FBT001 - called by compiled templates only
    unless: Any,
    where: tuple[str | None, int],
) -> str | Awaitable[str]:
    """Do as `look_up`, for a tag with values that only rendering tells.

    Args:
        context: of the template that is rendered.
        key: the fragment's key, or None to make it of `name` and `vary_on`.
        missed: an empty list.
        timeout: any timeout, or `'del'`.
        version: digest of the template's source, or None.
        name: the fragment's name.
        vary_on: its key values.
        by_page: whether the name of the page's template is one more key value.
        unless: whether to leave the store alone.
        where: the template and line of the tag.

    Raises:
        FragmentTagError: the timeout is none, or the cache is strict and the key is
            refused.
    """
    if unless:
        return _uncached(context, missed, bypass())
    try:
        if by_page:
            vary_on = _with_page(context, vary_on)
        if key is None:
            key = make_template_fragment_key(name, vary_on)
        if isinstance(timeout, str) and timeout == DELETE:
            return _uncached(context, missed, remove(key))
        return look_up(context, key, missed, normalize_timeout(timeout), version)
    except KeyValueError as error:
        fragment_cache_of(context.environment).refuse_key(*where, error)
        return _uncached(context, missed, bypass())
    except TimeoutValueError as error:
        raise FragmentTagError(
            f"{place(*where)}: {error} 'del' deletes the fragment."
        ) from error


def _with_page(context: Context, vary_on: Any) -> list[Any]:
    if context.name is None:
        raise KeyValueError(
            "It has a block in it, so it differs from page to page, and the template of"
            " this page came from a string and has no name. Load the page through the"
            " environment's loader."
        )
    return [*key_values(vary_on), context.name]


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


@pass_context
def include_without_context(
    context: Context,
    template: Any,
    ignore_missing: bool,  # noqa: FBT001 - called by compiled templates only
) -> str:
    """Give what `{% include template without context %}` prints.

    Args:
        context: of the template that is rendered.
        template: a template, a name, or several names of which the first that exists
            counts.
        ignore_missing: whether there may be none.

    Raises:
        jinja2.TemplateNotFound: there is none.
    """
    try:
        found = context.environment.get_or_select_template(template, context.name)
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
    NOTE_PRINTING: note_printing,
    INCLUDE: include_without_context,
}
