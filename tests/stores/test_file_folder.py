import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jinja_fragcache.stores import FileStore
from jinja_fragcache.stores.file_folder import STALE_SECONDS
from tests.stores.folders import counted, file_of, kept, names
from tests.support import Clock


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> FileStore:
    return FileStore(str(tmp_path), timer=clock)


class TestUnfinishedFiles:
    def leave(self, tmp_path: Path, age: int) -> Path:
        file = tmp_path / f"tmp{age}.__wz_cache"
        file.write_text("half a te")
        written = time.time() - age
        os.utime(file, (written, written))
        return file

    def test_they_are_removed_when_a_store_is_made(self, tmp_path: Path) -> None:
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

    def test_clear_leaves_the_recent_ones(
        self, store: FileStore, tmp_path: Path
    ) -> None:
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

    def test_zero_is_no_limit(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=0)
        for number in range(600):
            store.add(str(number), number)
        assert len(names(tmp_path)) == 600

    @pytest.mark.parametrize("threshold", [-1, 1.5, "10", None, True])
    def test_a_wrong_threshold_is_refused(self, tmp_path: Path, threshold: Any) -> None:
        with pytest.raises(ValueError, match="threshold of 1 or more, or 0"):
            FileStore(str(tmp_path), threshold)

    def test_the_entries_that_were_written_first_are_removed_first(
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

    def test_expired_and_damaged_entries_are_removed_before_those(
        self, tmp_path: Path, clock: Clock
    ) -> None:
        store = FileStore(str(tmp_path), threshold=5, timer=clock)
        for key, timeout in zip("abcde", [0, 9, 5, 0, 5], strict=True):
            store.set(key, key, timeout)
            # All within one second, the resolution of some file systems.
            os.utime(file_of(store, key), (ord(key), ord(key)))
        file_of(store, "d").write_bytes(b"damaged")
        clock.now += 6
        store.set("f", "f")
        assert kept(store, "abcdef") == "abf"
        assert len(names(tmp_path)) == 3

    def test_overwriting_needs_no_room(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        for _ in range(5):
            store.set("b", "anew")
            store.inc("a")
        assert kept(store, "abc") == "abc"

    def test_a_deleted_entry_makes_room(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        for _ in range(5):
            store.delete("b")
            store.delete("never there")
            store.add("b", "anew")
        assert kept(store, "abc") == "abc"

    def test_a_deleted_entry_is_not_counted(self, store: FileStore) -> None:
        for key in "abc":
            store.set(key, key)
        store.delete("b")
        store.delete("never there")
        assert counted(store) == 2

    def test_clear_makes_room_for_all(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        assert store.clear() is True
        assert counted(store) == 0
        for key in "abc":
            store.set(key, key)
        assert kept(store, "abc") == "abc"

    def test_the_count_is_kept_in_the_folder(self, tmp_path: Path) -> None:
        for key in "abcd":
            FileStore(str(tmp_path), threshold=3).set(key, key)
            assert len(names(tmp_path)) <= 3

    @pytest.mark.parametrize("damaged", [b"", b"garbage", b"-"])
    def test_a_damaged_count_is_replaced_by_counting(
        self, tmp_path: Path, damaged: bytes
    ) -> None:
        store = FileStore(str(tmp_path), threshold=3)
        for key in "abc":
            store.set(key, key)
        (tmp_path / "fragcache.lock").write_bytes(damaged)
        store.set("d", "d")
        assert len(names(tmp_path)) == 3

    def test_two_stores_may_have_different_limits(self, tmp_path: Path) -> None:
        large = FileStore(str(tmp_path), threshold=30)
        small = FileStore(str(tmp_path), threshold=3)
        for number in range(50):
            large.set(str(number), "text")
        assert len(names(tmp_path)) <= 30
        small.set("s", "text")
        assert len(names(tmp_path)) <= 3
        assert large.get("s") == "text"

    def test_an_entry_that_can_not_be_removed_stays_counted(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        # Not pytest's folder, which only the user that runs the tests can reach.
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
    """Forbid removing files from a folder. Root becomes another user for that."""
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
