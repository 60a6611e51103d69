"""A site whose cache keeps near what it reads, as one process has it."""

import asyncio
from collections.abc import Callable
from typing import Any

from jinja_fragcache import FragmentCache
from jinja_fragcache.access.near_listener import NearListener
from jinja_fragcache.stores.near import NearMemory
from tests import servers
from tests.support import environment

NEAR = 2
#: Longer than any test: what is dropped was dropped because the server told.
FOR_EVER = 600
PAGE = '{% cache 300, "x" %}{{ n() }}{% endcache %}'
TAGGED = '{% cache 300, "t", tags=["all"] %}{{ n() }}{% endcache %}'
NESTED = '{% cache 300, "outer" %}' + PAGE + "{% endcache %}"
#: Pages, and what removes their entries.
REMOVALS: list[tuple[str, Callable[[FragmentCache], None]]] = [
    (PAGE, lambda cache: cache.delete_fragment("x")),
    (PAGE, lambda cache: cache.clear()),
    (TAGGED, lambda cache: cache.delete_fragment("t")),
    (TAGGED, lambda cache: cache.invalidate_tags("all")),
    (TAGGED, lambda cache: cache.clear()),
]


class NearSite:
    """A cache, and its pages.

    Args:
        store: The store.
        body: What the pages call `n`.
        options: Arguments for the cache.
    """

    def __init__(self, store: Any, body: Callable[[], Any], **options: Any) -> None:
        self.cache = FragmentCache(store, **{"near": NEAR, **options})
        self._body = body
        self._environment = environment(store=self.cache)
        self._async = environment(store=self.cache, enable_async=True)

    @property
    def memory(self) -> NearMemory:
        adapter: Any = self.cache.engine._adapter
        memory: NearMemory = adapter.near
        return memory

    @property
    def listener(self) -> NearListener | None:
        adapter: Any = self.cache.engine._adapter
        listener: NearListener | None = adapter._listeners.value
        return listener

    def page(self, source: str = PAGE) -> str:
        return str(self._environment.from_string(source).render(n=self._body))

    def page_async(self, source: str = PAGE) -> str:
        template = self._async.from_string(source)
        return asyncio.run(template.render_async(n=self._body))

    def wait_until_told(self) -> None:
        """Wait until the server tells of changes: from then on it tells of all."""
        reads: Any = self.cache.engine.near
        store: Any = self.cache.store
        store.set("canary", "text")
        assert reads.get("canary") == "text"

        def is_told() -> bool:
            store.set("canary", "text")
            return self.memory.get("canary") is None

        servers.wait_for(is_told)

    def end(self) -> None:
        """End what it has open: its thread and its connections."""
        listener = self.listener
        if listener is not None:
            listener.end()
            listener.thread.join(30)
            assert not listener.thread.is_alive()
        store: Any = self.cache.store
        getattr(store, "_client", store).close()
