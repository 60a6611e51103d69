"""`QuartCache`, the Quart extension."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
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
# What stands here for what only Flask's extension has.
_OF_FRAGMENTS = frozenset(
    {"clear", "delete", "delete_fragment", "invalidate_tags", "key_for", "stats"}
)
_OF_VIEWS = frozenset({"cached", "delete_cached"})
_OF_VALUES = frozenset(
    {
        *("add", "cache", "dec", "delete_many", "get", "get_dict", "get_many", "has"),
        *("inc", "set", "set_many"),
    }
)


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

    if not TYPE_CHECKING:  # Else any name would be right.

        def __getattr__(self, name: str) -> Any:
            """Say what to write for a method that only Flask's extension has."""
            raise AttributeError(_why_missing(name), name=name, obj=self)

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


def _why_missing(name: str) -> str:
    """Return the message for an attribute that is not there, with what to write."""
    if name in _OF_FRAGMENTS:
        own = f"{name}_async" if hasattr(FragmentCache, f"{name}_async") else name
        return f"QuartCache has no {name}(). Write cache.fragment_cache.{own}()."
    if name in _OF_VIEWS:
        return (
            f"{name}() is for Flask. Write @cache.memoize(60) above a coroutine"
            " function that returns the text of the page, and await that in the view;"
            " or put the cache tag around the whole template."
        )
    if name in _OF_VALUES:
        return (
            f"{name}() is for Flask. Write @cache.memoize(60) above the function that"
            " makes the value."
        )
    return f"QuartCache has no attribute {name!r}."
