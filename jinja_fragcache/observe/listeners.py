"""Listeners, and the list of those that one cache tells what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from jinja_fragcache.errors import ListenerError
from jinja_fragcache.forks import free_after_fork
from jinja_fragcache.late import LateModule
from jinja_fragcache.messages import class_name, describe, logger, logs_all
from jinja_fragcache.remembered import Remembered

if TYPE_CHECKING:
    from . import events
    from .events import About, Event, EventKind, Report
else:
    events = LateModule(".events", __package__)

T = TypeVar("T")
_METHODS = ("on_event", "on_report", "around_body")


class Listener:
    """Is told what a cache does. A subclass overrides what it wants to know.

    The methods are called by the threads and tasks that render, at the same time, so
    they have to be quick and safe for that. What they raise is logged, and does not
    reach the page.

    Attributes:
        wants_values: Whether reports show the key values, which may be personal.
        wants_expiry: Whether reports show age and expiry also where only the store
            knows them. It is asked for each hit then.
    """

    wants_values: bool = False
    wants_expiry: bool = False

    def on_event(self, event: Event) -> None:
        """Be told what happened to a key: fragments, functions, and values alike."""

    def on_report(self, report: Report) -> None:
        """Be told what became of a fragment, or of a call of a decorated function."""

    def around_body(self, about: About) -> AbstractContextManager[object]:
        """Return a context manager in which a body runs.

        Args:
            about: Whose body it is. Its `values` are empty.
        """
        return nullcontext()


def listener_list(given: Iterable[Listener]) -> list[Listener]:
    """Return the listeners that a cache is given.

    Raises:
        ListenerError: If they are no list, such as a single listener.
    """
    if not isinstance(given, Iterable):
        raise ListenerError(
            f"listeners takes a list of listeners and got {describe(given)}. Write"
            " listeners=[Mine()]."
        )
    return [*given]


class Listeners:
    """Those who are told what one cache does.

    While there are none, the cache does nothing for them on a hit. The log is one of
    them while its level is DEBUG. That is looked at on each miss, and on the first
    look-up, because logging may be set up after the cache.

    Args:
        turned: Is called with whether anybody listens, once that is known, and whenever
            it changes.

    Raises:
        ListenerError: If one of them is no `Listener`.

    Attributes:
        expiries: When the timeouts of entries end, by keys, as far as that was
            reported: what the store has dropped is not known otherwise.
    """

    def __init__(self, turned: Callable[[bool], None]) -> None:
        self._turned = turned
        self._all: tuple[Listener, ...] = ()
        self._lock = free_after_fork(threading.Lock())
        self._logs = False
        # None until that was looked at.
        self._is_on: bool | None = None
        self._failed: set[int] = set()
        self._of: dict[str, tuple[Listener, ...]] = dict.fromkeys(_METHODS, ())
        self.expiries: Remembered[str, float] = Remembered(10_000, 2**21)

    def add(self, listener: Listener) -> None:
        """Let a listener be told, from now on. It is not an error if it is already.

        Raises:
            ListenerError: If it is no `Listener`.
        """
        if not isinstance(listener, Listener):
            raise ListenerError(
                f"A listener is an object of a subclass of Listener and got"
                f" {describe(listener)}. Write class Mine(Listener), and give Mine(),"
                " as in listen(Mine()) or CACHE_LISTENERS=[Mine()]."
            )
        with self._lock:
            if listener not in self._all:
                self._set((*self._all, listener))
        self.settle()

    def remove(self, listener: Listener) -> None:
        """Let a listener not be told any more. It is not an error if it never was."""
        with self._lock:
            self._set(tuple(each for each in self._all if each is not listener))
        self.settle()

    def _set(self, listeners: tuple[Listener, ...]) -> None:
        self._all = listeners
        self._of = {
            name: tuple(each for each in listeners if _overrides(each, name))
            for name in _METHODS
        }

    def settle(self) -> bool:
        """Find out whether anybody listens now, and return it."""
        self._logs = logs_all()
        is_on = bool(self._logs or self._all)
        if is_on != self._is_on:
            self._is_on = is_on
            self._turned(is_on)
        return is_on

    @property
    def want_expiry(self) -> bool:
        """Whether some listener asks for the expiry of all entries."""
        return any(each.wants_expiry for each in self._of["on_report"])

    def event(
        self, kind: EventKind, key: str, error: BaseException | None = None
    ) -> None:
        """Tell of an event: see `Event`."""
        listeners = self._of["on_event"]
        if not listeners:
            return
        event = events.Event(kind, key, error)
        for each in listeners:
            self._tell(each, each.on_event, event)

    def report(self, report: Report) -> None:
        """Tell of a report. Only those that asked for the key values see them."""
        if self._logs:
            from .log import log_report  # noqa: PLC0415 - few log this

            log_report(report)
        without = report._replace(values=None)
        for each in self._of["on_report"]:
            told = report if each.wants_values else without
            self._tell(each, each.on_report, told)

    def enter_bodies(self, about: About, stack: ExitStack) -> None:
        """Enter what listeners put around a body. It is left with the stack."""
        about = about._replace(values=())
        for each in self._of["around_body"]:
            around = self._tell(each, each.around_body, about)
            if around is not None:
                stack.enter_context(_Guarded(self, each, around))

    def _tell(
        self, listener: Listener, method: Callable[..., T], *told: object
    ) -> T | None:
        try:
            return method(*told)
        except Exception as error:  # noqa: BLE001 - it may not fail the page
            self._note_failure(listener, error)
        return None

    def _note_failure(self, listener: Listener, error: Exception) -> None:
        if id(listener) in self._failed:
            return
        self._failed.add(id(listener))
        logger.error(
            "The listener %s failed. The page does not see that, and this is logged"
            " once.",
            class_name(listener),
            exc_info=error,
        )


class _Guarded:
    """A context manager of a listener's, whose own errors are logged.

    It does not hide what is raised in it.
    """

    def __init__(
        self,
        listeners: Listeners,
        listener: Listener,
        around: AbstractContextManager[object],
    ) -> None:
        self._listeners = listeners
        self._listener = listener
        self._around = around
        self._is_entered = False

    def __enter__(self) -> None:
        try:
            self._around.__enter__()
        except Exception as error:  # noqa: BLE001 - it may not fail the page
            self._listeners._note_failure(self._listener, error)  # noqa: SLF001
        else:
            self._is_entered = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_entered:
            return
        try:
            self._around.__exit__(kind, error, trace)
        except Exception as failure:  # noqa: BLE001 - it may not fail the page
            if failure is not error:
                self._listeners._note_failure(self._listener, failure)  # noqa: SLF001


def _overrides(listener: Listener, name: str) -> bool:
    return getattr(type(listener), name) is not getattr(Listener, name)
