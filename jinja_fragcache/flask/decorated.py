"""Which functions were decorated, to find those whose routes pass the cache by."""

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from flask import Flask, request_started

from .call_keys import full_name


class DecoratedFunctions:
    """The functions that a `Cache` has decorated.

    A route that stands below the decorator holds the function as it was before, and
    nothing is cached. That is looked for at an application's first request, when all
    routes are known.
    """

    def __init__(self) -> None:
        self._functions: WeakSet[Callable[..., Any]] = WeakSet()

    def add(self, function: Callable[..., Any]) -> None:
        """Note a function that is decorated now."""
        self._functions.add(function)

    def watch(self, app: Flask) -> None:
        """Look through an application's routes when its first request comes."""

        def look_through(_: Flask, **__: Any) -> None:
            request_started.disconnect(look_through, app)
            for function in self._passed_by(app):
                _warn(function)

        request_started.connect(look_through, app, weak=False)

    def _passed_by(self, app: Flask) -> list[Callable[..., Any]]:
        """Give those that have a route, and no other one that leads to the cache."""
        views = set(app.view_functions.values())
        cached = {getattr(view, "uncached", None) for view in views}
        return [
            function
            for function in self._functions
            if function not in cached and not views.isdisjoint(_layers(function))
        ]


def _layers(function: Any) -> Iterator[Any]:
    """Give a function, and what other decorators have wrapped in it."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


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
