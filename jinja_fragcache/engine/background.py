"""Where values are made that nobody waits for: a few threads, or tasks of a loop.

A thread ends when there is nothing to do, so a cache that makes nothing in the
background has none.
"""

import atexit
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from jinja_fragcache.access.event_loops import start_task
from jinja_fragcache.forks import PerProcess
from jinja_fragcache.messages import logger

# Of one process, for all caches.
_MOST_THREADS = 2
_MOST_QUEUED = 64
_MOST_TASKS = 16
# Seconds that a process waits at its end for bodies that are running.
_LAST_SECONDS = 2.0


class Pool:
    """The threads of one process, and its tasks.

    Args:
        threads: How many threads there may be.
        queued: How many jobs may wait for one.
        tasks: How many tasks there may be.
    """

    def __init__(
        self,
        threads: int = _MOST_THREADS,
        queued: int = _MOST_QUEUED,
        tasks: int = _MOST_TASKS,
    ) -> None:
        self._most = (threads, queued, tasks)
        self._lock = threading.Lock()
        self._queue: deque[Callable[[], object]] = deque()
        self._threads: set[threading.Thread] = set()
        self._tasks: set[Any] = set()
        self._is_stopped = False

    def submit(self, job: Callable[[], object]) -> bool:
        """Call a function in a thread, and return whether there is room for it."""
        with self._lock:
            threads, queued, _ = self._most
            starts = len(self._threads) < threads
            if self._is_stopped or (not starts and len(self._queue) >= queued):
                return False
            self._queue.append(job)
            if not starts:
                return True
            thread = threading.Thread(
                target=self._work, name="jinja-fragcache-background", daemon=True
            )
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # The system has no more, or Python is about to end.
            with self._lock:
                self._threads.discard(thread)
                if job not in self._queue:  # Another thread has taken it.
                    return True
                self._queue.remove(job)
            return False
        return True

    def start_task(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Like `submit`, for a task of the running loop. trio has none of this kind."""
        with self._lock:
            # A loop that was closed never ends its tasks.
            for task in list(self._tasks):
                if task.get_loop().is_closed():
                    self._tasks.discard(task)
            if self._is_stopped or len(self._tasks) >= self._most[2]:
                return False
            task = start_task(work)
            if task is None:
                return False
            self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def stop(self, seconds: float = _LAST_SECONDS) -> None:
        """Take no more jobs, forget those that wait, and wait for those that run.

        Args:
            seconds: For how long to wait. The threads don't keep the process alive.
        """
        with self._lock:
            self._is_stopped = True
            self._queue.clear()
            threads = list(self._threads)
        end = monotonic() + seconds
        for thread in threads:
            thread.join(max(end - monotonic(), 0))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._threads.discard(threading.current_thread())
                    return
                job = self._queue.popleft()
            try:
                job()
            except BaseException:  # noqa: BLE001 - a body may raise SystemExit; the next one must run
                logger.exception("A body in the background ended its thread.")


#: Each process has its own: a child has none of its parent's threads.
Background = PerProcess[Pool]
BACKGROUND: Background = PerProcess(Pool)


@atexit.register
def _stop() -> None:
    BACKGROUND.value.stop()
