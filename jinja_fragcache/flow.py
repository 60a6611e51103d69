"""What happens to a fragment that has to be rendered: the algorithm.

A flow is given a guarded store and a function that renders, and is an operation (see
`operations`): it is the same with plain functions and with coroutines.
"""

from collections.abc import Callable
from typing import Any

from jinja2.utils import internalcode

from .entry import Entry, encode
from .freshness import Wanted
from .guard import Guard
from .operations import Operation

# Gives the body's text, or an awaitable of it. What it raises passes through a flow.
Render = Callable[[], Any]
Flow = Callable[[Guard, Render], Operation[str]]


@internalcode
def renew(
    key: str, wanted: Wanted, timeout: int | None, guard: Guard, render: Render
) -> Operation[str]:
    """Render and store: what a miss needs."""
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
def bypass(guard: Guard, render: Render) -> Operation[str]:  # noqa: ARG001 - a flow's form
    """Render and leave the store alone."""
    return str((yield render()))
