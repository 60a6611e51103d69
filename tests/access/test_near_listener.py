import gc
import queue
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from jinja_fragcache.access.near_listener import NearListener
from jinja_fragcache.stores.near import NearMemory
from tests import servers
from tests.support import Clock

DOWN = ConnectionResetError("the server at redis://ann:secret@host is gone")


class Changes:
    """A connection that tells what a test says."""

    needs = "That takes a new server."

    def __init__(self) -> None:
        self.opened: queue.Queue[Exception | None] = queue.Queue()
        self.told: queue.Queue[Sequence[str] | Exception | None] = queue.Queue()
        self.closed = 0
        self.waits = 0

    def open(self) -> None:
        answer = self.opened.get(timeout=30)
        if answer is not None:
            raise answer
        self.told = queue.Queue()

    def wait(self) -> Sequence[str] | None:
        self.waits += 1
        told = self.told.get(timeout=30)
        if isinstance(told, Exception):
            raise told
        return told

    def close(self) -> None:
        self.closed += 1
        self.told.put(DOWN)


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def memory() -> NearMemory:
    memory = NearMemory(600, timer=Clock())
    fill(memory)
    return memory


@pytest.fixture
def listener(changes: Changes, memory: NearMemory) -> Iterator[NearListener]:
    listener = NearListener(changes, memory, pause=0)
    yield listener
    end(listener, changes)


def end(listener: NearListener, changes: Changes) -> None:
    listener.end()
    changes.opened.put(DOWN)
    listener.thread.join(30)
    assert not listener.thread.is_alive()


def fill(memory: NearMemory) -> None:
    values: dict[str, tuple[Any, float | None]] = {key: (key, None) for key in "abc"}
    memory.keep(values, memory.begin_read())


def wait_for_waits(changes: Changes, number: int) -> None:
    servers.wait_for(lambda: changes.waits == number)


def test_when_a_listener_begins_nothing_is_kept(
    listener: NearListener, changes: Changes, memory: NearMemory
) -> None:
    assert len(memory) == 3
    changes.opened.put(None)
    wait_for_waits(changes, 1)
    assert len(memory) == 0


@pytest.mark.parametrize(("told", "left"), [(["a", "x"], 2), ([], 3), (None, 0)])
def test_what_has_changed_is_dropped(
    listener: NearListener,
    changes: Changes,
    memory: NearMemory,
    told: list[str] | None,
    left: int,
) -> None:
    changes.opened.put(None)
    wait_for_waits(changes, 1)
    fill(memory)
    changes.told.put(told)
    wait_for_waits(changes, 2)
    assert len(memory) == left


@pytest.mark.parametrize("error", [DOWN, ValueError("an answer that can't be read")])
def test_when_the_connection_is_lost_all_is_dropped_and_a_new_one_is_made(
    listener: NearListener,
    changes: Changes,
    memory: NearMemory,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "jinja_fragcache")
    changes.opened.put(None)
    wait_for_waits(changes, 1)
    fill(memory)
    changes.told.put(error)
    servers.wait_for(lambda: len(memory) == 0)
    for answer in (DOWN, DOWN, None):
        changes.opened.put(answer)
    servers.wait_for(lambda: "tells again" in caplog.text)
    assert caplog.text.count("is lost") == 1
    assert "secret" not in caplog.text


def test_a_server_that_refuses_is_not_asked_again(
    listener: NearListener,
    changes: Changes,
    memory: NearMemory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    changes.opened.put(ValueError("unknown command for ann:secret@host."))
    listener.thread.join(30)
    assert not listener.thread.is_alive()
    assert changes.closed == 1
    assert len(memory) == 0
    (message,) = caplog.messages
    assert message == (
        "The server does not tell this process what has changed (ValueError: unknown"
        " command for ...@host), so what is kept near ends by its timeout alone. That"
        " takes a new server."
    )


def test_a_listener_ends_with_its_memory(changes: Changes) -> None:
    memory = NearMemory(600, timer=Clock())
    listener = NearListener(changes, memory)
    changes.opened.put(None)
    wait_for_waits(changes, 1)
    del memory
    gc.collect()
    listener.thread.join(30)
    assert not listener.thread.is_alive()


def test_the_end_of_a_child_process_leaves_the_connection_alone(
    listener: NearListener, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes.opened.put(None)
    wait_for_waits(changes, 1)
    with monkeypatch.context() as patched:
        patched.setattr("os.getpid", lambda: -1)
        listener.end()
    assert changes.closed == 0
