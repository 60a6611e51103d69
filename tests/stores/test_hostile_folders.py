"""A `FileStore` in a folder to which somebody else writes."""

import fcntl
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jinja_fragcache import FragmentCache
from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import FileStore, file_open
from tests.stores.folders import file_of, kept, names
from tests.support import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such files")

VICTIM = "the first twenty bytes, and more\n"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Provide a file of another user, outside of the store's folder."""
    file = tmp_path / "victim"
    file.write_text(VICTIM)
    file.chmod(0o640)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def store(folder: Path) -> FileStore:
    return FileStore(str(folder), threshold=3)


LINKS: list[Callable[[Path, Path], Any]] = [
    lambda link, target: link.symlink_to(target),
    lambda link, target: link.hardlink_to(target),
]


@pytest.mark.parametrize("link", LINKS, ids=["symbolic", "hard"])
def test_a_lock_file_that_is_a_link_is_not_written(
    folder: Path, store: FileStore, victim: Path, link: Callable[[Path, Path], Any]
) -> None:
    store.set("k", "text")
    (folder / "fragcache.lock").unlink()
    link(folder / "fragcache.lock", victim)
    calls: list[Callable[[], object]] = [
        lambda: store.set("k", "new"),
        lambda: store.add("new", "text"),
        lambda: store.inc("number"),
        lambda: store.delete("k"),
        store.clear,
    ]
    for call in calls:
        with pytest.raises(StoreError, match=r"could not .*\[Errno"):
            call()
    assert store.get("k") == "text"
    assert victim.read_text() == VICTIM
    assert stat.S_IMODE(victim.stat().st_mode) == 0o640


def test_a_lock_file_that_is_a_link_to_nothing_creates_nothing(
    folder: Path, store: FileStore, tmp_path: Path
) -> None:
    (folder / "fragcache.lock").unlink(missing_ok=True)
    (folder / "fragcache.lock").symlink_to(tmp_path / "created")
    with pytest.raises(StoreError):
        store.set("k", "text")
    assert not (tmp_path / "created").exists()


def test_an_entry_that_is_a_link_is_a_miss_and_is_replaced(
    folder: Path, store: FileStore, tmp_path: Path, victim: Path
) -> None:
    store.set("k", "text")
    elsewhere = tmp_path / "elsewhere"
    entry = file_of(store, "k")
    # Even if what it names is an intact entry.
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere)
    assert store.get("k") is None
    assert not store.has("k")
    assert store.add("k", "new")
    assert store.get("k") == "new"
    assert not entry.is_symlink()
    entry.unlink()
    entry.symlink_to(victim)
    store.set("k", "newer")
    assert store.get("k") == "newer"
    entry.unlink()
    entry.symlink_to(victim)
    assert store.delete("k") is True
    assert not entry.is_symlink()
    assert victim.read_text() == VICTIM
    assert stat.S_IMODE(victim.stat().st_mode) == 0o640


def test_links_to_nothing_do_not_break_the_limit(
    folder: Path, store: FileStore
) -> None:
    for key in "abc":
        store.set(key, "text")
    entry = file_of(store, "a")
    entry.unlink()
    entry.symlink_to("nothing")
    store.set("a", "text")
    assert kept(store, "abc") == "abc"


@pytest.mark.parametrize("name", ["entry", "fragcache.lock"])
def test_a_fifo_is_not_waited_for(folder: Path, store: FileStore, name: str) -> None:
    entry = file_of(store, "k") if name == "entry" else folder / name
    entry.unlink(missing_ok=True)
    os.mkfifo(entry)
    started = time.monotonic()
    assert store.get("k") is None
    if name == "entry":
        store.set("k", "text")
        assert store.get("k") == "text"
    else:
        with pytest.raises(StoreError, match="no regular file"):
            store.set("k", "text")
    assert time.monotonic() - started < 2


def test_a_fifo_fails_no_page(folder: Path, store: FileStore) -> None:
    cache = FragmentCache(store)
    template = environment(store=cache).from_string(
        '{% cache 300, "k" %}text{% endcache %}'
    )
    assert template.render() == "text"
    (entry,) = [folder / name for name in names(folder)]
    entry.unlink()
    os.mkfifo(entry)
    assert [template.render(), template.render()] == ["text"] * 2
    assert cache.stats().failures == 0
    assert cache.stats().hits == 1


def test_unfinished_files_that_are_links_or_fifos_are_only_removed(
    folder: Path, store: FileStore, victim: Path
) -> None:
    (folder / "link.__wz_cache").symlink_to(victim)
    os.mkfifo(folder / "fifo.__wz_cache")
    (folder / "below.__wz_cache").mkdir()
    for each in folder.iterdir():
        os.utime(each, (0, 0), follow_symlinks=False)
    FileStore(str(folder))
    assert names(folder) == {"below.__wz_cache"}
    assert victim.read_text() == VICTIM


def test_a_file_that_is_too_large_is_not_read(
    folder: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_open, "MOST_BYTES", 1000)
    monkeypatch.setattr("jinja_fragcache.stores.files.MOST_BYTES", 1000)
    store.set("k", "x" * (1000 - 24))
    assert store.get("k") == "x" * (1000 - 24)
    with pytest.raises(StoreError, match=r"1001 bytes is too large .* up to 1000"):
        store.set("k", "x" * (1001 - 24))
    assert store.get("k") == "x" * (1000 - 24)
    with file_of(store, "k").open("ab") as file:
        file.truncate(2**40)
    assert store.get("k") is None
    store.set("k", "small")
    assert store.get("k") == "small"


def test_what_the_system_returns_in_parts_is_read_as_one(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("k", "text " * 10)
    real = os.read
    monkeypatch.setattr(os, "read", lambda file, size: real(file, min(size, 7)))
    assert store.get("k") == "text " * 10


@pytest.mark.parametrize(
    ("mode", "of_folder"),
    [(None, 0o700), (0o600, 0o700), (0o640, 0o750), (0o644, 0o755), (0o660, 0o770)],
)
def test_only_those_who_may_use_entries_may_use_a_new_folder(
    folder: Path, mode: int | None, of_folder: int
) -> None:
    before = os.umask(0)
    try:
        FileStore(str(folder / "below"), mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "below").stat().st_mode) == of_folder


def test_the_mode_of_a_folder_that_exists_is_kept(folder: Path) -> None:
    folder.mkdir(mode=0o750)
    FileStore(str(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


@pytest.mark.parametrize("key", ["../victim", "/etc/passwd", "..", "a/b", "\0", ""])
def test_no_key_leads_out_of_the_folder(
    folder: Path, store: FileStore, tmp_path: Path, key: str
) -> None:
    before = set(tmp_path.rglob("*"))
    store.set(key, "text")
    assert store.get(key) == "text"
    assert {each.parent for each in set(tmp_path.rglob("*")) - before} == {folder}


def test_a_lock_that_somebody_holds_for_ever_costs_one_wait(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileStore(str(folder))
    store._folder.lock._patience = 0.3
    cache = FragmentCache(store)
    template = environment(store=cache).from_string(
        '{% cache 300, "a" %}a{% endcache %}{% cache 300, "b" %}b{% endcache %}'
    )
    store.set("k", "text")
    with (folder / "fragcache.lock").open("rb") as somebody:
        fcntl.flock(somebody, fcntl.LOCK_EX)
        started = time.monotonic()
        assert [template.render() for _ in range(3)] == ["ab"] * 3
        assert time.monotonic() - started < 0.9
        assert cache.stats().failures == 1
        assert cache.stats().skipped
        assert "held the lock" in caplog.text
        assert store.get("k") == "text"
        with pytest.raises(StoreError, match="held the lock"):
            cache.delete_fragment("a")
