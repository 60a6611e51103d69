"""`memoize` without an application: the methods of `FragmentCache` for functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from jinja_fragcache.operations import perform, perform_async

if TYPE_CHECKING:
    from .typing import MemoizeDecorator
    from .value_rules import ValueRules


class MemoizeMethods:
    """Caches what functions return, by their arguments."""

    def _value_rules(self) -> ValueRules:
        """Return the present cache's engine, and how it stores values."""
        raise NotImplementedError

    def memoize(
        self,
        timeout: Any = None,
        *,
        make_name: Callable[[str], str] | None = None,
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        is_stale: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        cache_none: bool = False,
        source_check: bool | None = None,
        args_to_ignore: Iterable[str] = (),
        stale: Any = None,
        stale_if_error: Any = None,
        tags: Any = None,
        allow: Iterable[str] = (),
        verify: bool = True,
        background: bool | None = None,
    ) -> MemoizeDecorator:
        """Decorate a function or method to cache a value for each set of arguments.

        It may be a plain function or a coroutine function. Calls that give each
        parameter the same value share an entry, whether arguments are written by
        position, by name or left to their default. Of several callers that miss, one
        calls the function.

        Args:
            timeout: Seconds (int or float), a timedelta, 0 for never expiring, None for
                the cache's default.
            make_name: A function that gets the function's name and returns the name to
                use in the key.
            unless: A function that returns, for each call, whether to bypass the cache.
                If it takes arguments, it gets the function and those of the call.
            forced_update: A function that returns, for each call, whether to call the
                function even if a value is stored. If it takes arguments, it gets those
                of the call.
            is_stale: A function that gets a stored value and returns whether to make a
                new one. If it takes more arguments, it gets those of the call.
            response_filter: A function that gets a new value and returns whether to
                store it.
            cache_none: Whether None is stored as a value.
            source_check: Whether the function's source is part of the key, so that the
                function is called again if it has changed.
            args_to_ignore: The names of parameters that the value does not depend on.
            stale: Seconds (a number or a timedelta) past its timeout during which a
                value is served while one caller makes a new one; None for the cache's.
            stale_if_error: Seconds past its timeout during which a value is served if
                the function raises; None for the cache's.
            tags: The tags by which `invalidate_tags` invalidates the values: a list of
                strings, or a function that gets the arguments of the call and returns
                one.
            allow: The dotted names of what the function may read of the request though
                its arguments lack it.
            verify: Whether hits may be verified, if the cache verifies some.
            background: Whether a stale value of a plain function is made again behind
                the request, so that no caller waits for it; None for the cache's.

        Raises:
            TypeError: If an option has a value that is not allowed.
            TimeoutValueError: If `timeout` is not a timeout.
            PolicyError: If `stale` or `stale_if_error` is not a number of seconds.
            KeyValueError: If `tags` is not a list of strings.
        """
        made: MemoizeDecorator = _memoized().memoize(
            self,
            self._value_rules,
            make_name=make_name,
            args_to_ignore=args_to_ignore,
            timeout=timeout,
            unless=unless,
            forced_update=forced_update,
            is_stale=is_stale,
            response_filter=response_filter,
            cache_none=cache_none,
            hash_method=None,
            source_check=source_check,
            stale=stale,
            stale_if_error=stale_if_error,
            tags=tags,
            allow=allow,
            verify=verify,
            background=background,
        )
        return made

    def delete_memoized(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> None:
        """Delete values that `memoize` has stored.

        Args:
            function: The function, to delete the values of all calls; a method of an
                object, to delete those of the calls on that object.
            args: With `kwargs`, the arguments of the only call to delete. Or further
                functions, to delete the values of all their calls, too.
            kwargs: See `args`.

        Raises:
            KeyValueError: If `memoize` has not decorated such a function, or an
                argument has nothing that identifies it, or a method's object is
                missing.
            WrongCallError: If the function does not accept these arguments.
            StoreError: If the store failed. The values may still be served.
        """
        context = self._value_rules().engine.context
        perform(_memoized().delete_memoized(context, function, args, kwargs))

    async def delete_memoized_async(
        self, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> None:
        """Like `delete_memoized`, but awaits the store."""
        context = self._value_rules().engine.async_context
        await perform_async(
            _memoized().delete_memoized(context, function, args, kwargs)
        )


def _memoized() -> ModuleType:
    """Return the module that does it, which most caches never need."""
    from . import memoized  # noqa: PLC0415 - it takes long to import

    return memoized
