import hashlib
import math
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import cachelib
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jinja_fragcache.errors import TimeoutValueError
from jinja_fragcache.stores import FileStore, Timed, file_format
from jinja_fragcache.stores.file_folder import STALE_SECONDS
from tests.stores import file_workers
from tests.support import Clock

PROCESSES = 4
HEAD = 24
VALUES = st.text(max_size=50) | st.integers(-(10**19) + 1, 10**19 - 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> FileStore:
    return FileStore(str(tmp_path), timer=clock)


def file_of(store: FileStore, key: str) -> Path:
    return store._path(key)


def names(folder: Path) -> set[str]:
    """Tell what lies in a folder besides the lock."""
    return {file.name for file in folder.iterdir()} - {"fragcache.lock"}


def kept(store: FileStore, keys: str) -> str:
    return "".join(key for key in keys if store.has(key))


def counted(store: FileStore) -> int | None:
    """Tell how many entries there are without looking, as the store knows it."""
    with store._folder.lock.held() as count:
        return count.read()


def test_a_file_holds_the_text_as_it_is(store: FileStore) -> None:
    store.set("k", "<p>Gr\u00fc\u00dfe</p>", timeout=5)
    assert file_of(store, "k").read_bytes()[HEAD:] == "<p>Gr\u00fc\u00dfe</p>".encode()


def test_nothing_else_lies_in_the_folder(store: FileStore, tmp_path: Path) -> None:
    store.set("k", "text")
    assert names(tmp_path) == {hashlib.sha256(b"k").hexdigest()}


def test_the_mode_is_that_of_all_files(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path), mode=0o640)
    store.set("k", "text")
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {file_of(store, "k").name: 0o640, "fragcache.lock": 0o660}


def test_without_a_mode_nobody_else_reads(store: FileStore, tmp_path: Path) -> None:
    store.set("k", "text")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


class TestTimeouts:
    def test_an_entry_lives_until_its_timeout(
        self, store: FileStore, clock: Clock
    ) -> None:
        store.set("k", "text", timeout=10)
        clock.now += 10
        assert store.get("k") == "text"
        assert store.has("k")
        clock.now += 0.1
        assert store.get("k") is None
        assert not store.has("k")

    @pytest.mark.parametrize("timeout", [None, 300, timedelta(minutes=5)])
    def test_the_default(self, store: FileStore, clock: Clock, timeout: Any) -> None:
        store.set("k", "text", timeout=timeout)
        clock.now += 300
        assert store.get("k") == "text"
        clock.now += 1
        assert store.get("k") is None

    @pytest.mark.parametrize(("default", "timeout"), [(300, 0), (0, None), (0, 0)])
    def test_zero_is_for_ever(
        self, tmp_path: Path, clock: Clock, default: int, timeout: int | None
    ) -> None:
        store = FileStore(str(tmp_path), default_timeout=default, timer=clock)
        store.set("k", "text", timeout=timeout)
        clock.now += 1e12
        assert store.get("k") == "text"

    def test_the_longest(self, store: FileStore, clock: Clock) -> None:
        clock.now = 4e9
        store.set("k", "text", timeout=2**31 - 1)
        assert store.get("k") == "text"

    def test_a_wrong_one_is_refused(self, store: FileStore, tmp_path: Path) -> None:
        with pytest.raises(TimeoutValueError, match="A timeout can't be -1"):
            store.set("k", "text", timeout=-1)
        assert names(tmp_path) == set()


class TestDamage:
    @given(value=VALUES, data=st.data())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_cut_or_changed_bytes_are_never_another_value(
        self, store: FileStore, value: str | int, data: st.DataObject
    ) -> None:
        store.set("k", value, timeout=5)
        whole = file_of(store, "k").read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        flipped = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
        for damaged in (
            whole[:at],
            whole[at + 1 :],
            whole[:at] + flipped + whole[at + 1 :],
            whole + flipped,
            bytes(at) + whole[at:],
        ):
            file_of(store, "k").write_bytes(damaged)
            assert (store.get("k") is None) == (damaged != whole)
            assert store.has("k") == (damaged == whole)

    @given(st.binary())
    @example(b"")
    @example(b"\0\0\0\0text")
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_what_others_wrote_is_a_miss(self, store: FileStore, found: bytes) -> None:
        file_of(store, "k").write_bytes(found)
        assert store.get("k") is None
        assert store.inc("k") == 1

    def test_an_entry_of_another_key_is_a_miss(self, store: FileStore) -> None:
        store.set("k", "text")
        file_of(store, "k").rename(file_of(store, "other"))
        assert store.get("other") is None

    def test_an_entry_whose_bytes_are_no_text_is_a_miss(self, store: FileStore) -> None:
        digest = file_format.digest("k", 0, b"\xc3")
        file_of(store, "k").write_bytes(bytes(8) + digest + b"\xc3")
        assert store.get("k") is None

    def test_a_damaged_entry_can_be_replaced(self, store: FileStore) -> None:
        for write in (store.set, store.add):
            file_of(store, "k").write_bytes(b"damaged")
            assert write("k", "text") is True
            assert store.get("k") == "text"

    def test_what_cachelib_kept_is_a_miss(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        cachelib.FileSystemCache(str(tmp_path), hash_method=hashlib.sha256).set(
            "k", "x"
        )
        assert file_of(store, "k").exists()
        assert store.get("k") is None

    def test_a_folder_in_place_of_a_file(
        self, store: FileStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file_of(store, "k").mkdir()
        assert store.get("k") is None
        assert not store.has("k")
        assert caplog.records == []
        assert store.set("k", "text") is False
        assert store.add("k", "text") is False
        assert store.inc("k") is None
        assert store.delete("k") is False
        assert store.clear() is True
        assert names(tmp_path) == {file_of(store, "k").name}
        assert {record.exc_info for record in caplog.records} == {None}
        assert "could not write: [Errno" in caplog.text

    def test_what_may_not_be_read_is_a_miss(
        self, store: FileStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.set("k", "text")
        with unreadable(file_of(store, "k")):
            assert store.get("k") is None
            assert not store.has("k")
        assert store.get("k") == "text"
        assert caplog.records == []


@contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """Take the permission to read a file away; root has to be another user for that."""
    user = os.geteuid()
    mode = file.stat().st_mode
    file.chmod(0)
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            file.read_bytes()
        yield
    finally:
        os.seteuid(user)
        file.chmod(mode)


class TestWritesThatFail:
    @pytest.mark.parametrize("value", [None, True, 1.5, b"text", ["text"], 10**19])
    def test_what_is_no_text_is_refused(
        self, store: FileStore, tmp_path: Path, value: Any
    ) -> None:
        store.set("k", "old")
        for write in (store.set, store.add):
            with pytest.raises(TypeError, match="This store keeps texts and numbers"):
                write("k", value)
        assert store.get("k") == "old"
        assert names(tmp_path) == {file_of(store, "k").name}

    def test_a_number_that_grows_too_long_is_refused(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        store.set("k", 10**19 - 1)
        with pytest.raises(TypeError, match="up to 19 digits"):
            store.inc("k")
        assert store.get("k") == 10**19 - 1
        assert names(tmp_path) == {file_of(store, "k").name}

    def test_a_disk_that_takes_no_more(
        self, store: FileStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.set("k", "old")
        with files_limited_to(1000):
            assert store.set("k", "x" * 2000) is False
            assert store.add("new", "x" * 2000) is False
        assert store.get("k") == "old"
        assert names(tmp_path) == {file_of(store, "k").name}
        assert f"The store in {tmp_path} could not write: [Errno 27]" in caplog.text

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path / "cache"))
        (tmp_path / "cache").rmdir()
        assert store.get("k") is None
        assert store.set("k", "text") is False
        assert store.inc("k") is None
        assert store.delete("k") is True
        assert store.clear() is True

    def test_a_lock_that_can_not_be_taken(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        store.set("k", "text")
        (tmp_path / "fragcache.lock").unlink()
        (tmp_path / "fragcache.lock").mkdir()
        assert store.set("k", "new") is False
        assert store.delete("k") is False
        assert store.clear() is False
        assert store.get("k") == "text"
        assert names(tmp_path) == {file_of(store, "k").name}


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let this process write no larger files, which fails as a full disk does."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


class TestStaleFiles:
    def leave(self, tmp_path: Path, age: int) -> Path:
        file = tmp_path / f"tmp{age}.__wz_cache"
        file.write_text("half a te")
        written = time.time() - age
        os.utime(file, (written, written))
        return file

    def test_they_are_removed_at_the_start(self, tmp_path: Path) -> None:
        old = self.leave(tmp_path, STALE_SECONDS + 60)
        new = self.leave(tmp_path, STALE_SECONDS - 60)
        FileStore(str(tmp_path))
        assert not old.exists()
        assert new.exists()

    def test_they_are_removed_when_room_is_made(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=2)
        old = self.leave(tmp_path, STALE_SECONDS + 60)
        for key in "abc":
            store.set(key, key)
        assert not old.exists()

    def test_they_are_no_entries(self, store: FileStore, tmp_path: Path) -> None:
        new = self.leave(tmp_path, 0)
        store.set("k", "text")
        store.clear()
        assert names(tmp_path) == {new.name}


class TestTheLimit:
    @pytest.mark.parametrize("threshold", [1, 2, 3, 16, 33, 64])
    def test_it_is_never_exceeded(self, tmp_path: Path, threshold: int) -> None:
        store = FileStore(str(tmp_path), threshold)
        fewest = threshold
        for number in range(3 * threshold + 5):
            assert store.set(str(number), "text") is True
            assert store.get(str(number)) == "text"
            assert len(names(tmp_path)) <= threshold
            if number >= threshold:
                fewest = min(fewest, len(names(tmp_path)))
        assert fewest >= threshold - max(1, threshold // 16)

    def test_zero_is_none(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=0)
        for number in range(600):
            store.add(str(number), number)
        assert len(names(tmp_path)) == 600

    @pytest.mark.parametrize("threshold", [-1, 1.5, "10", None, True])
    def test_a_wrong_one_is_refused(self, tmp_path: Path, threshold: Any) -> None:
        with pytest.raises(ValueError, match="threshold of 1 or more, or 0"):
            FileStore(str(tmp_path), threshold)

    def test_what_was_written_first_goes_first(
        self, tmp_path: Path, clock: Clock
    ) -> None:
        store = FileStore(str(tmp_path), threshold=4, timer=clock)
        for key, written in zip("abcd", [4, 1, 2, 3], strict=True):
            store.set(key, key, timeout=0 if key == "a" else written)
            os.utime(file_of(store, key), (written, written))
        store.set("e", "e")
        assert kept(store, "abcde") == "acde"
        store.set("f", "f")
        assert kept(store, "abcdef") == "adef"

    def test_what_expired_or_is_damaged_goes_before_that(
        self, tmp_path: Path, clock: Clock
    ) -> None:
        store = FileStore(str(tmp_path), threshold=5, timer=clock)
        for key, timeout in zip("abcde", [0, 9, 5, 0, 5], strict=True):
            store.set(key, key, timeout)
            # All in one second, as some file systems tell it.
            os.utime(file_of(store, key), (ord(key), ord(key)))
        file_of(store, "d").write_bytes(b"damaged")
        clock.now += 6
        store.set("f", "f")
        assert kept(store, "abcdef") == "abf"
        assert len(names(tmp_path)) == 3

    def test_writing_anew_needs_no_room(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        for _ in range(5):
            store.set("b", "anew")
            store.inc("a")
        assert kept(store, "abc") == "abc"

    def test_what_was_deleted_makes_room(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        for _ in range(5):
            store.delete("b")
            store.delete("never there")
            store.add("b", "anew")
        assert kept(store, "abc") == "abc"

    def test_what_was_deleted_is_not_counted(self, store: FileStore) -> None:
        for key in "abc":
            store.set(key, key)
        store.delete("b")
        store.delete("never there")
        assert counted(store) == 2

    def test_all_is_room_after_a_clear(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        assert store.clear() is True
        assert counted(store) == 0
        for key in "abc":
            store.set(key, key)
        assert kept(store, "abc") == "abc"

    def test_the_count_outlives_the_store(self, tmp_path: Path) -> None:
        for key in "abcd":
            FileStore(str(tmp_path), threshold=3).set(key, key)
            assert len(names(tmp_path)) <= 3

    @pytest.mark.parametrize("damaged", [b"", b"garbage", b"-"])
    def test_a_count_that_is_lost_is_made_anew(
        self, tmp_path: Path, damaged: bytes
    ) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        (tmp_path / "fragcache.lock").write_bytes(damaged)
        store.set("d", "d")
        assert len(names(tmp_path)) == 3

    def test_two_stores_with_limits_of_their_own(self, tmp_path: Path) -> None:
        large = FileStore(str(tmp_path), threshold=30)
        small = FileStore(str(tmp_path), threshold=3)
        for number in range(50):
            large.set(str(number), "text")
        assert len(names(tmp_path)) <= 30
        small.set("s", "text")
        assert len(names(tmp_path)) <= 3
        assert large.get("s") == "text"

    def test_what_can_not_be_removed_is_counted_on(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        # Not pytest's folder, which only its user can reach.
        with tempfile.TemporaryDirectory() as folder:
            store = FileStore(folder, threshold=2)
            for key in "ab":
                store.set(key, key)
            with unremovable(Path(folder)):
                assert store._folder.make_room() == 2
                assert store.clear() is False
            assert kept(store, "ab") == "ab"
            assert counted(store) == 2
            assert "could not delete" in caplog.text
            assert store.clear() is True


@contextmanager
def unremovable(folder: Path) -> Iterator[None]:
    """Forbid to remove files from a folder; root has to be another user for that."""
    user = os.geteuid()
    (folder / "fragcache.lock").chmod(0o666)
    folder.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


class TestOperations:
    def test_clear_leaves_what_is_not_its_own(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        foreign = {"README", "0" * 63, "0" * 65, "g" * 64, "A" * 64}
        for name in foreign:
            (tmp_path / name).write_text("foreign")
        (tmp_path / ("a" * 64)).symlink_to(tmp_path / "README")
        store.set("k", "text")
        assert store.clear() is True
        assert names(tmp_path) == foreign | {"a" * 64}

    def test_add_keeps_what_is_there(self, store: FileStore, clock: Clock) -> None:
        assert store.add("k", "first", timeout=5) is True
        assert store.add("k", "second") is False
        assert store.get("k") == "first"
        clock.now += 6
        assert store.add("k", "third") is True
        assert store.get("k") == "third"

    def test_add_looks_again_when_it_has_the_lock(
        self, store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = FileStore(str(tmp_path), timer=store._timer)
        write = late._folder.written

        @contextmanager
        def written_while_another_adds(content: bytes) -> Iterator[Path]:
            store.set("k", "of another")
            with write(content) as file:
                yield file

        monkeypatch.setattr(late._folder, "written", written_while_another_adds)
        assert late.add("k", "late") is False
        assert store.get("k") == "of another"
        assert names(tmp_path) == {file_of(store, "k").name}

    def test_delete_of_what_is_gone_is_no_error(self, store: FileStore) -> None:
        store.set("k", "text")
        assert store.delete("k") is True
        assert store.delete("k") is True

    def test_a_number_is_counted_and_keeps_its_time(
        self, store: FileStore, clock: Clock
    ) -> None:
        store.set("k", 5, timeout=10)
        clock.now += 10
        assert store.inc("k") == 6
        assert store.inc("k", 10) == 16
        assert store.dec("k", 20) == -4
        assert store.dec("k") == -5
        assert store.get("k") == -5
        clock.now += 1
        assert store.get("k") is None

    def test_counting_begins_at_delta_with_the_default_timeout(
        self, store: FileStore, clock: Clock
    ) -> None:
        assert store.inc("up", 3) == 3
        assert store.dec("down", 3) == -3
        clock.now += 300
        assert store.get_many("up", "down") == [3, -3]
        clock.now += 1
        assert store.get_many("up", "down") == [None, None]

    def test_a_text_is_not_counted(self, store: FileStore) -> None:
        store.set("k", "5")
        assert store.inc("k") is None
        assert store.get("k") == "5"

    def test_a_number_that_never_expires_stays_so(
        self, store: FileStore, clock: Clock
    ) -> None:
        store.set("k", 1, timeout=0)
        store.inc("k")
        clock.now += 1e9
        assert store.get("k") == 2

    def test_many_at_once(self, store: FileStore, clock: Clock) -> None:
        assert store.set_many({"a": 1, "b": "2"}, timeout=5) == ["a", "b"]
        assert store.get_many("a", "x", "b") == [1, None, "2"]
        assert store.get_dict("a", "x") == {"a": 1, "x": None}
        clock.now += 6
        assert store.get_many("a", "b") == [None, None]
        assert store.delete_many("a", "x") == ["a", "x"]


class TestWhatIsLeft:
    def test_it_is_told_as_long_as_there_is_an_entry(
        self, store: FileStore, clock: Clock
    ) -> None:
        store.set("k", "text", timeout=5)
        store.set("for ever", "text", timeout=0)
        clock.now += 2
        assert store.remaining("k") == 3
        assert store.remaining("for ever") == math.inf
        clock.now += 4
        assert store.remaining("k") is None
        assert store.remaining("none") is None


class TestWhatNeedsAnother:
    """Values that are kept if another key has an expected value."""

    LOCK: ClassVar = {"k": "lock"}

    @pytest.mark.parametrize("threshold", [1, 2, 500])
    def test_that_goes_and_makes_room_for_it(
        self, tmp_path: Path, threshold: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FileStore(str(tmp_path), threshold)
        store.set("lock", "mine")
        kept = store.set_many_if_equal({"k": ("text", None)}, self.LOCK, "mine")
        assert kept == ["k"]
        assert names(tmp_path) == {file_of(store, "k").name}
        assert counted(store) == 1
        assert caplog.records == []

    def test_it_is_not_kept_once_that_has_expired(
        self, store: FileStore, tmp_path: Path, clock: Clock
    ) -> None:
        store.set("lock", "mine", timeout=5)
        clock.now += 6
        assert store.set_many_if_equal({"k": ("text", 5)}, self.LOCK, "mine") == []
        assert store.delete_many_if_equal(["lock"], "mine") == []
        assert names(tmp_path) == {file_of(store, "lock").name}

    def test_many_are_moved_under_one_hold_of_the_lock(
        self, store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = ["a", "b", "c"]
        locks = {key: f"lock {key}" for key in keys}
        store.set_many({"lock a": "mine", "lock b": "theirs", "lock c": "mine"})
        held: list[str] = []
        hold = store._folder.lock.held

        def noting() -> Any:
            held.append("held")
            return hold()

        monkeypatch.setattr(store._folder.lock, "held", noting)
        values: dict[str, Timed] = {key: (key, 5) for key in keys}
        assert store.set_many_if_equal(values, locks, "mine") == ["a", "c"]
        assert store.delete_many_if_equal(list(locks.values()), "theirs") == ["lock b"]
        assert len(held) == 2
        assert names(tmp_path) == {file_of(store, key).name for key in "ac"}
        assert counted(store) == 2

    def test_a_disk_that_takes_no_more(self, store: FileStore) -> None:
        store.set("lock", "mine")
        store.set("k", "old")
        with files_limited_to(1000):
            values = {"k": ("x" * 2000, 5)}
            assert store.set_many_if_equal(values, self.LOCK, "mine") == []
        assert store.get("k") == "old"
        assert store.delete_many_if_equal(["lock"], "mine") == ["lock"]

    def test_a_lock_that_can_not_be_taken(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        store.set("lock", "mine")
        (tmp_path / "fragcache.lock").unlink()
        (tmp_path / "fragcache.lock").mkdir()
        assert store.set_many_if_equal({"k": ("text", 5)}, self.LOCK, "mine") == []
        assert store.delete_many_if_equal(["lock"], "mine") == []
        assert kept(store, "k") == ""


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Run processes that are made anew, so they share nothing with this one."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        PROCESSES,
        spawning,
        initializer=file_workers.begin,
        initargs=(spawning.Barrier(PROCESSES),),
    ) as executor:
        yield executor


class TestProcesses:
    @pytest.mark.parametrize("threshold", [5, 100])
    def test_all_they_read_is_whole_and_the_limit_holds(
        self, processes: ProcessPoolExecutor, tmp_path: Path, threshold: int
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
        self, processes: ProcessPoolExecutor, tmp_path: Path, clock: Clock, before: str
    ) -> None:
        keys = [str(number) for number in range(60)]
        store = FileStore(str(tmp_path), timer=clock)
        for key in keys if before != "nothing" else []:
            store.set(key, "of before", timeout=1)
            if before == "damaged":
                file_of(store, key).write_bytes(b"damaged")
        done = [
            processes.submit(file_workers.add_each, str(tmp_path), keys)
            for _ in range(PROCESSES)
        ]
        added = [key for each in done for key in each.result()]
        assert sorted(added) == sorted(keys)

    def test_they_count_exactly(
        self, processes: ProcessPoolExecutor, tmp_path: Path
    ) -> None:
        done = [
            processes.submit(file_workers.count_up, str(tmp_path), "up", 150)
            for _ in range(PROCESSES)
        ]
        numbers = [number for each in done for number in each.result()]
        assert sorted(numbers) == list(range(1, 601))
        store = FileStore(str(tmp_path))
        assert store.get_many("up", "down") == [600, -1200]

    def test_one_that_is_killed_leaves_no_lock(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "tests.stores.file_workers", str(tmp_path)]
        with subprocess.Popen(  # noqa: S603 - of this folder
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
