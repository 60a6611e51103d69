"""Operations: code written once for callers that block and callers on an event loop.

An operation is a generator. It yields the answer of each call that may have to be
awaited, and is sent the awaited answer. `perform` sends back what was yielded, and
`perform_async` awaits it. So an operation contains neither `await` nor threads, and a
`try` around a `yield` works in both.

Functions marked as internal code are left out of a template's traceback by Jinja, so an
error in a fragment is shown between lines of templates only.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NoReturn, TypeVar

from jinja2.utils import internalcode

T = TypeVar("T")
Operation = Generator[Any, Any, T]


class Done(Generator[Any, Any, T]):
    """An operation that has ended already, because nothing had to be awaited.

    Args:
        result: Its result.
    """

    __slots__ = ("result",)

    def __init__(self, result: T) -> None:
        self.result = result

    def send(self, _: Any) -> NoReturn:
        """End with the result."""
        raise StopIteration(self.result)

    def throw(self, error: Any, *_: Any) -> NoReturn:
        """Raise an error, as an operation does that has ended."""
        raise error


@internalcode
def perform(operation: Operation[T]) -> T:
    """Run an operation whose calls return their answers at once.

    Returns:
        The operation's result.

    Raises:
        BaseException: What a call raised and the operation did not catch.
    """
    if type(operation) is Done:
        made: T = operation.result
        return made
    try:
        answer = next(operation)
        while True:
            answer = operation.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


@internalcode
async def perform_async(operation: Operation[T]) -> T:
    """Like `perform`, for an operation whose calls return awaitables."""
    try:
        awaitable = next(operation)
        while True:
            failure: BaseException | None = None
            try:
                answer = await awaitable
            except BaseException as error:  # noqa: BLE001 - the operation decides
                failure = error
            if failure is None:
                awaitable = operation.send(answer)
                continue
            # Not in the `except` block: it would be the context of all that the
            # operation raises, and may show a password.
            try:
                awaitable = operation.throw(failure)
            finally:
                failure = None
    except StopIteration as end:
        result: T = end.value
        return result
