"""Waiting on an event loop: asyncio's, or trio's.

Neither is imported before there is something to wait for, because most callers have no
event loop, and asyncio takes longer to import than all of this package.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future


def _running_trio() -> Any:
    """Return the module trio if its loop runs the caller, else None.

    trio is not imported here: whoever runs its loop has imported it.
    """
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio


def start_task(
    work: Callable[[], Coroutine[Any, Any, None]],
) -> asyncio.Task[None] | None:
    """Start a task on asyncio's loop that nobody awaits; return None on trio's."""
    loop = running_loop()
    if loop is None:
        return None
    if loop.get_task_factory() is None:
        return loop.create_task(work())
    # Such as asyncio's eager one, whose tasks begin at once, while their caller waits.
    return loop.create_task(_in_a_moment(work))


async def _in_a_moment(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    await sleep(0)
    await work()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return asyncio's loop that runs the caller, or None if it is trio's."""
    if _running_trio() is not None:
        return None
    import asyncio  # noqa: PLC0415 - see above

    return asyncio.get_running_loop()


def is_shared() -> bool:
    """Return whether an event loop runs the caller and others, whom blocking stalls.

    A loop with one task has nobody to stall: Flask and Django make such a one for each
    `async def` view that a thread of theirs runs.
    """
    # Whoever runs a loop of asyncio has imported it, as with trio.
    asyncio = sys.modules.get("asyncio")
    try:
        tasks = asyncio.all_tasks() if asyncio else ()
    except RuntimeError:
        tasks = ()
    return len(tasks) > 1 or _running_trio() is not None


def sleep(seconds: float) -> Awaitable[Any]:
    """Return what sleeps when it is awaited."""
    import asyncio  # noqa: PLC0415 - see above

    sleeping: Awaitable[Any] = (_running_trio() or asyncio).sleep(seconds)
    return sleeping


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a thread, and return what it returns."""
    trio = _running_trio()
    if trio is None:
        import asyncio  # noqa: PLC0415 - see above

        return await asyncio.to_thread(function, *arguments)
    return await trio.to_thread.run_sync(function, *arguments)


async def wait_for(future: Future[Any], seconds: float) -> None:
    """Wait until a future is done, in whatever thread, or the time is over."""
    trio = _running_trio()
    if trio is None:
        import asyncio  # noqa: PLC0415 - see above

        await asyncio.wait([asyncio.wrap_future(future)], timeout=seconds)
        return
    token, done = trio.lowlevel.current_trio_token(), trio.Event()

    def notify(_: object) -> None:
        # If the caller was cancelled, its loop may have ended.
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(done.set)

    future.add_done_callback(notify)
    with trio.move_on_after(seconds):
        await done.wait()
