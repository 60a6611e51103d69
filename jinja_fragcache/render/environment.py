"""An environment's cache, and what is done about a tag that can't be cached."""

from typing import Any

from jinja2 import Environment

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.errors import (
    FragmentCacheError,
    FragmentTagError,
    KeyValueError,
    StoreError,
    TimeoutValueError,
)

#: Where a cache tag stands, as a constant in compiled templates: the template's name,
#: the line, the digest of the template's source, and the templates that it names by
#: constant strings.
Site = tuple[str | None, int, str, tuple[str, ...]]
_WRAPPED = "_fragment_cache_of_bare_store"


class UnnamedPageError(KeyValueError):
    """A page can't be told from other pages, because its template has no name."""


def engine_of(environment: Environment) -> Engine:
    """Return the engine of an environment's cache.

    If `environment.fragment_cache` is a bare store, it is wrapped in a `FragmentCache`
    once, and the wrapper is kept in another attribute.

    Raises:
        StoreError: If `environment.fragment_cache` is neither a cache nor a store.
    """
    given: Any = environment.fragment_cache  # type: ignore[attr-defined]
    if isinstance(given, FragmentCache):
        return given.engine
    wrapped: FragmentCache | None = getattr(environment, _WRAPPED, None)
    if wrapped is None or wrapped.store is not given:
        if given is None:
            raise StoreError(
                "The environment's fragment_cache is None. Set"
                " env.fragment_cache = FragmentCache(), or to a store."
            )
        wrapped = FragmentCache(given)
        setattr(environment, _WRAPPED, wrapped)
    return wrapped.engine


def refuse(environment: Environment, site: Site, error: FragmentCacheError) -> None:
    """Raise an error of a tag, or log once why its fragment is not cached.

    Raises:
        FragmentTagError: If an option has a wrong value; or if the key is refused and
            the cache is strict.
    """
    place = site[:2]
    if not isinstance(error, KeyValueError):
        more = " 'del' deletes the fragment."
        more = more if isinstance(error, TimeoutValueError) else ""
        raise FragmentTagError(f"{name_of(*place)}: {error}{more}") from None
    engine = engine_of(environment)
    start = f"{name_of(*place)}: the fragment is not cached."
    for_log = f"{start} {error.for_log}"
    if isinstance(error, UnnamedPageError):
        # The tag is written correctly, so it is not an error in a strict cache.
        engine.warn_once(place, for_log)
    else:
        engine.refuse(place, FragmentTagError(f"{start} {error}", for_log=for_log))


def name_of(template: str | None, line: int) -> str:
    """Return a place in a template, as messages show it."""
    name = "a template from a string" if template is None else template
    return f"{name}, line {line}"
