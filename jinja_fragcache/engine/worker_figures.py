"""Keeps the figures of this worker in the store, and adds up those of all workers.

Each worker has one entry of its own, in one of a fixed number of places. So the figures
of all workers are read in one round trip, and nobody has to keep a list of workers.
"""

import atexit
import math
import threading
from collections.abc import Callable
from contextvars import Context as Variables
from weakref import WeakSet

from jinja_fragcache.access.event_loops import sleep, start_task
from jinja_fragcache.errors import AsyncOnlyError, StoreError
from jinja_fragcache.forks import PerProcess
from jinja_fragcache.keys.beside import figures_key
from jinja_fragcache.observe.figures import Figures, added_up
from jinja_fragcache.observe.workers import AllFigures, decode, encode
from jinja_fragcache.operations import Operation, perform, perform_async

from .context import Context

#: How many workers have a place.
PLACES = 64
#: For how many seconds the figures of a worker that writes no more are kept.
KEPT_SECONDS = 24 * 60 * 60
#: At most once in so many seconds, a worker writes its figures.
INTERVAL = 5.0
# A worker whose figures are that old may lose its place to another one.
_IDLE_SECONDS = 60.0
# What was to be written has been lost with its thread or event loop after that time.
_LOST_SECONDS = 60.0
# For so long a process waits at its end until its figures are written.
_LAST_SECONDS = 2.0
_KEYS = [figures_key(str(place)) for place in range(PLACES)]
_NOT_SHARED = (
    "Workers don't share this store, so these are the figures of this one only."
)
_FULL = f"There may be more workers: {PLACES} have a place for their figures."


class _Writing:
    """What one process knows of its writing."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.place: int | None = None
        self.last = -math.inf
        # Until then, what is new will be written.
        self.planned_until = -math.inf
        self.at_once = threading.Event()
        self.thread: threading.Thread | None = None


class WorkerFigures:
    """Writes the figures of this worker to the store, after new ones have come.

    A thread does that, which ends when it has written, so nobody who renders waits for
    it. With a store that can only be awaited, a task of the event loop does it.

    Args:
        figures: The figures.
        context: The cache, for callers that block.
        async_context: The cache, for callers on an event loop.
    """

    def __init__(
        self, figures: Figures, context: Context, async_context: Context
    ) -> None:
        self._figures = figures
        self._context, self._async_context = context, async_context
        self._timer: Callable[[], float] = context.timer
        self._writing = PerProcess(_Writing, _drop, first=_Writing())
        if context.store.is_shared:
            figures.changed = self._plan
            _ALL.add(self)

    def _plan(self) -> None:
        """See to it that new figures are written."""
        writing, now = self._writing.value, self._timer()
        if now < writing.planned_until:
            return
        with writing.lock:
            if now < writing.planned_until:
                return
            delay = max(writing.last + INTERVAL - now, 0.0)
            writing.planned_until = now + delay + _LOST_SECONDS
        if self._context.store.has_coroutines:
            self._start_task(writing, delay)
        else:
            self._start_thread(writing, delay)

    def _start_thread(self, writing: _Writing, delay: float) -> None:
        writing.at_once.clear()
        writing.thread = threading.Thread(
            target=self._write_later,
            args=(writing, delay),
            name="jinja-fragcache-figures",
            daemon=True,
        )
        try:
            writing.thread.start()
        except RuntimeError:  # The system has no more, or Python is about to end.
            writing.thread = None

    def _write_later(self, writing: _Writing, delay: float) -> None:
        writing.at_once.wait(delay)
        self._begin(writing)
        perform(self.write(self._context))

    def _start_task(self, writing: _Writing, delay: float) -> None:
        async def work() -> None:
            await sleep(delay)
            self._begin(writing)
            await perform_async(self.write(self._async_context))

        # Not with the variables of the page: this is no part of it.
        try:
            Variables().run(start_task, work)
        except RuntimeError:  # There is no event loop here.
            writing.planned_until = -math.inf

    def _begin(self, writing: _Writing) -> None:
        writing.last = self._timer()
        # Before the figures are read, so that those that come now plan anew.
        writing.planned_until = -math.inf

    def flush(self, seconds: float) -> None:
        """Write now what is to be written, and wait for that.

        Args:
            seconds: For how long to wait at most.
        """
        writing = self._writing.value
        writing.at_once.set()
        if writing.thread is not None:
            writing.thread.join(seconds)

    def write(self, context: Context) -> Operation[None]:
        """Write the figures of this worker. A store that fails is logged, and skipped.

        Args:
            context: The cache, for callers of the right kind.
        """
        worker, names = self._figures.snapshot()
        text, store = encode(worker, names), context.store
        writing = self._writing.value
        if writing.place is not None:
            key = _KEYS[writing.place]
            (stored,) = yield from store.read_again([key])
            if _id_of(stored) == worker.id:
                yield from store.put(key, text, KEPT_SECONDS)
                return
            if stored is None and (yield from store.add({key: text}, KEPT_SECONDS)):
                return
        writing.place = yield from _take_place(context, worker.id, text)


def _take_place(context: Context, worker_id: str, text: str) -> Operation[int | None]:
    """Write the figures of a worker into a free place, or that of an ended worker.

    Returns:
        The place; None if there was none.
    """
    store = context.store
    stored = yield from store.read_again(_KEYS)
    if not store.answers:
        return None
    # Each worker begins elsewhere, so that few meet.
    start = int(worker_id, 16) % PLACES
    order = sorted(range(PLACES), key=lambda place: (place - start) % PLACES)
    for place in order:
        if stored[place] is None and (
            yield from store.add({_KEYS[place]: text}, KEPT_SECONDS)
        ):
            return place
    ages = {place: context.clock() - _seen_at(stored[place]) for place in order}
    oldest = max(order, key=ages.__getitem__)
    if ages[oldest] < _IDLE_SECONDS:
        return None
    written = yield from store.put(_KEYS[oldest], text, KEPT_SECONDS)
    return oldest if written else None


def all_figures(context: Context, figures: Figures | None) -> Operation[AllFigures]:
    """Return the figures of all workers. Those of this one are the present ones.

    Args:
        context: The cache.
        figures: The figures of this process; None if it collects none.
    """
    told, note = [], ""
    own = "" if figures is None else figures.snapshot()[0].id
    if figures is not None and (snapshot := figures.snapshot())[1]:
        told.append(snapshot)
    if not context.store.is_shared:
        note = _NOT_SHARED
    else:
        try:
            stored = yield from context.store.examine(_KEYS)
        except AsyncOnlyError:
            raise
        except StoreError as error:
            stored, note = [], str(error)
        others = [each for each in map(decode, stored) if each is not None]
        if len(others) == PLACES:
            note = _FULL
        others.sort(key=lambda each: each[0].seen_at, reverse=True)
        told += [each for each in others if each[0].id != own]
    names = [each for _, figures_of_it in told for each in figures_of_it]
    return AllFigures(added_up(names), [worker for worker, _ in told], note)


def _id_of(stored: object) -> str | None:
    told = decode(stored)
    return None if told is None else told[0].id


def _seen_at(stored: object) -> float:
    """Return how new the figures in a place are; what can't be read is old."""
    told = decode(stored)
    return 0.0 if told is None else told[0].seen_at


def _drop(_: _Writing) -> None:
    """Let go of what a parent process knows."""


_ALL: WeakSet[WorkerFigures] = WeakSet()


@atexit.register
def _flush() -> None:
    for each in list(_ALL):
        each.flush(_LAST_SECONDS)
