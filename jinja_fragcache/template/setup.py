"""Sets an environment up, whoever has made it."""

from typing import Any

from jinja2 import Environment

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.messages import describe
from jinja_fragcache.stores import Store

from .extension import FragmentCacheExtension

# Where frameworks keep their environment.
_PLACES = ("env", "jinja_env", "environment", "engine")


def set_fragment_cache(
    environment: Environment, cache: FragmentCache | Store
) -> FragmentCache:
    """Let an environment's cache tags use a cache, and return it.

    An environment that has no `FragmentCacheExtension` gets one.

    Args:
        environment: The environment. Its `fragment_cache` is set.
        cache: The cache, or a store, which gets a cache with the default rules.

    Raises:
        StoreError: If `cache` is neither.
        TypeError: If `environment` is something else, such as an application.

    Example:
        `set_fragment_cache(templates.env, FragmentCache())` for Starlette's
        `templates = Jinja2Templates("templates")`.
    """
    if not isinstance(environment, Environment):
        raise TypeError(_no_environment(environment))
    if not isinstance(cache, FragmentCache):
        cache = FragmentCache(cache)
    if FragmentCacheExtension.identifier not in environment.extensions:
        environment.add_extension(FragmentCacheExtension)
    environment.fragment_cache = cache  # type: ignore[attr-defined]
    return cache


def _no_environment(given: Any) -> str:
    """Return what an error says of an object that is no environment."""
    told = f"A jinja2.Environment comes first, and this is {describe(given)}."
    for name in _PLACES:
        if isinstance(getattr(given, name, None), Environment):
            return f"{told} Write set_fragment_cache(that.{name}, cache)."
    return told
