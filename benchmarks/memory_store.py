"""What a full memory store costs: writes and reads with 1,000 to 1,000,000 entries.

All times are from one run. The ratios are to `MemoryStore` with 1,000 entries. The peer
is `cachelib.SimpleCache`. It looks at all its entries to make room for one, so it is
measured with up to 100,000 entries only.

Run it with `make bench`.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

import cachelib
from rich.console import Console
from rich.table import Table

from jinja_fragcache.stores import MemoryStore

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 7
TEXT = "<li>An item and its text</li>\n" * 8
Full = MemoryStore | cachelib.SimpleCache


@dataclass(frozen=True)
class Peer:
    """A store to measure.

    Attributes:
        name: The name in the table.
        make: Creates a store for a number of entries.
        largest: The largest number of entries to measure.
        writes: The number of writes in a round.
    """

    name: str
    make: Callable[[int], Full]
    largest: int
    writes: int


PEERS = (
    Peer(
        "MemoryStore",
        # There is a limit in bytes, too, so that the time to count them is included.
        lambda size: MemoryStore(threshold=size, max_bytes=2**40),
        largest=SIZES[-1],
        writes=20_000,
    ),
    Peer(
        "cachelib.SimpleCache",
        lambda size: cachelib.SimpleCache(threshold=size),
        largest=100_000,
        writes=10,
    ),
)


def fill(store: Full, keys: Iterator[str], size: int) -> list[str]:
    """Fill a store to one entry over its limit, and return the 500 newest keys."""
    written = [next(keys) for _ in range(size + 1)]
    for key in written:
        store.set(key, TEXT, 3600)
    return written[-500:]


def best_seconds(call: Callable[[str], object], rounds: Iterable[list[str]]) -> float:
    """Time a call for all keys of each round; return its seconds in the best round."""
    best = float("inf")
    for keys in rounds:
        began = time.perf_counter()
        for key in keys:
            call(key)
        best = min(best, (time.perf_counter() - began) / len(keys))
    return best


def measure(peer: Peer, size: int) -> tuple[float, float]:
    """Return the seconds of a write that has to make room, and of a read that hits."""
    store = peer.make(size)
    keys = (f"fragment:row:{number:032x}" for number in count())
    newest = fill(store, keys, size)
    reading = best_seconds(store.get, [newest] * ROUNDS)
    new = ([next(keys) for _ in range(peer.writes)] for _ in range(ROUNDS))
    writing = best_seconds(lambda key: store.set(key, TEXT, 3600), new)
    return writing, reading


def main() -> None:
    """Measure all stores and print the table."""
    table = Table(title="Stores that are full, times MemoryStore with 1,000 entries")
    for column in ("entries", "store", "a write", "a read"):
        table.add_column(column, justify="left" if column == "store" else "right")
    unit: tuple[float, float] | None = None
    for size in SIZES:
        for peer in PEERS:
            if size > peer.largest:
                continue
            times = measure(peer, size)
            unit = unit or times
            cells = [
                f"{seconds / one:,.1f}x ({seconds * 1e6:,.2f} us)"
                for seconds, one in zip(times, unit, strict=True)
            ]
            table.add_row(f"{size:,}", peer.name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
