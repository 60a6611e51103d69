"""A thread that drops what is kept near when a server tells that it has changed."""

import os
import threading
import weakref
from collections.abc import Sequence
from typing import Protocol

from jinja_fragcache.messages import logger, without_logins
from jinja_fragcache.stores.near import NearMemory

from .failures import is_down

# Seconds between two attempts to connect.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


class Changes(Protocol):
    """A connection on which a server tells which keys have changed.

    Any method raises what the client raised.

    Attributes:
        needs: What the server and the user's rights have to be, as a sentence.
    """

    needs: str

    def open(self) -> None:
        """Connect. From the end of this call on, `wait` tells all changes."""
        ...

    def wait(self) -> Sequence[str] | None:
        """Return the keys that have changed, maybe none; None for all keys."""
        ...

    def close(self) -> None:
        """End the connection, also while another thread waits on it."""
        ...


class NearListener:
    """Listens until the process ends, or until nobody uses the memory any more.

    While it is not connected, nothing tells what changes. Then what is kept ends by its
    timeout alone, as with a server that sends no messages.

    Args:
        changes: The connection.
        memory: What is kept near.
        pause: Seconds before the first attempt to connect again. It doubles with each.

    Attributes:
        thread: The thread that listens.
    """

    def __init__(
        self, changes: Changes, memory: NearMemory, pause: float = _FIRST_PAUSE
    ) -> None:
        self._changes = changes
        # The thread must not keep the memory alive.
        self._memory = weakref.ref(memory)
        self._pause = pause
        self._ended = threading.Event()
        self._is_lost = False
        self._process = os.getpid()
        weakref.finalize(memory, self.end)
        self.thread = threading.Thread(
            target=self._run, name="jinja-fragcache-near", daemon=True
        )
        self.thread.start()

    def end(self) -> None:
        """End the thread. In a child process, which has no such thread, do nothing."""
        if os.getpid() != self._process:
            return
        self._ended.set()
        self._changes.close()

    def _run(self) -> None:
        pause = self._pause
        while not self._ended.is_set():
            is_open = False
            try:
                self._changes.open()
                # Of what was read before, nothing is known.
                self._note(None)
                is_open = True
                self._log_connected()
                pause = self._pause
                while not self._ended.is_set():
                    self._note(self._changes.wait())
            except Exception as error:  # noqa: BLE001 - whatever a client may raise
                if not is_open and not is_down(error):
                    self._log_refused(error)
                    break
                self._log_lost(error)
            finally:
                self._changes.close()
                self._note(None)
            self._ended.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _note(self, keys: Sequence[str] | None) -> None:
        memory = self._memory()
        if memory is None:
            return
        if keys is None:
            memory.note_change_of_all()
        elif keys:
            memory.note_changes(keys)

    def _log_connected(self) -> None:
        if self._is_lost:
            self._is_lost = False
            logger.info("The server tells again what has changed.")

    def _log_lost(self, error: Exception) -> None:
        if self._is_lost or self._ended.is_set():
            return
        self._is_lost = True
        logger.info(
            "The connection on which the server tells what has changed is lost (%s)."
            " Until it is there again, what is kept near ends by its timeout alone.",
            _told(error),
        )

    def _log_refused(self, error: Exception) -> None:
        if self._ended.is_set():
            return
        logger.warning(
            "The server does not tell this process what has changed (%s), so what is"
            " kept near ends by its timeout alone. %s",
            _told(error),
            self._changes.needs,
        )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {without_logins(error).rstrip('.')}"
