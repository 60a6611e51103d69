"""Adds up how long calls of a store take, for whoever reports it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Self

# The meter of what is being looked up or stored here; None while nobody asks.
_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


class Meter:
    """Adds up how long calls of a store take, inside of a `with` block.

    Attributes:
        seconds: The sum.
    """

    __slots__ = ("_outer", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._outer: Meter | None = None

    def __enter__(self) -> Self:
        """Start. Until the end, meters around this one stand still."""
        self._outer = _current.get()
        _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        # Not by a token, which another context would refuse.
        _current.set(self._outer)


def metered(run: Callable[..., Any], timer: Callable[[], float]) -> Callable[..., Any]:
    """Return what does the same as a function, and adds the time to the meter.

    Args:
        run: Calls a store, and returns its answer or an awaitable of it.
        timer: A monotonic clock, in seconds.
    """

    def measured(operation: Any) -> Any:
        meter = _current.get()
        if meter is None:
            return run(operation)
        started = timer()
        try:
            answer = run(operation)
        finally:
            meter.seconds += timer() - started
        return _awaited(answer, meter, timer) if inspect.isawaitable(answer) else answer

    return measured


async def _awaited(answer: Any, meter: Meter, timer: Callable[[], float]) -> Any:
    started = timer()
    try:
        return await answer
    finally:
        meter.seconds += timer() - started
