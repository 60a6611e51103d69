"""`QuartCache`, the Quart extension."""

from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakSet

from flask import Flask
from quart import Quart, current_app, has_app_context

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import SettingError
from jinja_fragcache.flask.app_setup import EXTENSION, app_cache_of, make_app_cache
from jinja_fragcache.flask.inspector import is_asked_for
from jinja_fragcache.flask.settings import check_names
from jinja_fragcache.flask.value_cache import AppCache
from jinja_fragcache.functions.memoize import MemoizeMethods
from jinja_fragcache.template.setup import set_fragment_cache

_EXAMPLE = 'QuartCache(app, config={"CACHE_TYPE": "simple"})'


class QuartCache(MemoizeMethods):
    """Adds the cache tag and `memoize` to Quart applications.

    The settings are those of the Flask extension. One instance may serve several
    applications.

    Args:
        app: The application, or None to call `init_app` later.
        config: Settings that override those of the application.

    Raises:
        SettingError: If a setting has a value that is not allowed.
    """

    def __init__(
        self, app: Quart | None = None, config: Mapping[str, Any] | None = None
    ) -> None:
        self.config = dict(config or {})
        self._apps: WeakSet[Quart] = WeakSet()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Quart) -> None:
        """Set up an application.

        Raises:
            SettingError: If a setting has a value that is not allowed.
        """
        if not isinstance(app, Quart):
            raise SettingError(
                f"A Quart application comes first, and this is {app!r}. Write"
                f" {_EXAMPLE}. For Flask, it is jinja_fragcache.Cache(app)."
            )
        check_names(app.config, self.config, {})
        # Both frameworks share what is read here: its name, settings and folders.
        alike = cast("Flask", app)
        app_cache = make_app_cache(
            alike, self.config, strict=lambda: app.debug or app.testing
        )
        if is_asked_for(app_cache.settings):
            raise SettingError(
                "CACHE_INSPECTOR and CACHE_INSPECTOR_ALLOW are for Flask. Here, mount"
                " the inspector beside the application: asgi_app(cache.fragment_cache,"
                " allow=...), imported from jinja_fragcache.inspector."
            )
        app.extensions.setdefault(EXTENSION, {})[self] = app_cache
        self._apps.add(app)
        set_fragment_cache(app.jinja_env, app_cache.fragment_cache)

    @property
    def fragment_cache(self) -> FragmentCache:
        """The cache of the current application, or of the only one.

        Its methods that end in `_async` await the store.

        Raises:
            SettingError: If there is no application, or it was not set up.
        """
        return self._value_rules().fragment_cache

    def _value_rules(self) -> AppCache:
        if has_app_context():
            app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
        elif len(self._apps) == 1:
            (app,) = self._apps
        else:
            raise SettingError(
                "There is no current application. Use the cache inside"
                " `async with app.app_context():`."
            )
        return app_cache_of(app, self)
