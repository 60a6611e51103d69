"""What AsyncRedisStore does beyond the contract, on a real server."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from jinja_fragcache import FragmentCache, MemoryStore, Stats
from jinja_fragcache.access.event_loops import sleep
from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.operations import perform_async
from jinja_fragcache.stores import (
    AsyncRedisClusterStore,
    AsyncRedisSentinelStore,
    AsyncRedisStore,
    RedisStore,
)
from jinja_fragcache.stores.redis_library import _close as close
from tests import servers
from tests.support import Counter, environment

PAGE = """
{%- cache 60, "head", tags=["posts"] %}{{ head() }}{% endcache %}:
{%- cache_each item in items, 60, "row", item %}{{ item }}{% endcache_each %}"""


@pytest.fixture
def url(redis_port: int) -> str:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
    return f"redis://127.0.0.1:{redis_port}"


def store_on(url: str) -> AsyncRedisStore:
    return AsyncRedisStore(url=url, key_prefix="shop:")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: AsyncRedisStore(redis.Redis()), r"Write RedisStore\(client\), which"),
        (
            lambda: AsyncRedisStore(redis.asyncio.Redis(decode_responses=True)),
            "decode_responses=True",
        ),
        (lambda: AsyncRedisStore("h", decode_responses=True), "decode_responses=True"),
        (lambda: AsyncRedisStore("redis://h"), "The host of a Redis server can't be"),
        (lambda: AsyncRedisStore(url="redis://h:x"), "Its port is not a number"),
        (
            lambda: AsyncRedisStore("h", ssl=True, ssl_cert_reqs="x"),
            r"The client of Redis can't be made: .*\(CACHE_OPTIONS",
        ),
        *(
            (make, r"no option 'socket_timout' .* Did .* socket_timeout")
            for make in (
                lambda: AsyncRedisStore("h", socket_timout=1),
                lambda: AsyncRedisStore(url="redis://h", socket_timout=1),
                lambda: AsyncRedisSentinelStore(socket_timout=1),
                lambda: AsyncRedisClusterStore("h:1", socket_timout=1),
            )
        ),
    ],
)
def test_what_can_not_work_is_refused_when_it_is_made(
    make: Callable[[], object], told: str
) -> None:
    with pytest.raises(StoreError, match=told):
        make()


def test_no_host_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a client such as redis\.asyncio\.Redis\(\)"):
        AsyncRedisStore(None)


def test_a_page_is_stored_and_served_and_its_tags_invalidate(url: str) -> None:
    cache = FragmentCache(store_on(url))
    env = environment({"page": PAGE}, cache, enable_async=True)
    head = Counter()

    async def use() -> list[str]:
        template = env.get_template("page")
        pages = [await template.render_async(head=head, items="ab") for _ in range(2)]
        await cache.invalidate_tags_async("posts")
        return [*pages, await template.render_async(head=head, items="abc")]

    assert asyncio.run(use()) == ["1:ab", "1:ab", "2:abc"]
    assert cache.stats() == Stats(hits=5, misses=5, stored=5)


def test_what_was_read_is_kept_near(url: str) -> None:
    for options in ({}, {"signing_key": "secret"}):
        cache = FragmentCache(store_on(url), near=600, **options)  # type: ignore[arg-type]
        env = environment({"page": PAGE}, cache, enable_async=True)

        async def use(env: Any = env) -> list[str]:
            template = env.get_template("page")
            return [
                await template.render_async(head=Counter(), items="ab")
                for _ in range(3)
            ]

        assert asyncio.run(use()) == ["1:ab"] * 3
        stats = cache.stats()
        assert (stats.hits, stats.failures) == (6, 0)
        # The entries, and the version of the tag.
        assert stats.near_hits == 4
        asyncio.run(cache.clear_async())


def test_it_tells_where_it_is_and_how_much_is_in_it(
    url: str, redis_port: int, cluster_ports: list[int]
) -> None:
    ready = redis.asyncio.Redis(port=redis_port)
    node = f"127.0.0.1:{cluster_ports[0]}"
    places = {
        f"Redis at 127.0.0.1:{redis_port}, database 0": AsyncRedisStore(
            url=url, key_prefix="facts[a]*_"
        ),
        f"Redis at localhost:{redis_port}, database 0": AsyncRedisStore(
            ready, key_prefix="facts[b]*_"
        ),
        "Redis cluster": AsyncRedisClusterStore(node, key_prefix="facts[c]*_"),
    }

    async def use(store: AsyncRedisStore) -> None:
        values = {f"fragment:a:{number}": "text" for number in range(600)}
        await store.set_many(values)
        facts, amounts = await store.facts(), await store.amounts()
        assert (facts.entries, facts.is_partial) == (600, False)
        assert amounts.by_start["fragment:a"] == (600, facts.bytes)
        await store.clear()
        assert (await store.facts()).entries == 0
        await close(store._client)

    for place, store in places.items():
        # Also where no event loop runs.
        assert store.where == f"{place}, keys that begin with {store.key_prefix!r}"
        asyncio.run(use(store))


def test_of_two_processes_one_renders(url: str) -> None:
    # Two caches stand for the processes. The store has the lock.
    source = '{% cache 60, "x" %}{{ body() }}{% endcache %}'
    caches = [FragmentCache(store_on(url), lock_timeout=60) for _ in range(2)]
    templates = [
        environment({"page": source}, each, enable_async=True).get_template("page")
        for each in caches
    ]
    other_has_missed = asyncio.Event()
    bodies = Counter()

    async def body() -> int:
        await other_has_missed.wait()
        return bodies()

    async def second() -> str:
        page = asyncio.create_task(templates[1].render_async(body=body))
        while not caches[1].stats().misses:
            await sleep(0)
        other_has_missed.set()
        return await page

    async def use() -> tuple[str, str]:
        first = asyncio.create_task(templates[0].render_async(body=body))
        while not caches[0].stats().misses:
            await sleep(0)
        return await asyncio.gather(first, second())

    assert tuple(asyncio.run(use())) == ("1", "1")
    assert bodies.calls == 1


def test_starlette_serves_it_from_several_loops(url: str) -> None:
    cache = FragmentCache(store_on(url))
    env = environment({"page": PAGE}, cache, enable_async=True)
    values = {"head": Counter(), "items": "ab"}

    async def page(_: Request) -> Response:
        return HTMLResponse(await env.get_template("page").render_async(values))

    application = Starlette(routes=[Route("/", page)])
    for _ in range(2):
        with TestClient(application) as client:
            assert [client.get("/").text for _ in range(2)] == ["1:ab", "1:ab"]
    assert cache.stats().failures == 0


def test_the_connections_of_a_loop_are_closed_with_it(
    url: str, redis_port: int
) -> None:
    store = AsyncRedisStore(url=f"{url}?client_name=of-the-loop")

    def names() -> list[str]:
        return [each["name"] for each in other.client_list()]

    async def use() -> None:
        await asyncio.gather(*(store.get(f"k{number}") for number in range(5)))
        assert "of-the-loop" in names()

    async def use_and_close() -> None:
        await use()
        await store.aclose()
        assert "of-the-loop" not in names()

    with redis.Redis(port=redis_port) as other:
        for each in (use, use_and_close):
            asyncio.run(each())
            servers.wait_for(lambda: "of-the-loop" not in names())


def test_many_tasks_share_few_connections(url: str, redis_port: int) -> None:
    store = AsyncRedisStore(url=f"{url}?client_name=one-of-two", max_connections=2)

    async def use() -> list[Any]:
        await store.set("k", "text")
        texts = await asyncio.gather(*(store.get("k") for _ in range(200)))
        with redis.Redis(port=redis_port) as other:
            names = [each["name"] for each in other.client_list()]
        assert names.count("one-of-two") == 2
        return texts

    assert asyncio.run(use()) == ["text"] * 200


def test_a_task_that_is_cancelled_while_connections_close_cancels_no_other(
    url: str,
) -> None:
    async def drop_twice() -> list[Any]:
        store = store_on(url)
        await store.set("a", "x")
        (connection,) = store._client.connection_pool._available_connections
        writer = connection._writer
        with pytest.MonkeyPatch.context() as patch:
            # So that both wait for it to close.
            patch.setattr(writer, "close", lambda: None)
            dropping = [
                asyncio.create_task(perform_async(store._drop_connections()))
                for _ in range(2)
            ]
            for _ in range(5):
                await asyncio.sleep(0)
            dropping[0].cancel()
            answers = await asyncio.gather(*dropping, return_exceptions=True)
        writer.close()
        assert await store.get("a") == "x"
        return answers

    first, second = asyncio.run(drop_twice())
    assert isinstance(first, asyncio.CancelledError)
    assert second is None


def test_a_client_of_sentinels_works_on_one_loop_only() -> None:
    sentinels: Any = redis.asyncio.Sentinel
    store = AsyncRedisStore(sentinels([("127.0.0.1", 1)]).master_for("shop"))

    async def use() -> None:
        assert store._client

    asyncio.run(use())
    with pytest.raises(StoreError, match=r"AsyncRedisSentinelStore\(sentinels\)"):
        asyncio.run(use())


def test_a_plain_call_names_the_ways_out(url: str) -> None:
    cache = FragmentCache(store_on(url))
    told = r"await template\.render_async\(\.\.\.\).* such as RedisStore"
    with pytest.raises(AsyncOnlyError, match=told):
        environment({"page": PAGE}, cache).get_template("page").render()
    with pytest.raises(AsyncOnlyError, match=told):
        cache.get("k")


async def render(cache: FragmentCache) -> str:
    env = environment({"page": PAGE}, cache, enable_async=True)
    return await env.get_template("page").render_async(head=Counter(), items="ab")


def test_trio_is_refused(url: str) -> None:
    cache = FragmentCache(store_on(url))
    with pytest.raises(AsyncOnlyError, match="on trio too, give the cache a RedisStor"):
        trio.run(render, cache)
    with pytest.raises(AsyncOnlyError, match="on trio too, give the cache a RedisStor"):
        trio.run(cache.delete_async, "k")


def test_trio_works_with_what_it_is_told_to_use(url: str) -> None:
    for store in (MemoryStore(), RedisStore(url=url, key_prefix="shop:")):
        cache = FragmentCache(store)
        assert [trio.run(render, cache) for _ in range(2)] == ["1:ab", "1:ab"]
        assert cache.stats().hits == 3


@pytest.mark.own_patience
def test_a_server_that_is_down_costs_the_cache_and_no_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    cache = FragmentCache(AsyncRedisStore("127.0.0.1", 1))
    assert asyncio.run(render(cache)) == "1:ab"
    assert "the server at 127.0.0.1:1" in caplog.text
    with pytest.raises(StoreError, match="Check the host and port"):
        asyncio.run(cache.delete_async("k"))
