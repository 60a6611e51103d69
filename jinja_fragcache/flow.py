"""What happens to a fragment that has to be rendered: the algorithm, without any I/O.

A flow is a generator. It yields the steps that it needs done, is sent what came of
them, and returns the text. Two drivers carry it out, one that calls and one that awaits
(the model: httpx's `_auth.py`).

What is marked as internal code, Jinja leaves out of a template's traceback, so an error
in a body is shown between lines of templates only.
"""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass

from jinja2.utils import internalcode

from .entry import Entry, encode
from .freshness import Wanted


@dataclass(frozen=True, slots=True)
class Render:
    """Run the body, once. What it raises passes through the flow."""


@dataclass(frozen=True, slots=True)
class Write:
    """Store a value for `timeout` seconds. A store that fails is logged, not raised."""

    key: str
    value: str
    timeout: int | None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an entry. A store that fails is an error."""

    key: str


Step = Render | Write | Delete
# A flow is sent the text after a Render, and "" after any other step.
Flow = Generator[Step, str, str]


@internalcode
def renew(key: str, wanted: Wanted, timeout: int | None) -> Flow:
    """Render and store: what a miss needs."""
    text = yield Render()
    yield Write(key, encode(Entry(text, wanted.escaped, wanted.version)), timeout)
    return text


@internalcode
def remove(key: str) -> Flow:
    """Delete the entry and render: what the timeout `'del'` asks for."""
    yield Delete(key)
    return (yield Render())


@internalcode
def bypass() -> Flow:
    """Render and leave the store alone."""
    return (yield Render())


@internalcode
def drive(flow: Flow, perform: Callable[[Step], str]) -> str:
    """Carry a flow out with calls.

    Raises:
        BaseException: what `perform` raised and the flow let pass.
    """
    try:
        step = next(flow)
        while True:
            try:
                answer = perform(step)
            except BaseException as error:  # noqa: BLE001 - the flow decides, not we
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        text: str = end.value
        return text


@internalcode
async def drive_async(flow: Flow, perform: Callable[[Step], Awaitable[str]]) -> str:
    """Carry a flow out with awaits; else as `drive`."""
    try:
        step = next(flow)
        while True:
            try:
                answer = await perform(step)
            except BaseException as error:  # noqa: BLE001 - the flow decides, not we
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        text: str = end.value
        return text
