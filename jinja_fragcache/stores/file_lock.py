"""A lock that threads and processes share, and a number that it guards.

flock() exists on Unix only. On Windows the lock excludes the threads of one process
only, so what is said to be atomic across processes is not atomic there.
"""

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jinja_fragcache.forks import free_after_fork, notify_after_fork

from .file_open import open_regular, set_mode

if sys.platform != "win32":
    import fcntl

#: How many seconds a page waits for others that write to the folder. To remove entries
#: from a full folder of 10,000 takes a quarter of a second.
PATIENCE = 2.0
# Seconds between two looks at whether others still hold the lock.
_PAUSE = 0.0005
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
        patience: How many seconds `held` waits for others.
        timer: A monotonic clock in seconds.
    """

    def __init__(
        self,
        path: Path,
        mode: int,
        patience: float = PATIENCE,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = str(path)
        self._folder = str(path.parent)
        # Taking the lock writes to the file, so users who may read need to write it.
        self._mode = mode | (mode & 0o444) >> 1
        self._patience = patience
        self._timer = timer
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
            OSError: If the file can't be opened, or is no regular file of this folder
                alone.
            TimeoutError: If others hold the lock for too long.
        """
        deadline = self._timer() + self._patience
        # The threads of a process wait without looking again and again.
        if not self._threads.acquire(timeout=self._patience):
            raise self._timeout()
        try:
            while True:
                with self._opened() as descriptor:
                    if sys.platform == "win32":
                        yield Count(descriptor)
                        return
                    self._wait(descriptor, deadline)
                    if not os.fstat(descriptor).st_nlink:
                        # The file was removed during the wait, so by now other
                        # processes lock a new one.
                        continue
                    try:
                        yield Count(descriptor)
                    finally:
                        # Closing the file does not release the lock if another thread
                        # has forked meanwhile: the child process has a copy of the
                        # descriptor.
                        fcntl.flock(descriptor, fcntl.LOCK_UN)
                    return
        finally:
            self._threads.release()

    def _wait(self, descriptor: int, deadline: float) -> None:
        # flock() itself would wait without a bound. A process that looks again and
        # again may be unlucky each time, if another one takes the lock as soon as it
        # has released it. So all wait at the gate, where only one of them is let
        # through, and this one gets the lock next.
        with self._gate(deadline):
            while not _try_lock(descriptor):
                self._pause(deadline)

    @contextmanager
    def _gate(self, deadline: float) -> Iterator[None]:
        try:
            descriptor = os.open(self._folder, os.O_RDONLY)
        except OSError:
            # The folder may be used, but not listed. Then there is just no order.
            yield
            return
        self._opened_now.add(descriptor)
        try:
            while not _try_gate(descriptor):
                self._pause(deadline)
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            self._opened_now.discard(descriptor)
            os.close(descriptor)

    def _pause(self, deadline: float) -> None:
        if self._timer() >= deadline:
            raise self._timeout()
        time.sleep(_PAUSE)

    def _timeout(self) -> TimeoutError:
        return TimeoutError(
            f"Another process or thread has held the lock {self._path} for"
            f" {self._patience:g} seconds."
        )

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = open_regular(self._path, os.O_RDWR | os.O_CREAT, self._mode)
        self._opened_now.add(descriptor)
        try:
            status = os.fstat(descriptor)
            if status.st_nlink > 1:
                # The number would be written into a file of somebody else.
                raise OSError(errno.EMLINK, "The lock has a second name", self._path)
            if not status.st_size:
                # The file may be new, and the umask has reduced its mode.
                with suppress(PermissionError):
                    set_mode(descriptor, self._path, self._mode)
            yield descriptor
        finally:
            self._opened_now.discard(descriptor)
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock a file if nobody else holds its lock, and return whether that was done."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_gate(descriptor: int) -> bool:
    """Like `_try_lock`, but return True as well where a folder can't be locked.

    Network file systems do not lock one that is open for reading only.
    """
    try:
        return _try_lock(descriptor)
    except OSError:
        return True
