"""What a full store in files costs: writes and reads, and the longest wait for a write.

All times are of one run, and the ratios are to `FileStore` while it still has room. The
peer is `cachelib.FileSystemCache`, which reads all its files to make room for one, so
that it is measured up to 500 entries only. Disks differ, so these are temporary files.

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
    """Time a call for each key."""
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
        # One in 16 of FileStore's writes makes room, at the most.
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
    """Measure all and print the table."""
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
