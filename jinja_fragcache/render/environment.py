"""An environment's cache, and what is done about a tag that can't be cached."""

from __future__ import annotations

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
from jinja_fragcache.messages import describe

#: Where a cache tag stands, as a constant in compiled templates: the template's name,
#: the line, the digest of the template's source, the templates that it names by
#: constant strings (see `sources.references`), names for the guard (see `tag_guard`),
#: and the text of the tag without its delimiters, with `ADDED` for more key values.
Site = tuple[str | None, int, str, str, str, str]
#: Stands in a tag for key values that it lacks.
ADDED = "\0"
_WRAPPED = "_fragment_cache_of_bare_store"
# Where frameworks keep their environment.
_PLACES = ("env", "jinja_env", "environment", "engine")


class UnnamedPageError(KeyValueError):
    """A page can't be told from other pages, because its template has no name."""


def fragment_cache_of(environment: Environment) -> FragmentCache:
    """Return the cache that an environment's cache tags use.

    It is `environment.fragment_cache`, which type checkers don't know. If that is a
    bare store, it is wrapped in a `FragmentCache` once, and the wrapper is kept in
    another attribute.

    Raises:
        StoreError: If `environment.fragment_cache` is neither a cache nor a store, or
            the environment has no `FragmentCacheExtension`.
        TypeError: If `environment` is something else, such as an application.

    Example:
        `fragment_cache_of(env).delete_fragment("sidebar", [7])`
    """
    try:
        given: Any = environment.fragment_cache  # type: ignore[attr-defined]
    except AttributeError:
        if not isinstance(environment, Environment):
            raise TypeError(
                no_environment(environment, "fragment_cache_of(that.{})")
            ) from None
        raise StoreError(
            "The environment has no cache. Write"
            " Environment(extensions=[FragmentCacheExtension])."
        ) from None
    if isinstance(given, FragmentCache):
        return given
    wrapped: FragmentCache | None = getattr(environment, _WRAPPED, None)
    if wrapped is None or wrapped.store is not given:
        if given is None:
            raise StoreError(
                "The environment's fragment_cache is None. Write"
                " set_fragment_cache(env, FragmentCache()), or give a store."
            )
        wrapped = FragmentCache(given)
        setattr(environment, _WRAPPED, wrapped)
    return wrapped


def no_environment(given: Any, written: str) -> str:
    """Return what an error says of an object that is no environment.

    Args:
        given: The object.
        written: What to write if the object has one, with `{}` for its attribute.
    """
    told = f"A jinja2.Environment comes first, and this is {describe(given)}."
    for name in _PLACES:
        if isinstance(getattr(given, name, None), Environment):
            return f"{told} Write {written.format(name)}."
    return told


def engine_of(environment: Environment) -> Engine:
    """Return the engine of an environment's cache.

    Raises:
        StoreError: As for `fragment_cache_of`.
    """
    # Without a call for nearly all environments, because look-ups with options ask.
    given: Any = getattr(environment, "fragment_cache", None)
    if given.__class__ is FragmentCache:
        engine: Engine = given.engine
        return engine
    return fragment_cache_of(environment).engine


def refuse(environment: Environment, site: Site, error: FragmentCacheError) -> None:
    """Raise an error of a tag, or log once why its fragment is not cached.

    Raises:
        FragmentTagError: If an option has a wrong value; or if the key is refused and
            the cache is strict.
    """
    place = site[:2]
    if not isinstance(error, KeyValueError):
        is_timeout = isinstance(error, TimeoutValueError)
        more = " 'del' deletes the fragment." if is_timeout else ""
        raise FragmentTagError(f"{name_of(*place)}: {error}{more}") from None
    engine = engine_of(environment)
    start = f"{name_of(*place)}: the fragment is not cached."
    for_log = f"{start} {error.for_log}"
    if isinstance(error, UnnamedPageError):
        # The tag is written correctly, so it is not an error in a strict cache.
        engine.warn_once(warned_for(site), for_log)
    else:
        refusal = FragmentTagError(f"{start} {error}", for_log=for_log)
        engine.refuse(warned_for(site), refusal)


def warned_for(site: Site) -> tuple[str, int]:
    """Return what tells the place of a tag from others, so that each is warned of."""
    template, line, digest, *_ = site
    # Templates from strings have no name.
    return (digest if template is None else template), line


def name_of(template: str | None, line: int) -> str:
    """Return a place in a template, as messages show it."""
    name = "a template from a string" if template is None else template
    return f"{name}, line {line}"
