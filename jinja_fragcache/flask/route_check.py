"""Which functions were decorated, to find those whose routes pass the cache by."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from flask import Flask, request_started

from .keys import full_name

_WATCHERS = "jinja_fragcache_watchers"


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
        self._functions.add(inspect.unwrap(function))

    def watch(self, app: Flask) -> None:
        """Look through an application's routes when its first request comes."""

        def look_through(app: Flask, **_: Any) -> None:
            request_started.disconnect(look_through)
            for function in self._passed_by(app):
                _warn(function)

        request_started.connect(look_through, app)
        # A signal holds its receivers weakly, so this lives as long as the application.
        app.extensions.setdefault(_WATCHERS, []).append(look_through)

    def _passed_by(self, app: Flask) -> list[Callable[..., Any]]:
        """Give those that have a route, and no other one that leads to the cache."""
        views = app.view_functions.values()
        # By id(), because a view may be any object that can be called.
        routed = {id(inspect.unwrap(view)) for view in views}
        cached = {
            id(inspect.unwrap(view)) for view in views if hasattr(view, "uncached")
        }
        return [each for each in self._functions if id(each) in routed - cached]


def _warn(function: Callable[..., Any]) -> None:
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
