"""Django's Jinja2 back end: an environment whose fragments are in Django's cache."""

from inspect import signature
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.utils.connection import ConnectionProxy
from jinja2 import Environment

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import SettingError
from jinja_fragcache.messages import did_you_mean
from jinja_fragcache.template.setup import set_fragment_cache

from .wagtail import MIDDLEWARE, is_preview

_SETTING = "FRAGMENT_CACHE"
_RULES = {*signature(FragmentCache).parameters} - {"store"}
_EXAMPLE = f'{_SETTING} = {{"using": "default", "stale": 60}}'


def environment(**options: Any) -> Environment:
    """Make the environment of Django's Jinja2 back end, with the cache tag.

    Write `"environment": "jinja_fragcache.doors.django.environment"` among the
    `OPTIONS` of the back end.

    Args:
        options: Those that the back end passes to `jinja2.Environment`.

    Raises:
        SettingError: If the setting `FRAGMENT_CACHE` has a value that is not allowed.
    """
    env = Environment(**options)  # noqa: S701 - the back end turns autoescape on
    set_fragment_cache(env, fragment_cache())
    return env


def fragment_cache(**rules: Any) -> FragmentCache:
    """Return a cache of fragments in one of Django's caches.

    It is for those who have an environment function of their own, which calls
    `set_fragment_cache(env, fragment_cache())`. In debug mode it is strict, and an
    edited template is rendered again. If `doors.wagtail.preview_middleware` is in
    `MIDDLEWARE`, Wagtail's previews leave it aside.

    Args:
        rules: `using`, the name of one of Django's caches, "default" if it is left out,
            and arguments of `FragmentCache`. They override those of the setting
            `FRAGMENT_CACHE`.

    Raises:
        SettingError: If the setting `FRAGMENT_CACHE` or an argument has a name or value
            that is not allowed, such as that of a cache that Django does not have.
    """
    given = getattr(settings, _SETTING, {})
    if not isinstance(given, dict):
        raise SettingError(
            f"{_SETTING} is a dictionary and got {given!r}. Write {_EXAMPLE}."
        )
    own: dict[str, Any] = {
        "strict": settings.DEBUG,
        "template_digest": settings.DEBUG,
    }
    if MIDDLEWARE in settings.MIDDLEWARE:
        own["unless"] = is_preview
    merged = {**own, **given, **rules}
    using = merged.pop("using", "default")
    if not isinstance(using, str) or using not in settings.CACHES:
        known = " and ".join(map(repr, settings.CACHES))
        raise SettingError(
            f"{_SETTING} can't use the cache {using!r}. CACHES has {known}."
        )
    caches[using]  # So that a wrong back end is told now.
    for name in merged:
        if name not in _RULES:
            more = did_you_mean(name, ["using", *_RULES])
            raise SettingError(f"{_SETTING} takes no {name!r}.{more} Write {_EXAMPLE}.")
    try:
        # Each thread has a connection of its own, as `django.core.cache.cache` does it.
        return FragmentCache(ConnectionProxy(caches, using), **merged)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{_SETTING}: {error} Write {_EXAMPLE}.") from None
