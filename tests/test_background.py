"""Stale entries are made again behind the request: no caller waits for a body."""

import asyncio
import logging
import threading
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from jinja_fragcache import (
    FragmentCache,
    MemoryStore,
    Stats,
    note_read,
)
from jinja_fragcache.engine.background import Pool
from jinja_fragcache.render import apart
from jinja_fragcache.stores import FileStore
from tests.backgrounds import Page
from tests.support import Counter, SharedStore, files_of_calls

PLAIN = '{% cache 60, "x" %}{{ n() }}{% endcache %}'


def stale_page(source: str = PLAIN, *args: Any, **options: Any) -> Page:
    """Return a page that was rendered once, with an entry that is stale."""
    page = Page(source, *args, **options)
    page.get()
    page.expire()
    return page


def test_no_caller_waits_for_a_stale_entry_and_the_next_gets_the_new_text() -> None:
    page = stale_page()
    page.body.close()
    assert [page.get() for _ in range(3)] == ["1"] * 3
    page.body.wait_until_entered()
    assert page.get() == "1"
    page.finish()
    assert page.get() == "2"
    assert page.body.calls.calls == 2
    assert threading.current_thread() not in page.body.threads
    assert page.cache.stats() == Stats(hits=5, misses=2, stored=2, stale=4)


def test_an_early_refresh_is_made_behind_the_request_too() -> None:
    page = Page(PLAIN, stale=0, early_refresh=1, chance=lambda: 1 - 1e-9)
    page.body.calls.calls = 0
    clock = page.clock

    def slow() -> int:
        clock.now += 1
        return page.body()

    page.template.environment.globals["n"] = slow
    assert page.get() == "1"
    clock.now += 50
    assert page.get() == "1"
    page.finish()
    assert page.get() == "2"


@pytest.mark.parametrize("options", [{"background": False}, {"stale": 0}])
def test_without_background_a_caller_renders(options: dict[str, Any]) -> None:
    page = stale_page(**options)
    assert page.get() == "2"
    assert page.is_by_caller


@pytest.mark.parametrize(
    ("cache", "tag", "by_caller"),
    [(False, "true", False), (True, "false", True), (False, "false", True)],
)
def test_a_tag_may_say_whether_it_is_made_behind_the_request(
    cache: bool, tag: str, by_caller: bool
) -> None:
    source = f'{{% cache 60, "x", background={tag} %}}{{{{ n() }}}}{{% endcache %}}'
    page = stale_page(source, background=cache)
    page.get()
    page.finish()
    assert page.get() == "2"
    assert page.is_by_caller == by_caller


def test_where_there_is_no_room_a_caller_renders() -> None:
    page = stale_page(pool=Pool(threads=0, queued=0))
    assert page.get() == "2"
    assert page.is_by_caller


# What a body is given


ITEMS = '{% for x in items %}{% cache 60, "x", x %}{{ n() and x }} {% endcache %}'


def test_a_body_has_the_values_that_it_had_at_the_look_up() -> None:
    page = Page(ITEMS + "{% endfor %}", pool=Pool(threads=3))
    items = ["a", "b", "c"]
    page.get(items=items)
    page.expire()
    page.body.close()
    assert page.get(items=items) == "a b c"
    page.body.wait_until_entered(3)
    page.finish()
    assert page.get(items=items) == "a b c"
    assert page.body.calls.calls == 6
    assert threading.current_thread() not in page.body.threads


@pytest.mark.parametrize(
    "source",
    [
        '{% set v = "old" %}@{{ v }}#{% set v = "new" %}',
        (
            '{% set v = "old" %}{% macro m() %}{{ v }}{% endmacro %}'
            "@{{ m() }}#{% set v = 1 %}"
        ),
        '{% set v = "old" %}@{% include "part.html" %}#{% set v = "new" %}',
        '{% block b %}{% set v = "old" %}@{{ v }}#{% set v = "new" %}{% endblock %}',
        '{% macro m(v) %}@{{ v }}#{% set v = "new" %}{% endmacro %}{{ m("old") }}',
        (
            '{% set v = "old" %}{% macro m() %}{{ caller() }}{% endmacro %}'
            '@{% call m() %}{{ v }}{% endcall %}#{% set v = "new" %}'
        ),
        '{% set v = "old" %}@{{ v }}{% nocache %}{% endnocache %}#{% set v = 1 %}',
    ],
)
def test_what_is_set_after_the_tag_is_not_what_its_body_reads(source: str) -> None:
    source = source.replace("@", '{% cache 60, "x" %}{{ n() and "" }}')
    page = stale_page(
        source.replace("#", "{% endcache %}"), templates={"part.html": "{{ v }}"}
    )
    page.body.close()
    assert page.get() == "old"
    page.body.wait_until_entered()
    page.finish()
    assert threading.current_thread() not in page.body.threads
    assert page.get() == "old"
    assert page.body.calls.calls == 2


@pytest.mark.parametrize(
    "source",
    [
        '{% for x in "a" %}@{{ loop.index }}#{% endfor %}',
        "{% set s = namespace(v=1) %}@{{ s.v }}#",
        "@{{ lines|list|length }}#",
        '{% set c = cycler("a", "b") %}@{{ c.next() }}#',
        '@{% include "part.html" %}#',
    ],
)
def test_a_body_with_what_can_be_read_once_only_is_left_to_a_caller(
    source: str,
) -> None:
    source = source.replace("@", '{% cache 60, "x" %}{{ n() and "" }}')
    page = Page(
        source.replace("#", "{% endcache %}"),
        templates={"part.html": "{{ lines|list|length }}"},
    )
    for _ in range(2):
        page.expire()
        page.get(lines=iter("ab"))
        page.finish()
        page.get(lines=iter("ab"))
    assert page.body.threads[-1] is threading.current_thread()


def read_shop() -> str:
    note_read("shop")
    return ""


def test_a_body_that_reads_of_the_request_is_left_to_a_caller() -> None:
    page = Page('{% cache 60, "x", allow=["shop"] %}{{ n() }}{{ f() }}{% endcache %}')
    page.template.environment.globals["f"] = read_shop
    assert page.get() == "1"
    page.expire()
    # That it is read is not in the entry, because it is allowed.
    assert page.get() == "1"
    page.finish()
    assert page.cache.stats().stored == 1
    page.body.threads.clear()
    assert page.get() == "3"
    assert page.is_by_caller
    page.expire()
    assert page.get() == "4"
    assert page.is_by_caller


def test_what_a_list_or_dictionary_had_at_the_look_up_is_what_the_body_reads() -> None:
    source = (
        '{% cache 60, "x" %}{{ n() and "" }}{{ xs|join }}{{ d.k[0].v }}{% endcache %}'
        "{{ change() }}"
    )
    page = Page(source)
    xs, d = ["a"], {"k": [{"v": "b"}]}

    def change() -> str:
        xs.append("c")
        d["k"][0]["v"] = "d"
        return ""

    page.get(xs=xs, d=d, change=str)
    page.expire()
    page.body.close()
    page.get(xs=xs, d=d, change=change)
    page.finish()
    assert page.get(change=str) == "ab"
    assert page.body.calls.calls == 2
    assert not page.is_by_caller


@pytest.mark.parametrize(("items", "by_caller"), [(10_001, True), (10_000, False)])
def test_a_body_with_more_items_than_are_copied_is_left_to_a_caller(
    items: int, *, by_caller: bool
) -> None:
    page = Page('{% cache 60, "x" %}{{ n() }}{{ xs[0] }}{{ shared[0] }}{% endcache %}')
    # What all requests share is not copied.
    page.template.environment.globals["shared"] = [0] * 20_000
    for _ in range(3):
        page.expire()
        page.get(xs=[0] * items)
        page.finish()
    assert page.is_by_caller == by_caller


class Row:
    """A row of SQLAlchemy, as far as it is known which session has it."""

    __mapper__ = None

    def __init__(self, session: int | None) -> None:
        self._sa_instance_state = SimpleNamespace(session_id=session)


@pytest.mark.parametrize("body", ["{{ row and 1 }}", "{{ rows|length }}"])
@pytest.mark.parametrize(("session", "by_caller"), [(7, True), (None, False)])
def test_a_body_with_a_row_that_a_session_has_is_left_to_a_caller(
    body: str, session: int | None, *, by_caller: bool
) -> None:
    """Else its thread and the caller's would use the session at once."""
    page = Page(f'{{% cache 60, "x" %}}{{{{ n() }}}}{body}{{% endcache %}}')
    row = Row(session)
    for _ in range(2):
        page.expire()
        page.get(row=row, rows=[row])
        page.finish()
    page.body.threads.clear()
    page.get(row=row, rows=[row])
    page.finish()
    assert page.cache.stats().stored == 2
    page.expire()
    page.get(row=row, rows=[row])
    page.finish()
    assert page.is_by_caller == by_caller


@pytest.mark.parametrize(
    "source",
    [
        "{% set v = rows %}@{{ v|length }}#",
        (
            "{% set f = cycler(rows) %}"
            "{% macro m() %}{{ f and rows|length }}{% endmacro %}"
            "{% set v = m %}@{{ v() }}#"
        ),
    ],
    ids=["list", "macro"],
)
def test_what_can_not_be_captured_is_so_by_each_of_its_names(source: str) -> None:
    source = source.replace("@", '{% cache 60, "x" %}{{ n() and "" }}')
    page = Page(source.replace("#", "{% endcache %}"))
    row = Row(7)
    texts = []
    for _ in range(3):
        page.expire()
        texts.append(page.get(rows=[row, 1]))
        page.finish()
    assert texts == ["2"] * 3
    assert page.is_by_caller


def test_a_body_whose_row_has_no_session_any_more_is_left_to_a_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class DetachedInstanceError(Exception):
        """That of SQLAlchemy."""

    def load() -> str:
        if threading.current_thread() is not threading.main_thread():
            raise DetachedInstanceError
        return ""

    page = Page('{% cache 60, "x" %}{{ n() }}{{ load() }}{% endcache %}')
    page.template.environment.globals["load"] = load
    page.get()
    page.expire()
    assert page.get() == "1"
    page.finish()
    assert page.get() == "3"
    assert caplog.records == []


def test_what_fails_while_a_body_is_captured_leaves_it_to_the_caller(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stale_page()
    monkeypatch.setattr(apart, "capture", lambda *_: 1 / 0)
    assert page.get() == "2"
    assert page.is_by_caller
    assert "a caller renders it" in caplog.text


def test_what_is_inside_of_another_body_is_made_by_its_caller() -> None:
    inner = '{% cache 60, "i" %}{{ n() }}{% endcache %}'
    page = stale_page(
        f'{{% cache 60, "o", stale=0, version=v %}}{inner}{{% endcache %}}'
    )
    assert page.get(v=2) == "2"
    assert page.is_by_caller


def test_a_cache_with_values_of_the_request_in_all_keys_has_callers() -> None:
    page = stale_page(vary_on=lambda: ["en"])
    assert page.get() == "2"
    assert page.is_by_caller


# What happens meanwhile


@pytest.mark.parametrize("how", ["delete", "invalidate", "clear"])
@pytest.mark.parametrize("is_queued", [False, True])
def test_what_is_deleted_meanwhile_is_not_stored(how: str, is_queued: bool) -> None:
    source = '{% cache 60, "x", tags=["t"] %}{{ n() }}{% endcache %}'
    page = stale_page(source, pool=Pool(threads=1))
    blocked = threading.Event()
    page.body.close()
    if is_queued:
        page.pool.submit(lambda: blocked.wait(30))
    page.get()
    if not is_queued:
        page.body.wait_until_entered()
    if how == "delete":
        page.cache.delete_fragment("x")
    elif how == "invalidate":
        page.cache.invalidate_tags("t")
    else:
        page.cache.clear()
    blocked.set()
    page.finish()
    if how != "invalidate":  # That is stored with the old version of its tag.
        assert page.cache.stats().stored == 1
    assert page.get() == ("2" if is_queued else "3")
    assert page.body.threads[-1] is threading.current_thread()


def test_if_the_store_can_not_be_read_behind_the_request_nothing_is_made() -> None:
    """What a body was given there may be older than a delete."""
    store = SharedStore()
    page = stale_page(store=store, pool=Pool(threads=1))
    blocked = threading.Event()
    page.pool.submit(lambda: blocked.wait(30))
    assert page.get() == "1"
    store.failing = {"get"}
    blocked.set()
    page.finish()
    assert page.body.calls.calls == 1


def test_a_caller_without_an_old_entry_does_not_wait_for_the_queue() -> None:
    page = stale_page(pool=Pool(threads=1), lock_timeout=100)
    blocked = threading.Event()
    page.pool.submit(lambda: blocked.wait(10))
    assert page.get() == "1"
    page.clock.now += 60
    assert page.get() == "2"
    assert page.is_by_caller
    blocked.set()
    page.finish()
    assert page.body.calls.calls == 2


def test_a_body_that_fails_is_logged_and_the_old_entry_goes_on_to_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = stale_page()
    page.body.error = ZeroDivisionError()
    for _ in range(3):
        assert page.get() == "1"
        page.finish()
    # It is tried again after a second.
    assert page.body.calls.calls == 2
    page.clock.now += 2
    assert page.get() == "1"
    page.finish()
    assert page.body.calls.calls == 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "could not be refreshed" in caplog.text
    page.body.error = None
    page.clock.now += 60
    assert page.get() == "4"
    assert page.is_by_caller is False
    assert page.body.threads[-1] is threading.current_thread()


def test_of_two_processes_one_makes_it(tmp_path: Path) -> None:
    first = stale_page(store=FileStore(str(tmp_path)))
    second = Page(PLAIN, FileStore(str(tmp_path)))
    second.clock.now = first.clock.now
    first.body.close()
    assert first.get() == "1"
    first.body.wait_until_entered()
    assert second.get() == "1"
    second.finish()
    assert second.body.calls.calls == 0
    first.finish()
    assert second.get() == "2"


# On an event loop


class Loop:
    """A page whose body is a coroutine function that waits until it may go on."""

    def __init__(self, **options: Any) -> None:
        self.page = Page(PLAIN, enable_async=True, **options)
        self.calls = Counter()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.page.template.environment.globals["n"] = self.body
        self.tasks: list[Any] = []

    async def body(self) -> int:
        number = self.calls()
        self.tasks.append(asyncio.current_task())
        await self.may_go_on.wait()
        return number

    async def get(self) -> str:
        return await self.page.template.render_async()


def test_on_an_event_loop_a_task_makes_it() -> None:
    async def run() -> list[str]:
        loop = Loop()
        texts = [await loop.get()]
        loop.page.expire()
        loop.may_go_on.clear()
        texts += [await loop.get(), await loop.get()]
        (task,) = loop.page.pool._tasks
        loop.may_go_on.set()
        await task
        assert loop.tasks == [asyncio.current_task(), task]
        return [*texts, await loop.get()]

    assert asyncio.run(run()) == ["1", "1", "1", "2"]


def test_a_task_that_fails_or_is_cancelled_leaves_the_old_entry() -> None:
    async def run() -> None:
        loop = Loop()
        await loop.get()
        loop.page.expire()
        loop.may_go_on.clear()
        await loop.get()
        (task,) = loop.page.pool._tasks
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert not loop.page.pool._tasks
        assert await loop.get() == "1"
        loop.may_go_on.set()
        await asyncio.wait(loop.page.pool._tasks)
        assert await loop.get() == "3"

    asyncio.run(run())


class Begun:
    """The rest of a coroutine that has begun, to be awaited."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self._awaited: list[Any] = []
        with suppress(StopIteration):
            self._awaited.append(work.send(None))

    def __await__(self) -> Generator[Any, None, None]:
        with suppress(StopIteration):
            while self._awaited:
                yield self._awaited.pop()
                self._awaited.append(self._work.send(None))


def begin_at_once(
    loop: asyncio.AbstractEventLoop, work: Any, **_: Any
) -> asyncio.Task[None]:
    """Like `asyncio.eager_task_factory`, which Python 3.11 has not."""
    begun = Begun(work)

    async def rest() -> None:
        await begun

    return asyncio.Task(rest(), loop=loop)


def test_no_caller_waits_where_tasks_begin_at_once() -> None:
    async def run() -> list[str]:
        loop = Loop()
        texts = [await loop.get()]
        loop.page.expire()
        factory: Any = begin_at_once
        asyncio.get_running_loop().set_task_factory(factory)
        loop.may_go_on.clear()
        texts.append(await loop.get())
        assert loop.calls.calls == 1
        loop.may_go_on.set()
        await asyncio.wait(loop.page.pool._tasks)
        return [*texts, await loop.get()]

    assert asyncio.run(run()) == ["1", "1", "2"]


@pytest.mark.parametrize("is_stale", [True, False])
def test_a_task_whose_loop_was_closed_makes_nothing_any_more(*, is_stale: bool) -> None:
    loop = Loop(lock_timeout=1)

    async def begin() -> None:
        await loop.get()
        loop.page.expire()
        loop.may_go_on.clear()
        await loop.get()
        await asyncio.sleep(0)

    async def go_on() -> list[str]:
        loop.may_go_on = asyncio.Event()
        loop.may_go_on.set()
        texts = [await loop.get()]
        if is_stale:
            await asyncio.gather(*loop.page.pool._tasks)
        return [*texts, await loop.get()]

    ended = asyncio.new_event_loop()
    # Of a task that it leaves.
    ended.set_exception_handler(lambda *_: None)
    ended.run_until_complete(begin())
    ended.close()
    if not is_stale:
        loop.page.clock.now += 60

    assert asyncio.run(go_on()) == (["1", "3"] if is_stale else ["3", "3"])


def test_trio_has_no_such_tasks_so_a_caller_renders() -> None:
    async def run() -> list[str]:
        page = Page(PLAIN, enable_async=True)
        texts = [await page.template.render_async()]
        page.expire()
        return [*texts, await page.template.render_async()]

    assert trio.run(run) == ["1", "2"]


# What it costs


def test_a_hit_calls_what_it_calls_without_background() -> None:
    counts = []
    for background in (False, True):
        page = Page(PLAIN, MemoryStore(), background=background)
        page.get()
        page.get()  # What header lines say is remembered by the first hit.
        with files_of_calls() as files:
            page.get()
        counts.append(len(files))
        assert not any("/engine/" in each and "background" in each for each in files)
    assert counts[0] == counts[1]


def test_a_cache_without_the_guard_refuses_background() -> None:
    with pytest.raises(Exception, match="background can't be True"):
        FragmentCache(background=True, guard=False)
