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

from jinja_fragcache.engine.dependencies import add_framework, expect_framework

if TYPE_CHECKING:
    from jinja_fragcache.engine.framework import Framework

# What the modules here watch that run context processors.
_RENDERING = ("django.template.backends.jinja2", "quart.app", "starlette.templating")


class LoadingByContext:
    """Tells what is read of requests that only a template's context tells.

    It is a `Framework` itself, and asks another one once there may be a request.

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
        """Return whether there may be a request in a template's context."""
        if context is None:
            return False
        request = context.vars.get("request") or context.parent.get("request")
        kind: Any = type(request)
        return request is not None and _is_of_framework(kind)

    def watch(self, context: Any) -> None:
        """Like `Framework.watch`."""
        # Each body asks this. Mostly there is no such variable, and nothing is called.
        if (
            context is not None
            and ("request" in context.vars or "request" in context.parent)
            and self._is_used(context)
        ):
            self._framework.watch(context)

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        """Like `Framework.note_variable`."""
        if self._is_used(context):
            self._framework.note_variable(name, value, context)

    def note_missing(self, name: str, context: Any) -> None:
        """Like `Framework.note_missing`."""
        if self._is_used(context):
            self._framework.note_missing(name, context)

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


@cache
def _is_of_framework(kind: Any) -> bool:
    from .request_classes import CLASSES  # noqa: PLC0415 - see above

    return any((each.__module__, each.__name__) in CLASSES for each in kind.__mro__)


def _load_contexts() -> Framework:
    from .contexts import RequestsInContexts  # noqa: PLC0415 - see above

    return RequestsInContexts()


def _load_quart() -> Framework:
    from .quart import QuartRequests  # noqa: PLC0415 - see above

    return QuartRequests()


def watch_frameworks() -> None:
    """Let the requests of all frameworks without a set-up of their own be watched."""
    add_framework(_CONTEXTS)
    expect_framework("quart.globals", _load_quart)
    if any(each in sys.modules for each in _RENDERING):
        from .contexts import watch_processors  # noqa: PLC0415 - see above

        watch_processors()


_CONTEXTS = LoadingByContext(_load_contexts)
