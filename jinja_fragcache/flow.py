"""What happens to a fragment or value that is asked for: the algorithm.

A flow is given a guarded store and a function that renders, and is an operation (see
`operations`): it is the same with plain functions and with coroutines.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from jinja2.utils import internalcode

from .entry import Entry, encode
from .freshness import Wanted
from .guard import Guard
from .operations import Operation
from .tags import present_versions, read_versions
from .values import MISSING, UnreadableError

# Gives a fragment's text or a function's value, or an awaitable of it. What it raises
# passes through a flow.
Render = Callable[[], Any]
Flow = Callable[[Guard, Render], Operation[Any]]


@internalcode
def renew(
    key: str, wanted: Wanted, timeout: int | None, guard: Guard, render: Render
) -> Operation[str]:
    """Render a fragment and store it: what a miss needs."""
    text = str((yield render()))
    entry = Entry(text, wanted.escaped, wanted.version)
    yield from guard.write(key, encode(entry), timeout)
    return text


@internalcode
def remove(key: str, guard: Guard, render: Render) -> Operation[str]:
    """Delete the entry and render: what the timeout `'del'` asks for.

    Raises:
        StoreError: the store failed.
    """
    yield from guard.delete(key)
    return str((yield render()))


@internalcode
def bypass(guard: Guard, render: Render) -> Operation[Any]:  # noqa: ARG001 - a flow's form
    """Render and leave the store alone."""
    return (yield render())


class Request(Protocol):
    """A value that is asked for, and the rules of whoever caches it."""

    @property
    def key(self) -> str:
        """The key of its entry."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """The tags of its entry."""
        ...

    def load(self, stored: object, tags: dict[str, object]) -> Any:
        """Give the value that is stored, or MISSING if it may not be served.

        Args:
            stored: what the store gave.
            tags: the present version of each tag.

        Raises:
            UnreadableError: it can't be read.
        """
        ...

    def dump(self, value: Any, tags: dict[str, str]) -> tuple[str | int, int | None]:
        """Give what is to be stored for a value, and its timeout.

        Raises:
            NotKept: nothing is to be stored.
        """
        ...


class NotKept(Exception):  # noqa: N818 - it is no error
    """A value is not to be stored."""


@internalcode
def recall(request: Request, guard: Guard, render: Render) -> Operation[Any]:
    """Serve the value that is stored, or make and store one."""
    key = request.key
    stored, versions = yield from read_versions(guard, key, request.tags)
    try:
        value = request.load(stored, versions)
    except UnreadableError as error:
        guard.failed("read", key, error.reason)
        value = MISSING
    if value is not MISSING:
        guard.count_hit(key)
        return value
    guard.count_miss(key)
    # Before the value is made: what is invalidated meanwhile is not stored as fresh.
    tags = yield from present_versions(guard, versions)
    value = yield render()
    if tags is not None:
        try:
            kept, timeout = request.dump(value, tags)
        except NotKept:
            return value
        yield from guard.write(key, kept, timeout)
    return value
