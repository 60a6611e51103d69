"""Finds decorated functions whose routes bypass the cache."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from flask import Flask, request_started

from jinja_fragcache.functions.keys import full_name

_WATCHERS = "jinja_fragcache_watchers"


class DecoratedFunctions:
    """The functions that a `Cache` has decorated.

    If `@app.route` is written below the cache's decorator, the route leads to the
    undecorated function, and nothing is cached. This is checked at the first request of
    an application, when all its routes are known.
    """

    def __init__(self) -> None:
        self._functions: WeakSet[Callable[..., Any]] = WeakSet()

    def add(self, function: Callable[..., Any]) -> None:
        """Remember a function that was decorated."""
        self._functions.add(inspect.unwrap(function))

    def watch(self, app: Flask) -> None:
        """Check an application's routes when its first request starts."""

        def check(app: Flask, **_: Any) -> None:
            request_started.disconnect(check)
            for function in self._bypassed(app):
                _warn(function)

        request_started.connect(check, app)
        # Signals hold their receivers weakly. The application keeps this one alive.
        app.extensions.setdefault(_WATCHERS, []).append(check)

    def _bypassed(self, app: Flask) -> list[Callable[..., Any]]:
        """Return the functions that have a route, but no route to their wrapper."""
        views = app.view_functions.values()
        # By id(), because a view may be any callable, even an unhashable one.
        routed = {id(inspect.unwrap(view)) for view in views}
        cached = {
            id(inspect.unwrap(view)) for view in views if hasattr(view, "uncached")
        }
        return [each for each in self._functions if id(each) in routed - cached]


def _warn(function: Callable[..., Any]) -> None:
    """Warn of a bypassed cache, at the line of the function."""
    code = function.__code__
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
