"""What tests of the background share: bodies that wait, and the end of all work."""

import threading
from typing import Any

from jinja_fragcache import FragmentCache, MemoryStore
from jinja_fragcache.engine.background import Pool
from jinja_fragcache.forks import PerProcess
from tests.support import Clock, Counter, environment

PATIENCE = 30


class Gate:
    """A body's function that waits until it may go on, and notes its threads."""

    def __init__(self) -> None:
        self.calls = Counter()
        self.threads: list[threading.Thread] = []
        self.entered = threading.Semaphore(0)
        self._open = threading.Event()
        self.error: BaseException | None = None
        self._open.set()

    def __call__(self) -> int:
        number = self.calls()
        self.threads.append(threading.current_thread())
        self.entered.release()
        assert self._open.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        return number

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def wait_until_entered(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.entered.acquire(timeout=PATIENCE)


def use_pool(cache: FragmentCache, pool: Pool) -> Pool:
    """Let a cache use a pool of its own."""
    for context in (cache.engine.context, cache.engine.async_context):
        context.background = PerProcess(Pool, first=pool)
    return pool


def finish(pool: Pool) -> None:
    """Wait until a pool has nothing to do."""
    while pool._threads:
        for thread in list(pool._threads):
            thread.join(PATIENCE)


class Page:
    """A page on a cache with a clock set by hand, past the timeout of its fragments."""

    def __init__(
        self, source: str, store: Any = None, pool: Pool | None = None, **options: Any
    ) -> None:
        self.clock = Clock()
        self.body = Gate()
        options = {"stale": 60, "background": True} | options
        is_async = options.pop("enable_async", False)
        templates = {"page.html": source, **options.pop("templates", {})}
        store = store or MemoryStore(timer=self.clock)
        self.cache = FragmentCache(store, timer=self.clock, clock=self.clock, **options)
        self.pool = use_pool(self.cache, pool or Pool())
        env = environment(templates, self.cache, enable_async=is_async)
        env.globals["n"] = self.body
        self.template = env.get_template("page.html")

    def get(self, **values: Any) -> str:
        return self.template.render(**values).strip()

    def expire(self) -> None:
        self.clock.now += 61
        self.body.entered = threading.Semaphore(0)
        self.body.threads.clear()

    def finish(self) -> None:
        self.body.open()
        finish(self.pool)

    @property
    def is_by_caller(self) -> bool:
        return self.body.threads == [threading.current_thread()]
