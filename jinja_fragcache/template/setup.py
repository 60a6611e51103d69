"""Sets an environment up, whoever has made it."""

from jinja2 import Environment

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.render.environment import no_environment
from jinja_fragcache.stores import Store

from .extension import FragmentCacheExtension


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
        raise TypeError(
            no_environment(environment, "set_fragment_cache(that.{}, cache)")
        )
    if not isinstance(cache, FragmentCache):
        cache = FragmentCache(cache)
    if FragmentCacheExtension.identifier not in environment.extensions:
        environment.add_extension(FragmentCacheExtension)
    environment.fragment_cache = cache  # type: ignore[attr-defined]
    return cache
