"""The threads in which values are made that nobody waits for."""

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from jinja_fragcache.engine.background import BACKGROUND, Pool
from tests.backgrounds import finish
from tests.forking import Child


def test_threads_and_queue_are_bounded_and_end_with_the_work() -> None:
    pool, may_go_on = Pool(threads=2, queued=3), threading.Event()
    done: list[int] = []

    def job(number: int) -> None:
        assert may_go_on.wait(30)
        done.append(number)

    entered = [pool.submit(partial(job, each)) for each in range(9)]
    # A thread may not have taken its job from the queue yet.
    assert 3 <= sum(entered) <= 5
    assert len(pool._threads) == 2
    may_go_on.set()
    finish(pool)
    assert sorted(done) == list(range(sum(entered)))
    assert pool.submit(lambda: job(9))
    finish(pool)
    assert done[-1] == 9


def test_a_job_that_ends_its_thread_does_not_end_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool, done = Pool(threads=1), threading.Event()
    pool.submit(sys.exit)
    pool.submit(done.set)
    assert done.wait(30)
    finish(pool)
    assert "ended its thread" in caplog.text


def test_a_pool_that_was_stopped_forgets_what_waits_and_takes_no_more() -> None:
    pool, entered, may_go_on = Pool(threads=1), threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        entered.set()
        assert may_go_on.wait(30)
        done.append("first")

    pool.submit(first)
    pool.submit(lambda: done.append("second"))
    assert entered.wait(30)
    pool.stop(0)
    may_go_on.set()
    finish(pool)
    assert done == ["first"]
    assert not pool.submit(may_go_on.set)


def test_where_no_thread_can_be_started_there_is_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = Pool()
    monkeypatch.setattr(threading.Thread, "start", start)
    assert not pool.submit(list)
    assert not pool._threads
    assert not pool._queue


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork.")
def test_a_child_process_has_threads_of_its_own() -> None:
    may_go_on = threading.Event()
    parents = BACKGROUND.value
    parents.submit(lambda: may_go_on.wait(30))

    def work() -> bool:
        done = threading.Event()
        assert BACKGROUND.value is not parents
        return BACKGROUND.value.submit(done.set) and done.wait(30)

    assert Child(work).result()
    may_go_on.set()
    finish(parents)


def test_a_process_ends_though_a_body_is_running() -> None:
    code = (
        "import threading\n"
        "from jinja_fragcache.engine import background\n"
        "background.Pool.stop.__defaults__ = (0.01,)\n"
        "never = threading.Event()\n"
        "for _ in range(5): assert background.BACKGROUND.value.submit(never.wait)\n"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, timeout=30, check=True)
    assert run.returncode == 0
