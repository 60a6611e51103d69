"""What is measured, in the order of the tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from . import (
    awaited,
    compiling,
    footprint,
    full_stores,
    hits,
    misses,
    on_servers,
)
from .figures import Figures, Plain
from .load import measuring as load

Tables = Sequence[Figures | Plain]


@dataclass(frozen=True)
class Work:
    """Something to measure.

    Attributes:
        measure: Measures it. It takes the effort, and the port of its server if it
            needs one.
        server: The server that it needs.
        clients: Other programs that it needs.
        is_quick: Whether it is measured where only bounds are checked.
    """

    measure: Callable[..., Tables]
    server: str | None = None
    clients: tuple[str, ...] = ()
    is_quick: bool = True

    @property
    def programs(self) -> tuple[str, ...]:
        """All programs that it needs."""
        return (*([self.server] if self.server else []), *self.clients)


def _one(measure: Callable[..., Figures]) -> Callable[..., Tables]:
    return partial(_as_list, measure)


def _as_list(measure: Callable[..., Figures], *arguments: Any) -> Tables:
    return [measure(*arguments)]


REDIS = "redis-server"
MEMCACHED = "memcached"
WORKS = {
    "hits": Work(_one(hits.measure_peers)),
    "awaited": Work(_one(hits.measure_awaited)),
    "ways": Work(_one(hits.measure_ways)),
    "misses": Work(_one(misses.measure_empty)),
    "long": Work(_one(misses.measure_long)),
    "misses_on_redis": Work(_one(misses.measure_on_redis), REDIS),
    "parts": Work(_one(on_servers.measure_parts), REDIS),
    "rows": Work(_one(on_servers.measure_redis_rows), REDIS),
    "awaited_hit": Work(_one(awaited.measure_awaited), REDIS),
    "calls": Work(_one(misses.count_list_calls), REDIS),
    "compiling": Work(_one(compiling.measure_in_a_row)),
    "nested": Work(_one(compiling.measure_nested)),
    "memory": Work(_one(full_stores.measure_memory)),
    "files": Work(_one(full_stores.measure_files), is_quick=False),
    "entries": Work(_one(footprint.measure_entries)),
    "import": Work(_one(footprint.measure_import)),
    "load": Work(load.measure, REDIS, ("wrk",), is_quick=False),
}
if find_spec("pylibmc"):
    WORKS["memcached"] = Work(_one(on_servers.measure_memcached_rows), MEMCACHED)
