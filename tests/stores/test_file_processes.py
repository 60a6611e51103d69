"""A `FileStore` that several processes share."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from jinja_fragcache.stores import FileStore
from tests.stores import file_workers
from tests.stores.folders import file_of, names
from tests.support import Clock

pytestmark = pytest.mark.slow

PROCESSES = 4


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Provide newly started processes, which share nothing with this one."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        PROCESSES,
        spawning,
        initializer=file_workers.begin,
        initargs=(spawning.Barrier(PROCESSES),),
    ) as executor:
        yield executor


@pytest.mark.parametrize("threshold", [5, 100])
def test_every_value_read_is_whole_and_the_limit_holds(
    processes: ProcessPoolExecutor, tmp_path: Path, threshold: int
) -> None:
    done = [
        processes.submit(file_workers.do_everything, str(tmp_path), threshold, seed)
        for seed in range(PROCESSES)
    ]
    assert [each.result() for each in done] == [[]] * PROCESSES
    assert len(names(tmp_path)) <= threshold
    assert not any(name.endswith(".__wz_cache") for name in names(tmp_path))


@pytest.mark.parametrize("before", ["nothing", "expired", "damaged"])
def test_add_has_one_winner(
    processes: ProcessPoolExecutor, tmp_path: Path, clock: Clock, before: str
) -> None:
    keys = [str(number) for number in range(60)]
    store = FileStore(str(tmp_path), timer=clock)
    for key in keys if before != "nothing" else []:
        store.set(key, "earlier", timeout=1)
        if before == "damaged":
            file_of(store, key).write_bytes(b"damaged")
    done = [
        processes.submit(file_workers.add_each, str(tmp_path), keys)
        for _ in range(PROCESSES)
    ]
    added = [key for each in done for key in each.result()]
    assert sorted(added) == sorted(keys)


def test_no_count_is_lost(processes: ProcessPoolExecutor, tmp_path: Path) -> None:
    done = [
        processes.submit(file_workers.count_up, str(tmp_path), "up", 150)
        for _ in range(PROCESSES)
    ]
    numbers = [number for each in done for number in each.result()]
    assert sorted(numbers) == list(range(1, 601))
    store = FileStore(str(tmp_path))
    assert store.get_many("up", "down") == [600, -1200]


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.stores.file_workers", str(tmp_path)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.kill()
    store = FileStore(str(tmp_path))
    assert store.set("k", "text") is True
    assert store.inc("n") == 1
    (stale,) = names(tmp_path) - {file_of(store, key).name for key in "kn"}
    os.utime(tmp_path / stale, (0, 0))
    FileStore(str(tmp_path))
    assert stale not in names(tmp_path)
