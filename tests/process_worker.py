"""One of several processes that share a store. It carries out commands of a test.

A line on its standard input is a JSON object: what to do, and with which arguments.
Each is answered with a line, in which `is` tells whether it is done. The body of a
fragment is of one of these kinds:

- `quick`: gives its text;
- `work`: takes a while;
- `hold`: tells that it is in the body, and waits to be told "go on" or "fail".
"""

import asyncio
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from flask import Flask
from jinja2 import DictLoader, Environment

from jinja_fragcache import Cache, FragmentCache, FragmentCacheExtension
from jinja_fragcache.engine.singleflight import Flights
from jinja_fragcache.stores import FileStore, MemcachedStore, RedisStore, Store
from jinja_fragcache.stores import memcached_clients as memcached_clients_module
from jinja_fragcache.stores import redis_clients as redis_clients_module
from tests.joins import Joins

WORK_SECONDS = 0.2
# Seconds between two turns of the task that measures how long the loop is blocked.
_TICK = 0.005
_PATIENCE = 60
_output = threading.Lock()


def say(**report: Any) -> None:
    """Send a report to the test."""
    with _output:
        print(json.dumps(report), flush=True)  # noqa: T201 - what the test reads


def make_store(kind: str, prefix: str, port: int = 0, folder: str = "") -> Store:
    if kind == "redis":
        return RedisStore("127.0.0.1", port, key_prefix=prefix)
    if kind == "file":
        return FileStore(folder)
    servers: Any = [f"127.0.0.1:{port}"]
    if kind == "pymemcache":
        from pymemcache import PooledClient  # noqa: PLC0415 - one of two that may do

        servers = PooledClient(("127.0.0.1", port), timeout=_PATIENCE)
    return MemcachedStore(servers, key_prefix=prefix)


class Body:
    """The body of a fragment, or of a cached function.

    Its text is one that no other call gives, in no process.
    """

    def __init__(self) -> None:
        self.kind = "quick"
        self.orders: queue.Queue[str] = queue.Queue()
        self._calls = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        text = self._begin()
        if self.kind == "work":
            threading.Event().wait(WORK_SECONDS)
        elif self.kind == "hold" and self.hold() == "fail":
            raise ValueError("the body failed")
        return text

    async def in_task(self, seconds: float) -> str:
        text = self._begin()
        await asyncio.sleep(seconds)
        return text

    def hold(self) -> str:
        say(**{"is": "in the body"})
        return self.orders.get(timeout=_PATIENCE)

    def take_calls(self) -> int:
        """Return the number of calls since the last call of this method."""
        with self._lock:
            calls, self._calls = self._calls, 0
            return calls

    def _begin(self) -> str:
        with self._lock:
            self._calls += 1
        return f"text {time.time_ns()} of {os.getpid()}"


class Worker:
    """The commands. Each returns what is reported when it is done."""

    body: Body
    cache: FragmentCache
    shop: Cache
    app: Flask

    def __init__(self) -> None:
        self.shift = 0.0
        self._joins = Joins()
        for name in ("join", "lead"):
            count = self._joins.counting(getattr(Flights, name))
            mock.patch.object(Flights, name, count).start()

    def set_up(
        self,
        store: dict[str, Any],
        pages: dict[str, str],
        options: dict[str, Any],
        *,
        is_async: bool = False,
        has_clock: bool = False,
    ) -> None:
        """Make a new cache and its pages."""
        self.body = Body()
        self._joins.count = 0
        self.shift = 0.0
        if has_clock:
            options["clock"] = lambda: time.time() + self.shift
        self.cache = FragmentCache(make_store(**store), **options)
        self._environment = Environment(
            loader=DictLoader(pages),
            autoescape=True,
            extensions=[FragmentCacheExtension],
            enable_async=is_async,
        )
        self._environment.fragment_cache = self.cache  # type: ignore[attr-defined]

    def set_up_app(self, config: dict[str, Any]) -> None:
        """Make a Flask application that caches a function and a view."""
        self.body = body = Body()
        self._joins.count = 0
        self.app = Flask("shop")
        self.shop = cache = Cache(self.app, config=config)

        @cache.memoize(60)
        def price(product: int) -> str:
            return f"{product}: {body()}"

        @self.app.get("/")
        @cache.cached(60)
        def page() -> str:
            return body()

        self._price = price
        with self.app.app_context():
            self.cache = cache.fragment_cache

    def move_clock(self, seconds: float) -> None:
        """Set the cache's clock ahead of the time of day."""
        self.shift = seconds

    def render(
        self,
        page: str = "page",
        threads: int = 1,
        body: str = "quick",
        *,
        together: bool = False,
    ) -> dict[str, Any]:
        """Render a page in some threads.

        Args:
            page: its name.
            threads: how many.
            body: what the body does.
            together: report "ready" and wait to be told "go on" before they begin.
        """
        template = self._environment.get_template(page)
        return self._in_threads(
            lambda: str(template.render(body=self.body)),
            threads,
            body,
            together=together,
        )

    def ask(
        self,
        what: str,
        threads: int = 1,
        body: str = "quick",
        *,
        together: bool = False,
    ) -> dict[str, Any]:
        """Like `render`, for a price or the page of the application."""

        def price() -> str:
            with self.app.app_context():
                return self._price(1)

        def page() -> str:
            return self.app.test_client().get("/").text

        work = {"price": price, "page": page}[what]
        return self._in_threads(work, threads, body, together=together)

    def render_async(
        self, page: str, tasks: int, seconds: float, *, together: bool = False
    ) -> dict[str, Any]:
        """Render a page in some tasks of an event loop.

        Args:
            page: its name.
            tasks: how many.
            seconds: how long the body takes.
            together: as for `render`.

        Returns:
            What `render` does, and the longest time in which the loop did not get to a
            task that is always due.
        """
        if together:
            self._wait_for_others()
        texts, gap = asyncio.run(self._render_in_tasks(page, tasks, seconds))
        return {"texts": texts, "renders": self.body.take_calls(), "gap": gap}

    def delete(self, way: str) -> None:
        """Delete what is cached, with one of the methods for it."""
        if way == "delete_fragment":
            self.cache.delete_fragment("x")
        elif way == "clear":
            self.cache.clear()
        else:
            with self.app.app_context():
                self.shop.delete_memoized(self._price)

    def wait_for_joins(self, number: int) -> dict[str, Any]:
        """Wait until so many callers have joined a flight since the cache was made."""
        self._joins.wait_for(number)
        return {"is": "have joined"}

    def stats(self) -> dict[str, Any]:
        """Return the counts of the cache."""
        counts = self.cache.stats()
        return {name: getattr(counts, name) for name in counts.__slots__}

    def _in_threads(
        self, work: Callable[[], str], threads: int, body: str, *, together: bool
    ) -> dict[str, Any]:
        self.body.kind = body
        start = threading.Barrier(threads + 1)

        def run(_: int) -> tuple[str | None, str | None]:
            start.wait(_PATIENCE)
            try:
                return work(), None
            except ValueError as error:
                return None, str(error)

        with ThreadPoolExecutor(threads) as pool:
            done = pool.map(run, range(threads))
            if together:
                self._wait_for_others()
            start.wait(_PATIENCE)
            results = list(done)
        return {
            "texts": [text for text, _ in results if text is not None],
            "errors": [error for _, error in results if error is not None],
            "renders": self.body.take_calls(),
        }

    def _wait_for_others(self) -> None:
        say(**{"is": "ready"})
        self.body.orders.get(timeout=_PATIENCE)

    async def _render_in_tasks(
        self, page: str, tasks: int, seconds: float
    ) -> tuple[list[str], float]:
        template = self._environment.get_template(page)
        gaps = []

        async def tick() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(_TICK)
                gaps.append(time.perf_counter() - before - _TICK)

        async def body() -> str:
            return await self.body.in_task(seconds)

        ticker = asyncio.create_task(tick())
        pages = [template.render_async(body=body) for _ in range(tasks)]
        texts = await asyncio.gather(*pages)
        ticker.cancel()
        return texts, max(gaps)


def answer(worker: Worker, do: str, arguments: dict[str, Any]) -> None:
    """Carry out one command, and report its result."""
    try:
        result = getattr(worker, do)(**arguments) or {}
    except Exception as error:  # noqa: BLE001 - the test tells it
        say(**{"is": "an error", "error": f"{type(error).__name__}: {error}"})
    else:
        say(**{"is": "done", **result})


def main() -> None:
    """Carry out commands until the standard input ends."""
    # Like the clients in the tests themselves, see `patient_clients`.
    memcached_clients_module._SECONDS = redis_clients_module._SECONDS = 10.0
    worker = Worker()
    say(**{"is": "started"})
    for line in sys.stdin:
        command = json.loads(line)
        do = command.pop("do")
        if do in {"go on", "fail"}:
            worker.body.orders.put(do)
        else:
            # In a thread of its own: this one has to read what bodies wait for. None
            # of the threads keeps the process alive.
            threading.Thread(
                target=answer, args=(worker, do, command), daemon=True
            ).start()


if __name__ == "__main__":
    main()
