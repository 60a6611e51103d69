"""The methods of `Cache` that delete what decorated functions have stored."""

from collections.abc import Callable
from typing import Any

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.functions.argument_keys import ArgumentKeys, find_by_name
from jinja_fragcache.functions.decorators import decorated, keys_of
from jinja_fragcache.functions.deletions import deletions, memoized_keys
from jinja_fragcache.messages import describe

from .store_methods import StoreMethods
from .view_keys import QueryArguments, ViewKeys


class DeleteMethods(StoreMethods):
    """Deletes values of functions that `cached` or `memoize` has decorated."""

    def __init__(self) -> None:
        # By the names of the functions.
        self._memoized: dict[str, ArgumentKeys] = {}

    def delete_cached(
        self,
        function: Callable[..., Any],
        /,
        path: str | None = None,
        query_args: QueryArguments | None = None,
        **kwargs: Any,
    ) -> bool:
        """Delete the value that `cached` has stored for a view or function.

        Args:
            function: The decorated function.
            path: The path of the request, which begins with "/". None builds it from
                the view's arguments.
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
        view = decorated(function, ViewKeys)
        if view is None:
            raise KeyValueError(
                "delete_cached takes a function that @cache.cached has decorated, and"
                f" got {describe(function)}."
                + _instead(function, ArgumentKeys, "delete_memoized")
            )
        make_cache_key = view.make_cache_key
        if make_cache_key is keys_of(view):
            make_cache_key = make_cache_key.of_request
            kwargs |= {"path": path, "query_args": query_args}
        return self._app_cache.delete(make_cache_key(**kwargs))

    def delete_memoized(
        self, function: Callable[..., Any] | str, /, *args: Any, **kwargs: Any
    ) -> None:
        """Delete values that `memoize` has stored.

        Args:
            function: The function, or its name with or without its module, to delete
                the values of all calls; a method of an object, to delete those of the
                calls on that object.
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
        for deletion in deletions(self._memoized_keys, function, args, kwargs):
            if deletion.is_tag:
                self._app_cache.invalidate([deletion.name])
            else:
                self._app_cache.delete(deletion.name)

    def delete_memoized_verhash(
        self, function: Callable[..., Any], /, *args: Any
    ) -> None:
        """Delete the values of all calls of a function, as `delete_memoized` does.

        Flask-Caching keeps a version for each function, which this method deletes.

        Args:
            function: The function, or a method of an object.
            args: Not used.

        Raises:
            KeyValueError: If `memoize` has not decorated the function.
            StoreError: If the store failed. The values may still be served.
        """
        self.delete_memoized(function)

    def _memoized_keys(
        self, function: Callable[..., Any] | str
    ) -> tuple[ArgumentKeys, tuple[Any, ...]]:
        """Return a function's keys, and the object that it is a method of, if any.

        Raises:
            KeyValueError: If `memoize` has not decorated such a function.
        """
        if isinstance(function, str):
            return find_by_name(self._memoized.values(), function), ()
        for keys in self._memoized.values():
            if keys.function is function:  # It is the `uncached` of the decorated one.
                return keys, ()
        found = memoized_keys(function)
        if found is None:
            raise KeyValueError(
                "delete_memoized takes a function that @cache.memoize has decorated,"
                f" or its name, and got {describe(function)}."
                + _instead(function, ViewKeys, "delete_cached")
            )
        return found


def _instead(function: Any, kind: type, method: str) -> str:
    """Return what an error adds if a function is decorated by the other decorator."""
    if decorated(function, kind) is None:
        return ""
    return f" For this one, write cache.{method}({function.__name__}, ...)."
