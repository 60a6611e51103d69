"""Which functions were decorated, to find those whose routes pass the cache by."""

import inspect
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakSet

from flask import Flask, request_started

from .call_keys import full_name


class DecoratedFunctions:
    """The functions that a `Cache` has decorated.

    A route that stands below the decorator holds the function as it was before, and
    nothing is cached. That is looked for where a function is decorated, and again at
    an application's first request, when blueprints are registered.
    """

    def __init__(self) -> None:
        self._functions: WeakSet[Callable[..., Any]] = WeakSet()

    def add(self, function: Callable[..., Any], apps: Iterable[Flask]) -> None:
        """Note a function that is decorated now.

        Args:
            function: the function, without the cache.
            apps: the applications that are known.
        """
        self._functions.add(function)
        for app in apps:
            _warn_of_routes(app, [function])

    def watch(self, app: Flask) -> None:
        """Look through an application's routes when its first request comes."""

        def look_through(_: Flask, **__: Any) -> None:
            request_started.disconnect(look_through, app)
            _warn_of_routes(app, self._functions)

        request_started.connect(look_through, app, weak=False)


def _warn_of_routes(app: Flask, functions: Iterable[Callable[..., Any]]) -> None:
    views = set(app.view_functions.values())
    for function in functions:
        layer: Any = function
        while layer is not None:
            if layer in views:
                _warn(function)
                break
            # What other decorators have wrapped.
            layer = getattr(layer, "__wrapped__", None)


def _warn(function: Callable[..., Any]) -> None:
    code = inspect.unwrap(function).__code__
    warnings.warn_explicit(
        f"The route of {full_name(function)}() leads to the function without its cache,"
        " because the cache's decorator stands above the route's. Write the route"
        " first:\n\n"
        "    @app.route(...)\n"
        "    @cache.cached(...)\n"
        f"    def {function.__name__}(...):\n",
        UserWarning,
        code.co_filename,
        code.co_firstlineno,
    )
