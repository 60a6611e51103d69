"""The wrapper that `cached` and `memoize` put around a function."""

import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, Generic, TypeVar, cast

from jinja_fragcache.engine.dependencies import current_dependencies, start_watching
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.expiry import keep_out_of_store, note_uncached
from jinja_fragcache.engine.flow import recall
from jinja_fragcache.engine.key_reads import KeyReads
from jinja_fragcache.engine.lookup import note_unstored
from jinja_fragcache.engine.reporting import Draft
from jinja_fragcache.engine.spec import Stopped
from jinja_fragcache.engine.whole import Whole
from jinja_fragcache.errors import KeyValueError, WrongCallError
from jinja_fragcache.guard.places import tell_places
from jinja_fragcache.guard.reads import Cover
from jinja_fragcache.keys.fragment import tag_names
from jinja_fragcache.observe.events import Reason
from jinja_fragcache.timeouts import normalize_timeout

from .call import FunctionCall, about_function, refuse
from .call_guard import ANYTHING
from .keys import CallKey, Keys, full_name
from .options import Options
from .signatures import signature_of
from .typing import CachedFunction, P, R
from .value_rules import ValueRules, checks_source

# The wrapper's attribute with its keys. Its make_cache_key may be replaced by users.
_KEYS = "_fragcache_keys"
V = TypeVar("V", bound=ValueRules)


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


class CallFactory(Generic[V]):
    """Makes a `FunctionCall` of each call of a decorated function.

    Args:
        function: The function.
        current_rules: Returns how the present cache stores values.
        options: The options of the decorator.
        keys: Makes the keys of the calls.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        current_rules: Callable[[], V],
        options: Options,
        keys: Keys,
    ) -> None:
        self.function = function
        self.options = options
        self.keys = keys
        self._current_rules = current_rules

    def make_call(
        self, wrapper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> FunctionCall | Bypass:
        """Return the call to look up, or how to call the function without the cache.

        Args:
            wrapper: The decorated function, whose attributes users may change.
            args: The arguments of the call.
            kwargs: The arguments of the call.
        """
        rules = self._current_rules()
        call = self.choose(rules, wrapper, args, kwargs)
        if isinstance(call, FunctionCall):
            return call
        about = partial(about_function, self.function, args, kwargs)
        return Bypass(self.function, rules.engine.uncached(about, call))

    def choose(
        self, rules: V, wrapper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> FunctionCall | Reason:
        """Return the call to look up, or why the cache is bypassed.

        Args:
            rules: How the present cache stores values.
            wrapper: The decorated function.
            args: The arguments of the call.
            kwargs: The arguments of the call.
        """
        if self.options.unless(self.function, *args, **kwargs):
            keep_out_of_store()
            return Reason.UNLESS
        engine, named = rules.engine, self.keys.named
        if engine.whole is not None and self.is_off(rules, engine.whole):
            return Reason.UNLESS
        is_key_custom = self.is_key_custom(wrapper)
        return self.complete(
            FunctionCall, rules, engine, wrapper, args, kwargs, is_key_custom, named
        )

    def is_off(self, rules: V, whole: Whole) -> bool:
        """Return whether the cache is used for nothing now.

        Args:
            rules: How the cache stores values.
            whole: What holds for the whole cache.

        Raises:
            KeyValueError: If that is not known and the cache is strict.
        """
        try:
            return whole.is_off()
        except KeyValueError as error:
            refuse(rules, self.function, error)
        return True

    def is_key_custom(self, wrapper: Any) -> bool:
        """Return whether a function of the user makes the key of each call."""
        return wrapper.make_cache_key is not self.keys or self.keys.are_custom

    def complete(
        self,
        kind: type[FunctionCall],
        rules: V,
        engine: Engine,
        wrapper: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        is_key_custom: bool,
        named: Cover,
        **more: Any,
    ) -> FunctionCall | Reason:
        """Return a call with its key, or why it has none.

        Args:
            kind: The class of the call.
            rules: How the cache stores values.
            engine: The engine of the cache.
            wrapper: The decorated function.
            args: The arguments of the call.
            kwargs: The arguments of the call.
            is_key_custom: Whether a function of the user makes the key.
            named: What the key names of the request, if no function of the user makes
                it.
            more: Further fields of the call.

        Raises:
            KeyValueError: If the key was refused and the cache is strict.
        """
        policy = engine.policy
        timeout = normalize_timeout(wrapper.cache_timeout)
        if is_key_custom:
            with KeyReads() as read:
                start_watching()
                key = self._key_of(rules, wrapper, args, kwargs)
            read.pass_on()
            named = read.cover(key.key) if key and policy.guard else ANYTHING
        else:
            key = self._key_of(rules, wrapper, args, kwargs)
        if key is None:
            return Reason.KEY
        call = kind(
            rules=rules,
            function=self.function,
            options=self.options,
            args=args,
            kwargs=kwargs,
            key=key.key,
            tags=key.tags,
            is_forced=bool(self.options.forced_update(*args, **kwargs)),
            timeout=timeout,
            named=named,
            grace=policy.grace(self.options.stale, self.options.stale_if_error),
            verified_as=self._verified_as() if policy.verify else None,
            **more,
        )
        return call if engine.whole is None else self._vary(call, engine.whole)

    def _vary(self, call: FunctionCall, whole: Whole) -> FunctionCall | Reason:
        """Add the values of the whole cache to a call, if it has a key with them.

        Raises:
            KeyValueError: If a value was refused and the cache is strict.
        """
        try:
            present = whole.present()
        except KeyValueError as error:
            refuse(call.rules, self.function, error)
            note_unstored(call, call.rules.engine.context)
            return Reason.KEY
        if present is not None:
            call.vary(present)
        return call

    def _verified_as(self) -> str | None:
        """Return what messages call a value whose hits may be verified, else None."""
        if not self.options.verify:
            return None
        return f"{full_name(self.function)}(): the value"

    def _key_of(
        self, rules: V, wrapper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> CallKey | None:
        """Return the key and the tags of a call, or None if it can't have a key.

        Raises:
            KeyValueError: If the key or a tag was refused and the cache is strict.
        """
        make_key = wrapper.make_cache_key
        key: CallKey
        try:
            if make_key is self.keys:
                source_check = checks_source(rules, self.options.source_check)
                key = self.keys.of_call(args, kwargs, source_check=source_check)
            else:
                key = self.keys.of_custom_key(make_key, args, kwargs)
            tags = tag_names(self.options.tags(*args, **kwargs))
            return key._replace(tags=(*key.tags, *tags))
        except KeyValueError as error:
            refuse(rules, self.function, error)
            self._note_uncached(rules, wrapper, args, kwargs)
        except WrongCallError:
            pass  # The function itself raises a better error when it is called.
        return None

    def _note_uncached(
        self, rules: V, wrapper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Let what is around a call without a key end with its tags and its timeout."""
        if current_dependencies() is None:
            return
        tags: tuple[str, ...] = ()
        with suppress(KeyValueError, WrongCallError):
            tags = self.keys.tags_of_call(args, kwargs)
            tags += tag_names(self.options.tags(*args, **kwargs))
        timeout = normalize_timeout(wrapper.cache_timeout)
        note_uncached(tags, timeout, rules.engine.context)


# What a key is made of is read while its function is called.
tell_places(CallFactory.complete, lambda calls: f"{full_name(calls.function)}()")


def decorate(
    function: Callable[P, R],
    calls: CallFactory[Any],
    make_cache_key: Callable[..., str] | None = None,
) -> CachedFunction[P, R]:
    """Wrap a plain function or a coroutine function.

    Args:
        function: The function.
        calls: Makes the calls that are looked up.
        make_cache_key: A function of the user that makes their keys, or None.
    """
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = calls.make_call(wrapper, args, kwargs)
            if isinstance(call, Bypass):
                return await call.run_async(*args, **kwargs)
            flow = partial(recall, call)
            value = await call.rules.engine.run_async(flow, call.make_async)
            return call.answer(value)

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            call = calls.make_call(wrapper, args, kwargs)
            if isinstance(call, Bypass):
                return call.run(*args, **kwargs)
            flow = partial(recall, call)
            try:
                value = call.rules.engine.run(flow, call.make)
            except Stopped as stop:
                raise stop.error from None
            return call.answer(value)

    setattr(wrapper, _KEYS, calls.keys)
    cached = cast("CachedFunction[P, R]", wrapper)
    cached.uncached = function
    cached.cache_timeout = calls.options.timeout
    cached.make_cache_key = make_cache_key or calls.keys
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
        if isinstance(function, (property, cached_property)):
            raise TypeError(
                "What is cached is a function, and this is a property. Write the"
                " property's decorator above that of the cache."
            )
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
