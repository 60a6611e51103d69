"""The figures of all workers: on real servers, over forks, and under load."""

import asyncio
import random
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cachelib
import pytest
import redis
from werkzeug.test import Client

from jinja_fragcache import FragmentCache, MemoryStore
from jinja_fragcache.engine.worker_figures import KEPT_SECONDS, PLACES, WorkerFigures
from jinja_fragcache.inspector import wsgi_app
from jinja_fragcache.keys.beside import figures_key
from jinja_fragcache.observe.figures import Figures
from jinja_fragcache.observe.workers import AllFigures
from jinja_fragcache.operations import perform
from jinja_fragcache.stores import (
    AsyncRedisStore,
    FileStore,
    MemcachedStore,
    RedisStore,
)
from tests.forking import Child
from tests.servers import running, wait_for
from tests.support import Clock, RecordingStore, environment, in_threads

TEXT = "{% cache 60, 'side', user, tags=['t'] %}{{ body() }}{% endcache %}"


class Worker:
    """A worker with a cache of its own, in this process."""

    def __init__(self, store: Any, clock: Any = None, **options: Any) -> None:
        clocks = {} if clock is None else {"clock": clock, "timer": clock}
        self.cache = FragmentCache(store, **clocks, **options)
        engine = self.cache.engine
        self.figures = self.cache.figures = Figures(engine.context.clock)
        self.writer = WorkerFigures(self.figures, engine.context, engine.async_context)
        self.figures.changed = lambda: None  # Written when the test says so.
        self.cache.listen(self.figures)
        self.page = environment({"p": TEXT}, self.cache).get_template("p")

    def render(self, user: object = 1) -> None:
        self.page.render(user=user, body=str)

    def write(self) -> None:
        perform(self.writer.write(self.cache.engine.context))

    @property
    def id(self) -> str:
        return self.figures.snapshot()[0].id


def told(of: AllFigures) -> tuple[set[str], int, int]:
    return {each.id for each in of.workers}, of.totals.hits, of.totals.misses


@pytest.fixture(params=["redis", "memcached", "files", "signed", "plain methods"])
def shared(request: Any, tmp_path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Provide a store that workers share, and options of the caches."""
    if request.param == "memcached":
        port = request.getfixturevalue("memcached_port")
        prefix = f"figures_{random.random()}"
        store: Any = MemcachedStore([f"127.0.0.1:{port}"], key_prefix=prefix)
    elif request.param == "files":
        store = FileStore(str(tmp_path / "entries"))
    elif request.param == "plain methods":
        store = RecordingStore()
    else:
        port = request.getfixturevalue("redis_port")
        store = RedisStore("127.0.0.1", port, key_prefix=f"figures_{random.random()}")
    options = {"signing_key": "secret"} if request.param == "signed" else {}
    yield store, options
    store.clear()
    if isinstance(store, MemcachedStore):
        store.close()  # pymemcache leaves its connections open.


def test_all_workers_are_added_up(shared: Any) -> None:
    store, options = shared
    one, two = Worker(store, **options), Worker(store, **options)
    for worker in (one, two, two):
        worker.render()
        worker.write()
    reader = FragmentCache(store, **options)
    assert told(reader.figures_of_workers()) == ({one.id, two.id}, 2, 1)
    two.render()
    # What this worker has not written yet is told, too, and nothing twice.
    assert told(two.cache.figures_of_workers()) == ({one.id, two.id}, 3, 1)
    assert two.cache.figures_of_workers().workers[0].id == two.id
    assert reader.figures_of_workers().note == ""


def test_workers_are_there_again_after_a_clear(shared: Any) -> None:
    store, options = shared
    one, two = Worker(store, **options), Worker(store, **options)
    for worker in (one, two):
        worker.render()
        worker.write()
    one.cache.clear()
    assert FragmentCache(store, **options).figures_of_workers().workers == []
    for worker in (two, one):
        worker.write()
    found = FragmentCache(store, **options).figures_of_workers()
    assert told(found) == ({one.id, two.id}, 1, 1)


def test_figures_do_not_count_as_stored(shared: Any) -> None:
    store, options = shared
    worker = Worker(store, **options)
    worker.render()
    for _ in range(3):
        worker.write()
    assert worker.cache.stats().stored == 1


def test_no_key_and_no_key_value_is_stored_for_others() -> None:
    store = RecordingStore()
    worker = Worker(store)
    worker.render("Ada Lovelace")
    (key,) = [each for each in store.values if each.startswith("fragment:")]
    worker.write()
    written = next(v for k, v in store.values.items() if k.startswith("figures:"))
    assert "Ada" not in written
    assert key.rpartition(":")[2] not in written


def test_a_worker_that_lost_its_place_takes_another() -> None:
    store, clock = RecordingStore(), Clock()
    one, two = Worker(store, clock), Worker(store, clock)
    one.render()
    one.write()
    place = one.writer._writing.value.place
    two.render()
    two.writer._writing.value.place = place
    two.write()
    found = FragmentCache(store).figures_of_workers()
    assert {each.id for each in found.workers} == {one.id, two.id}


def test_ended_workers_count_for_a_day_and_give_way_to_others() -> None:
    store, clock = RecordingStore(), Clock()
    workers = [Worker(store, clock) for _ in range(PLACES + 1)]
    for worker in workers[:-1]:
        worker.render()
        worker.write()
        clock.now += 0.5
    last = workers[-1]
    last.render()
    last.write()
    found = FragmentCache(store).figures_of_workers()
    assert last.id not in {each.id for each in found.workers}
    assert "There may be more workers" in found.note
    clock.now += 60
    last.write()
    ids = {each.id for each in FragmentCache(store).figures_of_workers().workers}
    assert ids == {each.id for each in workers[1:]}
    timeouts = {store.timeouts[figures_key(str(place))] for place in range(PLACES)}
    assert timeouts == {KEPT_SECONDS}


def test_what_is_no_figures_is_left_out_and_its_place_taken() -> None:
    store, clock = RecordingStore(), Clock()
    for place in range(PLACES):
        store.values[figures_key(str(place))] = '{"form":1,"worker":[1],"names":[[]]}'
    worker = Worker(store, clock)
    clock.now = 2000.0
    worker.render()
    worker.write()
    found = FragmentCache(store).figures_of_workers()
    assert [each.id for each in found.workers] == [worker.id]


@pytest.mark.parametrize(
    "store", [MemoryStore(), cachelib.SimpleCache(), cachelib.NullCache()]
)
def test_a_store_that_is_not_shared_speaks_of_this_worker_only(store: Any) -> None:
    cache = FragmentCache(store, statistics=True)
    environment({"p": TEXT}, cache).get_template("p").render(user=1, body=str)
    found = cache.figures_of_workers()
    assert found.totals.misses == 1
    assert "this one only" in found.note


def test_a_store_that_fails_is_told_and_fails_no_page() -> None:
    store = RecordingStore()
    worker = Worker(store)
    worker.render()
    store.failing = {"get", "set"}
    worker.write()
    found = worker.cache.figures_of_workers()
    assert [each.id for each in found.workers] == [worker.id]
    assert "The store could not read" in found.note


def test_a_write_is_one_read_and_one_set() -> None:
    store = RecordingStore()
    worker = Worker(store)
    worker.render()
    worker.write()
    store.calls.clear()
    worker.write()
    assert store.calls == ["get", "set"]


def planned(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list that gets the delays of what is planned, in place of threads."""
    delays: list[float] = []

    def plan(writer: Any, writing: Any, delay: float) -> None:
        delays.append(delay)

    monkeypatch.setattr(WorkerFigures, "_start_thread", plan)
    return delays


def test_figures_are_written_at_most_once_in_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delays, clock = planned(monkeypatch), Clock()
    store = RecordingStore()
    cache = FragmentCache(store, statistics=True, timer=clock, clock=clock)
    page = environment({"p": TEXT}, cache).get_template("p")
    writer = cache._worker_figures
    for _ in range(20):
        page.render(user=1, body=str)
    assert delays == [0]
    # Who renders does not write.
    assert not any(key.startswith("figures:") for key in store.values)
    writer._write_later(writer._writing.value, 0)
    clock.now += 2
    for _ in range(20):
        page.render(user=1, body=str)
    assert delays == [0, 3]
    # Its thread was lost.
    clock.now += 64
    page.render(user=1, body=str)
    assert delays == [0, 3, 0]


def test_a_cache_without_statistics_has_no_listener() -> None:
    cache = FragmentCache(RecordingStore())
    assert cache.figures is None
    assert cache.engine.listeners.settle() is False
    figures = cache.collect_figures()
    assert cache.engine.listeners.settle() is True
    assert cache.collect_figures() is figures is cache.figures


def test_a_child_process_is_a_worker_of_its_own(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path / "entries"))
    parent = Worker(store)
    parent.render()
    parent.write()

    def child() -> str:
        parent.render()
        parent.write()
        return parent.id

    child_id = Child(child).result()
    assert told(parent.cache.figures_of_workers()) == ({parent.id, child_id}, 1, 1)


def test_a_store_that_is_awaited_is_written_by_a_task(redis_port: int) -> None:
    async def main() -> AllFigures:
        prefix = f"figures_{random.random()}"
        store = AsyncRedisStore("127.0.0.1", redis_port, key_prefix=prefix)
        cache = FragmentCache(store, statistics=True)
        env = environment({"p": TEXT}, cache, enable_async=True)
        await env.get_template("p").render_async(user=1, body=str)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        await task
        reader = FragmentCache(store)
        found = await reader.figures_of_workers_async()
        await reader.clear_async()
        return found

    found = asyncio.run(main())
    assert (found.totals.misses, found.note) == (1, "")


APP = """
import os
import redis
from flask import Flask, render_template_string
from jinja_fragcache import Cache

PORT, PREFIX = {port}, "{prefix}"
app = Flask(__name__)
cache = Cache(app, config={{
    "CACHE_TYPE": "redis", "CACHE_REDIS_PORT": PORT, "CACHE_KEY_PREFIX": PREFIX,
    "CACHE_STATISTICS": True,
}})
counter = redis.Redis(port=PORT)
TEXT = '''
{{% cache 60, "side", user % 7 %}}{{{{ count("side") }}}}{{% endcache %}}
{{% cache 60, "off", unless=true %}}{{{{ count("off") }}}}{{% endcache %}}
'''

def count(name):
    counter.incr(PREFIX + "counted_" + name)
    return name

@cache.memoize(60)
def total(user):
    return count("total")

@app.get("/page/<int:user>")
def page(user):
    count("pages")
    render_template_string(TEXT, user=user, count=count)
    total(user % 5)
    return str(os.getpid())
"""


def test_figures_are_those_of_counted_renders_of_all_workers(
    tmp_path: Path, redis_port: int
) -> None:
    """Gunicorn with two workers, each with two threads, on Redis under load."""
    pytest.importorskip("gunicorn")
    prefix = f"figures_{random.random()}_"
    (tmp_path / "app.py").write_text(APP.format(port=redis_port, prefix=prefix))
    counter = redis.Redis(port=redis_port)

    def counted(name: str) -> int:
        return int(counter.get(f"{prefix}counted_{name}") or 0)

    cache = FragmentCache(RedisStore("127.0.0.1", redis_port, key_prefix=prefix))
    serve = (sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "2")
    where = ("-b", "127.0.0.1:{port}", "--chdir", str(tmp_path))
    pids: set[str] = set()
    with running(*serve, *where, "--pythonpath", str(Path.cwd()), "app:app") as server:

        def work(which: int) -> None:
            for number in range(60):
                url = f"http://127.0.0.1:{server.port}/page/{number + which}"
                with urllib.request.urlopen(url, timeout=30) as answer:
                    pids.add(answer.read().decode())
                if number % 20 == 0:
                    # What is told is never more than what has been.
                    found = cache.figures_of_workers()
                    names = {each.name: each for each in found.names}
                    told_of = names["side"].asked if "side" in names else 0
                    assert told_of <= counted("pages")

        def all_ask() -> bool:
            in_threads(4, work)
            return len(pids) > 1

        # On a busy machine, one worker may answer while the other still starts.
        wait_for(all_ask)
        server.process.terminate()
        server.process.wait(30)
    found = cache.figures_of_workers()
    names = {each.name.removeprefix("app."): each for each in found.names}
    assert {str(each.pid) for each in found.workers} == pids
    pages = counted("pages")
    assert pages >= 240
    for name in ("side", "off", "total()"):
        assert names[name].asked == pages
        assert names[name].renders == counted(name.removesuffix("()"))
    assert names["off"].uncached == pages
    assert names["side"].hits == pages - names["side"].misses
    assert all(abs(each.seen_at - time.time()) < 60 for each in found.workers)
    inspector = Client(wsgi_app(cache, allow=lambda _: True, secret_key="secret"))
    answer = inspector.get("/figures.json").get_json()
    shown = {each["name"].removeprefix("app."): each for each in answer["names"]}
    assert answer["workers"] == 2
    for name, each in names.items():
        told_of = {key: shown[name][key] for key in ("hits", "misses", "uncached")}
        assert told_of == {key: getattr(each, key) for key in told_of}
    assert f">{found.totals.asked:,}<" in inspector.get("/").text.replace("\n", "")
    cache.clear()
