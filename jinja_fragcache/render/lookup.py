"""What compiled templates call to look fragments up.

Compiled templates may come from a bytecode cache, so they contain plain constants only.
Each function here is a filter, because the compiler calls filters directly, while a
call in a template goes through `context.call`. No template's text can name them, not
even in a sandbox (see `functions`).

What is known when a template is compiled is passed as one tuple of constants, `Spec`.
Whether the text is escaped is passed beside it, because only Jinja's compiler knows.
Tags with options call those of `options`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from jinja2.runtime import Context

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.engine import NOT_STORED, Engine, Undecided, undecided_of
from jinja_fragcache.engine.flow import renew
from jinja_fragcache.engine.lookup import NOTHING
from jinja_fragcache.engine.spec import FragmentSpec, spec_of
from jinja_fragcache.entries.entry import HEADER_MARK
from jinja_fragcache.entries.freshness import (
    AFTER_HEADERS,
    PLAIN,
    WANTED,
    Wanted,
    servable_text,
)
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.fragment import (
    KEYS_OF_ONE_VALUE,
    KEYS_OF_PARTS,
    key_values,
    make_template_fragment_key,
)
from jinja_fragcache.late import LateModule

from .environment import Site, engine_of, refuse
from .functions import FunctionName
from .misses import Miss
from .serving import Text, look_further
from .sources import sources_of
from .tag_guard import TagGuard, explained, verified_as
from .versions import source_digest

if TYPE_CHECKING:
    from . import uncached
else:
    uncached = LateModule(".uncached", __package__)
#: With a constant key, which the code generator notes.
FRAGMENT = FunctionName("fragment")
#: With a constant name and one key value.
FRAGMENT_OF_ONE_VALUE = FunctionName("fragment_of_one_value")
#: With a name and key values that are written one by one.
FRAGMENT_OF_PARTS = FunctionName("fragment_of_parts")
#: With a name, and key values in any list.
NAMED_FRAGMENT = FunctionName("named_fragment")

#: The constants of a tag: the timeout in seconds, 0 for never expires, None for the
#: cache's default; the version that an entry must have; where the tag stands; and its
#: `stale` and `stale_if_error` in seconds, each None for the cache's default, or None
#: if both are. If the version is None, the cache decides whether the entry is bound to
#: its template's source.
Spec = tuple[Any, str | None, Site, tuple[int | None, int | None] | None]
# In place of a key value, where the key is complete.
_IN_KEY: Any = object()


@pass_context
def fragment(
    context: Context,
    key: str,
    spec: Spec,
    escaped: bool,
    value: Any = _IN_KEY,
    body: str | None = None,
    parts: Sequence[Any] = (),
) -> Text | Miss | Awaitable[Text | Miss]:
    """Return a fragment's text, or a `Miss`.

    Args:
        context: The context of the template that is being rendered.
        key: The fragment's key; its name if there is a `value`.
        spec: The constants of the tag.
        escaped: Whether autoescape is on where the tag stands.
        value: The only key value, unless the key is complete; in an async environment,
            perhaps an awaitable of it.
        body: The tag's `Body` as one text; None if its name is a constant.
        parts: The name and the key values that a complete key was made of, unless they
            are constants.

    Returns:
        The text or the `Miss`; in an async environment whose store may block, an
        awaitable of it.

    Raises:
        FragmentTagError: If the key is refused and the cache is strict.
    """
    if value is not _IN_KEY:
        # Not in a filter of its own, because a hit calls as little as possible.
        if type(value) is not str and type(value) is not int:
            return _fragment_of_other_value(context, key, spec, escaped, value)
        try:
            key = KEYS_OF_ONE_VALUE[key][value]
        except KeyValueError:
            return named_fragment(context, key, spec, escaped, [value])
    environment = context.environment
    cache: Any = environment.fragment_cache  # type: ignore[attr-defined]
    engine: Engine = (
        cache.engine if cache.__class__ is FragmentCache else engine_of(environment)
    )
    version = spec[1]
    if version is None and engine.template_digest:
        version = source_digest(environment, spec[2])
    # By a text alone where that is enough: see `WANTED`.
    wanted = (
        WANTED[escaped, version, body]
        if not escaped or (version and body)
        else WANTED[made_of]
        if (made_of := version or body)
        else PLAIN
    )
    undecided: Undecided | None = None
    awaits = engine.blocks and environment.is_async
    tagged = engine.tagged_keys
    if not (
        awaits
        or current_dependencies()
        or (tagged and key in tagged)
        or not engine.breaker.is_closed
    ):
        # The same as `Engine.text`, without calls for what nearly all hits are.
        try:
            stored = engine.reads.get(key)
        except Exception as error:  # noqa: BLE001 - reads fail open
            engine.read_failed(key, error)
            stored = None
        text: str | None = (
            stored
            if wanted is PLAIN
            and type(stored) is str
            and (stored >= AFTER_HEADERS or stored < HEADER_MARK)
            else None
            if stored is None
            else servable_text(stored, wanted, engine.clock)
        )
        if text is not None:
            engine.stats.hits += 1
            return text
        undecided = NOT_STORED if stored is None else undecided_of(stored)
    elif (
        awaits
        and engine.near
        and not current_dependencies()
        and (near := engine.near_text(key, wanted)) is not None
    ):
        return near
    values = parts[1:] if value is _IN_KEY else [value]
    asked = asked_of(context, engine, key, wanted, spec, values)
    return (
        Miss(engine, partial(renew, asked, NOTHING))
        if undecided is NOT_STORED
        else look_further(engine, environment, spec[2], escaped, asked, undecided)
    )


def asked_of(
    context: Context,
    engine: Engine,
    key: str,
    wanted: Wanted,
    spec: Spec,
    values: Any,
    tags: tuple[str, ...] = (),
) -> FragmentSpec:
    """Return what a tag asks for that has at most tags as options.

    Args:
        context: The context of the template that is being rendered.
        engine: The engine of the cache.
        key: The fragment's key.
        wanted: What its entry must match.
        spec: The constants of the tag.
        values: The key values.
        tags: The fragment's tags.
    """
    timeout, _, site, grace = spec
    policy = engine.policy
    is_bound = wanted.version is not None
    return spec_of(
        (
            key,
            wanted,
            timeout,
            engine.grace if grace is None else policy.grace(*grace),
            tags,
            sources_of(context.environment).digest_of if is_bound else None,
            (),
            TagGuard(context, site, values) if policy.guard else None,
            verified_as(policy, site) if policy.verify else None,
            site,
            values,
        )
    )


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
def fragment_of_parts(
    context: Context,
    parts: tuple[Any, ...],
    spec: Spec,
    escaped: bool,
    body: str | None = None,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `fragment`, with any name and any key values.

    Args:
        context: The context of the template that is being rendered.
        parts: The fragment's name, and its key values.
        spec: The constants of the tag.
        escaped: Whether autoescape is on where the tag stands.
        body: As for `fragment`.
    """
    for part in parts:
        if type(part) is not str and type(part) is not int:
            return _fragment_of_other_parts(context, parts, spec, escaped, body)
    try:
        key = KEYS_OF_PARTS[parts]
    except KeyValueError:
        return _fragment_of_other_parts(context, parts, spec, escaped, body)
    return fragment(context, key, spec, escaped, _IN_KEY, body, parts)


def _fragment_of_other_parts(
    context: Context,
    parts: tuple[Any, ...],
    spec: Spec,
    escaped: bool,
    body: str | None,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `fragment_of_parts`, with parts that are no texts or whole numbers."""
    name, *vary_on = parts
    return named_fragment(context, name, spec, escaped, vary_on, body)


@pass_context
def named_fragment(
    context: Context,
    name: Any,
    spec: Spec,
    escaped: bool,
    vary_on: Any,
    body: str | None = None,
) -> Text | Miss | Awaitable[Text | Miss]:
    """Like `fragment_of_parts`, with the key values in any list.

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
        refused = uncached.Uncached(uncached.Reason.KEY, name=name, timeout=spec[0])
        engine = engine_of(environment)
        return look_further(engine, environment, site, escaped, refused)
    parts = (name, *key_values(vary_on))
    return fragment(context, key, spec, escaped, _IN_KEY, body, parts)


FRAGMENT_FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {
    FRAGMENT: fragment,
    FRAGMENT_OF_ONE_VALUE: fragment,
    FRAGMENT_OF_PARTS: fragment_of_parts,
    NAMED_FRAGMENT: named_fragment,
}
