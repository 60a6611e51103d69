"""The wrapper that `cached` and `memoize` put around a function."""

import functools
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from flask import has_request_context

from jinja_fragcache.engine.dependencies import start_watching
from jinja_fragcache.engine.flow import recall
from jinja_fragcache.engine.key_reads import KeyReads
from jinja_fragcache.engine.reporting import Draft
from jinja_fragcache.engine.spec import Stopped
from jinja_fragcache.engine.whole import Whole, keep_out_of_store
from jinja_fragcache.errors import KeyValueError, WrongCallError
from jinja_fragcache.keys.fragment import tag_names
from jinja_fragcache.observe.events import Reason, Why
from jinja_fragcache.timeouts import normalize_timeout

from .cacheability import SessionWatch, is_current_view, is_read_request
from .call import FunctionCall, about_function, refuse
from .call_guard import ANYTHING
from .keys import CallKey, Keys, full_name
from .options import Options
from .signatures import signature_of
from .typing import CachedFunction, P, R
from .value_cache import AppCache

# The wrapper's attribute with its keys. Its make_cache_key may be replaced by users.
_KEYS = "_fragcache_keys"


class Bypass:
    """A call of a decorated function that is made without the cache.

    Args:
        function: The function.
        draft: Its report; None if nobody listens.
    """

    __slots__ = ("_draft", "_function")

    def __init__(self, function: Callable[..., Any], draft: Draft | None) -> None:
        self._function = function
        self._draft = draft

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        draft = self._draft
        if draft is None:
            return self._function(*args, **kwargs)
        try:
            return draft.observed(self._function, blocking=True)(*args, **kwargs)
        finally:
            draft.send()

    async def run_async(self, *args: Any, **kwargs: Any) -> Any:
        """Like `run`, for a coroutine function."""
        draft = self._draft
        if draft is None:
            return await self._function(*args, **kwargs)
        try:
            return await draft.observed(self._function, blocking=False)(*args, **kwargs)
        finally:
            draft.send()


class _CallFactory:
    """Makes a `FunctionCall` of each call of a decorated function."""

    def __init__(
        self,
        function: Callable[..., Any],
        current_app_cache: Callable[[], AppCache],
        options: Options,
        keys: Keys,
    ) -> None:
        self._function = function
        self._current_app_cache = current_app_cache
        self._options = options
        self._keys = keys

    def make_call(
        self, wrapper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "FunctionCall | Bypass":
        """Return the call to look up, or how to call the function without the cache.

        Args:
            wrapper: The decorated function, whose attributes users may change.
            args: The arguments of the call.
            kwargs: The arguments of the call.
        """
        app_cache = self._current_app_cache()
        call = self._make_call(app_cache, wrapper, args, kwargs)
        if isinstance(call, FunctionCall):
            return call
        about = partial(about_function, self._function, args, kwargs)
        draft = app_cache.fragment_cache.engine.uncached(about, Why(call))
        return Bypass(self._function, draft)

    def _make_call(
        self, app_cache: AppCache, wrapper: Any, args: tuple[Any, ...], kwargs: Any
    ) -> FunctionCall | Reason:
        timeout = normalize_timeout(wrapper.cache_timeout)
        make_key = wrapper.make_cache_key
        is_key_custom = make_key is not self._keys or self._keys.are_custom
        is_view = is_current_view(self._function)
        if self._keys.by_path and not is_key_custom and not is_view:
            is_view = self._warn_of_path(app_cache)
        if self._options.unless(self._function, *args, **kwargs):
            keep_out_of_store()
            return Reason.UNLESS
        if is_view and not is_key_custom and not is_read_request():
            return Reason.METHOD
        engine = app_cache.fragment_cache.engine
        whole, policy = engine.whole, engine.policy
        if whole is not None and self._is_off(app_cache, whole):
            return Reason.UNLESS
        # What the key's function reads was not read before.
        session_watch = SessionWatch() if has_request_context() else None
        if is_key_custom:
            with KeyReads() as read:
                start_watching()
                key = self._key_of(app_cache, make_key, args, kwargs)
            named = read.cover(key.key) if key and policy.guard else ANYTHING
        else:
            key = self._key_of(app_cache, make_key, args, kwargs)
            named = self._keys.named_of_view if is_view else self._keys.named
        if key is None:
            return Reason.KEY
        is_forced = bool(self._options.forced_update(*args, **kwargs))
        call = FunctionCall(
            app_cache=app_cache,
            function=self._function,
            options=self._options,
            args=args,
            kwargs=kwargs,
            key=key.key,
            tags=key.tags,
            is_forced=is_forced,
            timeout=timeout,
            session_watch=session_watch,
            is_view=is_view,
            named=named,
            grace=policy.grace(self._options.stale, self._options.stale_if_error),
            verified_as=self._verified_as() if policy.verify else None,
        )
        return call if whole is None else self._vary(call, whole)

    def _is_off(self, app_cache: AppCache, whole: Whole) -> bool:
        """Return whether the cache is used for nothing now.

        Raises:
            KeyValueError: If that is not known and the cache is strict.
        """
        try:
            return whole.is_off()
        except KeyValueError as error:
            refuse(app_cache, self._function, error)
        return True

    def _vary(self, call: FunctionCall, whole: Whole) -> FunctionCall | Reason:
        """Add the values of the whole cache to a call, if it has a key with them.

        Raises:
            KeyValueError: If a value was refused and the cache is strict.
        """
        try:
            present = whole.present()
        except KeyValueError as error:
            refuse(call.app_cache, self._function, error)
            return Reason.KEY
        if present is not None:
            call.vary(present)
        return call

    def _verified_as(self) -> str | None:
        """Return what messages call a value whose hits may be verified, else None."""
        if not self._options.verify:
            return None
        return f"{full_name(self._function)}(): the value"

    def _warn_of_path(self, app_cache: AppCache) -> bool:
        """Warn that the function's key is a page's; return whether there is a page."""
        if not has_request_context():
            return False
        name = full_name(self._function)
        app_cache.fragment_cache.engine.warn_once(
            (name, "path"),
            f"{name}(): its key is the path of the request, as a view's is, and it is"
            " not this request's view. If it is no view, give it a key of its own:"
            f" @cache.cached(key_prefix={self._function.__name__!r}). If it is one,"
            " a decorator above it hides it: it lacks functools.wraps.",
        )
        return True

    def _key_of(
        self,
        app_cache: AppCache,
        make_key: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> CallKey | None:
        """Return the key and the tags of a call, or None if it can't have a key.

        Raises:
            KeyValueError: If the key or a tag was refused and the cache is strict.
        """
        try:
            if make_key is self._keys:
                source_check = app_cache.checks_source(self._options.source_check)
                key = self._keys.of_call(args, kwargs, source_check=source_check)
            else:
                key = self._keys.of_custom_key(make_key, args, kwargs)
            tags = tag_names(self._options.tags(*args, **kwargs))
            return key._replace(tags=(*key.tags, *tags))
        except KeyValueError as error:
            refuse(app_cache, self._function, error)
        except WrongCallError:
            pass  # The function itself raises a better error when it is called.
        return None


def decorate(
    function: Callable[P, R],
    current_app_cache: Callable[[], AppCache],
    options: Options,
    keys: Keys,
    make_cache_key: Callable[..., str] | None = None,
) -> CachedFunction[P, R]:
    """Wrap a plain function or a coroutine function.

    Args:
        function: The function.
        current_app_cache: Returns the values of the current application.
        options: The options of the decorator.
        keys: Makes the keys of the calls.
        make_cache_key: A function of the user that makes them instead, or None.
    """
    calls = _CallFactory(function, current_app_cache, options, keys)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = calls.make_call(wrapper, args, kwargs)
            if isinstance(call, Bypass):
                return await call.run_async(*args, **kwargs)
            flow = partial(recall, call)
            value = await call.app_cache.fragment_cache.engine.run_async(
                flow, call.make_async
            )
            return call.answer(value)

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = calls.make_call(wrapper, args, kwargs)
            if isinstance(call, Bypass):
                return call.run(*args, **kwargs)
            flow = partial(recall, call)
            try:
                value = call.app_cache.fragment_cache.engine.run(flow, call.make)
            except Stopped as stop:
                raise stop.error from None
            return call.answer(value)

    setattr(wrapper, _KEYS, keys)
    cached = cast("CachedFunction[P, R]", wrapper)
    cached.uncached = function
    cached.cache_timeout = options.timeout
    cached.make_cache_key = make_cache_key or keys
    return cached


def keys_of(function: Callable[..., Any]) -> Any:
    """Return the keys of a decorated function or method, None if it isn't decorated."""
    return getattr(function, _KEYS, None)


def decorated(function: Any, kind: type[Keys]) -> Any:
    """Return the decorated function that a function is, or that it wraps.

    Args:
        function: A function, which further decorators may have wrapped.
        kind: The class of the keys, which tells the decorator.

    Returns:
        None if there is no such function.
    """
    while function is not None and not isinstance(keys_of(function), kind):
        function = getattr(function, "__wrapped__", None)
    return function


def make_decorator(
    decorate_function: Callable[[Callable[..., Any]], Any],
) -> Callable[[Any], Any]:
    """Return a decorator for functions, class methods and static methods.

    The decorator raises TypeError for anything else.

    Args:
        decorate_function: Decorates a function.
    """

    def decorator(function: Any) -> Any:
        if isinstance(function, (classmethod, staticmethod)):
            method: Any = function.__func__
            kind: Any = type(function)
            return kind(decorate_function(method))
        if not _is_function(function):
            raise TypeError(
                f"What is cached is a function, and this is {function!r}. Write one"
                " that calls it."
            )
        return decorate_function(function)

    return decorator


def _is_function(value: Any) -> bool:
    """Return whether a value is a function with a name, a module and a signature."""
    if not callable(value) or isinstance(value, type):
        return False
    if not hasattr(value, "__qualname__"):
        return False
    try:
        signature_of(value)
    except ValueError:
        return False
    return isinstance(getattr(value, "__module__", None), str)
