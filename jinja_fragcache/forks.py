"""What a child process does with what it inherits when its parent forks.

The child has copies of the parent's sockets, and of the locks that other threads of the
parent held at that moment. If both processes used one socket, each would read answers
to the other's questions. And nobody in the child releases such a lock, because the
threads that held them do not exist there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar
from weakref import WeakSet, WeakValueDictionary

T = TypeVar("T")

if TYPE_CHECKING:
    # For annotations alone. They take as long to make as all else here.
    Lock = TypeVar("Lock", bound="threading.Lock | threading.RLock")

    class Heir(Protocol):
        """An object that has to know when its process is a new child."""

        def after_fork(self) -> None:
            """Drop what only the parent may use, before other threads run."""
            ...


_locks: WeakSet[Any] = WeakSet()
_heirs: WeakValueDictionary[int, Heir] = WeakValueDictionary()
# Never used, and never deleted either, because some clients say goodbye to the server
# when they are deleted, on a socket that the parent still uses.
_inherited: list[object] = []
_NOT_MADE: Final = (-1, None)


def notify_after_fork(heir: Heir) -> None:
    """Call `after_fork()` of an object in each child process, as long as it lives."""
    _heirs[id(heir)] = heir


def free_after_fork(lock: Lock) -> Lock:
    """Return a lock, which from now on is free at the start of each child process."""
    _locks.add(lock)
    return lock


def keep_unused(value: object) -> None:
    """Keep a value that was inherited until this process ends, without using it."""
    _inherited.append(value)


class PerProcess(Generic[T]):
    """A value that each process makes for itself when it first needs it.

    The process is compared on each use, because servers that fork in C, such as uWSGI,
    do not run Python's hooks. The hook is needed too: a grandchild may have the number
    of a process that has ended.

    Args:
        make: Makes the value. If it raises, the next use calls it again. Threads that
            need the value at the same time may each make one, of which one is kept.
        keep: Called in a child process with the value that it inherited.
        first: The value of this process, if there is one already.
    """

    def __init__(
        self,
        make: Callable[[], T],
        keep: Callable[[T], None] = keep_unused,
        *,
        first: T | None = None,
    ) -> None:
        self._make = make
        self._keep = keep
        # In one tuple, so that no thread reads the number of one and the value of
        # another.
        self._made: tuple[int, Any] = (
            _NOT_MADE if first is None else (os.getpid(), first)
        )
        notify_after_fork(self)

    @property
    def value(self) -> T:
        """The value of this process."""
        process, value = self._made
        if process != os.getpid():
            value = self._renew()
        made: T = value
        return made

    def after_fork(self) -> None:
        """Set the parent's value aside."""
        process, value = self._made
        if process != _NOT_MADE[0]:
            self._made = _NOT_MADE
            self._keep(value)

    def _renew(self) -> T:
        self.after_fork()
        value = self._make()
        self._made = (os.getpid(), value)
        return value


def _after_fork() -> None:
    # Before the locks are freed, so that each heir can see whether its lock was held.
    for heir in list(_heirs.values()):
        heir.after_fork()
    for lock in list(_locks):
        # What logging and threading of the standard library do with their own locks.
        lock._at_fork_reinit()  # noqa: SLF001 - there is no public name for it


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
