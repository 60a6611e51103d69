"""Loads what knows of frameworks' requests when the first one is there.

An environment does not tell which framework it is for. Most pages belong to one, or to
none, and what knows of all takes as long to import as the engine.
"""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache, cached_property
from typing import Any

from jinja_fragcache.engine.dependencies import add_framework
from jinja_fragcache.engine.framework import Framework

from .request_classes import CLASSES

_QUART = "quart.globals"
# What the modules here watch that run context processors.
_RENDERING = ("django.template.backends.jinja2", "quart.app", "starlette.templating")


class Loading:
    """Tells what is read of requests, once there may be some (see `Framework`).

    Args:
        is_used: Gets the context of a template, or None, and returns whether there may
            be a request.
        load: Imports and returns what knows of requests.
        needs_context: Whether only the context of a template tells the request.

    Attributes:
        request: Like `Framework.request`.
    """

    def __init__(
        self,
        is_used: Callable[[Any], bool],
        load: Callable[[], Framework],
        *,
        needs_context: bool = False,
    ) -> None:
        self._is_used = is_used
        self._load = load
        self.request: Callable[[], object] | None = (
            None if needs_context else self._request
        )

    @cached_property
    def _framework(self) -> Framework:
        return self._load()

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        if self._is_used(context):
            self._framework.watch(context)

    def _request(self) -> object:
        # Each body asks this.
        ask = self._framework.request if self._is_used(None) else None
        return None if ask is None else ask()

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


def _has_request(context: Any) -> bool:
    if context is None:
        return False
    request = context.vars.get("request") or context.parent.get("request")
    kind: Any = type(request)
    return request is not None and _is_of_framework(kind)


@cache
def _is_of_framework(kind: Any) -> bool:
    return any((each.__module__, each.__name__) in CLASSES for each in kind.__mro__)


def _load_contexts() -> Framework:
    from .contexts import RequestsInContexts  # noqa: PLC0415 - see above

    return RequestsInContexts()


def _uses_quart(_: Any) -> bool:
    return _QUART in sys.modules


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


_CONTEXTS = Loading(_has_request, _load_contexts, needs_context=True)
_QUART_REQUESTS = Loading(_uses_quart, _load_quart)
