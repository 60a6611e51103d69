"""`Cache`, the Flask extension."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from weakref import WeakSet, ref

from flask import Flask, current_app, has_app_context

from jinja_fragcache.errors import SettingError
from jinja_fragcache.functions.argument_keys import ArgumentKeys
from jinja_fragcache.functions.decorators import decorate, make_decorator
from jinja_fragcache.functions.keys import Keys
from jinja_fragcache.functions.options import Options
from jinja_fragcache.functions.typing import CachedDecorator, MemoizeDecorator
from jinja_fragcache.functions.value_rules import checks_source
from jinja_fragcache.template.extension import FragmentCacheExtension

from .app_setup import EXTENSION, app_cache_of, make_app_cache
from .decorators import AnswerCalls
from .delete_methods import DeleteMethods
from .inspector import AppInspector
from .overlay import OVERLAYS, OverlaidPages
from .route_check import DecoratedFunctions
from .settings import check_names
from .signals import SignalListener
from .template_reads import watch_app
from .value_cache import AppCache
from .value_store import ValueStore
from .view_keys import ViewKeys, check_key_function

#: Where Flask-Caching's users find the store: in `app.extensions["cache"][cache]`.
STORES = "cache"
_EXAMPLE = 'Cache(app, config={"CACHE_TYPE": "simple"})'
_QUARTS = "QuartCache(app), and import it from jinja_fragcache.doors.quart"
_OTHERS = "For other frameworks, it is set_fragment_cache(env, FragmentCache())"


class Cache(DeleteMethods):
    """Adds caching to Flask applications: the cache tag, views, functions and values.

    One instance may serve several applications, and one application may have several
    instances. Everything that belongs to an application is kept in its `extensions`.

    Args:
        app: The application, or None to call `init_app` later.
        with_jinja2_ext: Whether the application's cache tag uses this instance. If an
            application has several instances, set it to False for all but one;
            otherwise the tag uses the last one.
        config: Settings that override those of the application.

    Attributes:
        config: The settings that were passed to the constructor.
        with_jinja2_ext: See above.

    Raises:
        SettingError: If a setting has a value that is not allowed.
    """

    def __init__(
        self,
        app: Flask | None = None,
        with_jinja2_ext: bool = True,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(with_jinja2_ext, bool):
            raise SettingError(
                f"with_jinja2_ext is True or False and got {with_jinja2_ext!r}. Write"
                f" {_EXAMPLE}."
            )
        self.with_jinja2_ext = with_jinja2_ext
        self.config = _check_config(config)
        self._own_app = app
        self._last_app: Callable[[], Flask | None] = lambda: None
        self._apps: WeakSet[Flask] = WeakSet()
        self._decorated = DecoratedFunctions()
        super().__init__()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, config: Mapping[str, Any] | None = None) -> None:
        """Set up an application.

        Args:
            app: The application.
            config: Settings that override those passed to the constructor, which
                override those of the application.

        Raises:
            SettingError: If a setting has a value that is not allowed.
        """
        if not isinstance(app, Flask):
            raise SettingError(
                f"A Flask application comes first, and this is {app!r}. Write"
                f" {_what_to_write(app)}."
            )
        own = _check_config(config)
        check_names(app.config, self.config, own)
        given = {**self.config, **own}
        app_cache = make_app_cache(
            app,
            given,
            # A function, because tests may set TESTING later.
            strict=lambda: app.debug or app.testing,
            signals=SignalListener(app, self),
        )
        # Weakly, so that applications made for a test don't live as long as the cache.
        self._last_app = ref(app)
        app.extensions.setdefault(EXTENSION, {})[self] = app_cache
        app.extensions.setdefault(STORES, {})[self] = ValueStore(app_cache)
        self._apps.add(app)
        self._decorated.watch(app)
        inspector = AppInspector(
            app,
            self,
            lambda: app_cache_of(app, self).fragment_cache,
            app_cache.settings,
        )
        overlays = app.extensions.setdefault(OVERLAYS, {})
        overlays[self] = OverlaidPages(app, inspector, app_cache.settings)
        if app_cache.guards:
            watch_app(app)
        if self.with_jinja2_ext:
            app.jinja_env.add_extension(FragmentCacheExtension)
            app.jinja_env.fragment_cache = app_cache.fragment_cache  # type: ignore[attr-defined]

    @property
    def app(self) -> Flask | None:
        """The application that was set up last; None if there is none any more."""
        return self._last_app()

    @property
    def cache(self) -> ValueStore:
        """The store of the current application.

        Its methods `get`, `set` and the like do what those of this class do. All else
        is the store's own.
        """
        return ValueStore(self._app_cache)

    @property
    def _app_cache(self) -> AppCache:
        """The cache of the current application.

        Outside of an application context, it is that of the application which was
        passed to the constructor, or of the only one that was set up.

        Raises:
            SettingError: If there is no current application, or `init_app` was not
                called for it.
        """
        if has_app_context():
            app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
        elif self._own_app is not None:
            app = self._own_app
        elif len(self._apps) == 1:
            (app,) = self._apps
        else:
            raise SettingError(
                "There is no current application. Use the cache inside"
                " `with app.app_context():`, or make it with Cache(app)."
            )
        return app_cache_of(app, self)

    def cached(
        self,
        timeout: Any = None,
        key_prefix: str | Callable[[], str] = "view/%s",
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        is_stale: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        query_string: bool = False,
        hash_method: Callable[..., Any] | None = None,
        cache_none: bool = False,
        make_cache_key: Callable[..., str] | None = None,
        source_check: bool | None = None,
        response_hit_indication: bool | None = False,
        *,
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
        allow: Iterable[str] = (),
        verify: bool = True,
        background: bool | None = None,
    ) -> CachedDecorator:
        """Decorate a view, or a function without arguments, to cache what it returns.

        Args:
            timeout: Seconds (int or float), a timedelta, 0 for never expiring, None for
                CACHE_DEFAULT_TIMEOUT.
            key_prefix: The key. `%s` in it stands for the path of the request, so by
                default each path has its own value. Or a function without arguments
                that returns the key.
            unless: A function that returns, for each call, whether to bypass the cache.
                If it takes arguments, it gets the function and those of the call.
            forced_update: A function that returns, for each call, whether to call the
                function even if a value is stored. If it takes arguments, it gets those
                of the call.
            is_stale: A function that gets a stored value and returns whether to make a
                new one. If it takes more arguments, it gets those of the call.
            response_filter: A function that gets a new value, or the response of an
                exception such as `abort(404)` raises, and returns whether to store it.
                What it admits is stored whatever its status; without one, an answer is
                stored whose status is 200, 203, 204, 300, 301, 308, 404 or 410.
            query_string: Whether the arguments in the query string are part of the key,
                in any order.
            hash_method: Not used: keys are SHA-256 always.
            cache_none: Whether None is stored as a value.
            make_cache_key: A function that gets the arguments of the call and returns
                the key.
            source_check: Whether the function's source is part of the key, so that the
                function is called again if it has changed; None for CACHE_SOURCE_CHECK.
            response_hit_indication: Whether an answer from the cache has the header
                `hit_cache: True`.
            stale: Seconds (a number or a timedelta) past its timeout during which a
                value is served while one caller makes a new one; None for CACHE_STALE.
            stale_if_error: Seconds past its timeout during which a value is served if
                the function raises; None for CACHE_STALE_IF_ERROR. Errors that are
                answers, such as 404 Not Found, are raised all the same.
            tags: The tags by which `invalidate_tags` invalidates the values: a list of
                strings, or a function that gets the arguments of the call and returns
                one.
            allow: The dotted names of what the function may read of the request though
                its key lacks it, such as `g.theme`.
            verify: Whether hits may be verified, if CACHE_VERIFY says so.
            background: Whether a stale value is made again behind the request, so that
                no caller waits for it; None for CACHE_BACKGROUND.

        Raises:
            TypeError: If an option has a value that is not allowed.
            TimeoutValueError: If `timeout` is not a timeout.
            PolicyError: If `stale` or `stale_if_error` is not a number of seconds.
            KeyValueError: If `tags` is not a list of strings.
        """
        options = Options(
            timeout=timeout,
            unless=unless,
            forced_update=forced_update,
            is_stale=is_stale,
            response_filter=response_filter,
            cache_none=cache_none,
            hash_method=hash_method,
            source_check=source_check,
            stale=stale,
            stale_if_error=stale_if_error,
            tags=tags,
            allow=allow,
            verify=verify,
            background=background,
            response_hit_indication=response_hit_indication,
        )
        if make_cache_key is not None:
            check_key_function(make_cache_key)

        def make_keys(function: Callable[..., Any]) -> ViewKeys:
            return ViewKeys(
                function,
                key_prefix,
                query_string=query_string,
                source_check=lambda: checks_source(self._app_cache, source_check),
                vary=self._present_key,
            )

        return self._make_decorator(options, make_keys, make_cache_key)

    def memoize(
        self,
        timeout: Any = None,
        make_name: Callable[[str], str] | None = None,
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        is_stale: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        hash_method: Callable[..., Any] | None = None,
        cache_none: bool = False,
        source_check: bool | None = None,
        args_to_ignore: Iterable[str] | None = None,
        *,
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
        allow: Iterable[str] = (),
        verify: bool = True,
        background: bool | None = None,
    ) -> MemoizeDecorator:
        """Decorate a function or method to cache a value for each set of arguments.

        Calls that give each parameter the same value share an entry, whether arguments
        are written by position, by name or left to their default. An object is
        identified by its `__cache_key__()` or `__caching_id__()`, else by its repr. An
        object that has neither is equal only to itself, as long as it lives.

        Args:
            timeout: As for `cached`.
            make_name: A function that gets the function's name and returns the name to
                use in the key.
            unless: As for `cached`.
            forced_update: As for `cached`.
            is_stale: As for `cached`.
            response_filter: A function that gets a new value and returns whether to
                store it.
            hash_method: As for `cached`.
            cache_none: As for `cached`.
            source_check: As for `cached`.
            args_to_ignore: The names of parameters that the value does not depend on.
            stale: As for `cached`.
            stale_if_error: As for `cached`.
            tags: As for `cached`.
            allow: As for `cached`.
            verify: As for `cached`.
            background: As for `cached`.

        Raises:
            TypeError: If an option has a value that is not allowed.
            TimeoutValueError: If `timeout` is not a timeout.
            PolicyError: If `stale` or `stale_if_error` is not a number of seconds.
            KeyValueError: If `tags` is not a list of strings.
        """
        options = Options(
            timeout=timeout,
            unless=unless,
            forced_update=forced_update,
            is_stale=is_stale,
            response_filter=response_filter,
            cache_none=cache_none,
            hash_method=hash_method,
            source_check=source_check,
            stale=stale,
            stale_if_error=stale_if_error,
            tags=tags,
            allow=allow,
            verify=verify,
            background=background,
            is_memoized=True,
        )

        def make_keys(function: Callable[..., Any]) -> ArgumentKeys:
            keys = ArgumentKeys(
                function,
                make_name,
                args_to_ignore or (),
                lambda: checks_source(self._app_cache, source_check),
                options.tags,
                self._present_key,
            )
            self._memoized[keys.name] = keys
            return keys

        return self._make_decorator(options, make_keys)

    def _present_key(self, key: str) -> str:
        return self._app_cache.present_key(key)

    def _make_decorator(
        self,
        options: Options,
        make_keys: Callable[[Callable[..., Any]], Keys],
        make_cache_key: Callable[..., str] | None = None,
    ) -> Callable[[Any], Any]:
        """Return a decorator.

        Args:
            options: Its options.
            make_keys: Gets the function and returns what makes the keys of its calls.
            make_cache_key: A function of the user that makes the keys instead, or None.
        """

        def decorate_function(function: Callable[..., Any]) -> Any:
            keys = make_keys(function)
            self._decorated.add(function)
            calls = AnswerCalls(function, lambda: self._app_cache, options, keys)
            wrapper: Any = decorate(function, calls, make_cache_key)
            if options.is_memoized:
                wrapper.delete_memoized = partial(self.delete_memoized, wrapper)
            return wrapper

        return make_decorator(decorate_function)


def _what_to_write(app: object) -> str:
    """Return what to write for something that is no Flask application."""
    if any(each.__module__ == "quart.app" for each in type(app).__mro__):
        return _QUARTS
    is_no_app = isinstance(app, (Mapping, str, type))
    return _EXAMPLE if is_no_app else f"{_EXAMPLE}. {_OTHERS}"


def _check_config(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the settings, or none of them for None.

    Raises:
        SettingError: If `config` is not a mapping.
    """
    if config is not None and not isinstance(config, Mapping):
        raise SettingError(
            f"config takes a dictionary of settings and got {config!r}. Write"
            f" {_EXAMPLE}."
        )
    return config or {}
