"""Work that is written once, for callers that wait and for callers on an event loop.

An operation is a generator. It yields the answer of each call whose answer may have to
be awaited, and is sent what the answer came to. Where calls give their answers at once,
it is sent back what it yielded; on an event loop, what it yielded is awaited. So an
operation has neither `await` nor threads in it, and `try` around a `yield` works in
both places.

What is marked as internal code, Jinja leaves out of a template's traceback, so an error
in a fragment is shown between lines of templates only.
"""

from collections.abc import Generator
from typing import Any, TypeVar

from jinja2.utils import internalcode

T = TypeVar("T")
Operation = Generator[Any, Any, T]


@internalcode
def perform(operation: Operation[T]) -> T:
    """Carry an operation out whose calls give their answers at once.

    Raises:
        BaseException: what a call raised and the operation let pass.
    """
    try:
        answer = next(operation)
        while True:
            answer = operation.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


@internalcode
async def perform_async(operation: Operation[T]) -> T:
    """Carry an operation out whose calls give awaitables; else as `perform`."""
    try:
        awaitable = next(operation)
        while True:
            try:
                answer = await awaitable
            except BaseException as error:  # noqa: BLE001 - the operation decides
                awaitable = operation.throw(error)
            else:
                awaitable = operation.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
