"""What a full file store costs: writes and reads, and the longest wait for a write.

All times are from one run. The ratios are to a write of `FileStore` while it still has
room. The peer is `cachelib.FileSystemCache`. It reads all its files to make room for
one, so it is measured with up to 500 entries only. The stores use temporary files, and
disks differ.

Run it with `make bench`.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable

import cachelib
from rich.console import Console
from rich.table import Table

from jinja_fragcache.stores import FileStore

TEXT = "<li>An item and its text</li>\n" * 70
Kind = type[FileStore] | type[cachelib.FileSystemCache]
PEERS: tuple[tuple[Kind, tuple[int, ...]], ...] = (
    (FileStore, (100, 500, 10_000)),
    (cachelib.FileSystemCache, (100, 500)),
)


def seconds_each(call: Callable[[str], object], keys: Iterable[str]) -> list[float]:
    """Return how many seconds a call took, for each key."""
    seconds = []
    for key in keys:
        began = time.perf_counter()
        call(key)
        seconds.append(time.perf_counter() - began)
    return seconds


def measure(make: Kind, size: int) -> dict[str, float]:
    """Give the mean seconds of calls, and those of the slowest write."""
    with tempfile.TemporaryDirectory() as folder:
        store = make(folder, threshold=size)

        def write(key: str) -> object:
            return store.set(key, TEXT, 3600)

        room = seconds_each(write, (f"row:{number}" for number in range(size)))
        # FileStore removes a 16th of its entries at once, so one of size / 16 writes
        # makes room.
        count = max(64, size // 4)
        full = seconds_each(write, (f"new:{number}" for number in range(count)))
        reads = seconds_each(store.get, [f"new:{count - 1}"] * 1000)
    return {
        "a write, room": statistics.fmean(room),
        "a write, full": statistics.fmean(full),
        "the slowest": max(full),
        "a read": statistics.fmean(reads),
    }


def main() -> None:
    """Measure all stores and print the table."""
    table = Table(title="Stores in files, times a write of FileStore with room")
    unit = None
    for make, sizes in PEERS:
        for size in sizes:
            times = measure(make, size)
            if unit is None:
                unit = times["a write, room"]
                for column in ("entries", "store", *times):
                    table.add_column(column, justify="right")
            cells = [
                f"{seconds / unit:,.1f}x ({seconds * 1e3:,.2f} ms)"
                for seconds in times.values()
            ]
            table.add_row(f"{size:,}", make.__name__, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
