"""A store in front of which this process keeps what it has lately read."""

from collections.abc import Sequence
from typing import Any

from jinja_fragcache.operations import Operation, perform, perform_async

from .adapter import Adapter
from .near_adapter import NearAdapter
from .runner import Awaited, Runner
from .safe_store import SafeStore
from .stats import Recorder, Stats


class NearReads:
    """Reads of one key, for callers that block: what `Engine.text` calls.

    Args:
        adapter: The store.
        stats: Counts what is found near.
    """

    def __init__(self, adapter: NearAdapter, stats: Stats) -> None:
        self._adapter = adapter
        self._stats = stats
        #: Returns what is near under a key, or None. It is not counted.
        self.get_near = adapter.near.get

    def get(self, key: str) -> Any:
        """Return what is near or stored. It raises what the store raised."""
        value = self.get_near(key)
        if value is None:
            (value,) = perform(self._adapter.read_through([key]))
        else:
            self._stats.near_hits += 1
        return value


def near_reads(adapter: Adapter, stats: Stats) -> NearReads | None:
    """Return the reads of one key, None if nothing is kept near."""
    return NearReads(adapter, stats) if isinstance(adapter, NearAdapter) else None


class NearStore(SafeStore):
    """A `SafeStore` that asks the store only for what is not near.

    What is near is served, too, while the circuit breaker leaves the store alone.

    Args:
        adapter: The store.
        run: As for `SafeStore`.
        recorder: As for `SafeStore`.
        others: More arguments for `SafeStore`.
    """

    _adapter: NearAdapter

    def __init__(
        self, adapter: NearAdapter, run: Runner, *, recorder: Recorder, **others: Any
    ) -> None:
        super().__init__(adapter, run, recorder=recorder, **others)
        self._near = adapter.near
        self.plain = NearReads(adapter, recorder.stats)
        self.reads_plainly = False

    @property
    def awaited(self) -> Any:
        """Like `SafeStore.awaited`."""
        return Awaited(self.read_one, perform_async)

    def read(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Return what is near or stored under each key, None where there is nothing."""
        near = self._near
        found = [near.get(keys[0])] if len(keys) == 1 else near.get_many(*keys)
        missing = [key for key, each in zip(keys, found, strict=True) if each is None]
        self._recorder.stats.near_hits += len(keys) - len(missing)
        if not missing:
            return found
        read = iter((yield from NearStore.read_again(self, missing)))
        return [next(read) if each is None else each for each in found]

    def read_again(self, keys: Sequence[str]) -> Operation[list[Any]]:
        """Like `SafeStore.read_again`. What the store has is kept near from now on."""
        nothing: list[Any] = [None] * len(keys)
        stored: list[Any] = yield from self._try(
            "read", keys, self._adapter.read_through(keys), nothing
        )
        return stored
