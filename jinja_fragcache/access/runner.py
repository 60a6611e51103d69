"""How the operations of a store are run, for callers that block or must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jinja_fragcache.operations import Operation, perform

from .event_loops import in_thread

T = TypeVar("T")
#: Runs an operation and returns its result, or an awaitable of it.
Runner = Callable[[Operation[Any]], Any]


async def perform_at_once(operation: Operation[T]) -> T:
    """Like `perform`, for a caller on an event loop, where nothing can block."""
    return perform(operation)


async def perform_in_thread(operation: Operation[T]) -> T:
    """Like `perform`, in a thread, so that the event loop is not blocked."""
    result: T = await in_thread(perform, operation)
    return result


class Awaited:
    """Stands for a store with plain methods where its `get` is awaited.

    Args:
        get: The operation that reads a key.
        run: Runs it for a caller on an event loop.
    """

    def __init__(self, get: Callable[[str], Operation[Any]], run: Runner) -> None:
        self._get = get
        self._run = run

    def get(self, key: str) -> Any:
        """Return an awaitable of the value of a key."""
        return self._run(self._get(key))
