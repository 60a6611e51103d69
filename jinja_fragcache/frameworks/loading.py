"""Loads what knows of frameworks' requests when the first one is there.

An environment does not tell which framework it is for. Most pages belong to one, or to
none, and what knows of all takes as long to import as the engine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from jinja_fragcache.engine.dependencies import add_framework

if TYPE_CHECKING:
    from jinja_fragcache.engine.framework import Framework

_QUART = "quart.globals"
# What the modules here watch that run context processors.
_RENDERING = ("django.template.backends.jinja2", "quart.app", "starlette.templating")


class Loading:
    """Tells what is read of requests, once there may be some (see `Framework`).

    Args:
        load: Imports and returns what knows of requests.

    Attributes:
        request: Like `Framework.request`.
    """

    request: Callable[[], object] | None = None

    def __init__(self, load: Callable[[], Framework]) -> None:
        self._load = load

    @cached_property
    def _framework(self) -> Framework:
        return self._load()

    def _is_used(self, context: Any) -> bool:
        """Return whether there may be a request, perhaps in a template's context."""
        raise NotImplementedError

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        if self._is_used(context):
            self._framework.watch(context)

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        """Like `Framework.note_variable`."""
        if self._is_used(context):
            self._framework.note_variable(name, value, context)

    def told_by(self, name: str) -> Iterable[str]:
        """Like `Framework.told_by`."""
        return self._framework.told_by(name)

    def value_of(self, name: str, context: Any) -> Any:
        """Like `Framework.value_of`."""
        return self._framework.value_of(name, context)

    def apart(
        self, *, blocking: bool
    ) -> Callable[[], AbstractContextManager[Any]] | None:
        """Like `Framework.apart`."""
        return self._framework.apart(blocking=blocking)


class LoadingByContext(Loading):
    """The same, where only the context of a template tells the request."""

    def _is_used(self, context: Any) -> bool:
        if context is None:
            return False
        request = context.vars.get("request") or context.parent.get("request")
        kind: Any = type(request)
        return request is not None and _is_of_framework(kind)

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        # Each body asks this. Mostly there is no such variable, and nothing is called.
        if context is not None and (
            "request" in context.vars or "request" in context.parent
        ):
            super().watch(context)


@cache
def _is_of_framework(kind: Any) -> bool:
    from .request_classes import CLASSES  # noqa: PLC0415 - see above

    return any((each.__module__, each.__name__) in CLASSES for each in kind.__mro__)


class LoadingByModule(Loading):
    """The same, where there is no request before a module was imported.

    Args:
        module: The name of the module.
        load: As for `Loading`.
    """

    def __init__(self, module: str, load: Callable[[], Framework]) -> None:
        super().__init__(load)
        self._module = module
        self.request = self._request

    def _is_used(self, context: Any) -> bool:
        return self._module in sys.modules

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        # The same as `_is_used`, without a call, because each body asks this.
        if self._module in sys.modules:
            self._framework.watch(context)

    def _request(self) -> object:
        # As in `watch`.
        if self._module not in sys.modules:
            return None
        ask = self._framework.request
        return None if ask is None else ask()


def _load_contexts() -> Framework:
    from .contexts import RequestsInContexts  # noqa: PLC0415 - see above

    return RequestsInContexts()


def _load_quart() -> Framework:
    from .quart import QuartRequests  # noqa: PLC0415 - see above

    return QuartRequests()


def watch_frameworks() -> None:
    """Let the requests of all frameworks without a set-up of their own be watched."""
    add_framework(_CONTEXTS)
    add_framework(_QUART_REQUESTS)
    if any(each in sys.modules for each in _RENDERING):
        from .contexts import watch_processors  # noqa: PLC0415 - see above

        watch_processors()


_CONTEXTS = LoadingByContext(_load_contexts)
_QUART_REQUESTS = LoadingByModule(_QUART, _load_quart)
