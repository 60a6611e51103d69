"""Clients of which each event loop has one of its own.

The connections of an asynchronous client belong to the loop that opened them. Nobody
else can use them, and when the loop ends, nobody can close them any more.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from jinja_fragcache.errors import AsyncOnlyError

# How many operations one loop does at once. Each takes a connection.
_MOST_AT_ONCE = 50
# For how long an operation waits for its turn, as for the server.
_SECONDS = 0.25


class OnLoop(NamedTuple):
    """What one event loop has.

    A client takes a connection for each operation, and some raise when there are too
    many. So operations take turns.

    Attributes:
        client: Its client.
        turns: Lets only some operations run at once.
        closing: Closes the client when it is closed; None if others close it.
    """

    client: Any
    turns: asyncio.Semaphore
    closing: AsyncGenerator[None, None] | None

    async def turn(self) -> asyncio.Semaphore:
        """Return what the caller has to release at the end of its operation.

        Raises:
            TimeoutError: If all connections are in use for a quarter of a second.
        """
        turns = self.turns
        if not turns.locked():
            await turns.acquire()  # at once
        else:
            async with asyncio.timeout(_SECONDS):
                await turns.acquire()
        return turns


class PerLoop:
    """Makes a client for each event loop that needs one, and closes it with the loop.

    Args:
        make: Makes a client.
        close: Closes a client that was made.
        first: A ready client, for the first loop. It is not closed.
        sample: A client that is never used; see below.

    Attributes:
        sample: A client that tells what it connects to, also where no loop runs; None
            if there is none.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        close: Callable[[Any], Any],
        first: Any = None,
        sample: Any = None,
    ) -> None:
        self._make = make
        self._close = close
        self._first = first
        self.sample = sample if first is None else first
        self._kept: dict[asyncio.AbstractEventLoop, OnLoop] = {}

    @property
    def here(self) -> OnLoop:
        """What the running event loop has.

        Raises:
            AsyncOnlyError: If none of asyncio runs here.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise AsyncOnlyError(
                "redis.asyncio works on an event loop of asyncio only, and none runs"
                " here. Elsewhere, on trio too, give the cache a RedisStore, which trio"
                " calls in threads, or a MemoryStore."
            ) from None
        return self._kept.get(loop) or self._begin(loop)

    async def aclose(self) -> None:
        """Close the client of the running event loop. If it is needed, it is made."""
        kept = self._kept.pop(asyncio.get_running_loop(), None)
        if kept is not None and kept.closing is not None:
            await kept.closing.aclose()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> OnLoop:
        for each in list(self._kept):
            # One that was closed without `shutdown_asyncgens`.
            if each.is_closed():
                self._kept.pop(each, None)
        client, self._first = self._first, None
        closing: AsyncGenerator[None, None] | None = None
        if client is None:
            client = self._make()
            # The loop knows asynchronous generators that it has begun, and closes them
            # when it is shut down, as `asyncio.run` does. Or, if this object is thrown
            # away before, it closes them then.
            closing = _closing(client, self._close, self._kept, loop)
            with suppress(StopIteration):
                closing.__anext__().send(None)
        pool = getattr(client, "connection_pool", None)
        most = min(_MOST_AT_ONCE, getattr(pool, "max_connections", _MOST_AT_ONCE))
        kept = self._kept[loop] = OnLoop(client, asyncio.Semaphore(most), closing)
        return kept


async def _closing(
    client: Any,
    close: Callable[[Any], Any],
    kept: dict[asyncio.AbstractEventLoop, OnLoop],
    loop: asyncio.AbstractEventLoop,
) -> AsyncGenerator[None, None]:
    """Close a client when this is closed."""
    try:
        yield
    finally:
        kept.pop(loop, None)
        await close(client)
