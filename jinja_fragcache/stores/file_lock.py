"""A lock that threads and processes share, and the number that it guards.

flock() belongs to Unix. On Windows the lock is one of this process's threads only, so
what is said to be atomic over processes is not there.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

# All in the file: a number in as many digits as the largest has.
_DIGITS = 20


class Count:
    """The number in a lock's file. Whoever holds the lock may use it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> int | None:
        """Give the number, or None if none was written."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        try:
            return int(os.read(self._descriptor, _DIGITS))
        except ValueError:
            return None

    def write(self, number: int) -> None:
        """Write a number from 0."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, b"%0*d" % (_DIGITS, number))


class CountingLock:
    """A lock in a file, with a number.

    The system lets it go when the process that holds it ends, however it ends. Who has
    it must not ask for it again.

    Args:
        path: the file. It is made when it is missing, in a folder that is there.
        mode: the file mode of the entries. Who may read those may take the lock.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self._path = path
        # Taking it writes, so who may read has to be let write.
        self._mode = mode | (mode & 0o444) >> 1
        self._threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[Count]:
        """Wait for the lock, and hold it for the block.

        Raises:
            OSError: the file can't be opened.
        """
        if sys.platform == "win32":
            with self._threads, self._opened() as descriptor:
                yield Count(descriptor)
            return
        while True:
            with self._opened() as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not os.fstat(descriptor).st_nlink:
                    # Removed while it was waited for: others lock another file by now.
                    continue
                try:
                    yield Count(descriptor)
                finally:
                    # Closing is not enough if another thread forked meanwhile.
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
                return

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, self._mode)
        try:
            if not os.fstat(descriptor).st_size:
                # It may be new, and the mode it was made with is cut by the umask.
                with suppress(PermissionError):
                    self._path.chmod(self._mode)
            yield descriptor
        finally:
            os.close(descriptor)
