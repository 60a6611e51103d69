"""The wrapper that `cached` and `memoize` put around a function: one for both."""

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from flask import has_request_context

from jinja_fragcache.engine.flow import recall
from jinja_fragcache.engine.lookup import NotKept, Stopped
from jinja_fragcache.engine.policy import normalize_window
from jinja_fragcache.entries.entry import Entry, Life
from jinja_fragcache.entries.freshness import Windows
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.errors import KeyValueError, SerializationError
from jinja_fragcache.keys.digests import code_digest
from jinja_fragcache.keys.fragment import tag_names
from jinja_fragcache.timeouts import normalize_timeout

from .cacheability import SessionWatch, is_reading, is_view, judge
from .keys import CallKey, Keys, WrongCallError, full_name
from .responses import CachedResponse, join_chunks, mark_hit, read_stream
from .value_cache import AppCache

# Where a wrapper has its keys, whatever is written to its make_cache_key.
_KEYS = "_fragcache_keys"

P = ParamSpec("P")
P2 = ParamSpec("P2")
T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class BoundCachedFunction(Protocol[T_contra, P, R_co]):
    """A cached method, reached through an object."""

    __name__: str
    __qualname__: str
    cache_timeout: Any
    make_cache_key: Callable[..., str]

    @property
    def uncached(self) -> Callable[Concatenate[T_contra, P], R_co]:
        """The function itself."""
        ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Give the value that is stored, or make one."""
        ...


class CachedFunction(Protocol[P, R]):
    """What `cached` and `memoize` make of a function: one with the same signature.

    Attributes:
        uncached: the function itself.
        cache_timeout: its timeout. What is written here holds from the next call on.
        make_cache_key: gives the key of a call. Another function may be put here.
    """

    __name__: str
    __qualname__: str
    uncached: Callable[P, R]
    cache_timeout: Any
    make_cache_key: Callable[..., str]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the value that is stored, or make one."""
        ...

    @overload
    def __get__(
        self, instance: None, owner: type | None = None, /
    ) -> "CachedFunction[P, R]": ...
    @overload
    def __get__(
        self: "CachedFunction[Concatenate[T, P2], R]",
        instance: T,
        owner: type | None = None,
        /,
    ) -> BoundCachedFunction[T, P2, R]: ...
    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        """Bind a method, as functions do."""
        ...


class Rules:
    """What a decorator was told.

    Args:
        timeout: seconds, a timedelta, 0 for ever, None for the cache's default.
        unless: tells whether to leave the store alone. It is given the function and its
            arguments if it takes any.
        forced_update: tells whether to make a value though there is one. It is given
            the arguments if it takes any.
        is_stale: tells of a stored value whether it may not be served. It is given the
            value, and the arguments if it takes more.
        response_filter: tells of a value that was made whether to store it.
        cache_none: whether None is a value.
        source_check: whether a value is served only as long as the function's code is
            the same; None for what CACHE_SOURCE_CHECK says.
        stale: for how many seconds past its timeout a value is served while one caller
            makes it anew: a number, a timedelta, None for the cache's default.
        stale_if_error: for how many it is served if the function raises.
        tags: the labels by which its values can be invalidated: a list of texts, or a
            function that is given the arguments and gives one.
        response_hit_indication: whether an answer from the store says so in a header.

    Raises:
        TypeError: one of the functions is none, or a coroutine function.
        TimeoutValueError: the timeout is none.
        PolicyError: `stale` or `stale_if_error` is no number of seconds.
    """

    def __init__(  # noqa: PLR0913 - one for each of the decorators' options
        self,
        *,
        timeout: Any,
        unless: Callable[..., Any] | None,
        forced_update: Callable[..., Any] | None,
        is_stale: Callable[..., Any] | None,
        response_filter: Callable[..., Any] | None,
        cache_none: bool,
        source_check: bool | None,
        stale: Any,
        stale_if_error: Any,
        tags: Any = None,
        response_hit_indication: bool = False,
    ) -> None:
        if callable(timeout):
            raise TypeError(
                "The decorator has to be called. Write it with (), as in"
                " @cache.cached() or @cache.memoize(300)."
            )
        normalize_timeout(timeout)
        self.timeout = timeout
        self.stale = normalize_window("stale", stale)
        self.stale_if_error = normalize_window("stale_if_error", stale_if_error)
        self.tags = _tags(tags)
        self.unless = _question("unless", unless, 0)
        self.forced_update = _question("forced_update", forced_update, 0)
        self.is_stale = _question("is_stale", is_stale, 1)
        self.response_filter = _question(
            "response_filter", response_filter, 1, if_none=True
        )
        self.cache_none = cache_none
        self.source_check = source_check
        self.response_hit_indication = response_hit_indication


def _tags(given: Any) -> Callable[..., Any]:
    """Give a function that gives the tags of a call.

    Raises:
        KeyValueError: what was given is neither a list of texts nor a function.
        TypeError: it is a coroutine function.
    """
    if callable(given):
        return _question("tags", given, 0)
    names = tag_names(given)
    return lambda *_, **__: names


def _question(
    name: str,
    given: Any,
    always: int,
    *,
    if_none: bool = False,
) -> Callable[..., Any]:
    """Give a function that can be asked with all arguments.

    Args:
        name: the option that it was given as.
        given: what was given.
        always: how many arguments it always takes. If it takes more, it gets all.
        if_none: the answer if nothing was given.
    """
    if given is None:
        return lambda *_, **__: if_none
    if not callable(given) or inspect.iscoroutinefunction(given):
        raise TypeError(
            f"{name} takes a plain function, to be asked for each call, and got"
            f" {given!r}. Write {name}=lambda{' value' * always}: ..."
        )
    try:
        kinds = [each.kind for each in inspect.signature(given).parameters.values()]
    except ValueError:
        kinds = []  # some that are written in C don't tell
    if len(kinds) - kinds.count(inspect.Parameter.KEYWORD_ONLY) > always:
        asked: Callable[..., Any] = given
        return asked
    return lambda *args, **_: given(*args[:always])


@dataclass(slots=True)
class _Call:
    """One call of a decorated function, as the flow asks for its value.

    Attributes:
        key: the key of its entry.
        tags: the tags of its entry.
        version: what the code of the function has to be, None for anything.
        timeout: the function's timeout.
        watch: what it does with the session; None if no request is being answered.
        of_view: whether it is the view of the request, so that its value is the answer.
        own_key: whether the developer makes the keys.
        windows: what may be done with a value past its timeout.
        is_made: whether the function was called, and gave something.
        is_kept: whether what it gave is to be stored.
    """

    home: AppCache
    function: Callable[..., Any]
    rules: Rules
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: str
    tags: tuple[str, ...]
    version: str | None
    timeout: int | None
    watch: SessionWatch | None
    of_view: bool
    own_key: bool
    windows: Windows
    is_made: bool = False
    is_kept: bool = False

    def load(self, stored: object, entry: Entry | None) -> Any:  # noqa: ARG002 - Request's form
        """Do as `request.Request.load`."""
        if entry is None or entry.version != self.version:
            return MISSING
        if self.rules.forced_update(*self.args, **self.kwargs):
            return MISSING
        value = self.home.codec.decode(self.key, entry)
        if value is None and not self.rules.cache_none:
            return MISSING
        if value is MISSING or self.rules.is_stale(value, *self.args, **self.kwargs):
            return MISSING
        return value

    def timeout_of(self, value: Any) -> int | None:
        """Do as `request.Request.timeout_of`."""
        if not self.is_kept:
            raise NotKept
        if isinstance(value, CachedResponse) and value.timeout is not None:
            return value.timeout
        return self.timeout

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],  # noqa: ARG002 - a view's entry is not bound to them
    ) -> str | int:
        """Do as `request.Request.dump`."""
        try:
            return self.home.codec.encode(self.key, value, self.version, tags, life)
        except SerializationError as error:
            _refuse(self.home, self.function, error)
            raise NotKept from None

    def make(self) -> Any:
        """Make the value."""
        with self.watch or nullcontext():
            try:
                value = self.function(*self.args, **self.kwargs)
            except StopIteration as error:
                raise Stopped(error) from None
            value = join_chunks(value)
        return self._finish(value)

    async def make_async(self) -> Any:
        """Make the value of a coroutine function."""
        with self.watch or nullcontext():
            value = await self.function(*self.args, **self.kwargs)
        return self._finish(value)

    def mark(self) -> None:
        """Let the answer say that it is from the store, if it is and has to."""
        if self.rules.response_hit_indication and not self.is_made:
            mark_hit()

    def _finish(self, value: Any) -> Any:
        """Decide whether what the function gave is kept, and read it to its end then.

        A stream is a part of the function, which goes on in it: it may use the session,
        and fail.
        """
        self.is_kept = (
            (value is not None or self.rules.cache_none)
            and bool(self.rules.response_filter(value))
            and self._may_be_shared(value)
            and self._read(value)
        )
        self.is_made = True
        return value

    def _read(self, value: Any) -> bool:
        """Read a stream, and tell whether what it is may be kept now."""
        watch = self.watch
        if watch is None:
            return read_stream(value)
        seen = (watch.read, watch.changed)
        with watch:
            is_whole = read_stream(value)
        if seen == (watch.read, watch.changed):
            return is_whole
        return is_whole and self._may_be_shared(value)

    def _may_be_shared(self, value: Any) -> bool:
        watch = self.watch
        if watch is None:
            return True
        verdict = judge(value, watch, of_view=self.of_view, own_key=self.own_key)
        if verdict.warning is not None:
            name = full_name(self.function)
            self.home.fragment_cache.warn_once(
                name,
                f"{name}(): the answer is {'cached' if verdict.kept else 'not cached'}."
                f" {verdict.warning}. Leave such requests out with unless=..., tell"
                " them apart with make_cache_key=..., or cache the parts that are the"
                " same for all with the cache tag.",
            )
        return verdict.kept


class _Decorated:
    """A function, and what is known of it when it is called."""

    def __init__(
        self,
        function: Callable[..., Any],
        home: Callable[[], AppCache],
        rules: Rules,
        keys: Keys,
    ) -> None:
        self._function = function
        self._home = home
        self._rules = rules
        self._keys = keys
        code = getattr(inspect.unwrap(function), "__code__", None)
        self._digest = code_digest(code) if code else None

    def call_of(
        self, wrapper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _Call | None:
        """Give what is asked for by a call; None if the cache is to be left alone."""
        home = self._home()
        call = self._call_of(home, wrapper, args, kwargs)
        if call is None:
            home.fragment_cache.count_uncached()
        return call

    def _call_of(
        self, home: AppCache, wrapper: Any, args: tuple[Any, ...], kwargs: Any
    ) -> _Call | None:
        timeout = normalize_timeout(wrapper.cache_timeout)
        make_key = wrapper.make_cache_key
        own_key = make_key is not self._keys or self._keys.are_custom
        of_view = is_view(self._function)
        if self._keys.by_path and not own_key and not of_view:
            of_view = self._warn_of_path(home)
        if self._rules.unless(self._function, *args, **kwargs):
            return None
        if of_view and not own_key and not is_reading():
            return None
        key = self._key_of(home, make_key, args, kwargs)
        if key is None:
            return None
        return _Call(
            home=home,
            function=self._function,
            rules=self._rules,
            args=args,
            kwargs=kwargs,
            key=key.key,
            tags=key.tags,
            version=self._version(home),
            timeout=timeout,
            watch=SessionWatch() if has_request_context() else None,
            of_view=of_view,
            own_key=own_key,
            windows=home.fragment_cache.policy.windows(
                self._rules.stale, self._rules.stale_if_error
            ),
        )

    def _warn_of_path(self, home: AppCache) -> bool:
        """Warn of a function that takes the place of a page; tell if there is one."""
        if not has_request_context():
            return False
        name = full_name(self._function)
        home.fragment_cache.warn_once(
            (name, "path"),
            f"{name}(): its key is the path of the request, as a view's is, and it is"
            " not this request's view. If it is no view, give it a key of its own:"
            f" @cache.cached(key_prefix={self._function.__name__!r}). If it is one,"
            " a decorator above it hides it: it lacks functools.wraps.",
        )
        return True

    def _key_of(
        self,
        home: AppCache,
        make_key: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> CallKey | None:
        try:
            if make_key is self._keys:
                key = self._keys.of_call(args, kwargs)
            else:
                key = self._keys.of_custom_key(make_key, args, kwargs)
            tags = tag_names(self._rules.tags(*args, **kwargs))
            return key._replace(tags=(*key.tags, *tags))
        except KeyValueError as error:
            _refuse(home, self._function, error)
        except WrongCallError:
            pass  # the function itself says best what is wrong
        return None

    def _version(self, home: AppCache) -> str | None:
        checks = self._rules.source_check
        return (
            self._digest if (home.source_check if checks is None else checks) else None
        )


def decorate(
    function: Callable[P, R],
    home: Callable[[], AppCache],
    rules: Rules,
    keys: Keys,
    make_cache_key: Callable[..., str] | None = None,
) -> CachedFunction[P, R]:
    """Wrap a function, plain or a coroutine function.

    Args:
        function: the function.
        home: gives where to keep values, for each call.
        rules: what the decorator was told.
        keys: gives the keys of its calls.
        make_cache_key: gives them instead, if there is one.
    """
    decorated = _Decorated(function, home, rules, keys)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapping(*args: Any, **kwargs: Any) -> Any:
            call = decorated.call_of(wrapper, args, kwargs)
            if call is None:
                return await function(*args, **kwargs)
            flow = partial(recall, call)
            value = await call.home.fragment_cache.run_async(flow, call.make_async)
            call.mark()
            return value

    else:

        @functools.wraps(function)
        def wrapping(*args: Any, **kwargs: Any) -> Any:
            call = decorated.call_of(wrapper, args, kwargs)
            if call is None:
                return function(*args, **kwargs)
            try:
                value = call.home.fragment_cache.run(partial(recall, call), call.make)
            except Stopped as stop:
                raise stop.error from None
            call.mark()
            return value

    setattr(wrapping, _KEYS, keys)
    wrapper = cast("CachedFunction[P, R]", wrapping)
    wrapper.uncached = function
    wrapper.cache_timeout = rules.timeout
    wrapper.make_cache_key = make_cache_key or keys
    return wrapper


def keys_of(function: Callable[..., Any]) -> Keys | None:
    """Give the keys of a decorated function, or of a method of one."""
    return getattr(function, _KEYS, None)


def decorator_of(
    decorated: Callable[[Callable[P, R]], CachedFunction[P, R]],
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Make a decorator for functions one for class methods and static methods, too.

    Raises:
        TypeError: it decorates something else.
    """

    def decorator(function: Any) -> Any:
        if isinstance(function, (classmethod, staticmethod)):
            method: Any = function.__func__
            kind: Any = type(function)
            return kind(decorated(method))
        if not _is_function(function):
            raise TypeError(
                f"What is cached is a function, and this is {function!r}. Write one"
                " that calls it."
            )
        return decorated(function)

    return decorator


def _is_function(value: Any) -> bool:
    """Tell whether a function has a name and tells its parameters."""
    if not callable(value) or isinstance(value, type):
        return False
    if not hasattr(value, "__qualname__"):
        return False
    try:
        inspect.signature(value)
    except ValueError:
        return False
    return isinstance(getattr(value, "__module__", None), str)


def _refuse(
    home: AppCache,
    function: Callable[..., Any],
    error: KeyValueError | SerializationError,
) -> None:
    """Raise, or log once, that a function's value is not cached.

    Raises:
        KeyValueError: the cache is strict, and the key was refused.
        SerializationError: the cache is strict, and the value was refused.
    """
    name = full_name(function)
    told = type(error)(f"{name}(): the value is not cached. {error}")
    home.fragment_cache.refuse(name, told)
