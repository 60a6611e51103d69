import hashlib
import math
import os
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import cachelib
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jinja_fragcache.errors import StoreError, TimeoutValueError
from jinja_fragcache.stores import FileStore, Timed, file_format
from tests.stores.folders import counted, file_of, kept, names
from tests.support import Clock

HEAD = 24


VALUES = st.text(max_size=50) | st.integers(-(10**19) + 1, 10**19 - 1)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> FileStore:
    return FileStore(str(tmp_path), timer=clock)


def test_a_file_holds_the_text_unchanged_after_its_head(store: FileStore) -> None:
    store.set("k", "<p>Gr\u00fc\u00dfe</p>", timeout=5)
    assert file_of(store, "k").read_bytes()[HEAD:] == "<p>Gr\u00fc\u00dfe</p>".encode()


def test_the_folder_holds_entries_and_the_lock_only(
    store: FileStore, tmp_path: Path
) -> None:
    store.set("k", "text")
    assert names(tmp_path) == {hashlib.sha256(b"k").hexdigest()}


def test_the_mode_applies_to_all_files(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path), mode=0o640)
    store.set("k", "text")
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {file_of(store, "k").name: 0o640, "fragcache.lock": 0o660}


def test_without_a_mode_only_the_owner_can_read(
    store: FileStore, tmp_path: Path
) -> None:
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
    def test_without_a_timeout_the_default_timeout_applies(
        self, store: FileStore, clock: Clock, timeout: Any
    ) -> None:
        store.set("k", "text", timeout=timeout)
        clock.now += 300
        assert store.get("k") == "text"
        clock.now += 1
        assert store.get("k") is None

    @pytest.mark.parametrize(("default", "timeout"), [(300, 0), (0, None), (0, 0)])
    def test_zero_never_expires(
        self, tmp_path: Path, clock: Clock, default: int, timeout: int | None
    ) -> None:
        store = FileStore(str(tmp_path), default_timeout=default, timer=clock)
        store.set("k", "text", timeout=timeout)
        clock.now += 1e12
        assert store.get("k") == "text"

    def test_the_longest_timeout_is_stored(
        self, store: FileStore, clock: Clock
    ) -> None:
        clock.now = 4e9
        store.set("k", "text", timeout=2**31 - 1)
        assert store.get("k") == "text"

    def test_a_negative_timeout_is_refused(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        with pytest.raises(TimeoutValueError, match="A timeout can't be -1"):
            store.set("k", "text", timeout=-1)
        assert names(tmp_path) == set()


def test_a_folder_that_is_no_path_is_refused() -> None:
    wrong: Any = 5
    with pytest.raises(ValueError, match="folder of a FileStore can't be 5"):
        FileStore(wrong)


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
    def test_foreign_bytes_are_a_miss(self, store: FileStore, found: bytes) -> None:
        file_of(store, "k").write_bytes(found)
        assert store.get("k") is None
        assert store.inc("k") == 1

    def test_the_file_of_another_key_is_a_miss(self, store: FileStore) -> None:
        store.set("k", "text")
        file_of(store, "k").rename(file_of(store, "other"))
        assert store.get("other") is None

    def test_an_intact_entry_that_is_not_utf_8_is_a_miss(
        self, store: FileStore
    ) -> None:
        digest = file_format.digest("k", 0, b"\xc3")
        file_of(store, "k").write_bytes(bytes(8) + digest + b"\xc3")
        assert store.get("k") is None

    def test_a_damaged_entry_can_be_replaced(self, store: FileStore) -> None:
        for write in (store.set, store.add):
            file_of(store, "k").write_bytes(b"damaged")
            assert write("k", "text") is True
            assert store.get("k") == "text"

    def test_the_file_of_a_cachelib_cache_is_a_miss(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        cachelib.FileSystemCache(str(tmp_path), hash_method=hashlib.sha256).set(
            "k", "x"
        )
        assert file_of(store, "k").exists()
        assert store.get("k") is None

    def test_a_folder_in_place_of_a_file_is_a_miss_and_fails_writes(
        self, store: FileStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file_of(store, "k").mkdir()
        assert store.get("k") is None
        assert not store.has("k")
        for write in (store.set, store.add):
            with pytest.raises(StoreError, match=r"could not write: \[Errno"):
                write("k", "text")
        with pytest.raises(StoreError, match=r"could not write: \[Errno"):
            store.inc("k")
        with pytest.raises(StoreError, match=r"could not delete: \[Errno"):
            store.delete("k")
        assert store.clear() is True
        assert names(tmp_path) == {file_of(store, "k").name}
        # Whoever calls the store logs it, once.
        assert caplog.records == []

    def test_a_file_that_may_not_be_read_is_a_miss(
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
    """Take away the permission to read a file. Root becomes another user for that."""
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
    def test_values_other_than_text_and_integers_are_refused(
        self, store: FileStore, tmp_path: Path, value: Any
    ) -> None:
        store.set("k", "old")
        for write in (store.set, store.add):
            with pytest.raises(TypeError, match="This store keeps texts and numbers"):
                write("k", value)
        assert store.get("k") == "old"
        assert names(tmp_path) == {file_of(store, "k").name}

    def test_a_count_of_more_than_19_digits_is_refused(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        store.set("k", 10**19 - 1)
        with pytest.raises(TypeError, match="up to 19 digits"):
            store.inc("k")
        assert store.get("k") == 10**19 - 1
        assert names(tmp_path) == {file_of(store, "k").name}

    def test_a_full_disk_leaves_the_old_value(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        store.set("k", "old")
        failure = re.escape(f"The store in {tmp_path} could not write: [Errno 27]")
        with files_limited_to(1000):
            with pytest.raises(StoreError, match=failure):
                store.set("k", "x" * 2000)
            with pytest.raises(StoreError, match=failure):
                store.add("new", "x" * 2000)
        assert store.get("k") == "old"
        assert names(tmp_path) == {file_of(store, "k").name}

    def test_a_missing_folder_is_empty_and_fails_writes(self, tmp_path: Path) -> None:
        store = FileStore(str(tmp_path / "cache"))
        (tmp_path / "cache").rmdir()
        assert store.get("k") is None
        with pytest.raises(StoreError, match="could not write"):
            store.set("k", "text")
        with pytest.raises(StoreError, match="could not write"):
            store.inc("k")
        assert store.delete("k") is True
        assert store.clear() is True

    def test_a_lock_file_that_can_not_be_opened_fails_writes(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        store.set("k", "text")
        (tmp_path / "fragcache.lock").unlink()
        (tmp_path / "fragcache.lock").mkdir()
        with pytest.raises(StoreError, match="could not write"):
            store.set("k", "new")
        with pytest.raises(StoreError, match="could not delete"):
            store.delete("k")
        with pytest.raises(StoreError, match="could not clear"):
            store.clear()
        assert store.get("k") == "text"
        assert names(tmp_path) == {file_of(store, "k").name}


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Make this process fail to write larger files, as on a full disk."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


class TestOperations:
    def test_clear_leaves_foreign_files(self, store: FileStore, tmp_path: Path) -> None:
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

    def test_delete_accepts_a_missing_key(self, store: FileStore) -> None:
        store.set("k", "text")
        assert store.delete("k") is True
        assert store.delete("k") is True

    def test_a_count_keeps_its_remaining_time(
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

    def test_a_new_count_starts_at_delta_with_the_default_timeout(
        self, store: FileStore, clock: Clock
    ) -> None:
        assert store.inc("up", 3) == 3
        assert store.dec("down", 3) == -3
        clock.now += 300
        assert store.get_many("up", "down") == [3, -3]
        clock.now += 1
        assert store.get_many("up", "down") == [None, None]

    def test_a_text_can_not_be_counted(self, store: FileStore) -> None:
        store.set("k", "5")
        assert store.inc("k") is None
        assert store.get("k") == "5"

    def test_a_count_that_never_expires_still_never_expires(
        self, store: FileStore, clock: Clock
    ) -> None:
        store.set("k", 1, timeout=0)
        store.inc("k")
        clock.now += 1e9
        assert store.get("k") == 2

    def test_set_many_get_many_get_dict_and_delete_many(
        self, store: FileStore, clock: Clock
    ) -> None:
        assert store.set_many({"a": 1, "b": "2"}, timeout=5) == ["a", "b"]
        assert store.get_many("a", "x", "b") == [1, None, "2"]
        assert store.get_dict("a", "x") == {"a": 1, "x": None}
        clock.now += 6
        assert store.get_many("a", "b") == [None, None]
        assert store.delete_many("a", "x") == ["a", "x"]


class TestRemaining:
    def test_remaining_is_the_seconds_left_or_none(
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


class TestIfEqual:
    """Values that are stored if another key has an expected value."""

    LOCK: ClassVar = {"k": "lock"}

    @pytest.mark.parametrize("threshold", [1, 2, 500])
    def test_the_other_key_is_deleted_and_makes_room(
        self, tmp_path: Path, threshold: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FileStore(str(tmp_path), threshold)
        store.set("lock", "mine")
        kept = store.set_many_if_equal({"k": ("text", None)}, self.LOCK, "mine")
        assert kept == ["k"]
        assert names(tmp_path) == {file_of(store, "k").name}
        assert counted(store) == 1
        assert caplog.records == []

    def test_nothing_is_stored_once_the_other_key_has_expired(
        self, store: FileStore, tmp_path: Path, clock: Clock
    ) -> None:
        store.set("lock", "mine", timeout=5)
        clock.now += 6
        assert store.set_many_if_equal({"k": ("text", 5)}, self.LOCK, "mine") == []
        assert store.delete_many_if_equal(["lock"], "mine") == []
        assert names(tmp_path) == {file_of(store, "lock").name}

    def test_several_values_are_moved_under_one_lock(
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

    def test_a_full_disk_leaves_both_keys(self, store: FileStore) -> None:
        store.set("lock", "mine")
        store.set("k", "old")
        with files_limited_to(1000):
            values = {"k": ("x" * 2000, 5)}
            with pytest.raises(StoreError, match="could not write"):
                store.set_many_if_equal(values, self.LOCK, "mine")
        assert store.get("k") == "old"
        assert store.delete_many_if_equal(["lock"], "mine") == ["lock"]

    def test_a_lock_file_that_can_not_be_opened_stores_nothing(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        store.set("lock", "mine")
        (tmp_path / "fragcache.lock").unlink()
        (tmp_path / "fragcache.lock").mkdir()
        with pytest.raises(StoreError, match="could not write"):
            store.set_many_if_equal({"k": ("text", 5)}, self.LOCK, "mine")
        with pytest.raises(StoreError, match="could not delete"):
            store.delete_many_if_equal(["lock"], "mine")
        assert kept(store, "k") == ""
