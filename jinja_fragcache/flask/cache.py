"""`Cache`, the Flask extension."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakSet

from flask import Flask, current_app, has_app_context

from jinja_fragcache.access.safe_store import Stats
from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import KeyValueError, SettingError
from jinja_fragcache.keys.fragment import make_template_fragment_key, tag_names
from jinja_fragcache.messages import describe
from jinja_fragcache.stores import Store
from jinja_fragcache.template.extension import FragmentCacheExtension

from .argument_keys import ArgumentKeys
from .decorators import decorate, keys_of, make_decorator
from .keys import Keys
from .options import Options
from .route_check import DecoratedFunctions
from .settings import check_names, make_app_cache
from .signals import SignalAnnouncer
from .typing import CachedFunction, P, R
from .value_cache import AppCache
from .view_keys import QueryArguments, ViewKeys

_EXTENSION = "jinja_fragcache"
_EXAMPLE = 'Cache(app, config={"CACHE_TYPE": "simple"})'


class Cache:
    """Adds caching to Flask applications: the tag, views, functions and values.

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
        self._apps: WeakSet[Flask] = WeakSet()
        self._decorated = DecoratedFunctions()
        self._memoized: dict[str, ArgumentKeys] = {}
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
        given = {**self.config, **_checked(config)}
        check_names(app.config, given)
        home = make_app_cache(
            app,
            {**app.config, **given},
            # Asked when it matters: tests set TESTING after this.
            strict=lambda: app.debug or app.testing,
            announcer=SignalAnnouncer(app, self),
        )
        app.extensions.setdefault(_EXTENSION, {})[self] = home
        self._apps.add(app)
        self._decorated.watch(app)
        if self.with_jinja2_ext:
            app.jinja_env.add_extension(FragmentCacheExtension)
            app.jinja_env.fragment_cache = home.fragment_cache  # type: ignore[attr-defined]

    @property
    def _here(self) -> AppCache:
        """What belongs to the current application.

        Without a current application, that is the only one which was set up.

        Raises:
            SettingError: there is none, or `init_app` was not called for it.
        """
        if has_app_context():
            app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Werkzeug's documented way
        elif self.app is not None:
            app = self.app
        elif len(self._apps) == 1:
            (app,) = self._apps
        else:
            raise SettingError(
                "Which application this cache is used for is not known here. Work"
                " inside of `with app.app_context():`, or make it with Cache(app)."
            )
        try:
            home: AppCache = app.extensions[_EXTENSION][self]
        except KeyError:
            raise SettingError(
                f"This cache was not set up for the application {app.name!r}. Call"
                " cache.init_app(app) where the application is made."
            ) from None
        return home

    @property
    def fragment_cache(self) -> FragmentCache:
        """The engine for the current application.

        Raises:
            SettingError: there is no current application, or `init_app` was not called
                for it.
        """
        return self._here.fragment_cache

    @property
    def cache(self) -> Store:
        """The store of the current application.

        What is read from it is what is stored, and not always the value.
        """
        return self.fragment_cache.store

    def get(self, key: str) -> Any:
        """Give the value of a key, or None.

        A store that fails is logged and counts as having nothing.

        Args:
            key: as it was given to `set`, or made by `make_template_fragment_key`: a
                fragment's value is its text.
        """
        return self._here.get_many((key,))[0]

    def get_many(self, *keys: str) -> list[Any]:
        """Give the values of keys, in their order, None for those that have none."""
        return self._here.get_many(keys)

    def get_dict(self, *keys: str) -> dict[str, Any]:
        """Give keys with their values, None for those that have none."""
        return dict(zip(keys, self._here.get_many(keys), strict=True))

    def has(self, key: str) -> bool:
        """Tell whether there is a value for a key, None among them."""
        return self._here.has(key)

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value.

        Args:
            key: a text.
            value: any value that CACHE_SERIALIZER can keep.
            timeout: seconds (int or float), a timedelta, 0 for ever, None for
                CACHE_DEFAULT_TIMEOUT.

        Returns:
            Whether it was stored. A store that fails is logged.

        Raises:
            TimeoutValueError: the timeout is none.
            SerializationError: in debug or testing, the value can't be kept. Else that
                is logged.
        """
        return self._here.set_many({key: value}, timeout)

    def set_many(self, mapping: Mapping[str, Any], timeout: Any = None) -> list[str]:
        """Store values; else as `set`.

        Returns:
            The keys, none of them if the store failed or a value can't be kept.
        """
        if not isinstance(mapping, Mapping):
            raise TypeError(f"set_many takes a dictionary and got {describe(mapping)}.")
        return list(mapping) if self._here.set_many(mapping, timeout) else []

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        """Store a value if there is none, and tell whether it was; else as `set`."""
        return self._here.add(key, value, timeout)

    def inc(self, key: str, delta: int = 1) -> int | None:
        """Add to a number, from 0 if there is none.

        Returns:
            What it came to; None if the store failed, or if there is something else
            than a number.
        """
        return self._here.increment(key, delta)

    def dec(self, key: str, delta: int = 1) -> int | None:
        """Take from a number; else as `inc`. On Memcached it ends at 0."""
        return self._here.increment(key, -delta)

    def delete(self, key: str) -> bool:
        """Delete a value.

        Returns:
            False if the store says that there was none. (With CACHE_IGNORE_ERRORS,
            also if the store failed.)

        Raises:
            StoreError: the store failed. The value may still be served.
        """
        return self._here.delete(key)

    def delete_many(self, *keys: str) -> list[str]:
        """Delete values; else as `delete`.

        Returns:
            The keys. (With CACHE_IGNORE_ERRORS, none of them if the store failed.)
        """
        return list(keys) if self._here.delete_many(keys) else []

    def delete_fragment(self, name: str, vary_on: Iterable[Any] | None = None) -> bool:
        """Delete the fragment of a name and key values; else as `delete`.

        `cache.delete_fragment("row", [item.id])` makes
        `{% cache 300, "row", item.id %}` render anew.

        Raises:
            KeyValueError: a value can't stand in a key.
            StoreError: the store failed. The fragment may still be served.
        """
        return self._here.delete(make_template_fragment_key(name, vary_on))

    def invalidate_tags(self, *tags: str) -> bool:
        """Make all fragments and values with any of the tags misses, at once.

        Args:
            tags: as they were given to the tag, `cached`, `memoize` or `cache_tag`.

        Returns:
            True. (With CACHE_IGNORE_ERRORS, False if the store failed.)

        Raises:
            KeyValueError: one is no text.
            StoreError: the store failed. What has the tags may still be served.
        """
        return self._here.invalidate(tag_names(tags))

    def clear(self) -> bool:
        """Delete all that this application has stored.

        Returns:
            True. (With CACHE_IGNORE_ERRORS, False if the store failed.)

        Raises:
            StoreError: the store failed, or can't tell what is this application's.
        """
        return self._here.clear()

    def stats(self) -> Stats:
        """Do as `FragmentCache.stats`."""
        return self.fragment_cache.stats()

    def cached(  # noqa: PLR0913, PLR0917 - as its users know it
        self,
        timeout: Any = None,
        key_prefix: str | Callable[[], str] = "view/%s",
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        query_string: bool = False,  # noqa: FBT001, FBT002 - as above
        make_cache_key: Callable[..., str] | None = None,
        cache_none: bool = False,  # noqa: FBT001, FBT002 - as above
        *,
        is_stale: Callable[..., Any] | None = None,
        source_check: bool | None = None,
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
        response_hit_indication: bool = False,
    ) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
        """Cache what a view answers, or what a function without arguments gives.

        Args:
            timeout: seconds (int or float), a timedelta, 0 for ever, None for
                CACHE_DEFAULT_TIMEOUT.
            key_prefix: the key. `%s` in it stands for the path of the request, so that
                by default each path has a value of its own. Or a function without
                arguments that gives the key.
            unless: a function that is asked for each call whether to leave the cache
                alone. If it takes arguments, it is given the function and the call's.
            forced_update: a function that is asked for each call whether to make the
                value anew. If it takes arguments, it is given the call's.
            response_filter: a function that is given what was made, and tells whether
                to store it.
            query_string: whether the arguments in the query string belong to the key,
                in any order.
            make_cache_key: a function that gives the key, from the call's arguments.
            cache_none: whether None is stored as a value.
            is_stale: a function that is given what is stored, and tells whether to make
                it anew. If it takes more arguments, it is given the call's.
            source_check: whether a change of the function's code makes a value anew;
                None for what CACHE_SOURCE_CHECK says.
            stale: for how many seconds (a number or a timedelta) past its timeout a
                value is served while one caller makes it anew; None for CACHE_STALE.
            stale_if_error: for how many seconds past its timeout a value is served if
                the function raises; None for CACHE_STALE_IF_ERROR. Errors that are
                answers, as 404 Not Found, pass through.
            tags: labels by which `invalidate_tags` makes its values misses: a list of
                texts, or a function that is given the call's arguments and gives one.
            response_hit_indication: whether an answer from the cache has a header
                `hit_cache: True`.

        Raises:
            TypeError: an option has a value that is not allowed.
            TimeoutValueError: the timeout is none.
            PolicyError: `stale` or `stale_if_error` is no number of seconds.
            KeyValueError: `tags` is no list of texts.
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

        def decorated(function: Callable[P, R]) -> CachedFunction[P, R]:
            keys = ViewKeys(function, key_prefix, query_string=query_string)
            return self._decorate(function, options, keys, make_cache_key)

        return make_decorator(decorated)

    def delete_cached(
        self,
        function: Callable[..., Any],
        path: str | None = None,
        query_args: QueryArguments | None = None,
        **kwargs: Any,
    ) -> bool:
        """Delete what `cached` has stored for a view or function; else as `delete`.

        Args:
            function: the decorated function.
            path: the path of the request. None makes it of the view's arguments.
            query_args: the query string, or the arguments in it, for a view with
                `query_string=True`.
            kwargs: the view's arguments.

        Raises:
            KeyValueError: the path can't be made of the view's arguments.
            StoreError: the store failed. The value may still be served.
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
        return self._here.delete(make_cache_key(**kwargs))

    def memoize(  # noqa: PLR0913, PLR0917 - as its users know it
        self,
        timeout: Any = None,
        make_name: Callable[[str], str] | None = None,
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        args_to_ignore: Iterable[str] = (),
        cache_none: bool = False,  # noqa: FBT001, FBT002 - as above
        *,
        is_stale: Callable[..., Any] | None = None,
        source_check: bool | None = None,
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
    ) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
        """Cache what a function or method gives, for each set of arguments.

        Arguments that mean the same call share a value, whether they are given by
        position, by name or by default. An object counts by its `__cache_key__()` or
        `__caching_id__()`, else by its repr; one that has neither is itself, as long as
        it lives.

        Args:
            timeout: as for `cached`.
            make_name: gives another name for the function in the key, from its name.
            unless: as for `cached`.
            forced_update: as for `cached`.
            response_filter: as for `cached`.
            args_to_ignore: the names of parameters that the value does not depend on.
            cache_none: as for `cached`.
            is_stale: as for `cached`.
            source_check: as for `cached`.
            stale: as for `cached`.
            stale_if_error: as for `cached`.
            tags: as for `cached`.

        Raises:
            TypeError: an option has a value that is not allowed.
            TimeoutValueError: the timeout is none.
            PolicyError: `stale` or `stale_if_error` is no number of seconds.
            KeyValueError: `tags` is no list of texts.
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

        def decorated(function: Callable[P, R]) -> CachedFunction[P, R]:
            keys = ArgumentKeys(function, make_name, args_to_ignore or ())
            self._memoized[keys.name] = keys
            return self._decorate(function, options, keys, None)

        return make_decorator(decorated)

    def delete_memoized(
        self, function: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> None:
        """Delete what `memoize` has stored.

        Args:
            function: the function, for all its calls; a method of an object, for the
                calls on that object; or the name of a function, with or without its
                module.
            args: with `kwargs`, the arguments of the one call to delete.
            kwargs: the same.

        Raises:
            KeyValueError: there is no such memoized function, or an argument does not
                say what it is.
            TypeError: the function can't be called so.
            StoreError: the store failed. The value may still be served.
        """
        keys: Keys | None
        instances: tuple[Any, ...] = ()
        if isinstance(function, str):
            keys = self._memoized_by_name(function)
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
            self._here.invalidate([keys.tag_of(*instances)])
            return
        # A method of an object may be given the object once more.
        if instances and not (args and args[0] is instances[0]):
            args = (*instances, *args)
        self._here.delete(keys(*args, **kwargs))

    def _memoized_by_name(self, name: str) -> ArgumentKeys:
        found = [
            keys
            for full, keys in self._memoized.items()
            if full == name or full.endswith((f".{name}", f".<locals>.{name}"))
        ]
        if len(found) == 1:
            return found[0]
        known = ", ".join(keys.name for keys in found or self._memoized.values())
        raise KeyValueError(
            f"{'Several' if found else 'No'} memoized functions have the name {name!r}."
            f" Write one of {known or 'them: there are none'}."
        )

    def _decorate(
        self,
        function: Callable[P, R],
        options: Options,
        keys: Keys,
        make_cache_key: Callable[..., str] | None,
    ) -> CachedFunction[P, R]:
        self._decorated.add(function)
        return decorate(function, lambda: self._here, options, keys, make_cache_key)


def _checked(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if config is not None and not isinstance(config, Mapping):
        raise SettingError(
            f"config takes a dictionary of settings and got {config!r}. Write"
            f" {_EXAMPLE}."
        )
    return config or {}
