import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import trio

from jinja_fragcache.errors import AsyncOnlyError
from jinja_fragcache.stores import per_loop
from jinja_fragcache.stores.per_loop import PerLoop


class Client:
    """Stands for a client: it counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0


async def close(client: Client) -> None:
    await asyncio.sleep(0)
    client.closed += 1


async def here(clients: PerLoop) -> Any:
    """Return the running loop's client, which is always the same."""
    client = clients.here.client
    assert clients.here.client is client
    assert client.closed == 0
    return client


def test_each_event_loop_has_a_client_that_is_closed_with_it() -> None:
    clients = PerLoop(Client, close)
    first, second = (asyncio.run(here(clients)) for _ in range(2))
    assert first is not second
    assert (first.closed, second.closed) == (1, 1)
    assert clients._kept == {}


def test_a_ready_client_is_that_of_the_first_loop_and_stays_open() -> None:
    ready = Client()
    clients = PerLoop(Client, close, ready)
    first, second = (asyncio.run(here(clients)) for _ in range(2))
    assert first is ready
    assert first.closed == 0
    assert second is not ready
    assert second.closed == 1


def test_a_loop_that_ended_without_closing_anything_is_forgotten() -> None:
    clients = PerLoop(Client, close)
    loop = asyncio.new_event_loop()
    left = loop.run_until_complete(here(clients))
    loop.close()
    assert left.closed == 0
    asyncio.run(here(clients))
    assert clients._kept == {}


def test_a_client_may_be_closed_before_its_loop_ends() -> None:
    clients = PerLoop(Client, close)

    async def use() -> None:
        await clients.aclose()  # there is none yet
        first = await here(clients)
        await clients.aclose()
        assert first.closed == 1
        assert await here(clients) is not first

    asyncio.run(use())


@pytest.mark.parametrize("run", [lambda function: function(), trio.run])
def test_without_a_loop_of_asyncio_there_is_none(run: Callable[[Any], Any]) -> None:
    clients = PerLoop(Client, close)

    def use() -> Any:
        return clients.here.client

    async def on_trio() -> Any:
        return use()

    with pytest.raises(
        AsyncOnlyError, match=r"on an event loop of asyncio only, .* Re"
    ):
        run(on_trio if run is trio.run else use)


class Pooled(Client):
    """A client with two connections."""

    class connection_pool:  # noqa: N801 - as in redis-py
        max_connections = 2


def test_no_more_operations_run_at_once_than_there_are_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients = PerLoop(Pooled, close)

    async def use() -> None:
        turns = [await clients.here.turn() for _ in range(2)]
        third = asyncio.create_task(clients.here.turn())
        await asyncio.sleep(0)
        assert not third.done()
        turns[0].release()
        await third
        monkeypatch.setattr(per_loop, "_SECONDS", 0)
        with pytest.raises(TimeoutError):
            await clients.here.turn()

    asyncio.run(use())
