import fcntl
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jinja_fragcache.stores.file_lock import CountingLock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def is_free(path: Path) -> bool:
    with path.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_the_lock_is_held_for_the_block(path: Path) -> None:
    lock = CountingLock(path, 0o600)
    with lock.held():
        assert not is_free(path)
    assert is_free(path)
    with pytest.raises(KeyError), lock.held():
        raise KeyError
    assert is_free(path)


def test_threads_exclude_each_other(path: Path) -> None:
    lock = CountingLock(path, 0o600)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait(60)
        for _ in range(200):
            with lock.held() as count:
                count.write((count.read() or 0) + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with lock.held() as count:
        assert count.read() == 800


def test_the_number_is_none_until_one_is_written(path: Path) -> None:
    with CountingLock(path, 0o600).held() as count:
        assert count.read() is None
        count.write(10**18)
        assert count.read() == 10**18
        count.write(0)
        assert count.read() == 0
    with CountingLock(path, 0o600).held() as count:
        assert count.read() == 0


def test_a_copied_descriptor_does_not_keep_the_lock(path: Path) -> None:
    # A process that is forked while the lock is held gets such a copy.
    with CountingLock(path, 0o600).held() as count:
        copy = os.dup(count._descriptor)
    assert is_free(path)
    os.close(copy)


def test_a_file_that_is_removed_during_the_wait_is_not_the_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = 0

    def flock(descriptor: int, how: int) -> None:
        nonlocal waits
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if is_file and how & fcntl.LOCK_EX:
            waits += 1
            if waits == 1:
                path.unlink()
        real(descriptor, how)

    real = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", flock)
    with CountingLock(path, 0o600).held():
        monkeypatch.undo()
        assert not is_free(path)
    assert waits == 2


@pytest.mark.parametrize(
    ("mode", "of_lock"), [(0o600, 0o600), (0o640, 0o660), (0o664, 0o666)]
)
def test_users_who_may_read_may_lock(path: Path, mode: int, of_lock: int) -> None:
    with CountingLock(path, mode).held() as count:
        count.write(1)
    assert path.stat().st_mode & 0o777 == of_lock


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        CountingLock(tmp_path / "none" / "lock", 0o600).held(),
    ):
        pass


def test_a_lock_that_others_hold_for_too_long_is_an_error(path: Path) -> None:
    with CountingLock(path, 0o600).held():
        started = time.monotonic()
        with (
            pytest.raises(TimeoutError, match=r"held the lock .*lock for 0\.2 seconds"),
            CountingLock(path, 0o600, patience=0.2).held(),
        ):
            pass
        assert 0.2 <= time.monotonic() - started < 2
    with CountingLock(path, 0o600, patience=0.2).held():
        assert not is_free(path)


def test_so_is_one_that_another_thread_holds(path: Path) -> None:
    lock = CountingLock(path, 0o600, patience=0.2)
    errors: list[TimeoutError] = []

    def work() -> None:
        try:
            with lock.held():
                pass
        except TimeoutError as error:
            errors.append(error)

    with lock.held():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(errors) == 1
    with lock.held():
        assert not is_free(path)


def test_those_who_wait_get_the_lock_though_others_take_it_again_and_again(
    path: Path,
) -> None:
    # Each has a lock of its own, as processes have.
    stop = threading.Event()

    def greedy() -> None:
        lock = CountingLock(path, 0o600)
        while not stop.is_set():
            with lock.held():
                time.sleep(0.001)

    threads = [threading.Thread(target=greedy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            with CountingLock(path, 0o600).held():
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_without_an_order_the_lock_works_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open, real_flock = os.open, fcntl.flock

    def no_folders(path: Path | str, *arguments: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(path)
        return real_open(path, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", no_folders)
        with CountingLock(path, 0o600).held():
            assert not is_free(path)

    def no_locks_of_folders(file: Any, how: int) -> None:
        if isinstance(file, int) and stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(9, "Bad file descriptor")
        real_flock(file, how)

    monkeypatch.setattr(fcntl, "flock", no_locks_of_folders)
    with CountingLock(path, 0o600).held():
        assert not is_free(path)
