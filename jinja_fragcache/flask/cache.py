"""`Cache`, the Flask extension."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakSet

from flask import Flask, current_app, has_app_context

from jinja_fragcache.errors import KeyValueError, SettingError
from jinja_fragcache.messages import describe
from jinja_fragcache.template.extension import FragmentCacheExtension

from .app_setup import make_app_cache
from .argument_keys import ArgumentKeys, find_by_name
from .decorators import decorate, keys_of, make_decorator
from .keys import Keys
from .options import Options
from .route_check import DecoratedFunctions
from .settings import check_names
from .signals import SignalAnnouncer
from .store_methods import StoreMethods
from .typing import CachedFunction, P, R
from .value_cache import AppCache
from .view_keys import QueryArguments, ViewKeys

_EXTENSION = "jinja_fragcache"
_EXAMPLE = 'Cache(app, config={"CACHE_TYPE": "simple"})'


class Cache(StoreMethods):
    """Adds caching to Flask applications: the cache tag, views, functions and values.

    One instance may serve several applications, and one application may have several
    instances. Everything that belongs to an application is kept in its `extensions`.

    Args:
        app: The application, or None to call `init_app` later.
        with_jinja2_ext: Whether the application's cache tag uses this instance. If an
            application has several instances, set it to False for all but one;
            otherwise the tag uses the last one.
        config: Settings that override those of the application.

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
        self.app = app
        self._apps: WeakSet[Flask] = WeakSet()
        self._decorated = DecoratedFunctions()
        self._memoized: dict[str, ArgumentKeys] = {}
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
                f" {_EXAMPLE}."
            )
        given = {**self.config, **_check_config(config)}
        check_names(app.config, given)
        app_cache = make_app_cache(
            app,
            {**app.config, **given},
            # A function, because tests may set TESTING later.
            strict=lambda: app.debug or app.testing,
            announcer=SignalAnnouncer(app, self),
        )
        app.extensions.setdefault(_EXTENSION, {})[self] = app_cache
        self._apps.add(app)
        self._decorated.watch(app)
        if self.with_jinja2_ext:
            app.jinja_env.add_extension(FragmentCacheExtension)
            app.jinja_env.fragment_cache = app_cache.fragment_cache  # type: ignore[attr-defined]

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
        elif self.app is not None:
            app = self.app
        elif len(self._apps) == 1:
            (app,) = self._apps
        else:
            raise SettingError(
                "There is no current application. Use the cache inside"
                " `with app.app_context():`, or make it with Cache(app)."
            )
        try:
            app_cache: AppCache = app.extensions[_EXTENSION][self]
        except KeyError:
            raise SettingError(
                f"This cache was not set up for the application {app.name!r}. Call"
                " cache.init_app(app) where the application is made."
            ) from None
        return app_cache

    def cached(
        self,
        timeout: Any = None,
        key_prefix: str | Callable[[], str] = "view/%s",
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        query_string: bool = False,
        make_cache_key: Callable[..., str] | None = None,
        cache_none: bool = False,
        *,
        is_stale: Callable[..., Any] | None = None,
        source_check: bool | None = None,
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
        response_hit_indication: bool = False,
    ) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
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
            response_filter: A function that gets a new value and returns whether to
                store it.
            query_string: Whether the arguments in the query string are part of the key,
                in any order.
            make_cache_key: A function that gets the arguments of the call and returns
                the key.
            cache_none: Whether None is stored as a value.
            is_stale: A function that gets a stored value and returns whether to make a
                new one. If it takes more arguments, it gets those of the call.
            source_check: Whether the function is called again if its code has changed;
                None for CACHE_SOURCE_CHECK.
            stale: Seconds (a number or a timedelta) past its timeout during which a
                value is served while one caller makes a new one; None for CACHE_STALE.
            stale_if_error: Seconds past its timeout during which a value is served if
                the function raises; None for CACHE_STALE_IF_ERROR. Errors that are
                answers, such as 404 Not Found, are raised all the same.
            tags: The tags by which `invalidate_tags` invalidates the values: a list of
                strings, or a function that gets the arguments of the call and returns
                one.
            response_hit_indication: Whether an answer from the cache has the header
                `hit_cache: True`.

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
            source_check=source_check,
            stale=stale,
            stale_if_error=stale_if_error,
            tags=tags,
            response_hit_indication=response_hit_indication,
        )
        if make_cache_key is not None and not callable(make_cache_key):
            raise TypeError(
                f"make_cache_key takes a function and got {make_cache_key!r}. Write a"
                " key that is always the same as key_prefix."
            )

        def make_keys(function: Callable[..., Any]) -> ViewKeys:
            return ViewKeys(function, key_prefix, query_string=query_string)

        return self._make_decorator(options, make_keys, make_cache_key)

    def delete_cached(
        self,
        function: Callable[..., Any],
        path: str | None = None,
        query_args: QueryArguments | None = None,
        **kwargs: Any,
    ) -> bool:
        """Delete the value that `cached` has stored for a view or function.

        Args:
            function: The decorated function.
            path: The path of the request. None builds it from the view's arguments.
            query_args: The query string, or the arguments in it, for a view with
                `query_string=True`.
            kwargs: The view's arguments.

        Returns:
            What `delete` returns.

        Raises:
            KeyValueError: If `cached` has not decorated the function, or the path can't
                be built from the view's arguments.
            StoreError: If the store failed. The value may still be served.
        """
        keys = keys_of(function)
        if not isinstance(keys, ViewKeys):
            raise KeyValueError(
                "delete_cached takes a function that @cache.cached has decorated, and"
                f" got {describe(function)}."
            )
        make_cache_key = function.make_cache_key  # type: ignore[attr-defined]
        if make_cache_key is keys:
            kwargs |= {"path": path, "query_args": query_args}
        return self._app_cache.delete(make_cache_key(**kwargs))

    def memoize(
        self,
        timeout: Any = None,
        make_name: Callable[[str], str] | None = None,
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        args_to_ignore: Iterable[str] = (),
        cache_none: bool = False,
        *,
        is_stale: Callable[..., Any] | None = None,
        source_check: bool | None = None,
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
    ) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
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
            response_filter: As for `cached`.
            args_to_ignore: The names of parameters that the value does not depend on.
            cache_none: As for `cached`.
            is_stale: As for `cached`.
            source_check: As for `cached`.
            stale: As for `cached`.
            stale_if_error: As for `cached`.
            tags: As for `cached`.

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
            source_check=source_check,
            stale=stale,
            stale_if_error=stale_if_error,
            tags=tags,
        )

        def make_keys(function: Callable[..., Any]) -> ArgumentKeys:
            keys = ArgumentKeys(function, make_name, args_to_ignore or ())
            self._memoized[keys.name] = keys
            return keys

        return self._make_decorator(options, make_keys)

    def delete_memoized(
        self, function: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> None:
        """Delete values that `memoize` has stored.

        Args:
            function: The function, or its name with or without its module, to delete
                the values of all calls; a method of an object, to delete those of the
                calls on that object.
            args: With `kwargs`, the arguments of the only call to delete.
            kwargs: See `args`.

        Raises:
            KeyValueError: If `memoize` has not decorated such a function, or an
                argument has nothing that identifies it.
            TypeError: If the function does not accept these arguments.
            StoreError: If the store failed. The values may still be served.
        """
        keys: Keys | None
        instances: tuple[Any, ...] = ()
        if isinstance(function, str):
            keys = find_by_name(self._memoized.values(), function)
        else:
            keys = keys_of(function)
            owner = getattr(function, "__self__", None)
            instances = () if owner is None else (owner,)
        if not isinstance(keys, ArgumentKeys):
            raise KeyValueError(
                "delete_memoized takes a function that @cache.memoize has decorated,"
                f" or its name, and got {describe(function)}."
            )
        if not args and not kwargs:
            self._app_cache.invalidate([keys.tag_of(*instances)])
            return
        # The object of a method may be repeated as the first argument.
        if instances and not (args and args[0] is instances[0]):
            args = (*instances, *args)
        self._app_cache.delete(keys(*args, **kwargs))

    def _make_decorator(
        self,
        options: Options,
        make_keys: Callable[[Callable[..., Any]], Keys],
        make_cache_key: Callable[..., str] | None = None,
    ) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
        """Return a decorator.

        Args:
            options: Its options.
            make_keys: Gets the function and returns what makes the keys of its calls.
            make_cache_key: A function of the user that makes the keys instead, or None.
        """

        def decorate_function(function: Callable[P, R]) -> CachedFunction[P, R]:
            keys = make_keys(function)
            self._decorated.add(function)
            return decorate(
                function, lambda: self._app_cache, options, keys, make_cache_key
            )

        return make_decorator(decorate_function)


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
