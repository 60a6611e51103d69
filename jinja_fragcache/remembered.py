"""What this process remembers for a while, within a number of entries and of bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from sys import getsizeof
from typing import Any, TypeVar

from .forks import free_after_fork, notify_after_fork

K = TypeVar("K")
V = TypeVar("V")

#: What an entry takes besides its key and value, in bytes: its places in two
#: dictionaries, and its size. tracemalloc counts 74 to 120 on CPython 3.11, with 1,000
#: to 1,000,000 entries.
ENTRY_BYTES = 120


class Remembered(dict[K, V]):
    """Remembers the entries that were added last.

    It is read as any dict is, without a lock, and a read costs no more than there. When
    it is full, a sixteenth of the entries goes: those that were added first. Only `add`
    and `forget` change it.

    Args:
        most: The largest number of entries.
        most_bytes: The largest number of bytes, as `size_of` and `ENTRY_BYTES` count
            them. An entry that is larger by itself is not remembered.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        super().__init__()
        self._most = most
        self._most_bytes = most_bytes
        self._sizes: dict[K, int] = {}
        self._used_bytes = 0
        self._lock = free_after_fork(threading.Lock())
        notify_after_fork(self)

    def add(self, key: K, value: V, more_bytes: int = 0) -> None:
        """Remember a value, in place of what was remembered under its key.

        Args:
            key: A text, or a tuple of texts and numbers.
            value: The value.
            more_bytes: What the value takes in addition to what `size_of` counts.
        """
        size = size_of(key) + size_of(value) + more_bytes + ENTRY_BYTES
        with self._lock:
            if key in self._sizes:
                self._remove(key)
            if size > self._most_bytes:
                return
            if len(self) >= self._most or self._used_bytes > self._most_bytes - size:
                self._make_room(size)
            self[key] = value
            self._sizes[key] = size
            self._used_bytes += size

    def forget(self, key: K) -> None:
        """Forget what is remembered under a key, if anything is."""
        with self._lock:
            self._remove(key)

    def after_fork(self) -> None:
        """Forget all in a child process, if a thread of the parent was just adding."""
        if self._lock.locked():
            self.clear()
            self._sizes.clear()
            self._used_bytes = 0

    def _make_room(self, size: int) -> None:
        """Remove what was added first, a sixteenth of all at once.

        To find the first entry of a dictionary takes a step for each that was removed
        before it.
        """
        # The lock is held.
        most = self._most - max(self._most // 16, 1)
        most_bytes = self._most_bytes - max(self._most_bytes // 16, size)
        left, left_bytes = len(self), self._used_bytes
        first: list[K] = []
        for key, each in self._sizes.items():
            if left <= most and left_bytes <= most_bytes:
                break
            first.append(key)
            left, left_bytes = left - 1, left_bytes - each
        for key in first:
            self._remove(key)

    def _remove(self, key: K) -> None:
        # The lock is held.
        if key in self._sizes:
            del self[key]
            self._used_bytes -= self._sizes.pop(key)


class Lately:
    """Tells what comes again, and so is worth remembering.

    What comes once, or not again for a long time, would be forgotten before it helps.
    And to remember it takes memory that the processor's caches do not have.

    Args:
        most_bytes: What came is forgotten when so many bytes have come since.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = self._bytes_left = most_bytes
        self._hashes: set[int] = set()

    def has(self, what: Hashable, size: int) -> bool:
        """Return whether something has come lately, and note that it comes now.

        Args:
            what: What comes. Only its hash is kept, so it may be taken for another.
            size: Its bytes.
        """
        hashed = hash(what)
        if hashed in self._hashes:
            return True
        self._bytes_left -= ENTRY_BYTES + size
        if self._bytes_left < 0:
            self._hashes.clear()
            self._bytes_left = self._most_bytes
        self._hashes.add(hashed)
        return False


class Made(dict[tuple[Any, ...], str]):
    """Remembers texts that a function makes of texts, numbers and None: `made[parts]`.

    To remember something takes fewer steps than in `Remembered`, for what every miss
    makes. There are two halves. What is new goes into this dictionary. When that is
    full, it becomes the old half, and what was in the old one is forgotten at once. So
    no sizes are kept, no lock is needed, and what is read again in the meantime stays.

    Args:
        make: Makes the text of some parts. What it raises passes through.
        most: The largest number of texts in both halves.
        most_bytes: The largest number of bytes of the parts of one text. If there are
            more, it is made each time.
    """

    def __init__(
        self, make: Callable[[tuple[Any, ...]], str], most: int, most_bytes: int
    ) -> None:
        super().__init__()
        self._make = make
        self._most = most // 2
        self._most_bytes = most_bytes
        self._old: dict[tuple[Any, ...], str] = {}

    def __missing__(self, parts: tuple[Any, ...]) -> str:
        """Return the text of parts that are not in this half."""
        text = self._old.get(parts)
        if text is None:
            text = self._make(parts)
        if sum(map(getsizeof, parts)) <= self._most_bytes:
            if len(self) >= self._most:
                # In this order, so that those who read find each in one of the two.
                self._old = self.copy()
                self.clear()
            self[parts] = text
        return text

    @property
    def everything(self) -> dict[tuple[Any, ...], str]:
        """What is in both halves."""
        return {**self._old, **self}


def size_of(value: object) -> int:
    """Return the bytes of a value, and of all that is in it: in tuples and dicts."""
    size = getsizeof(value, 0)
    if isinstance(value, tuple):
        # Most are of texts, which need no call.
        for each in value:
            is_plain = type(each) is str or type(each) is int
            size += getsizeof(each) if is_plain else size_of(each)
    elif isinstance(value, dict):
        size += sum(map(size_of, value.items()))
    return size
