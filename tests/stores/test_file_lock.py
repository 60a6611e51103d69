import fcntl
import os
import threading
from pathlib import Path

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
        if how == fcntl.LOCK_EX:
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
