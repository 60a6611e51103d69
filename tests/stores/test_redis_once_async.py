"""What only the client for `redis.asyncio` does."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from jinja_fragcache.stores import AsyncRedisStore
from tests.faulty_proxy import Hang, faulty_proxy, redis_reply
from tests.servers import wait_for
from tests.stores.once import KINDS, Caller, calling

KIND = KINDS[1]
READS: list[Callable[[Caller], Any]] = [
    lambda caller: caller.client.get("a"),
    lambda caller: caller.client.mget_again(["a"], []),
]


@pytest.mark.parametrize("read", READS, ids=["get", "again"])
def test_the_answer_to_a_task_that_was_cancelled_goes_to_no_other(
    redis_port: int, read: Callable[[Caller], Any]
) -> None:
    with (
        redis.Redis(port=redis_port) as client,
        faulty_proxy(redis_port, redis_reply) as proxy,
        calling(KIND, proxy.port, max_connections=1) as once,
    ):
        client.mset({"a": "1", "b": "2"})
        once.call("ping")
        proxy.start([Hang()])

        async def cancel_and_read() -> Any:
            task = asyncio.ensure_future(read(once))
            # The server has answered, and the proxy keeps it back.
            await asyncio.to_thread(wait_for, lambda: bool(proxy.happened))
            # Until it reads: while it sends, Python 3.11 may lose the cancellation.
            for _ in range(10):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not once.is_connected()
            return await once.client.get("b")

        assert once.wait(cancel_and_read()) == b"2"


def test_tasks_may_pack_a_list_at_the_same_time(redis_port: int) -> None:
    store = AsyncRedisStore("127.0.0.1", redis_port, key_prefix="shop:")

    async def read() -> Any:
        await store.set_many({"a": "x", "b": "y"})
        for _ in range(2):
            await store.get_many("a", "b")
        return await asyncio.gather(*(store.get_many("a", "b") for _ in range(10)))

    assert asyncio.run(read()) == [["x", "y"]] * 10
