"""`Cache`, the Flask extension."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Flask, current_app, has_app_context

from jinja_fragcache.errors import SettingError
from jinja_fragcache.extension import FragmentCacheExtension
from jinja_fragcache.fragments import FragmentCache
from jinja_fragcache.guard import Stats
from jinja_fragcache.stores import Store

from .settings import make_fragment_cache

_EXTENSION = "jinja_fragcache"
_EXAMPLE = 'Cache(app, config={"CACHE_TYPE": "simple"})'


class Cache:
    """Adds the cache tag to Flask applications, and a store that their settings name.

    One instance may serve several applications, and one application may have several
    instances. What belongs to an application is kept in its `extensions`.

    Args:
        app: the application, or None to call `init_app` later.
        with_jinja2_ext: whether this instance's store is the one of the application's
            cache tag. With several instances on one application, set it to False for
            all but one, or the last one gets the tag.
        config: settings that come before those of the application.

    Raises:
        SettingError: a setting has a value that is not allowed.
    """

    def __init__(
        self,
        app: Flask | None = None,
        with_jinja2_ext: bool = True,  # noqa: FBT001, FBT002 - Flask-Caching's signature
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(with_jinja2_ext, bool):
            raise SettingError(
                f"with_jinja2_ext is True or False and got {with_jinja2_ext!r}. Write"
                f" {_EXAMPLE}."
            )
        self.with_jinja2_ext = with_jinja2_ext
        self.config = _checked(config)
        self.app = app
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, config: Mapping[str, Any] | None = None) -> None:
        """Set an application up.

        Args:
            app: the application.
            config: settings that come before those given to the instance, which come
                before those of the application.

        Raises:
            SettingError: a setting has a value that is not allowed.
        """
        if not isinstance(app, Flask):
            raise SettingError(
                f"A Flask application comes first, and this is {app!r}. Write"
                f" {_EXAMPLE}."
            )
        settings = {**app.config, **self.config, **_checked(config)}
        # Asked when it matters: tests set TESTING after this.
        fragment_cache = make_fragment_cache(
            settings, strict=lambda: app.debug or app.testing
        )
        app.extensions.setdefault(_EXTENSION, {})[self] = fragment_cache
        if self.with_jinja2_ext:
            app.jinja_env.add_extension(FragmentCacheExtension)
            app.jinja_env.fragment_cache = fragment_cache  # type: ignore[attr-defined]

    @property
    def fragment_cache(self) -> FragmentCache:
        """The engine for the current application.

        Raises:
            SettingError: there is no current application, or `init_app` was not called
                for it.
        """
        app = (
            current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
            if has_app_context()
            else self.app
        )
        if app is None:
            raise SettingError(
                "This cache belongs to no application here. Work inside of"
                " `with app.app_context():`, or make it with Cache(app)."
            )
        try:
            fragment_cache: FragmentCache = app.extensions[_EXTENSION][self]
        except KeyError:
            raise SettingError(
                f"This cache was not set up for the application {app.name!r}. Call"
                " cache.init_app(app) where the application is made."
            ) from None
        return fragment_cache

    @property
    def cache(self) -> Store:
        """The store of the current application."""
        return self.fragment_cache.store

    def get(self, key: str) -> str | None:
        """Do as `FragmentCache.get`."""
        return self.fragment_cache.get(key)

    def delete(self, key: str) -> None:
        """Do as `FragmentCache.delete`."""
        self.fragment_cache.delete(key)

    def delete_fragment(self, name: str, vary_on: Iterable[Any] | None = None) -> None:
        """Do as `FragmentCache.delete_fragment`."""
        self.fragment_cache.delete_fragment(name, vary_on)

    def clear(self) -> None:
        """Do as `FragmentCache.clear`."""
        self.fragment_cache.clear()

    def stats(self) -> Stats:
        """Do as `FragmentCache.stats`."""
        return self.fragment_cache.stats()


def _checked(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if config is not None and not isinstance(config, Mapping):
        raise SettingError(
            f"config takes a dictionary of settings and got {config!r}. Write"
            f" {_EXAMPLE}."
        )
    return config or {}
