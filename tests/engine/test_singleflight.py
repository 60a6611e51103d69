"""One caller renders while the others wait."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial
from typing import Any

import pytest

from jinja_fragcache import (
    FragmentCache,
    MemoryStore,
    Stats,
    StoreError,
    make_template_fragment_key,
)
from jinja_fragcache.engine.claims import delete
from jinja_fragcache.engine.flow import renew
from jinja_fragcache.engine.lookup import NOTHING
from jinja_fragcache.engine.singleflight import Flight, Flights, Reach
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.operations import perform
from tests.joins import Joins
from tests.support import (
    Counter,
    RecordingStore,
    ask,
    environment,
    fragment_cache,
)

PLAIN = want(True, None)
THREADS = 64
TASKS = 500


class Body:
    """A body that waits until the test sets `go_on`."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.calls = Counter()
        self.error: BaseException | None = None

    def __call__(self) -> str:
        number = self.calls()
        self.started.set()
        assert self.go_on.wait(10)
        if self.error is not None:
            raise self.error
        return f"text {number}"


def test_threads_wait_for_the_one_that_renders(joins: Joins) -> None:
    env = environment({"page": '{% cache 60, "x" %}{{ body() }}{% endcache %}'})
    cache = fragment_cache(env)
    body = Body()
    template = env.get_template("page")
    with ThreadPoolExecutor(THREADS) as pool:
        pages = [pool.submit(template.render, body=body) for _ in range(THREADS)]
        joins.wait_for(THREADS)
        body.go_on.set()
        assert {page.result() for page in pages} == {"text 1"}
    assert body.calls.calls == 1
    assert cache.stats() == Stats(misses=THREADS, stored=1, waited=THREADS - 1)


def test_tasks_wait_for_the_one_that_renders_and_the_loop_goes_on() -> None:
    source = '{% cache 60, "x" %}{{ body() }}{% endcache %}'
    env = environment({"page": source}, enable_async=True)
    calls = Counter()
    beats: list[int] = []

    async def use() -> set[str]:
        all_wait = asyncio.Event()

        async def body() -> str:
            number = calls()
            await all_wait.wait()
            return f"text {number}"

        async def heart() -> None:
            while fragment_cache(env).stats().misses < TASKS:
                beats.append(1)
                await asyncio.sleep(0)
            all_wait.set()

        template = env.get_template("page")
        pages = [template.render_async(body=body) for _ in range(TASKS)]
        return set((await asyncio.gather(heart(), *pages))[1:])  # type: ignore[arg-type]

    assert asyncio.run(use()) == {"text 1"}
    assert calls.calls == 1
    assert beats
    stats = fragment_cache(env).stats()
    assert stats == Stats(misses=TASKS, stored=1, waited=TASKS - 1)


def test_cancelling_a_waiting_task_harms_no_other(joins: Joins) -> None:
    cache = FragmentCache()
    spec = FragmentSpec("k", PLAIN, 60)

    async def use() -> list[Any]:
        go_on = asyncio.Event()

        async def body() -> str:
            await go_on.wait()
            return "text"

        def start() -> asyncio.Task[Any]:
            return asyncio.ensure_future(
                cache.engine.run_async(partial(renew, spec, NOTHING), body)
            )

        tasks = [start() for _ in range(3)]
        await asyncio.to_thread(joins.wait_for, 3)
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, cancelled, third = asyncio.run(use())
    assert (first, third) == ("text", "text")
    assert isinstance(cancelled, asyncio.CancelledError)


def test_however_many_tasks_are_cancelled_the_others_share_a_body(
    joins: Joins,
) -> None:
    """As when clients go away who do not want to wait."""
    cache = FragmentCache()
    spec = FragmentSpec("k", PLAIN, 60)
    calls = Counter()

    async def use() -> list[Any]:
        entered: asyncio.Queue[asyncio.Task[Any] | None] = asyncio.Queue()
        go_on = asyncio.Event()

        async def body() -> str:
            number = calls()
            entered.put_nowait(asyncio.current_task())
            await go_on.wait()
            return f"text {number}"

        tasks = {
            asyncio.ensure_future(
                cache.engine.run_async(partial(renew, spec, NOTHING), body)
            )
            for _ in range(8)
        }
        await asyncio.to_thread(joins.wait_for, 8)
        for _ in range(4):
            leader = await entered.get()
            assert leader is not None
            leader.cancel()
            tasks.remove(leader)
        await entered.get()
        go_on.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(use()) == ["text 5"] * 4


def test_if_the_rendering_task_is_cancelled_another_renders(joins: Joins) -> None:
    cache = FragmentCache()
    spec = FragmentSpec("k", PLAIN, 60)
    calls = Counter()

    async def use() -> list[Any]:
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def body() -> str:
            number = calls()
            entered.set()
            await go_on.wait()
            return f"text {number}"

        tasks = [
            asyncio.ensure_future(
                cache.engine.run_async(partial(renew, spec, NOTHING), body)
            )
            for _ in range(3)
        ]
        await entered.wait()
        await asyncio.to_thread(joins.wait_for, 3)
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        go_on.set()
        return await asyncio.gather(*tasks[1:])

    assert asyncio.run(use()) == ["text 2", "text 2"]


def test_each_caller_gets_its_own_error_if_the_body_fails(joins: Joins) -> None:
    cache = FragmentCache()
    body = Body()
    body.error = ValueError("no")
    with ThreadPoolExecutor(8) as pool:
        pages = [pool.submit(ask, cache, "k", body) for _ in range(8)]
        joins.wait_for(8)
        body.go_on.set()
        assert {type(page.exception()) for page in pages} == {ValueError}
    assert body.calls.calls == 8
    body.error = None
    assert ask(cache, "k", body) == "text 9"


def test_a_caller_waits_no_longer_than_the_lock_timeout() -> None:
    cache = FragmentCache(lock_timeout=0.01)
    body = Body()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, cache, "k", body)
        assert body.started.wait(10)
        assert ask(cache, "k", lambda: "mine") == "mine"
        body.go_on.set()
        assert first.result() == "text 1"
    assert cache.get("k") == "text 1"


def test_a_text_stored_since_the_look_up_is_served() -> None:
    cache = FragmentCache()
    assert ask(cache, "k", lambda: "text") == "text"
    spec = FragmentSpec("k", PLAIN, 60)
    assert (
        cache.engine.run(partial(renew, spec, NOTHING), lambda: pytest.fail("rendered"))
        == "text"
    )


def test_waiting_callers_are_served_even_if_the_store_fails(joins: Joins) -> None:
    store = RecordingStore()
    store.failing = {"set", "get"}
    cache = FragmentCache(store)
    body = Body()
    with ThreadPoolExecutor(8) as pool:
        pages = [pool.submit(ask, cache, "k", body) for _ in range(8)]
        joins.wait_for(8)
        body.go_on.set()
        assert {page.result() for page in pages} == {"text 1"}


def test_a_fragment_in_itself_does_not_wait_for_itself() -> None:
    macro = """{% macro tree(n) %}{% cache 60, "same" %}{{ n }}
        {%- if n %}{{ tree(n - 1) }}{% endif %}{% endcache %}{% endmacro %}"""
    env = environment({"page": macro + "{{ tree(3) }}"})
    assert env.get_template("page").render() == "3210"


def test_two_fragments_in_each_other_do_not_wait_for_each_other() -> None:
    meet = threading.Barrier(2)
    inner = '{%% cache 60, "%s" %%}%s{%% endcache %%}'
    pages = {
        name: inner % (name, "{{ meet() }}" + inner % (other, other))
        for name, other in ("ab", "ba")
    }
    env = environment(pages)

    def both_are_rendering() -> str:
        meet.wait(10)
        return ""

    with ThreadPoolExecutor(2) as pool:
        rendered = [
            pool.submit(env.get_template(name).render, meet=both_are_rendering)
            for name in "ab"
        ]
        # Which thread renders which fragment may vary, but none of them deadlocks.
        assert {page.result(timeout=5) for page in rendered} <= {"a", "b"}


def test_three_fragments_in_a_ring_do_not_wait_for_each_other() -> None:
    cache = FragmentCache(lock_timeout=30)
    meet = threading.Barrier(3)

    def body(inner: str) -> str:
        meet.wait(10)
        return ask(cache, inner, lambda: inner)

    with ThreadPoolExecutor(3) as pool:
        asked = [
            pool.submit(ask, cache, key, partial(body, inner))
            for key, inner in ("ab", "bc", "ca")
        ]
        assert {each.result(timeout=10) for each in asked} <= {"a", "b", "c"}


def test_a_fragment_in_many_others_is_rendered_once(joins: Joins) -> None:
    cache = FragmentCache()
    sidebar = Body()

    def page(_: int) -> str:
        return ask(cache, "sidebar", sidebar)

    with ThreadPoolExecutor(8) as pool:
        pages = [
            pool.submit(ask, cache, f"page {number}", partial(page, number))
            for number in range(8)
        ]
        joins.wait_for(16)
        sidebar.go_on.set()
        assert {each.result() for each in pages} == {"text 1"}
    assert sidebar.calls.calls == 1


def test_a_blocking_call_does_not_wait_for_a_task_of_its_own_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Flight, "wait", lambda *_: pytest.fail("stood still"))
    cache = FragmentCache()
    spec = FragmentSpec("k", PLAIN, 60)

    async def use() -> tuple[Any, str]:
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def body() -> str:
            entered.set()
            await go_on.wait()
            return "text"

        task = asyncio.ensure_future(
            cache.engine.run_async(partial(renew, spec, NOTHING), body)
        )
        await entered.wait()
        mine = cache.engine.run(partial(renew, spec, NOTHING), lambda: "mine")
        go_on.set()
        return await task, mine

    assert asyncio.run(use()) == ("text", "mine")


def test_a_text_deleted_while_it_renders_is_not_written() -> None:
    store = RecordingStore()
    cache = FragmentCache(store)

    def body() -> str:
        cache.delete("k")
        return "old"

    assert ask(cache, "k", body) == "old"
    assert "set" not in store.calls


@pytest.mark.parametrize("delete", ["delete", "delete_fragment", "clear"])
def test_a_fragment_deleted_while_it_renders_is_rendered_again(delete: str) -> None:
    cache = FragmentCache()
    env = environment({"page": '{% cache 60, "x" %}{{ body() }}{% endcache %}'}, cache)
    key = make_template_fragment_key("x")
    arguments = {"delete": [key], "delete_fragment": ["x"], "clear": []}[delete]
    texts = iter(["old", "new", "newer"])

    def body() -> str:
        text = next(texts)
        if text == "old":
            getattr(cache, delete)(*arguments)
        return text

    pages = [env.get_template("page").render(body=body) for _ in range(3)]
    assert pages == ["old", "new", "new"]


def test_a_text_deleted_with_other_keys_while_it_renders_is_not_stored() -> None:
    cache = FragmentCache()

    def body() -> str:
        perform(delete(cache.engine.context, ["other", "k"]))
        return "old"

    assert ask(cache, "k", body) == "old"
    assert cache.get("k") is None


def test_callers_who_join_after_the_leaders_last_read_read_the_store_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process deletes the text that the leader has read, before it lands."""

    class Shared(MemoryStore):
        """A store of another type than MemoryStore, so that it counts as shared."""

        def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
            if to_do == ["store", "delete"]:
                to_do.remove("store")
                assert ask(elsewhere, "k", lambda: "old") == "old"
                to_do.append("now")
            return super().add(key, value, timeout)

        def delete(self, key: str) -> bool:
            if to_do == ["delete", "now"]:
                to_do.clear()
                elsewhere.delete("k")
                late.start()
                assert joined.wait(10)
            return super().delete(key)

    to_do = ["store", "delete"]
    store = Shared()
    here, elsewhere = FragmentCache(store), FragmentCache(store)
    texts: dict[str, str] = {}
    joined = threading.Event()
    join = Flights.join

    def note_join(*args: Any, **options: Any) -> Any:
        answer = join(*args, **options)
        if threading.current_thread() is late:
            joined.set()
        return answer

    monkeypatch.setattr(Flights, "join", note_join)

    def use(name: str) -> None:
        texts[name] = ask(here, "k", lambda: f"new for {name}")

    leader = threading.Thread(target=use, args=["leader"])
    late = threading.Thread(target=use, args=["late"])
    leader.start()
    leader.join(10)
    late.join(10)
    assert texts == {"leader": "old", "late": "new for late"}


def test_callers_waiting_for_a_text_that_is_deleted_get_a_new_one(joins: Joins) -> None:
    cache = FragmentCache()
    body = Body()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, cache, "k", body)
        assert body.started.wait(10)
        others = [pool.submit(ask, cache, "k", body) for _ in range(3)]
        joins.wait_for(4)
        cache.delete("k")
        body.go_on.set()
        assert first.result() == "text 1"
        assert {each.result() for each in others} == {"text 2"}
    assert cache.get("k") == "text 2"


def test_a_text_deleted_while_it_is_written_is_removed_again() -> None:
    class Deleting(MemoryStore):
        """A store in which a key is deleted while it is written."""

        def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
            cache.delete(key)
            return super().set(key, value, timeout)

    cache = FragmentCache(Deleting())
    assert ask(cache, "k", lambda: "old") == "old"
    assert cache.get("k") is None


def test_a_text_that_can_not_be_removed_again_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = RecordingStore()
    cache = FragmentCache(store)

    def body() -> str:
        return "old"

    class Deleting(RecordingStore):
        def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
            self.failing = {"delete"}
            with pytest.raises(StoreError):
                cache.delete(key)
            return super().set(key, value, timeout)

    cache = FragmentCache(Deleting())
    assert ask(cache, "k", body) == "old"
    assert "could not delete 'k'" in caplog.text


def test_flights_are_forgotten_when_they_have_landed() -> None:
    flights = Flights()
    flight, is_leader = flights.join("k")
    assert is_leader
    with flight:
        assert flights.join("k") == (flight, False)
        flight.landing = "what it landed with", False, False, Reach.ALL
    assert flight.wait(0) == ("what it landed with", False, False, Reach.ALL)
    reference = weakref.ref(flight)
    del flight
    gc.collect()
    assert reference() is None
    assert flights.join("k")[1]


def store(flights: Flights, key: str) -> None:
    """Let a flight land whose value was stored."""
    flight, _ = flights.join(key)
    with flight:
        flight.is_stored = True


def test_a_key_whose_value_must_not_be_stored_is_not_waited_for() -> None:
    flights = Flights()
    flights.note_not_to_store("k")
    assert [flights.join("k")[1] for _ in range(2)] == [True, True]
    store(flights, "k")
    assert [flights.join("k")[1] for _ in range(2)] == [True, False]


def test_a_flight_in_the_queue_is_joined_only_with_an_old_value() -> None:
    flights = Flights()
    queued, _ = flights.join("k")
    queued.is_queued = True
    assert flights.join("k", has_stale=True) == (queued, False)
    flight, is_leader = flights.join("k")
    assert is_leader
    assert flight is not queued
    assert flights.join("k") == (flight, False)
    assert not flights.begin_queued(queued)


def test_who_looks_again_needs_no_memory_of_keys() -> None:
    flights = Flights()
    flights.remembers_stored = False
    store(flights, "k")
    assert not flights.join("k")[0].may_be_stored


def test_only_the_last_keys_are_remembered() -> None:
    flights = Flights()
    for number in range(5000):
        store(flights, str(number))
    assert flights.join("4999")[0].may_be_stored
    assert not flights.join("0")[0].may_be_stored


def test_needs_follows_the_flights_that_are_awaited() -> None:
    flights = Flights()
    first, second, third = (Flight(key, flights) for key in "abc")
    first.awaited = [second]
    second.awaited = [third]
    assert first.needs({third})
    assert not third.needs({first})
    third.awaited = [second]
    assert not second.needs({first})


def test_a_waiting_caller_with_another_escaping_renders_its_own_text(
    joins: Joins,
) -> None:
    cache = FragmentCache()
    body = Body()
    unescaped = FragmentSpec("k", want(False, None), 60)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, cache, "k", body)
        assert body.started.wait(10)
        second = pool.submit(cache.engine.run, partial(renew, unescaped, NOTHING), body)
        joins.wait_for(2)
        body.go_on.set()
        assert (first.result(), second.result()) == ("text 1", "text 2")


def test_a_task_that_goes_on_after_a_body_begins_no_chain() -> None:
    flights = Flights()

    def go_on(key: str) -> tuple[Flight, Context]:
        with Flight(key, flights) as later:
            return later, copy_context()

    with Flight("outer", flights) as outer:
        inner, inherited = go_on("inner")
        assert inner.parent is outer
        # `inner` has landed, and `outer` has not.
        later, inherited = inherited.run(go_on, "later")
        assert later.parent is outer
    last, _ = inherited.run(go_on, "last")
    assert last.parent is None
