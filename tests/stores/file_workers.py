"""What several processes do to one folder. Each of them makes one of these calls."""

import os
import random
from multiprocessing.synchronize import Barrier
from pathlib import Path

from jinja_fragcache.stores import FileStore

KEYS = [f"fragment:row:{number}" for number in range(12)]
_SECONDS = 60
_together: Barrier


def begin(together: Barrier) -> None:
    """Store the barrier at which the processes meet."""
    global _together  # noqa: PLW0603 - a process has one, and tasks can't be given it
    _together = together


def text(key: str, number: int) -> str:
    """Return one of the texts that are written to a key: one line, many times."""
    return f"<p>{key} of {os.getpid()} no {number}</p>\n" * (number % 300 + 1)


def is_whole(key: str, found: object) -> bool:
    """Return whether a value is one that `text` returns for this key."""
    if not isinstance(found, str):
        return False
    part = found[: found.find("\n") + 1]
    number = int(part[part.rindex(" ") : part.rindex("<")])
    return part.startswith(f"<p>{key} of ") and found == part * (number % 300 + 1)


def do_everything(folder: str, threshold: int, seed: int) -> list[str]:
    """Read, write and delete, and return what went wrong."""
    store = FileStore(folder, threshold)
    chosen = random.Random(seed)
    wrong: list[str] = []
    _together.wait(_SECONDS)
    for number in range(250):
        key = chosen.choice(KEYS)
        do = chosen.choice(["set", "set", "set", "add", "get", "get", "delete"])
        if do == "set" and not store.set(key, text(key, number)):
            wrong.append(f"{key} was not kept")
        elif do == "add":
            store.add(key, text(key, number), timeout=chosen.choice([0, 1]))
        elif do == "delete" and not store.delete(key):
            wrong.append(f"{key} was not deleted")
        elif number % 100 == seed and not store.clear():
            wrong.append("not cleared")
        found = store.get(key)
        if found is not None and not is_whole(key, found):
            wrong.append(f"{key} gave {found!r}")
        with store._folder.lock.held():
            entries = len(list(store._folder.entries()))
        if entries > threshold:
            wrong.append(f"{entries} entries")
    return wrong


def add_each(folder: str, keys: list[str]) -> list[str]:
    """Add each key at the same moment as the others; return those that were added."""
    store = FileStore(folder, threshold=1000)
    added = []
    for key in keys:
        _together.wait(_SECONDS)
        if store.add(key, str(os.getpid())) and store.get(key) == str(os.getpid()):
            added.append(key)
    return added


def count_up(folder: str, key: str, times: int) -> set[int]:
    """Count up and down, and return the numbers that counting up returned."""
    store = FileStore(folder, threshold=1000)
    _together.wait(_SECONDS)
    numbers = set()
    for _ in range(times):
        number = store.inc(key)
        assert number is not None
        numbers.add(number)
        store.dec("down", 2)
    return numbers


def hold_the_lock(folder: str) -> None:
    """Write a file, take the lock, and wait to be killed."""
    store = FileStore(folder)
    with store._folder.written(b"half"), store._folder.lock.held():
        print("held", flush=True)  # noqa: T201 - what the test waits for
        Path("/dev/stdin").read_bytes()


if __name__ == "__main__":
    import sys

    hold_the_lock(sys.argv[1])
