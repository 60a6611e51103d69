"""Several processes that render the same text: here, two caches that share a store."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from jinja_fragcache import FragmentCache, Stats, StoreError
from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.flow import renew
from jinja_fragcache.engine.lookup import NOTHING
from jinja_fragcache.engine.spec import FragmentSpec, NotStored
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.operations import perform_async
from tests.joins import Joins
from tests.support import Clock, Counter, SharedStore, adapted, ask

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = want(True, None)


class Machine:
    """Two caches on one store, and what happens while one of them waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.store = SharedStore()
        self.adapter = adapted(self.store)[0]
        self.clock = Clock()
        options = {"timer": self.clock, "clock": self.clock, **options}
        self.here = FragmentCache(self.store, **options)
        self.there = FragmentCache(self.store, **options)
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.renders = Counter()

        def sleep(seconds: float) -> None:
            self.pauses.append(seconds)
            self.clock.now += seconds
            self.meanwhile()

        for cache in (self.here, self.there):
            monkeypatch.setattr(cache.engine.context, "sleep", sleep)

    def body(self) -> str:
        return f"text {self.renders()}"

    def locks(self) -> list[str]:
        return [key for key in self.store.values if key.startswith("lock:")]

    def take_lock(self) -> None:
        assert self.adapter.lock(["k"], "somebody", 10)

    def let_lock_go(self) -> None:
        self.adapter.unlock(["k"], "somebody")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_lock_is_held_until_the_text_is_stored(machine: Machine) -> None:
    def body() -> str:
        (lock,) = machine.locks()
        assert machine.store.timeouts[lock] == 10
        return machine.body()

    assert ask(machine.here, "k", body) == "text 1"
    assert machine.locks() == []
    assert machine.store.values == {"k": "text 1"}
    assert machine.here.stats() == Stats(misses=1, stored=1)


def test_another_process_waits_and_is_served_the_stored_text(machine: Machine) -> None:
    machine.take_lock()

    def finish() -> None:
        if len(machine.pauses) == 3:
            assert machine.adapter.set_locked({"k": ("theirs", 60)}, "somebody")

    machine.meanwhile = finish
    assert ask(machine.there, "k", machine.body) == "theirs"
    assert machine.pauses == [0.01, 0.02, 0.04]
    assert machine.there.stats() == Stats(misses=1, waited=1)


def test_the_pauses_grow_and_end_with_the_lock_timeout(machine: Machine) -> None:
    machine.take_lock()
    assert ask(machine.here, "k", machine.body) == "text 1"
    assert machine.pauses[:6] == [0.01, 0.02, 0.04, 0.08, 0.16, 0.25]
    assert sum(machine.pauses) == pytest.approx(10)
    # A caller without the lock stores nothing.
    assert "k" not in machine.store.values
    assert machine.here.stats() == Stats(misses=1)


def test_a_nested_render_waits_a_tenth_of_the_lock_timeout(machine: Machine) -> None:
    machine.take_lock()

    def outer() -> str:
        return ask(machine.here, "k", machine.body)

    assert ask(machine.here, "outer", outer) == "text 1"
    assert sum(machine.pauses) == pytest.approx(1)


def test_when_a_lock_is_released_without_a_text_a_waiting_caller_renders(
    machine: Machine,
) -> None:
    machine.take_lock()

    def give_up() -> None:
        if len(machine.pauses) == 2:
            machine.let_lock_go()

    machine.meanwhile = give_up
    assert ask(machine.here, "k", machine.body) == "text 1"
    assert machine.pauses == [0.01, 0.02]
    assert machine.store.values == {"k": "text 1"}


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_body_that_fails_releases_the_lock(
    machine: Machine, error: BaseException
) -> None:
    def body() -> str:
        raise error

    with pytest.raises(type(error)):
        ask(machine.here, "k", body)
    assert machine.store.values == {}


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
def test_a_cancelled_task_releases_the_lock(
    machine: Machine, error: type[BaseException]
) -> None:
    cache = machine.here

    async def use() -> None:
        entered = asyncio.Event()

        async def body() -> str:
            entered.set()
            await asyncio.Event().wait()
            return "never"

        spec = FragmentSpec("k", PLAIN, 60)
        flow = renew(spec, NOTHING, cache.engine.async_context, body)
        work = perform_async(flow)
        if error is GeneratorExit:
            # A coroutine that is closed can't await anything. Its lock ends by itself.
            task = asyncio.ensure_future(_closing(work, entered))
        else:
            task = asyncio.ensure_future(work)
            await entered.wait()
            task.cancel()
        await asyncio.wait([task])

    asyncio.run(use())
    assert len(machine.locks()) == (error is GeneratorExit)


def test_a_lock_that_a_cancelled_scope_leaves_holds_up_nobody_in_this_process(
    machine: Machine,
) -> None:
    context = machine.here.engine.async_context
    request = FragmentSpec("k", PLAIN, 60)

    async def use() -> Any:
        async def never() -> str:
            scope.cancel()
            await trio.sleep_forever()

        async def body() -> str:
            return machine.body()

        with trio.CancelScope() as scope:
            await perform_async(renew(request, NOTHING, context, never))
        # All that is awaited in it is cancelled, the release of the lock, too.
        assert scope.cancelled_caught
        assert len(machine.locks()) == 1
        return await perform_async(renew(request, NOTHING, context, body))

    assert trio.run(use) == "text 1"
    assert machine.locks() == []
    assert list(machine.store.values) == ["k"]


async def _closing(work: Any, entered: asyncio.Event) -> None:
    steps = work.__await__()
    while True:
        awaited = next(steps)
        if entered.is_set():
            break
        await asyncio.wait([awaited])
    steps.close()


@pytest.mark.parametrize("parts", [("1", "2"), ("1", "1")], ids=["edited", "same"])
def test_a_body_is_not_stored_if_a_template_was_edited_between_two_parts(
    machine: Machine, parts: tuple[str, str]
) -> None:
    def body() -> str:
        dependencies = current_dependencies()
        assert dependencies is not None
        for digest in parts:
            dependencies.include({}, templates={"part.html": digest})
        return machine.body()

    assert ask(machine.here, "k", body) == "text 1"
    assert (machine.here.get("k") == "text 1") is (parts == ("1", "1"))


def test_a_text_deleted_by_another_process_while_it_renders_is_not_stored(
    machine: Machine,
) -> None:
    def body() -> str:
        machine.there.delete("k")
        return machine.body()

    assert ask(machine.here, "k", body) == "text 1"
    assert machine.store.values == {}
    assert machine.here.stats() == Stats(misses=1)
    assert ask(machine.there, "k", machine.body) == "text 2"


def test_a_text_whose_lock_is_lost_while_it_is_written_is_removed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_set = machine.store.set

    def set_and_lose(key: str, value: Any, timeout: int | None = None) -> bool:
        kept = plain_set(key, value, timeout)
        if key == "k":
            for lock in machine.locks():
                del machine.store.values[lock]
        return kept

    monkeypatch.setattr(machine.store, "set", set_and_lose)
    assert ask(machine.here, "k", machine.body) == "text 1"
    assert machine.store.values == {}


def test_a_body_slower_than_its_lock_is_stored_the_next_time(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    seen = []

    def slow() -> str:
        (lock,) = machine.locks()
        seen.append(machine.store.timeouts[lock])
        machine.clock.now += 15
        if seen[-1] == 10:
            # It has expired.
            del machine.store.values[lock]
        return machine.body()

    ask(machine.here, "k", slow)
    assert machine.store.values == {}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "'k' took 15.0 seconds to make" in record.message
    assert "CACHE_LOCK_TIMEOUT" in record.message
    ask(machine.here, "k", slow)
    assert seen == [10, 30]
    assert machine.store.values == {"k": "text 2"}
    assert len(caplog.records) == 1


def test_a_stale_text_is_served_while_another_process_renders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, stale=30)
    ask(machine.here, "k", machine.body)
    machine.clock.now += 60

    def body() -> str:
        assert ask(machine.there, "k", machine.body) == "text 1"
        return machine.body()

    assert ask(machine.here, "k", body) == "text 2"
    assert ask(machine.there, "k", machine.body) == "text 2"
    assert machine.there.stats() == Stats(hits=2, stale=1)
    assert machine.pauses == []


def test_a_text_renewed_by_another_process_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, stale=30)
    ask(machine.here, "k", machine.body)
    machine.clock.now += 60
    plain_add = machine.store.add

    def renew_first(key: str, value: Any, timeout: int | None = None) -> bool:
        monkeypatch.setattr(machine.store, "add", plain_add)
        assert ask(machine.there, "k", machine.body) == "text 2"
        return plain_add(key, value, timeout)

    monkeypatch.setattr(machine.store, "add", renew_first)
    assert ask(machine.here, "k", machine.body) == "text 2"
    assert machine.locks() == []
    assert machine.here.stats() == Stats(hits=1, misses=1, stored=1)


def test_the_lock_is_released_once_when_another_process_was_faster(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_add = machine.store.add

    def store_first(key: str, value: Any, timeout: int | None = None) -> bool:
        monkeypatch.setattr(machine.store, "add", plain_add)
        ask(machine.there, "k", machine.body)
        machine.store.calls.clear()
        return plain_add(key, value, timeout)

    monkeypatch.setattr(machine.store, "add", store_first)
    assert ask(machine.here, "k", machine.body) == "text 1"
    # It takes the lock, looks again, and releases the lock.
    assert machine.store.calls == ["add", "set", "get", "get", "delete"]
    assert machine.locks() == []


def test_if_the_lock_can_not_be_taken_the_text_is_rendered_and_not_stored(
    machine: Machine,
) -> None:
    machine.store.errors["add"] = ValueError("add is not allowed")
    assert ask(machine.here, "k", machine.body) == "text 1"
    assert machine.pauses == []
    assert machine.store.values == {}


def test_a_key_whose_last_value_must_not_be_stored_is_not_waited_for(
    machine: Machine,
) -> None:
    machine.here.engine.context.flights.note_not_to_store("k")
    machine.take_lock()
    assert ask(machine.here, "k", machine.body) == "text 1"
    assert machine.pauses == []


def test_a_value_that_must_not_be_stored_releases_the_lock(machine: Machine) -> None:
    class NotToStore(FragmentSpec):
        def timeout_of(self, value: Any) -> int | None:
            raise NotStored

    spec = NotToStore("k", PLAIN, 60)
    machine.here.engine.run(partial(renew, spec, NOTHING), machine.body)
    assert machine.store.values == {}


def test_all_callers_in_a_process_are_served_what_another_process_stored(
    machine: Machine, joins: Joins
) -> None:
    machine.take_lock()
    with ThreadPoolExecutor(1) as pool:
        followers: list[Any] = []

        def finish() -> None:
            if not followers:
                followers.append(pool.submit(ask, machine.here, "k", machine.body))
                joins.wait_for(2)
                assert machine.adapter.set_locked({"k": ("theirs", 60)}, "somebody")

        machine.meanwhile = finish
        assert ask(machine.here, "k", machine.body) == "theirs"
        assert followers[0].result() == "theirs"
    assert machine.renders.calls == 0


def test_a_waiting_caller_is_not_served_a_text_deleted_by_another_process(
    machine: Machine, caplog: pytest.LogCaptureFixture, joins: Joins
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def body() -> str:
        entered.set()
        assert go_on.wait(10)
        return machine.body()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, machine.here, "k", body)
        assert entered.wait(10)
        machine.there.delete("k")
        second = pool.submit(ask, machine.here, "k", body)
        joins.wait_for(2)
        go_on.set()
        assert (first.result(), second.result()) == ("text 1", "text 2")
    assert machine.store.values == {"k": "text 2"}
    # Only a slow body is logged.
    assert caplog.records == []


def test_a_text_that_the_store_refuses_releases_its_lock() -> None:
    class Refusing(SharedStore):
        """A store that refuses some texts as too large."""

        def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
            if value == "too large":
                raise StoreError("it is too large")
            return super().set(key, value, timeout)

    store = Refusing()
    cache = FragmentCache(store)
    assert ask(cache, "k", lambda: "too large") == "too large"
    assert store.values == {}


@pytest.mark.parametrize("method", ["lock_and_get", "get", "set_locked"])
def test_a_task_cancelled_during_a_store_call_releases_the_lock(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    cache = machine.here
    store = cache.engine.async_context.store
    plain = store._run

    async def use() -> None:
        working = asyncio.Event()

        async def work(operation: Any) -> Any:
            if operation.gi_code.co_name != method:
                return await plain(operation)
            if method == "lock_and_get":
                await plain(operation)
            working.set()
            return await asyncio.Event().wait()

        async def body() -> str:
            return "text"

        monkeypatch.setattr(store, "_run", work)
        spec = FragmentSpec("k", PLAIN, 60)
        flow = renew(spec, NOTHING, cache.engine.async_context, body)
        task = asyncio.ensure_future(perform_async(flow))
        await asyncio.wait_for(working.wait(), 10)
        assert len(machine.locks()) == 1
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(use())
    assert machine.locks() == []


def test_a_coroutine_may_be_closed_while_it_claims_a_key(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = machine.here.engine.async_context

    async def use() -> None:
        working = asyncio.Event()

        async def work(_: object) -> None:
            working.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(context.store, "_run", work)
        spec = FragmentSpec("k", PLAIN, 60)
        flow = renew(spec, NOTHING, context, lambda: pytest.fail("rendered"))
        # It must not await anything any more.
        await _closing(perform_async(flow), working)

    asyncio.run(use())


@pytest.mark.parametrize("call", ["add", "get"])
def test_a_lock_left_behind_by_a_lost_answer_is_not_waited_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The answer is lost when the lock is taken, or when it should be released."""
    plain = getattr(machine.store, call)

    def lose_answer(key: str, *rest: Any, **more: Any) -> Any:
        answer = plain(key, *rest, **more)
        if key.startswith("lock:"):
            raise ConnectionError("cut")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(machine.store, call, lose_answer)
        assert ask(machine.here, "k", machine.body) == "text 1"
        # The circuit breaker is open, so the lock is not released.
        assert len(machine.locks()) == 1
    machine.clock.now += 1
    assert ask(machine.here, "k", machine.body) == "text 2"
    assert machine.pauses == []
    assert machine.locks() == []
    assert machine.store.values == {"k": "text 2"}
