"""Both event loops, with a store in memory and with one that blocks."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest
import trio

from jinja_fragcache import FragmentCache, MemoryStore, Stats
from jinja_fragcache.access.event_loops import in_thread, sleep, wait_for
from jinja_fragcache.stores import Store
from tests.support import RecordingStore, SharedStore, environment

PAGE = '{% cache 60, "x" %}{{ body() }}{% endcache %}'
Run = Callable[[Callable[[], Awaitable[Any]]], Any]


def run_asyncio(function: Callable[[], Any]) -> Any:
    return asyncio.run(function())


@pytest.fixture(params=[run_asyncio, trio.run], ids=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


async def together(run: Run, *functions: Callable[[], Awaitable[None]]) -> None:
    """Run functions at the same time."""
    if run is run_asyncio:
        await asyncio.gather(*(each() for each in functions))
        return
    async with trio.open_nursery() as nursery:
        for each in functions:
            nursery.start_soon(each)


@pytest.mark.parametrize("make", [MemoryStore, RecordingStore, SharedStore])
def test_of_concurrent_misses_one_renders(run: Run, make: Callable[[], Store]) -> None:
    cache = FragmentCache(make())
    template = environment({"page": PAGE}, cache, enable_async=True).get_template(
        "page"
    )
    pages: list[str] = []
    rendered: list[int] = []

    async def use() -> None:
        async def body() -> str:
            rendered.append(1)
            while cache.stats().misses < 2:
                await sleep(0)
            return "text"

        async def page() -> None:
            pages.append(await template.render_async(body=body))

        await together(run, page, page)

    run(use)
    assert pages == ["text", "text"]
    assert len(rendered) == 1
    assert cache.stats() == Stats(misses=2, stored=1, waited=1)


def test_a_call_in_a_thread_does_not_run_on_the_loop(run: Run) -> None:
    async def use() -> tuple[int, int]:
        return await in_thread(threading.get_ident), threading.get_ident()

    other, own = run(use)
    assert other != own


def test_waiting_ends_when_another_thread_is_done(run: Run) -> None:
    future: Future[str] = Future()

    async def use() -> bool:
        thread = threading.Thread(target=future.set_result, args=["done"])
        thread.start()
        await wait_for(future, 60)
        thread.join()
        return future.done()

    assert run(use)


def test_waiting_ends_with_the_time(run: Run) -> None:
    future: Future[str] = Future()

    async def use() -> bool:
        await wait_for(future, 0.01)
        return future.done()

    assert not run(use)
    # Nobody waits any more, and the loop has ended.
    future.set_result("late")
