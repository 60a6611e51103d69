"""What full stores cost: the memory store against a dict, that in files against a file.

The peers are cachelib's. Those look at all their entries to make room for one, so they
are measured with few.
"""

import random
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from typing import Protocol

import cachelib

from jinja_fragcache.stores import FileStore, MemoryStore

from .figures import Bound, Figures, Line, compared, duration
from .measuring import Effort, Spread, Times, Variant, in_turn, ratios

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LARGEST_PEER = 10_000
READS = 500
FOLDER_SIZES = (100, 500, 10_000)
LARGEST_PEER_FOLDER = 500
MEMORY_TEXT = "<li>An item and its text</li>\n" * 8
FILE_TEXT = "<li>An item and its text</li>\n" * 70
A_DICT = "a dict"
OURS = "MemoryStore"
PEER = "cachelib.SimpleCache"


class Full(Protocol):
    """What is measured of a store."""

    def get(self, key: str) -> object:
        """Return what is stored."""

    def set(self, key: str, value: str, timeout: int) -> object:
        """Store a value."""


class BoundedDict:
    """The floor: a dict that drops its oldest entry when it is full.

    Args:
        size: The largest number of entries.
    """

    def __init__(self, size: int) -> None:
        # A plain dict takes long to find its oldest entry once many are gone.
        self._entries: OrderedDict[str, str] = OrderedDict()
        self._size = size
        self.get = self._entries.get

    def set(self, key: str, value: str, timeout: int) -> None:
        """Store a value. It does not expire."""
        if len(self._entries) >= self._size:
            self._entries.popitem(last=False)
        self._entries[key] = value


def measure_memory(effort: Effort) -> Figures:
    """Measure reads and writes of memory stores that are full."""
    lines: list[Line] = []
    of_smallest: dict[str, Spread] = {}
    for size in SIZES:
        if size <= effort.largest:
            measured = _memory_times(size, effort.rounds)
            for action, times in measured.items():
                lines += _of_size(size, action, compared(times, A_DICT))
                ratio = ratios(times, OURS, A_DICT)
                smallest = of_smallest.setdefault(action, ratio)
                if smallest is not ratio:
                    lines.append(_growth(f"{size:,}: {action}", ratio, smallest))
    title = "A full memory store, against a dict of that size"
    return Figures(title, ("entries", "time", f"times {A_DICT}"), lines)


def _growth(name: str, ratio: Spread, smallest: Spread) -> Line:
    """Return how much slower a larger store is, where a dict counts as flat."""
    name = f"{name}, {OURS}, times that with {SIZES[0]:,}"
    grown = Spread(*(each / smallest.middle for each in ratio))
    return Line(name, "", grown, Bound(1.2, 2.5))


def _of_size(size: int, action: str, lines: list[Line]) -> list[Line]:
    return [line._replace(name=f"{size:,}: {action}, {line.name}") for line in lines]


def _memory_times(size: int, rounds: int) -> dict[str, Times]:
    stores: dict[str, Full] = {
        A_DICT: BoundedDict(size),
        # There is a limit in bytes, too, so that the time to count them is included.
        OURS: MemoryStore(threshold=size, max_bytes=2**40),
    }
    if size <= LARGEST_PEER:
        stores[PEER] = cachelib.SimpleCache(threshold=size)
    keys = (f"fragment:row:{number:032x}" for number in count())
    filled = list(islice(keys, size))
    for store in stores.values():
        for key in filled:
            store.set(key, MEMORY_TEXT, 3600)
    # Any of them, as pages read them.
    read = random.Random(1).sample(filled, READS)  # noqa: S311 - no secret
    reads = {name: _for_all(store.get, read) for name, store in stores.items()}
    read_times = in_turn(reads, rounds)
    writes = {
        # A write of cachelib's takes as long as a thousand of the others.
        name: _writes(store, MEMORY_TEXT, keys, 10 if name == PEER else 2_000)
        for name, store in stores.items()
    }
    return {"a read": read_times, "a write": in_turn(writes, rounds)}


def _for_all(get: Callable[[str], object], keys: list[str]) -> Variant:
    def read() -> None:
        for key in keys:
            get(key)

    return Variant(read, operations=len(keys))


def _writes(store: Full, text: str, keys: Iterator[str], number: int) -> Variant:
    """Return so many writes, of keys that are made before."""
    new: list[str] = []

    def prepare() -> None:
        new[:] = islice(keys, number)

    def write() -> None:
        for key in new:
            store.set(key, text, 3600)

    return Variant(write, operations=number, before=prepare)


class PlainFiles:
    """The floor: files that are replaced, without a limit.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def get(self, key: str) -> str:
        """Return what is stored."""
        return (self._folder / key).read_text("utf-8")

    def set(self, key: str, value: str, timeout: int) -> None:
        """Store a value. It does not expire."""
        new = self._folder / "new"
        new.write_text(value, "utf-8")
        new.replace(self._folder / key)


def measure_files(effort: Effort) -> Figures:
    """Measure reads and writes of stores in files that are full."""
    lines: list[Line] = []
    for size in FOLDER_SIZES:
        # A folder of the largest size takes seconds to fill.
        if size < effort.largest:
            lines += _folder_lines(size, effort.rounds)
    headings = ("entries", "time", "times a plain file")
    return Figures("A full store in files", headings, lines)


def _folder_lines(size: int, rounds: int) -> list[Line]:
    with ExitStack() as stack:
        folders = (stack.enter_context(tempfile.TemporaryDirectory()) for _ in count())
        stores: dict[str, Full] = {
            "a plain file": PlainFiles(next(folders)),
            "FileStore": FileStore(next(folders), threshold=size),
        }
        if size <= LARGEST_PEER_FOLDER:
            peer = cachelib.FileSystemCache(next(folders), threshold=size)
            stores["cachelib.FileSystemCache"] = peer
        keys = (f"row-{number}" for number in count())
        filled = list(islice(keys, size))
        for store in stores.values():
            for key in filled:
                store.set(key, FILE_TEXT, 3600)
        # One in 16 of FileStore's writes makes room, at the most.
        number = max(16, size // 16 + 1)
        longest = dict.fromkeys(stores, 0.0)
        writes = {
            name: _writes(_Watched(store, name, longest), FILE_TEXT, keys, number)
            for name, store in stores.items()
        }
        write_times = in_turn(writes, rounds, time.perf_counter)
        newest = f"row-{size}"
        for store in stores.values():
            store.set(newest, FILE_TEXT, 3600)
        reads = {
            name: _for_all(store.get, [newest] * 50) for name, store in stores.items()
        }
        read_times = in_turn(reads, rounds, time.perf_counter)
    floor = next(iter(stores))
    return [
        *_of_size(size, "a read", compared(read_times, floor)),
        *_of_size(size, "a write", compared(write_times, floor)),
        *_of_size(
            size,
            "the slowest write",
            [Line(name, duration(each)) for name, each in longest.items()],
        ),
    ]


class _Watched:
    """A store whose longest write is kept."""

    def __init__(self, store: Full, name: str, longest: dict[str, float]) -> None:
        self.get = store.get
        self._store, self._name, self._longest = store, name, longest

    def set(self, key: str, value: str, timeout: int) -> None:
        began = time.perf_counter()
        self._store.set(key, value, timeout)
        seconds = time.perf_counter() - began
        self._longest[self._name] = max(self._longest[self._name], seconds)
