"""A lock that threads and processes share, and a number that it guards.

flock() exists on Unix only. On Windows the lock excludes the threads of one process
only, so what is said to be atomic across processes is not atomic there.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jinja_fragcache.forks import free_after_fork, notify_after_fork

if sys.platform != "win32":
    import fcntl

# The file holds nothing else: a number, with as many digits as the largest one has.
_DIGITS = 20


class Count:
    """The number in the file of a lock. Use it only while you hold the lock."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> int | None:
        """Return the number, or None if none has been written."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        try:
            return int(os.read(self._descriptor, _DIGITS))
        except ValueError:
            return None

    def write(self, number: int) -> None:
        """Write a number, which must not be negative."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, b"%0*d" % (_DIGITS, number))


class CountingLock:
    """A lock on a file, with a number in that file.

    The system releases the lock when the process that holds it ends, however it ends.
    The lock is not reentrant.

    Args:
        path: The file. It is created if it is missing; its folder must exist.
        mode: The file mode of the entries. Users who may read them may take the lock.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self._path = path
        # Taking the lock writes to the file, so users who may read need to write it.
        self._mode = mode | (mode & 0o444) >> 1
        self._threads = free_after_fork(threading.Lock())
        self._opened_now: set[int] = set()
        notify_after_fork(self)

    def after_fork(self) -> None:
        """Close the parent's descriptors, which would keep the lock if it is killed."""
        while self._opened_now:
            os.close(self._opened_now.pop())

    @contextmanager
    def held(self) -> Iterator[Count]:
        """Wait for the lock and hold it in the `with` block.

        Raises:
            OSError: If the file can't be opened.
        """
        if sys.platform == "win32":
            with self._threads, self._opened() as descriptor:
                yield Count(descriptor)
            return
        while True:
            with self._opened() as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not os.fstat(descriptor).st_nlink:
                    # The file was removed during the wait, so by now other processes
                    # lock a new one.
                    continue
                try:
                    yield Count(descriptor)
                finally:
                    # Closing the file does not release the lock if another thread has
                    # forked meanwhile: the child process has a copy of the descriptor.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                return

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, self._mode)
        self._opened_now.add(descriptor)
        try:
            if not os.fstat(descriptor).st_size:
                # The file may be new, and the umask has reduced its mode.
                with suppress(PermissionError):
                    self._path.chmod(self._mode)
            yield descriptor
        finally:
            self._opened_now.discard(descriptor)
            os.close(descriptor)
